// The two formats of results.
#pragma once

#include "skincheck/evaluate.hpp"

#include "table/text_input.hpp"

namespace skincheck {

Results read_results_csv(TextInput& text, const ResultsOptions& options);

/// One object with "results", an array of rows, or rows one after another (JSON Lines).
Results read_results_json(TextInput& text, const ResultsOptions& options);

}  // namespace skincheck
