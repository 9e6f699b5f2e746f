#include "destination.hpp"

#include "result/descriptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

namespace skincheck {
namespace {

std::string_view advice(int error) {
    switch (error) {
        case EACCES:
        case EPERM:
            return "; check the permissions of the file and its folder";
        case ENOENT:
            return "; its folder does not exist, make it first";
        case ENOTDIR:
            return "; what should be its folder is a file";
        case EROFS:
            return "; choose another folder";
        case ENOSPC:
        case EDQUOT:
            return "; make room or write to another place";
        case ENAMETOOLONG:
            return "; choose a shorter name";
        default:
            return "";
    }
}

}  // namespace

void fail_to_write(const std::string& path, int error) {
    throw CannotWrite(
        fmt::format("cannot write {}: {}{}", path, std::generic_category().message(error), advice(error)),
        error);
}

DirectDestination::DirectDestination(int fd, bool owned, std::string name)
    : fd_(fd), owned_(owned), name_(std::move(name)) {}

DirectDestination::~DirectDestination() {
    if (owned_) {
        close(fd_);
    }
}

void DirectDestination::write(std::string_view bytes) {
    if (const int error = write_all(fd_, bytes); error != 0) {
        fail(error);
    }
}

void DirectDestination::commit() {
    // A network's file system or a quota may refuse what it took before only when a descriptor is closed;
    // ours stays.
    const int copy = fcntl(fd_, F_DUPFD_CLOEXEC, 0);
    if (copy < 0 || (close(copy) != 0 && errno != EINTR)) {
        fail(errno);
    }
}

void DirectDestination::fail(int error) const {
    throw CannotWrite(fmt::format("cannot write {}: {}", name_, std::generic_category().message(error)),
                      error);
}

std::unique_ptr<Destination> standard_output() {
    return std::make_unique<DirectDestination>(STDOUT_FILENO, false, "to standard output");
}

}  // namespace skincheck
