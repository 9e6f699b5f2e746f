#include "cli/run.hpp"

#include "cli/signals.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <optional>
#include <thread>

namespace skincheck::cli {
namespace {

// Whether the input can be gone through twice: a pipe cannot.
bool can_be_counted(const InputOptions& input) {
    const auto is_file = [](const std::string& path) {
        struct stat status {};
        return path != "-" && stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
    };
    return std::find(input.paths.begin(), input.paths.end(), "-") == input.paths.end() &&
           std::all_of(input.files_from.begin(), input.files_from.end(), is_file);
}

// Goes through the input a second time, beside the work, to tell how long it will take.
class Counter {
  public:
    explicit Counter(const InputOptions& input) {
        try {
            thread_ = std::jthread([this, input] { count(input); });
        } catch (const std::exception&) {  // no thread to be had: then nobody is told how long it will take
        }
    }
    ~Counter() { cancellation_.request(); }
    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;

    std::optional<std::uint64_t> total() const {
        return known_ ? std::optional(total_.load()) : std::nullopt;
    }

  private:
    void count(const InputOptions& input) {
        try {
            const auto source = open_source(
                input, [](std::string_view) {}, cancellation_);
            std::uint64_t count = 0;
            while (source->next()) {
                ++count;
            }
            if (!cancellation_.requested()) {
                total_ = count;
                known_ = true;
            }
        } catch (const std::exception&) {  // the run itself meets the same fault and tells it
        }
    }

    Cancellation cancellation_;
    std::atomic<std::uint64_t> total_{0};
    std::atomic<bool> known_{false};
    std::jthread thread_;  // last: it joins before what it uses goes
};

}  // namespace

ExitCode run(const Run& run, const CommonOptions& options, const Parallelism& parallelism, Console& console,
             Cancellation& cancellation) {
    const auto source = open_source(
        options.input, [&console](std::string_view text) { console.warn(text); }, cancellation);
    run.begin();
    std::optional<Counter> counter;
    if (console.shows_progress() && can_be_counted(options.input)) {
        counter.emplace(options.input);
    }
    Summary summary;
    const Sink sink = [&](const Row& row) {
        run.write(row);
        summary.add(row);
        if (row.status != Status::ok && console.verbose()) {
            console.detail(fmt::format("{}: {}: {}", row.path, to_string(row.status), row.error));
        }
        console.progress(summary, counter ? counter->total() : std::nullopt);
    };
    std::exception_ptr error;
    bool output_failed = false;
    try {
        run_pipeline(*source, run.work, sink, parallelism, cancellation);
    } catch (const Fatal& fatal) {
        error = std::current_exception();
        output_failed = fatal.code() == ExitCode::output;
    } catch (...) {
        error = std::current_exception();
    }
    if (!output_failed) {
        run.finish(summary);  // the rows so far are right: they are kept
        const bool complete = !error && !caught_signal();
        if (complete || summary.rows > 0) {  // no rows must not take the place of what was there before
            run.commit();
        }
    }
    if (error) {
        std::rethrow_exception(error);
    }
    console.summary(summary, run.done);
    if (caught_signal()) {
        console.warn(summary.rows > 0 ? "interrupted: only the first inputs have their rows"
                                      : "interrupted before the first row: nothing was written");
    }
    return caught_signal().value_or(summary.rows > summary.count(Status::ok) ? ExitCode::some_failed
                                                                             : ExitCode::ok);
}

}  // namespace skincheck::cli
