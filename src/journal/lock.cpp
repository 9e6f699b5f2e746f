#include "skincheck/journal.hpp"
#include "skincheck/output.hpp"

#include "result/descriptor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace skincheck {
namespace {

// Opens `file`, makes it if it is not there (readable for its owner alone), and locks it with flock(2) for as
// long as the descriptor that is answered is open; -1 when another run has it.
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
            return descriptor.release();
        }
        // Somebody removed it before it was locked: this lock would keep nobody out.
    }
}

}  // namespace

JournalLock::~JournalLock() {
    if (descriptor_ < 0) {
        return;
    }
    struct stat status {};
    if (fstat(descriptor_, &status) == 0 && status.st_size == 0) {
        unlink(file_.c_str());
    }
    close(descriptor_);
}

std::optional<JournalLock> lock_journal(const std::string& output, bool wait,
                                        const Cancellation& cancellation) {
    const std::string file = journal_path(output);
    int lock = lock_file(file);
    while (lock < 0) {
        pollfd stop{cancellation.fd(), POLLIN, 0};
        constexpr int patience = 200;  // milliseconds
        if (!wait || (poll(&stop, 1, patience) > 0 && cancellation.requested())) {
            return std::nullopt;
        }
        lock = lock_file(file);
    }
    return JournalLock(file, lock);
}

}  // namespace skincheck
