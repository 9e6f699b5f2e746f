// Cases by falling score, and all measures of them in one pass, with a weight for each cluster: the figures
// themselves have weights of one, a resample has the number of times that each cluster was drawn.
#pragma once

#include "skincheck/evaluate.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace skincheck {

using Weights = std::span<const std::uint32_t>;  // by cluster
using MeasureValues = std::array<double, measure_count>;

/// Of a score from 0 to 1, in bins of equal width; 1 is in the last.
inline std::size_t bin_of(double score, std::size_t bins) {
    return std::min(static_cast<std::size_t>(score * static_cast<double>(bins)), bins - 1);
}

class Ranked {
  public:
    explicit Ranked(const Sample& sample);

    std::size_t clusters() const { return clusters_; }

    /// Undefined ones are NaN.
    MeasureValues measures(Weights weights, double threshold, double min_tpr) const;
    double roc_auc(Weights weights) const;

    /// Calls fn(cut, tp, fp) at every place where a threshold can lie, from nothing called malignant (cut 0)
    /// to all; `cut` is the number of cases that are called.
    template <typename Fn>
    void for_each_cut(Weights weights, Fn&& fn) const {
        std::uint64_t tp = 0, fp = 0;
        fn(std::size_t{0}, tp, fp);
        for (std::size_t i = 0; i < cases_.size(); ++i) {
            const Case& c = cases_[i];
            (c.malignant ? tp : fp) += weights[c.cluster];
            if (c.last_of_tie) {
                fn(i + 1, tp, fp);
            }
        }
    }

    /// Malignant and benign cases, weighted.
    std::pair<std::uint64_t, std::uint64_t> totals(Weights weights) const;

    /// Calls among the first `cut` cases and the rest, of clusters that `chosen` (by cluster) takes.
    template <typename Chosen>
    Confusion calls(std::size_t cut, Chosen&& chosen) const {
        Confusion calls;
        for (std::size_t i = 0; i < cases_.size(); ++i) {
            const Case& c = cases_[i];
            if (chosen(c.cluster)) {
                ++(c.malignant ? (i < cut ? calls.tp : calls.fn) : (i < cut ? calls.fp : calls.tn));
            }
        }
        return calls;
    }

    /// The threshold that calls exactly the first `cut` cases, which must be a place that for_each_cut()
    /// names: the lowest score that is called. Nothing called: just above the highest score.
    double threshold(std::size_t cut) const;

  private:
    struct Case {
        double score;
        double log_loss;
        std::uint32_t cluster;
        std::uint8_t bin;  // of the calibration
        bool malignant;
        bool last_of_tie;  // the next score is lower
    };

    std::vector<Case> cases_;
    std::size_t clusters_ = 0;
};

/// Of counts, in the order of Measure, the first eight; NaN where a denominator is zero.
void measures_of_counts(double tp, double fp, double fn, double tn, MeasureValues& values);

}  // namespace skincheck
