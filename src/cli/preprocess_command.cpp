#include "skincheck/model.hpp"
#include "skincheck/output.hpp"

#include "cli/commands.hpp"
#include "cli/resources.hpp"
#include "cli/rows.hpp"

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

namespace skincheck::cli {
namespace {

namespace fs = boost::filesystem;

// DIR/a/b.jpg.png for a/b.jpg: the whole path and its ending stay. What would lead out of DIR is replaced:
// the root by "_", ".." by "__"; and a name of nothing but underscores gets two more, so that no two files
// meet in one.
std::string output_path(const std::string& folder, const std::string& path) {
    fs::path result(folder);
    if (path.starts_with('/')) {
        result /= "_";
    }
    std::istringstream parts(path);
    for (std::string part; std::getline(parts, part, '/');) {
        if (part.empty() || part == ".") {
            continue;
        }
        const bool underscores = part.find_first_not_of('_') == std::string::npos;
        result /= part == ".." ? "__" : underscores ? part + "__" : part;
    }
    return result.string() + ".png";
}

// Whether the name of this one output is at fault, and not what all of them share: the disk, the folder.
bool is_of_one_name(int error) {
    return error == EACCES || error == EPERM || error == EISDIR || error == ENOTDIR ||
           error == ENAMETOOLONG || error == ELOOP || error == EEXIST;
}

Failure not_written(const std::string& reason) {
    return {Status::io_error, fmt::format("its PNG cannot be written: {}", reason)};
}

void make_folder(const fs::path& folder, boost::system::error_code& error) {
    if (!fs::is_directory(folder, error)) {  // Boost 1.74 cannot make what "." names
        fs::create_directories(folder, error);
    }
}

using Files = std::set<std::pair<dev_t, ino_t>>;

bool is_one_of(const std::string& path, const Files& files) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0 && files.contains({status.st_dev, status.st_ino});
}

tl::expected<std::string, Failure> save_png(const std::string& folder, const Item& item,
                                            const cv::Mat& pixels, const Files& inputs) {
    std::string path = output_path(folder, item.path);
    std::vector<std::uint8_t> bytes;
    if (!cv::imencode(".png", pixels, bytes)) {
        return tl::unexpected(not_written("it cannot be encoded"));
    }
    boost::system::error_code error;
    make_folder(fs::path(path).parent_path(), error);
    if (error && !is_of_one_name(error.value())) {
        throw Fatal(ExitCode::output, fmt::format("cannot write {}: {}", path, error.message()));
    }
    if (error) {
        return tl::unexpected(not_written(error.message()));
    }
    // A FIFO would be waited for, and behind a link lies what is not in the folder.
    const fs::file_status there = fs::symlink_status(path, error);
    if (fs::exists(there) && !fs::is_regular_file(there)) {
        return tl::unexpected(not_written("something of its name is there and is no file"));
    }
    if (is_one_of(path, inputs)) {
        return tl::unexpected(not_written("an input has its name"));
    }
    try {
        const auto file = atomic_file(path);
        file->write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        file->commit();
    } catch (const CannotWrite& failure) {
        if (!is_of_one_name(failure.error())) {
            throw;
        }
        return tl::unexpected(not_written(std::generic_category().message(failure.error())));
    }
    return path;
}

// Told before the first image, not after an hour.
void check_folder(const std::string& folder) {
    boost::system::error_code error;
    make_folder(folder, error);
    if (!error && access(folder.c_str(), W_OK | X_OK) != 0) {
        error.assign(errno, boost::system::generic_category());
    }
    if (error) {
        throw Fatal(ExitCode::output, fmt::format("--output {}: {}; name a folder that can be written",
                                                  folder, error.message()));
    }
}

bool is_inside(const fs::path& path, const fs::path& folder) {
    return path == folder || path.native().starts_with(folder.native() + "/");
}

// A directory whose files would get their PNGs into it: a second run would take these for images. Those in
// the folder --output are left out in any case.
void refuse_writing_where_it_reads(const PreprocessOptions& options) {
    boost::system::error_code error;
    const fs::path output = fs::canonical(options.output, error);
    for (const std::string& path : options.common.input.paths) {
        const std::string png = output_path(options.output, path);
        // Newer Boosts leave a slash where it was at the end.
        const fs::path read = fs::canonical(path, error).remove_trailing_separator();
        if (error || !fs::is_directory(read, error)) {
            continue;
        }
        const fs::path written =
            fs::weakly_canonical(fs::system_complete(png.substr(0, png.size() - 4), error), error);
        if (output == read || (is_inside(written, read) && (written == read || !is_inside(output, read)))) {
            throw Fatal(ExitCode::usage,
                        fmt::format("--output {}: the PNG files would come into the folder {} itself; "
                                    "name another one",
                                    options.output, path));
        }
    }
}

// Of those that were named outright. One that would get the PNG of another is refused before any is written.
Files named_inputs(const PreprocessOptions& options) {
    Files inputs;
    struct stat status {};
    for (const std::string& path : options.common.input.paths) {
        if (stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
            inputs.emplace(status.st_dev, status.st_ino);
        }
    }
    for (const std::string& path : options.common.input.paths) {
        const std::string png = output_path(options.output, path);
        if (is_one_of(png, inputs)) {
            throw Fatal(ExitCode::usage,
                        fmt::format("--output {}: the PNG of {} would take the place of an input, {}; name "
                                    "another folder",
                                    options.output, path, png));
        }
    }
    return inputs;
}

class PngRows final : public Writer {
  public:
    explicit PngRows(Destination& destination) : destination_(destination) {}
    void begin() override { destination_.write("path,status,output,error\n"); }
    void row(const Row& row) override {
        destination_.write(fmt::format("{},{},{},{}\n", csv_field(row.path), to_string(row.status),
                                       csv_field(row.output), csv_field(row.error)));
    }
    void end(const Summary& /*summary*/) override {}

  private:
    Destination& destination_;
};

}  // namespace

ExitCode run_preprocess(const PreprocessOptions& options, Console& console, Cancellation& cancellation) {
    const ModelSpec spec = load_model_spec(find_model(options.common.model));
    check_folder(options.output);
    refuse_writing_where_it_reads(options);
    const Files inputs = named_inputs(options);
    CommonOptions common = options.common;
    common.input.leave_out = options.output;  // or a second run would take the first one's PNGs for images
    constexpr std::uint64_t memory_of_a_worker = 512U << 20U;
    const Parallelism parallelism{common.jobs > 0 ? common.jobs : default_jobs(memory_of_a_worker), 1};
    console.detail(fmt::format("the steps of model {}, jobs {}", spec.id(), parallelism.jobs));
    auto destination = standard_output();
    auto writer = std::make_unique<PngRows>(*destination);
    StreamedRows rows(std::move(destination), std::move(writer), false);
    const Work work = preprocessing_work(spec, common.load, [&](const Item& item, const cv::Mat& prepared) {
        return save_png(options.output, item, prepared, inputs);
    });
    return run(rows, work, "written", common, parallelism, console, cancellation);
}

}  // namespace skincheck::cli
