#include "cli/load_guard.hpp"

#include "skincheck/result.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace skincheck::cli {
namespace {

// For the handler, which may call hardly anything.
std::string message;                         // NOLINT(cert-err58-cpp)
std::array<unsigned char, 64U << 10U> room;  // a stack for it: the usual one may be what ran out

extern "C" void tell_and_end(int) {
    [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, message.data(), message.size());
    _exit(static_cast<int>(ExitCode::model));
}

// What RLIMIT_DATA counts, in bytes.
std::uint64_t memory_in_use() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t pages = 0;
    for (int field = 0; field < 6; ++field) {
        statm >> pages;
    }
    return statm ? pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

LoadGuard::LoadGuard(const std::string& origin, std::optional<std::uint64_t> memory) {
    message = fmt::format(
        "skincheck: error: {}: OpenCV crashed on it; it is damaged, or made to do harm: do not use it\n",
        origin);
    stack_t stack{};
    stack.ss_sp = room.data();
    stack.ss_size = room.size();
    sigaltstack(&stack, &stack_);
    struct sigaction action {};
    action.sa_handler = tell_and_end;
    action.sa_flags = SA_ONSTACK;
    for (std::size_t i = 0; i < signals.size(); ++i) {
        sigaction(signals.at(i), &action, &actions_.at(i));
    }
    const std::uint64_t in_use = memory_in_use();
    rlimit before{};
    if (memory && in_use > 0 && getrlimit(RLIMIT_DATA, &before) == 0) {
        rlimit lowered = before;
        lowered.rlim_cur = std::min<rlim_t>(before.rlim_cur, in_use + *memory);
        if (setrlimit(RLIMIT_DATA, &lowered) == 0) {
            limit_ = before;
        }
    }
}

LoadGuard::~LoadGuard() {
    if (limit_) {
        setrlimit(RLIMIT_DATA, &*limit_);
    }
    for (std::size_t i = 0; i < signals.size(); ++i) {
        sigaction(signals.at(i), &actions_.at(i), nullptr);
    }
    sigaltstack(&stack_, nullptr);
}

}  // namespace skincheck::cli
