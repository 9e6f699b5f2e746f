// The readers on text that is already open: what read_truth() and read_results() of evaluate.hpp do with a
// file.
#pragma once

#include "skincheck/evaluate.hpp"

#include "evaluate/fields.hpp"
#include "table/text_input.hpp"

namespace skincheck {

/// options.metadata is not looked at.
Truth read_truth(TextInput& text, const TruthOptions& options);

/// Appends the columns of a table with the same ids; faults go to `truth`.
void add_metadata(Truth& truth, TextInput& text, const TruthOptions& options);

Results read_results(TextInput& text, const ResultsOptions& options);

}  // namespace skincheck
