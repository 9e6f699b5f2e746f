// A file that is open: closed in time, read to the end, written to the last byte, told from what it was
// before.
#pragma once

#include "skincheck/result.hpp"

#include "result/number.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace skincheck {

class Descriptor {
  public:
    /// Takes over what open() gave, which may be -1.
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) {
            close(number_);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return number_; }
    /// Hands it over to the caller, who closes it.
    int release() { return std::exchange(number_, -1); }

  private:
    int number_;
};

/// The descriptor that /dev/stdout and its like stand for.
inline std::optional<int> descriptor_of(std::string_view path) {
    if (path == "/dev/stdout") {
        return STDOUT_FILENO;
    }
    if (path == "/dev/stderr") {
        return STDERR_FILENO;
    }
    for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
        if (path.starts_with(folder)) {
            const auto fd = number_in<int>(path.substr(folder.size()));
            if (fd && *fd >= 0) {
                return fd;
            }
        }
    }
    return std::nullopt;
}

/// Whether the process was started with it: what skincheck opens itself is closed where another program
/// begins.
inline bool is_inherited(int descriptor) {
    const int flags = fcntl(descriptor, F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

/// Reads `size` bytes, fewer only at the end of the file: `got` says how many came. Returns 0 or errno.
inline int read_all(const Descriptor& file, void* to, std::size_t size, std::size_t& got) {
    got = 0;
    while (got < size) {
        const ssize_t count = read(file.get(), static_cast<char*>(to) + got, size - got);
        if (count == 0) {
            break;
        }
        if (count > 0) {
            got += static_cast<std::size_t>(count);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/// The first bytes of a regular file, at most `size`; none of anything else, or of what cannot be read.
/// Nothing but a regular file is opened: a FIFO's writer would go on.
inline std::string first_bytes(const std::string& path, std::size_t size) {
    struct stat about {};
    if (stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) {
        return {};
    }
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    std::string bytes(size, '\0');
    std::size_t got = 0;
    if (file.get() < 0 || read_all(file, bytes.data(), size, got) != 0) {
        return {};
    }
    bytes.resize(got);
    return bytes;
}

/// Writes all of `bytes`; waits for a reader where the descriptor does not block. Returns 0 or errno.
inline int write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            // Somebody who shares this descriptor made it non-blocking.
            pollfd waiting{fd, POLLOUT, 0};
            if (poll(&waiting, 1, -1) < 0 && errno != EINTR) {
                return errno;
            }
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/// Times before 1684 and after 2255, which some file systems have, count as those years: their nanoseconds do
/// not fit.
inline FileStamp stamp_of(const struct stat& status) {
    constexpr std::int64_t nanoseconds = 1'000'000'000;
    constexpr std::int64_t most_seconds = 9'000'000'000;
    const auto seconds = std::clamp<std::int64_t>(status.st_mtim.tv_sec, -most_seconds, most_seconds);
    return {static_cast<std::uint64_t>(status.st_size), seconds * nanoseconds + status.st_mtim.tv_nsec};
}

}  // namespace skincheck
