// What the command line can ask for. Each runs to its end and answers the exit code; Fatal comes out as it
// is.
#pragma once

#include "skincheck/input.hpp"
#include "skincheck/result.hpp"

#include "cli/console.hpp"
#include "cli/options.hpp"

namespace skincheck::cli {

ExitCode run_score(const ScoreOptions& options, Console& console, Cancellation& cancellation);
ExitCode run_preprocess(const PreprocessOptions& options, Console& console, Cancellation& cancellation);
ExitCode run_evaluate(const EvaluateCommandOptions& command, Console& console);
ExitCode run_model(const ModelCommandOptions& options);
ExitCode run_merge(const MergeOptions& options, Console& console, const Cancellation& cancellation);

}  // namespace skincheck::cli
