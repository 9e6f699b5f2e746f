// What a person sees on standard error: messages and progress.
#pragma once

#include "skincheck/result.hpp"

#include "cli/options.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace skincheck::cli {

/// Used by several threads at once.
class Console {
  public:
    /// Progress is shown only if `progress` and standard error is a terminal; colour only there, and not with
    /// NO_COLOR.
    Console(Verbosity verbosity, bool progress);
    ~Console();

    void error(std::string_view message);
    void warn(std::string_view message);    ///< not with --quiet
    void note(std::string_view message);    ///< not with --quiet
    void detail(std::string_view message);  ///< only with --verbose

    bool shows_progress() const { return progress_; }
    bool verbose() const { return verbosity_ == Verbosity::verbose; }

    /// Draws the progress anew, a few times a second at most. `total` as far as it is known.
    void progress(const Summary& summary, std::optional<std::uint64_t> total);

    /// "12 images: 10 scored (3 malignant, 7 benign), 2 failed (1 corrupt, 1 empty); 0.8 s, 15.2/s"
    void summary(const Summary& summary, std::string_view done);

  private:
    void print(std::string_view kind, std::string_view colour, std::string_view message);
    void clear_progress();

    using Clock = std::chrono::steady_clock;
    double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

    std::mutex mutex_;
    Verbosity verbosity_;
    bool progress_ = false;
    bool colour_ = false;
    bool drawn_ = false;
    Clock::time_point started_ = Clock::now();
    Clock::time_point last_drawn_{};
};

}  // namespace skincheck::cli
