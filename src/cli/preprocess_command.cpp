#include "skincheck/model.hpp"
#include "skincheck/output.hpp"

#include "cli/commands.hpp"
#include "cli/resources.hpp"
#include "cli/run.hpp"

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace skincheck::cli {
namespace {

namespace fs = boost::filesystem;

// DIR/a/b.jpg.png for a/b.jpg: the whole path and its ending stay, so that no two inputs meet in one file.
// What would lead out of DIR is replaced.
std::string output_path(const std::string& folder, const std::string& path) {
    fs::path result(folder);
    for (const fs::path& part : fs::path(path).relative_path()) {
        if (part != ".") {
            result /= part == ".." ? fs::path("__") : part;
        }
    }
    return result.string() + ".png";
}

// A fault of the folder as a whole, which every other image would meet too, is Fatal; one of this name is a
// Failure.
tl::expected<std::string, Failure> save_png(const std::string& folder, const Item& item,
                                            const cv::Mat& pixels) {
    const std::string path = output_path(folder, item.path);
    boost::system::error_code error;
    fs::create_directories(fs::path(path).parent_path(), error);
    if (error == boost::system::errc::permission_denied || error == boost::system::errc::no_space_on_device ||
        error == boost::system::errc::read_only_file_system) {
        throw Fatal(ExitCode::output, fmt::format("cannot write {}: {}", path, error.message()));
    }
    if (error) {
        return tl::unexpected(
            Failure{Status::io_error, fmt::format("no folder for its output: {}", error.message())});
    }
    if (fs::path(path).filename().size() > NAME_MAX) {
        return tl::unexpected(Failure{Status::io_error, "its name is too long to put .png behind it"});
    }
    if (fs::is_directory(path, error)) {
        return tl::unexpected(Failure{Status::io_error, "its output has the name of a folder"});
    }
    std::vector<std::uint8_t> bytes;
    cv::imencode(".png", pixels, bytes);
    const auto file = atomic_file(path);
    file->write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    file->commit();
    return path;
}

// Told before the first image, not after an hour.
void check_folder(const std::string& folder) {
    boost::system::error_code error;
    fs::create_directories(folder, error);
    if (!error && access(folder.c_str(), W_OK | X_OK) != 0) {
        error.assign(errno, boost::system::generic_category());
    }
    if (error) {
        throw Fatal(ExitCode::output, fmt::format("--output {}: {}; name a folder that can be written",
                                                  folder, error.message()));
    }
}

}  // namespace

ExitCode run_preprocess(const PreprocessOptions& options, Console& console, Cancellation& cancellation) {
    const ModelSpec spec = load_model_spec(find_model(options.common.model));
    check_folder(options.output);
    constexpr std::uint64_t memory_of_a_worker = 512U << 20U;
    const Parallelism parallelism{
        options.common.jobs > 0 ? options.common.jobs : default_jobs(memory_of_a_worker), 1};
    const auto destination = standard_output();
    return run(
        {[&] { destination->write("path,status,output,error\n"); },
         preprocessing_work(spec, options.common.load,
                            [&](const Item& item, const cv::Mat& prepared) {
                                return save_png(options.output, item, prepared);
                            }),
         [&](const Row& row) {
             destination->write(fmt::format("{},{},{},{}\n", csv_field(row.path), to_string(row.status),
                                            csv_field(row.output), csv_field(row.error)));
         },
         [&](const Summary&) { destination->commit(); }, "written"},
        options.common, parallelism, console, cancellation);
}

}  // namespace skincheck::cli
