#include "skincheck/input.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace skincheck {

// Anything else would take a lock in a signal handler.
static_assert(std::atomic<bool>::is_always_lock_free);

Cancellation::Cancellation() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        throw Fatal(ExitCode::usage, "cannot make a pipe: " + std::generic_category().message(errno));
    }
    read_end_ = ends[0];
    write_end_ = ends[1];
}

Cancellation::~Cancellation() {
    close(read_end_);
    close(write_end_);
}

void Cancellation::request() noexcept {
    if (requested_.exchange(true)) {
        return;
    }
    // The interrupted code may be about to look at errno.
    const int saved = errno;
    const char byte = 0;
    [[maybe_unused]] const auto written = write(write_end_, &byte, 1);
    errno = saved;
}

}  // namespace skincheck
