#include "cli/path_map.hpp"

#include "skincheck/output.hpp"

#include "result/descriptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>
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

// Several runs may add to one map: a line that another one is writing is not taken for half a line.
class Locked {
  public:
    explicit Locked(const Descriptor& file) : file_(file.get()) {
        while (flock(file_, LOCK_EX) != 0 && errno == EINTR) {
        }  // where a file system has no locks, it goes without
    }
    ~Locked() { flock(file_, LOCK_UN); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

  private:
    const int file_;
};

int open_map(const std::string& file) {
    Descriptor map(
        open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600));
    if (map.get() < 0 && errno == ELOOP) {
        throw CannotWrite(
            fmt::format("cannot write {}: it is a symbolic link, behind which others may read the paths; "
                        "name the file itself",
                        file),
            ELOOP);
    }
    if (map.get() < 0 && errno == EINTR) {
        throw Fatal(ExitCode::interrupted, "interrupted before the first image");
    }
    struct stat status {};
    // It may have been there with other permissions; those of a device are not ours to change.
    if (map.get() < 0 || fstat(map.get(), &status) != 0 ||
        (S_ISREG(status.st_mode) && fchmod(map.get(), 0600) != 0)) {
        fail_to_write(file, errno);
    }
    return map.release();
}

}  // namespace

PathMap::PathMap(std::string file) : file_(std::move(file)), descriptor_(open_map(file_)) {
    const Locked locked(descriptor_);
    struct stat status {};
    if (fstat(descriptor_.get(), &status) != 0) {
        fail_to_write(file_, errno);
    }
    if (S_ISREG(status.st_mode) && status.st_size > 0) {
        read_names(static_cast<std::uint64_t>(status.st_size));
    } else {
        write(std::string(header));
    }
}

// Records end where a line ends outside of quotes. What stands behind the last one was cut, by a kill or a
// full disk.
void PathMap::read_names(std::uint64_t size) {
    std::ifstream lines(file_, std::ios::binary);
    std::string line;
    const bool whole_header = std::getline(lines, line) && !lines.eof();
    if (!header.starts_with(line) || (whole_header && line.size() + 1 != header.size())) {
        throw Fatal(ExitCode::usage,
                    fmt::format("--path-map {}: it holds something else than a map of paths; "
                                "name another file",
                                file_));
    }
    std::uint64_t end = whole_header ? header.size() : 0, at = end;
    std::size_t known = 0;  // names of whole records
    bool quoted = false;
    while (std::getline(lines, line) && !lines.eof()) {
        at += line.size() + 1;
        if (const auto name = name_bits(std::string_view(line).substr(0, line.find(','))); name && !quoted) {
            names_.push_back(*name);
        }
        quoted ^= std::count(line.begin(), line.end(), '"') % 2 != 0;
        if (!quoted) {
            end = at;
            known = names_.size();
        }
    }
    names_.resize(known);
    if (end < size && ftruncate(descriptor_.get(), static_cast<off_t>(end)) != 0) {
        fail_to_write(file_, errno);
    }
    if (end == 0) {
        write(std::string(header));
    }
    std::sort(names_.begin(), names_.end());
}

void PathMap::add(const Item& item) const {
    const auto name = name_bits(item.written());
    if (name && std::binary_search(names_.begin(), names_.end(), *name)) {
        return;
    }
    const Locked locked(descriptor_);
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
