// A row of results in JSON, key by key.
#pragma once

#include "evaluate/results_collector.hpp"

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skincheck {

/// What is known of an object so far.
struct JsonRow {
    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

    std::string path, path_base64, model;
    std::string status = "ok";
    std::size_t id_rank = none, score_rank = none;  ///< of the keys that told it, 0 the best
    bool two_scores = false;                        ///< keys of two usual names told it
    double score = undefined;
    std::optional<double> threshold;
    std::vector<double> probabilities;
    /// It has malignancy: written by skincheck, so that its other keys mean what they do there.
    bool own = false;
    std::string bad_probability;  ///< what is wrong with a p_<class>, which counts in a row of our own only

    void clear();
};

/// A number; or a text; or null, which is NaN and no text.
struct JsonScalar {
    std::optional<double> number;
    std::string_view text;  ///< of a number: its digits
};

class JsonRows {
  public:
    JsonRows(const std::string& file, const ResultsOptions& options);

    void key(const std::string& name, JsonRow& row);
    void value(const JsonScalar& scalar, JsonRow& row);  ///< of the last key
    void nested() const;                                 ///< the last key has an array or object
    void add(const JsonRow& row);
    Results finish();

    /// A stored threshold is one of malignancies: of other scores it says nothing.
    bool malignancy_is_score() const {
        return any_own_ && (options_.score_column.empty() || options_.score_column == score_names[0]);
    }

    ResultsCollector& collector() { return collector_; }
    [[noreturn]] void refuse(const std::string& reason) const;  ///< Fatal (usage) that names the row

  private:
    enum class Key { other, id, path_base64, score, status, model, threshold, probability };

    Key key_of(std::string_view name, JsonRow& row);
    bool is_score_key(std::string_view name, JsonRow& row) const;
    Key probability_key(std::string_view class_name);
    std::string no_number(std::string_view text) const;
    void set_probability(const JsonScalar& scalar, JsonRow& row) const;

    std::string file_;
    const ResultsOptions& options_;
    ResultsCollector collector_;

    Key key_ = Key::other;
    std::string key_name_;
    bool also_score_ = false;  ///< --score-column p_<class>
    std::size_t class_ = 0;    ///< of the last p_<class>
    std::vector<std::string> classes_;
    std::size_t rows_ = 0;
    bool any_id_ = false, any_score_ = false, any_own_ = false;
    std::string place_, path_;
};

}  // namespace skincheck
