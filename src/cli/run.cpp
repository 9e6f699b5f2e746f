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
        InputOptions same = input;
        same.anonymise = {};
        same.settle = 0;  // what is young now may be old enough when its turn comes
        try {
            thread_ = std::jthread([this, same] { count(same); });
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
                input, [](std::string_view, std::string_view) {}, cancellation_);
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

// Where an error came before, that is the one to be told.
void end(Rows& rows, const Summary& summary, bool complete, const std::exception_ptr& error) {
    try {
        rows.end(summary, complete && !error);
    } catch (...) {
        if (!error) {
            throw;
        }
    }
}

ExitCode exit_code_of(const Summary& summary) {
    // What was kept of an earlier run has answers of this model.
    if (summary.used == 0 && summary.kept == 0 && summary.count(Status::model_error) > 0) {
        throw Fatal(
            ExitCode::model,
            "the network gave no finite number for any image: do not trust this model on this device");
    }
    return exit_code_of_rows(summary);
}

}  // namespace

ExitCode run(Rows& rows, const Work& work, std::string_view done, const CommonOptions& options,
             const Parallelism& parallelism, Console& console, Cancellation& cancellation) {
    const auto written = [&](const std::string& path) {
        return options.input.anonymise ? options.input.anonymise(path) : path;
    };
    const auto warn = [&](std::string_view text, std::string_view path) {
        console.warn(path.empty()        ? std::string(text)
                     : console.verbose() ? fmt::format("{}: {}", written(std::string(path)), text)
                                         : fmt::format("{} (-v tells where)", text));
    };
    InputOptions input = options.input;
    input.searched = [&](const std::string& directory) { rows.searched(written(directory)); };
    const auto source = rows.begin(open_source(input, warn, cancellation));
    std::optional<Counter> counter;
    if (console.shows_progress() && can_be_counted(options.input)) {
        counter.emplace(options.input);
    }
    Summary summary;
    std::uint64_t changed = 0;
    bool output_failed = false;  // another file may have failed, as that of the paths: then rows are written
    const Sink sink = [&](const Row& row) {
        if (row.status == Status::changed && options.input.settle > 0) {
            ++changed;
            return;
        }
        try {
            rows.write(row);
        } catch (...) {
            output_failed = true;
            throw;
        }
        summary.add(row);
        if (row.status != Status::ok && console.verbose()) {
            console.detail(fmt::format("{}: {}: {}", row.path, to_string(row.status), row.error));
        }
        summary.kept = rows.kept();
        summary.left = changed + source->left();
        summary.older = source->older();
        console.progress(summary, counter ? counter->total() : std::nullopt);
    };
    std::exception_ptr error;
    try {
        run_pipeline(*source, work, sink, parallelism, cancellation);
    } catch (...) {
        error = std::current_exception();
    }
    summary.kept = rows.kept();
    summary.left = changed + source->left();
    summary.older = source->older();
    const auto signal = caught_signal();  // one that comes later finds all rows done
    if (!output_failed) {
        end(rows, summary, !signal, error);
    }
    if (error) {
        std::rethrow_exception(error);
    }
    console.summary(summary, done);
    if (signal) {
        console.warn(rows.interrupted(summary));
    }
    return signal ? *signal : exit_code_of(summary);
}

}  // namespace skincheck::cli
