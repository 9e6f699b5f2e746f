#include "cli/signals.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <ctime>

namespace skincheck::cli {
namespace {

// timeout(1) sends its signal to the process and again to the group, GNU parallel sends two SIGTERM, 0.2
// seconds apart: these are one wish. A person who has waited asks again later.
constexpr std::int64_t one_wish = 1'000'000'000;  // nanoseconds

std::atomic<Cancellation*> target{nullptr};
std::atomic<int> caught{0};
std::atomic<std::int64_t> first_came{0};  // on the monotonic clock, in nanoseconds
static_assert(std::atomic<Cancellation*>::is_always_lock_free && std::atomic<int>::is_always_lock_free &&
                  std::atomic<std::int64_t>::is_always_lock_free,
              "a signal handler may touch nothing that locks");

std::int64_t now() {
    std::timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

void handle(int signal) {
    const std::int64_t time = now();
    std::int64_t first = 0;
    if (first_came.compare_exchange_strong(first, time)) {
        caught = signal;
        if (Cancellation* cancellation = target.load()) {
            cancellation->request();
        }
    } else if (time - first >= one_wish) {
        std::signal(signal, SIG_DFL);
        std::raise(signal);  // takes effect when this handler returns
    }
}

}  // namespace

void cancel_on_signals(Cancellation& cancellation) {
    target = &cancellation;
    struct sigaction action {};
    action.sa_handler = handle;
    sigemptyset(&action.sa_mask);
    for (const int signal : {SIGHUP, SIGINT, SIGTERM}) {
        struct sigaction before {};
        sigaction(signal, nullptr, &before);
        if (before.sa_handler != SIG_IGN) {  // nohup, or a job in the background of a script
            sigaction(signal, &action, nullptr);
        }
    }
}

void survive_file_limits() {
    std::signal(SIGXFSZ, SIG_IGN);
}

void survive_closed_messages() {
    std::signal(SIGPIPE, SIG_IGN);
}

std::optional<ExitCode> caught_signal() {
    switch (caught) {
        case SIGHUP:
            return ExitCode::hung_up;
        case SIGINT:
            return ExitCode::interrupted;
        case SIGTERM:
            return ExitCode::terminated;
        default:
            return std::nullopt;
    }
}

}  // namespace skincheck::cli
