// A file that is open for reading: closed in time, read to the end, told from what it was before.
#pragma once

#include "skincheck/result.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

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

  private:
    int number_;
};

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

inline FileStamp stamp_of(const struct stat& status) {
    constexpr std::int64_t nanoseconds = 1'000'000'000;
    return {static_cast<std::uint64_t>(status.st_size),
            status.st_mtim.tv_sec * nanoseconds + status.st_mtim.tv_nsec};
}

}  // namespace skincheck
