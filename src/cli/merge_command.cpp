#include "skincheck/merge.hpp"

#include "cli/commands.hpp"
#include "cli/rows.hpp"

#include <fmt/format.h>

namespace skincheck::cli {

ExitCode run_merge(const MergeOptions& options, Console& console, const Cancellation& cancellation) {
    const Merged merged = merge(options.parts, cancellation);
    const Format format = options.format.value_or(merged.format);
    if (format == Format::json && merged.format != Format::json) {
        throw Fatal(
            ExitCode::usage,
            "--format json: these parts do not tell what a JSON file has at its head; merge them as csv or "
            "jsonl, or write the parts as JSON");
    }
    const auto destination = options.output.empty() ? standard_output() : atomic_file(options.output);
    const Summary summary = write_rows(*merged.rows, format, merged.provenance, *destination, &cancellation);
    console.summary(summary, "scored");
    return exit_code_of_rows(summary);
}

}  // namespace skincheck::cli
