#pragma once

#include <sys/resource.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>

namespace skincheck::cli {

/// While a model is loaded and tested for the first time, with nothing else at work: OpenCV's reader of ONNX
/// is not made for files that mean harm, and what check_network() lets through may still bring it down. A
/// crash then becomes one line and exit code 3; and memory has a limit, so that what wants more than a
/// network can need ends as any lack of memory does. Restores what was before at its end.
class LoadGuard {
  public:
    /// `origin` is what the line names; `memory`, in bytes beyond what is in use, is not limited without it.
    LoadGuard(const std::string& origin, std::optional<std::uint64_t> memory);
    ~LoadGuard();
    LoadGuard(const LoadGuard&) = delete;
    LoadGuard& operator=(const LoadGuard&) = delete;

  private:
    static constexpr std::array<int, 5> signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    std::array<struct sigaction, 5> actions_{};
    stack_t stack_{};
    std::optional<rlimit> limit_;
};

}  // namespace skincheck::cli
