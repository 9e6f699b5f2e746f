// Resamples of clusters of cases, and intervals from what was computed of them.
#pragma once

#include "evaluate/ranked.hpp"

#include <functional>

namespace skincheck {

/// Clusters that are drawn among themselves: those with a malignant case, and those without.
using Strata = std::array<std::vector<std::uint32_t>, 2>;

Strata strata_of(const Sample& sample);

/// Draws options.bootstrap resamples: from each stratum as many clusters as it has, with replacement. Calls
/// use(number, weights) for each, on several threads at a time; `weights` are gone when it returns. What
/// `use` throws ends it and comes out here.
void resample(const Strata& strata, const FigureOptions& options,
              const std::function<void(std::size_t, Weights)>& use);

/// Sets the interval of a figure to the 2.5 and 97.5 percentiles (linear between neighbours) of what the
/// resamples gave. It stays undefined, with a reason, when one in twenty resamples or more is undefined, or
/// all are the same.
void set_interval(Figure& figure, std::vector<double> resampled);

/// The percentile (0 to 1) of sorted, finite values; not empty.
double percentile(const std::vector<double>& sorted, double share);

}  // namespace skincheck
