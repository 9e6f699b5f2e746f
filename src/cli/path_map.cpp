#include "cli/path_map.hpp"

#include "skincheck/output.hpp"

#include "output/destination.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

namespace skincheck::cli {
namespace {

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
    // It may have been there with other permissions.
    if (descriptor_.get() < 0 || fchmod(descriptor_.get(), 0600) != 0 ||
        fstat(descriptor_.get(), &status) != 0) {
        fail_to_write(file_, errno);
    }
    if (status.st_size == 0) {
        write("name,path\n");
    }
}

void PathMap::add(const Item& item) const {
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
