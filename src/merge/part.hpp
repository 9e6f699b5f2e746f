// One part of a run: what its rows and its head say.
#pragma once

#include "skincheck/output.hpp"
#include "skincheck/result.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace skincheck {

/// What all parts of a run have in common. Empty where a format does not tell it or there is no row.
struct PartFacts {
    Format format = Format::csv;
    std::string model;      ///< id
    std::string threshold;  ///< as it is written
    std::vector<std::string> classes;
    std::string model_version, model_sha256, preprocessing, precision;  ///< of JSON
    int views = 1;                                                      ///< of JSON

    /// What this and another part do not agree on; nothing when they do.
    std::optional<std::string> difference(const PartFacts& other) const;
};

struct Part {
    std::string file;
    PartFacts facts;
    std::optional<Shard> shard;  ///< nothing when it has no row
    std::string device, engine;  ///< of JSON
};

/// Reads a part and calls back for each row. Throws Fatal (usage) with file and line or row for what
/// skincheck does not write, for rows without a shard, and for rows that do not agree.
Part read_part(const std::string& file, const std::function<void(const Row&)>& on_row);

}  // namespace skincheck
