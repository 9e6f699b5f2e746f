// Rows of results, from whichever format → Results: what is usable is kept, the rest is counted.
#pragma once

#include "skincheck/evaluate.hpp"

#include "evaluate/fields.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace skincheck {

/// A row as it stands in the file.
struct ResultRow {
    std::string_view path;
    std::string_view status = "ok";
    double score = undefined;           ///< NaN: none
    std::vector<double> probabilities;  ///< of the classes, NaN where there is none; empty: none at all
    std::string_view place;             ///< "line 3", for a row without a path
};

class ResultsCollector {
  public:
    explicit ResultsCollector(std::string file) { results_.file = std::move(file); }

    void add(const ResultRow& row);
    /// What a row, or the file, says of itself. An empty name is none.
    void add_model(std::string_view model);
    void add_threshold(double threshold);
    bool has_model() const { return !models_.empty(); }
    bool has_threshold() const { return !thresholds_.empty(); }

    /// Fatal (usage) when there was no row. Probabilities that are not one for each class are dropped.
    Results finish(std::vector<std::string> classes);

  private:
    Results results_;
    FaultList faults_;
    std::size_t rows_ = 0;
    std::string last_model_;
    std::unordered_set<std::string> models_;  ///< distinct
    std::vector<std::string> first_models_;   ///< as many as are told
    std::optional<double> last_threshold_;
    std::set<double> thresholds_;  ///< distinct
};

/// The usual names of a column of scores, the best first; skincheck's own is the first.
inline constexpr std::array<std::string_view, 5> score_names{"malignancy", "target", "score", "probability",
                                                             "prediction"};

}  // namespace skincheck
