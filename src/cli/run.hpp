// What both commands do between their input and their last line.
#pragma once

#include "skincheck/pipeline.hpp"

#include "cli/console.hpp"
#include "cli/options.hpp"

#include <functional>
#include <string_view>

namespace skincheck::cli {

struct Run {
    std::function<void()> begin;  ///< called when the input is open
    Work work;
    std::function<void(const Row&)> write;
    std::function<void(const Summary&)> finish;  ///< writes what stands behind the rows
    std::function<void()> commit;                ///< makes the output final
    std::string_view done;                       ///< what an image that is ok was: "scored"
};

/// Sends the input of `options` through the pipeline, with progress, messages and the summary. A run that is
/// interrupted or fails makes the rows that it wrote final too, unless it is the output that failed; without
/// one row it commits nothing.
ExitCode run(const Run& run, const CommonOptions& options, const Parallelism& parallelism, Console& console,
             Cancellation& cancellation);

}  // namespace skincheck::cli
