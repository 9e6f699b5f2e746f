#include "image/file.hpp"

#include "image/decode.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

namespace skincheck {

namespace {

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

Failure failure_of(int error) {
    const std::string reason = std::generic_category().message(error);
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            return {Status::not_found, "no such file"};
        case ELOOP:
            return {Status::not_found, "no such file: its symbolic links form a loop"};
        case ENAMETOOLONG:
            return {Status::not_found, "no such file: the name is too long"};
        case EACCES:
        case EPERM:
            return {Status::denied, "no permission to read it"};
        case ENXIO:  // a socket, or a device that is not there
        case ENODEV:
            return {Status::not_a_file, "not a regular file but a socket or device"};
        default:
            return {Status::io_error, fmt::format("cannot be read: {}", reason)};
    }
}

std::optional<Failure> refuse(const struct stat& about, std::uint64_t max_bytes) {
    if (S_ISDIR(about.st_mode)) {
        return Failure{Status::not_a_file, "a directory, not a file"};
    }
    if (!S_ISREG(about.st_mode)) {
        const char* kind = S_ISFIFO(about.st_mode)   ? "a FIFO"
                           : S_ISSOCK(about.st_mode) ? "a socket"
                                                     : "a device";
        return Failure{Status::not_a_file, fmt::format("{}, not a regular file", kind)};
    }
    if (about.st_size == 0) {
        return Failure{Status::empty, "the file is empty"};
    }
    if (static_cast<std::uint64_t>(about.st_size) > max_bytes) {
        return Failure{Status::too_large,
                       fmt::format("{} bytes are over the limit of {}", about.st_size, max_bytes)};
    }
    return std::nullopt;
}

/// Appends up to `count` bytes; fewer only at the end of the file. Gives errno, or 0.
int append(int fd, std::vector<std::uint8_t>& bytes, std::size_t count) {
    std::size_t done = bytes.size();
    bytes.resize(done + count);
    while (done < bytes.size()) {
        const ssize_t got = ::read(fd, bytes.data() + done, bytes.size() - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return errno;
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    bytes.resize(done);
    return 0;
}

}  // namespace

tl::expected<ImageFile, Failure> read_image_file(const std::string& path, std::uint64_t max_bytes) {
    if (path.find('\0') !=
        std::string::npos) {  // the system would open another file: the one named up to the NUL
        return image_failure(Status::not_found, "no such file: a name cannot hold a NUL byte");
    }
    int opened = -1;
    do {  // O_NONBLOCK: opening a FIFO does not wait for its writer
        opened = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    } while (opened < 0 && errno == EINTR);
    if (opened < 0) {
        return tl::make_unexpected(failure_of(errno));
    }
    const Descriptor file(opened);
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) {
        return tl::make_unexpected(failure_of(errno));
    }
    if (auto refused = refuse(about, max_bytes)) {
        return tl::make_unexpected(*std::move(refused));
    }
    const auto size = static_cast<std::size_t>(about.st_size);
    ImageFile result;
    if (const int error = append(file.get(), result.bytes, std::min(size, sniff_size)); error != 0) {
        return tl::make_unexpected(failure_of(error));
    }
    if (result.bytes.empty()) {
        return image_failure(Status::empty, "the file is empty");
    }
    const auto format = sniff_image_format(result.bytes);
    if (!format) {
        return image_failure(Status::unsupported,
                             fmt::format("not an image that this build reads ({})", image_format_names()));
    }
    result.format = *format;
    if (size > result.bytes.size()) {
        if (const int error = append(file.get(), result.bytes, size - result.bytes.size()); error != 0) {
            return tl::make_unexpected(failure_of(error));
        }
    }
    return result;
}

}  // namespace skincheck
