#include "cli/path_map.hpp"

#include "skincheck/output.hpp"

#include "result/descriptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>

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

}  // namespace

PathMap::PathMap(std::string file)
    : file_(std::move(file)),
      descriptor_(
          open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600)) {
    struct stat status {};
    // It may have been there with other permissions; those of a device are not ours to change.
    if (descriptor_.get() < 0 || fstat(descriptor_.get(), &status) != 0 ||
        (S_ISREG(status.st_mode) && fchmod(descriptor_.get(), 0600) != 0)) {
        fail_to_write(file_, errno);
    }
    if (status.st_size == 0) {
        write("name,path\n");
    } else {
        read_names();
    }
}

// A name is taken for one wherever a line begins with it: within a quoted path that would be a coincidence.
void PathMap::read_names() {
    std::ifstream lines(file_, std::ios::binary);
    for (std::string line; std::getline(lines, line);) {
        if (lines.eof()) {  // a run was killed in the middle of a line
            write("\n");
            break;
        }
        if (const auto name = name_bits(std::string_view(line).substr(0, line.find(',')))) {
            names_.push_back(*name);
        }
    }
    std::sort(names_.begin(), names_.end());
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
