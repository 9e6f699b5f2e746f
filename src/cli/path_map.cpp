#include "cli/path_map.hpp"

#include "skincheck/output.hpp"

#include "result/descriptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace skincheck::cli {
namespace {

// Of an anonymised path: see anonymise_with().
std::optional<std::uint64_t> name_bits(std::string_view name) {
    std::uint64_t bits = 0;
    const char* const half = name.data() + name.size() / 2;
    if (name.size() != 32 || std::from_chars(name.data(), half, bits, 16).ptr != half) {
        return std::nullopt;
    }
    return bits;
}

class MappedItems final : public Selection {
  public:
    MappedItems(const PathMap& map, std::unique_ptr<Source> source)
        : Selection(std::move(source)), map_(map) {}

  private:
    bool takes(Item& item) override {
        map_.add(item);
        return true;
    }

    const PathMap& map_;
};

constexpr std::string_view header = "name,path\n";

int open_map(const std::string& file) {
    struct stat status {};
    const bool is_file = stat(file.c_str(), &status) != 0 || S_ISREG(status.st_mode);
    const int access = is_file ? O_RDWR | O_CREAT : O_WRONLY;  // a FIFO waits for its reader
    const int map = open(file.c_str(), access | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
    if (map < 0 && errno == ELOOP) {
        throw CannotWrite(
            fmt::format("cannot write {}: it is a symbolic link, behind which others may read the paths; "
                        "name a file or a FIFO",
                        file),
            ELOOP);
    }
    if (map < 0 && errno == EINTR) {
        throw Fatal(ExitCode::interrupted, "interrupted before the first image");
    }
    if (map < 0) {
        fail_to_write(file, errno);
    }
    return map;
}

// What a map holds, line by line. Where a kill or a full disk has cut it, half a record stands at the end;
// other runs may have gone on behind it.
class Reader {
  public:
    /// One line, with its end if it has one.
    void line(std::string_view line) {
        const bool has_end = line.ends_with('\n');
        if (at_ == 0) {
            is_map_ = has_end ? line == header : header.starts_with(line);
            whole_ = has_end;
        } else {
            begin_record(line.substr(0, line.find(',')));
            const auto quotes = std::count(line.begin(), line.end(), '"');
            quoted_ = quoted_ != (quotes % 2 != 0);
            whole_ = has_end && !quoted_;
        }
        at_ += line.size();
    }

    bool is_map() const { return is_map_; }
    /// Behind the last record that is whole.
    std::uint64_t end() const { return whole_ ? at_ : start_; }
    /// Of whole records, sorted.
    std::vector<std::uint64_t> names() {
        if (!whole_ && named_) {
            names_.pop_back();
        }
        std::sort(names_.begin(), names_.end());
        return std::move(names_);
    }

  private:
    // Within a quoted path a line that begins with a name would be a coincidence.
    void begin_record(std::string_view field) {
        const auto name = name_bits(field);
        if (quoted_ && !name) {
            return;
        }
        if (quoted_ && named_) {  // the record before was cut: its path is told once more
            names_.pop_back();
        }
        quoted_ = false;
        start_ = at_;
        named_ = name.has_value();
        if (named_) {
            names_.push_back(*name);
        }
    }

    std::vector<std::uint64_t> names_;
    std::uint64_t at_ = 0, start_ = 0;
    bool is_map_ = true, whole_ = true;
    bool quoted_ = false;  // a quote is open at the end of the last line
    bool named_ = false;   // the last record has a name
};

}  // namespace

PathMap::PathMap(std::string file) : file_(std::move(file)), descriptor_(open_map(file_)) {
    struct stat status {};
    if (fstat(descriptor_.get(), &status) != 0) {
        fail_to_write(file_, errno);
    }
    if (!S_ISREG(status.st_mode)) {  // its permissions are not ours to change
        write(std::string(header));
        return;
    }
    std::uint64_t end = read_names();
    if (end < static_cast<std::uint64_t>(status.st_size)) {  // or another run is just writing a line
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        if (fstat(descriptor_.get(), &status) != 0) {
            fail_to_write(file_, errno);
        }
        end = read_names();
    }
    if (fchmod(descriptor_.get(), 0600) != 0) {  // it may have been there with others
        fail_to_write(file_, errno);
    }
    if (end < static_cast<std::uint64_t>(status.st_size) &&
        ftruncate(descriptor_.get(), static_cast<off_t>(end)) != 0) {
        fail_to_write(file_, errno);
    }
    if (end == 0) {
        write(std::string(header));
    }
}

std::uint64_t PathMap::read_names() {
    if (lseek(descriptor_.get(), 0, SEEK_SET) != 0) {
        fail_to_write(file_, errno);
    }
    Reader reader;
    std::string line;
    std::array<char, 1U << 16U> block{};
    for (std::size_t size = block.size(); size == block.size();) {
        if (const int error = read_all(descriptor_, block.data(), block.size(), size); error != 0) {
            throw CannotWrite(fmt::format("cannot read {}: {}; name another --path-map", file_,
                                          std::generic_category().message(error)),
                              error);
        }
        std::string_view rest(block.data(), size);
        for (auto feed = rest.find('\n'); feed != std::string_view::npos; feed = rest.find('\n')) {
            reader.line(line.append(rest.substr(0, feed + 1)));
            line.clear();
            rest.remove_prefix(feed + 1);
        }
        line.append(rest);
    }
    if (!line.empty()) {
        reader.line(line);
    }
    if (!reader.is_map()) {
        throw Fatal(ExitCode::usage,
                    fmt::format("--path-map {}: it holds something else than a map of paths; "
                                "name another file",
                                file_));
    }
    const std::uint64_t end = reader.end();
    names_ = reader.names();
    return end;
}

void PathMap::add(const Item& item) const {
    const auto name = name_bits(item.written());
    if (name && std::binary_search(names_.begin(), names_.end(), *name)) {
        return;
    }
    write(fmt::format("{},{}\n", item.written(), csv_field(item.path)));
}

void PathMap::write(const std::string& line) const {
    if (const int error = write_all(descriptor_.get(), line); error != 0) {
        fail_to_write(file_, error);
    }
}

std::unique_ptr<Source> mapped_into(const PathMap& map, std::unique_ptr<Source> source) {
    return std::make_unique<MappedItems>(map, std::move(source));
}

}  // namespace skincheck::cli
