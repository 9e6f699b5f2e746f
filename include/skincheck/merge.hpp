// The parts of a run that was split by shards → the rows of the whole.
#pragma once

#include "skincheck/input.hpp"
#include "skincheck/journal.hpp"
#include "skincheck/output.hpp"

#include <memory>
#include <string>
#include <vector>

namespace skincheck {

struct Merged {
    Format format = Format::csv;  ///< of the parts
    Provenance provenance;  ///< as far as the parts tell it: CSV and JSON Lines tell the model's id only
    std::unique_ptr<Journal> rows;
};

/// Reads all parts of a run, in any order: CSV, JSON or JSON Lines as skincheck writes them with a shard. The
/// rows are kept on disk, so that memory stays flat. Throws Fatal (usage), with file and item, unless each
/// item of the whole is there exactly once, the parts were made from the same inputs (their digests), and
/// they agree on format, model, threshold, preprocessing and precision; Fatal (interrupted) after a
/// cancellation.
Merged merge(const std::vector<std::string>& files, const Cancellation& cancellation);

}  // namespace skincheck
