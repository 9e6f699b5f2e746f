#include "cli/console.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace skincheck::cli {
namespace {

constexpr std::string_view red = "\033[1;31m";
constexpr std::string_view yellow = "\033[33m";

std::string duration(double seconds) {
    const auto whole = static_cast<std::uint64_t>(seconds);
    return whole < 3600 ? fmt::format("{}:{:02}", whole / 60, whole % 60)
                        : fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

void write_stderr(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
}

}  // namespace

Console::Console(Verbosity verbosity, bool progress) : verbosity_(verbosity) {
    const bool terminal = isatty(STDERR_FILENO) != 0;
    const char* no_color = std::getenv("NO_COLOR");
    progress_ = progress && terminal && verbosity != Verbosity::quiet;
    colour_ = terminal && (no_color == nullptr || *no_color == '\0');
}

Console::~Console() {
    clear_progress();
}

void Console::error(std::string_view message) {
    print("error: ", red, message);
}

void Console::warn(std::string_view message) {
    if (verbosity_ != Verbosity::quiet) {
        print("warning: ", yellow, message);
    }
}

void Console::note(std::string_view message) {
    if (verbosity_ != Verbosity::quiet) {
        print("", "", message);
    }
}

void Console::detail(std::string_view message) {
    if (verbose()) {
        print("", "", message);
    }
}

void Console::print(std::string_view kind, std::string_view colour, std::string_view message) {
    const std::lock_guard lock(mutex_);
    clear_progress();
    const bool painted = colour_ && !colour.empty();
    write_stderr(fmt::format("skincheck: {}{}{}{}\n", painted ? colour : "", kind, painted ? "\033[0m" : "",
                             one_line(message)));
}

void Console::clear_progress() {
    if (drawn_) {
        write_stderr("\r\033[K");
        drawn_ = false;
    }
}

void Console::progress(const Summary& summary, std::optional<std::uint64_t> total) {
    const auto now = Clock::now();
    if (!progress_ || now - last_drawn_ < std::chrono::milliseconds(200)) {
        return;
    }
    const double rate = static_cast<double>(summary.rows) / seconds();
    const std::uint64_t done = summary.rows + summary.kept + summary.left;
    std::string line = total ? fmt::format("{} of {}", done, *total) : fmt::format("{}", done);
    line += fmt::format(" done, {:.1f}/s", rate);
    if (total && *total >= done && rate > 0) {
        line += fmt::format(", {} left", duration(static_cast<double>(*total - done) / rate));
    }
    const std::lock_guard lock(mutex_);
    last_drawn_ = now;
    const bool painted = colour_ && summary.failed() > 0;
    write_stderr(fmt::format("\r\033[K{}, {}{} failed{}", line, painted ? red : "", summary.failed(),
                             painted ? "\033[0m" : ""));
    drawn_ = true;
}

void Console::summary(const Summary& summary, std::string_view done) {
    std::string line =
        fmt::format("{} {}: {} {}", summary.rows, summary.rows == 1 ? "image" : "images", summary.used, done);
    if (summary.benign + summary.malignant > 0) {
        line += fmt::format(" ({} malignant, {} benign)", summary.malignant, summary.benign);
    }
    const std::uint64_t cut = summary.used - summary.count(Status::ok);  // by --allow-truncated
    if (cut > 0) {
        line += fmt::format(", {} of them truncated", cut);
    }
    line += fmt::format(", {} failed", summary.failed());
    std::string statuses;
    for (int i = 1; i < status_count; ++i) {
        const auto status = static_cast<Status>(i);
        const std::uint64_t count = summary.count(status) - (status == Status::truncated ? cut : 0);
        if (count > 0) {
            statuses += fmt::format("{}{} {}", statuses.empty() ? "" : ", ", count, to_string(status));
        }
    }
    if (!statuses.empty()) {
        line += fmt::format(" ({})", statuses);
    }
    if (summary.kept > 0) {
        line += fmt::format("; {} kept from before", summary.kept);
    }
    if (summary.left > 0) {
        line += fmt::format("; {} left for the next run", summary.left);
    }
    if (summary.older > 0) {
        line += fmt::format("; {} older than --since", summary.older);
    }
    const double elapsed = seconds();
    note(fmt::format("{}; {:.1f} s, {:.1f}/s", line, elapsed, static_cast<double>(summary.rows) / elapsed));
}

}  // namespace skincheck::cli
