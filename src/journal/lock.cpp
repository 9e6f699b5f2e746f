#include "journal/lock.hpp"

#include "output/destination.hpp"
#include "result/descriptor.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

namespace skincheck {

int lock_file(const std::string& file) {
    while (true) {
        const int fd = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
        if (fd < 0) {
            fail_to_write(file, errno);
        }
        Descriptor descriptor(fd);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) {
                fail_to_write(file, errno);
            }
            return -1;
        }
        struct stat locked {};
        struct stat named {};
        if (fstat(fd, &locked) == 0 && stat(file.c_str(), &named) == 0 && locked.st_ino == named.st_ino &&
            locked.st_dev == named.st_dev) {
            return fcntl(fd, F_DUPFD_CLOEXEC, 0);
        }
        // Somebody removed it before it was locked: this lock would keep nobody out.
    }
}

}  // namespace skincheck
