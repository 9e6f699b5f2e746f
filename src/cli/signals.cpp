#include "cli/signals.hpp"

#include <atomic>
#include <csignal>

namespace skincheck::cli {
namespace {

std::atomic<Cancellation*> target{nullptr};
std::atomic<int> caught{0};
static_assert(std::atomic<Cancellation*>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may touch nothing that locks");

void handle(int signal) {
    if (caught.exchange(signal) != 0) {
        std::signal(signal, SIG_DFL);
        std::raise(signal);  // takes effect when this handler returns
        return;
    }
    if (Cancellation* cancellation = target.load()) {
        cancellation->request();
    }
}

}  // namespace

void cancel_on_signals(Cancellation& cancellation) {
    target = &cancellation;
    struct sigaction action {};
    action.sa_handler = handle;
    sigemptyset(&action.sa_mask);
    for (const int signal : {SIGINT, SIGTERM}) {
        struct sigaction before {};
        sigaction(signal, nullptr, &before);
        if (before.sa_handler != SIG_IGN) {  // nohup, or a job in the background of a script
            sigaction(signal, &action, nullptr);
        }
    }
}

std::optional<ExitCode> caught_signal() {
    switch (caught) {
        case SIGINT:
            return ExitCode::interrupted;
        case SIGTERM:
            return ExitCode::terminated;
        default:
            return std::nullopt;
    }
}

}  // namespace skincheck::cli
