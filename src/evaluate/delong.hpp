// DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988): the variance of one or two areas under ROC curves
// of the same cases, by midranks (Sun and Xu, IEEE Signal Processing Letters 21, 2014), in n log n. Where
// several cases are of one lesion or patient, as Obuchowski has it (Biometrics 53, 1997).
#pragma once

#include "skincheck/evaluate.hpp"

#include <cstddef>
#include <vector>

namespace skincheck {

/// What each malignant case (v10) and each benign one (v01) adds to an area: the share of the other kind that
/// it stands on the right side of.
struct Placements {
    std::vector<double> malignant, benign;
    std::vector<std::size_t> malignant_cluster, benign_cluster;  ///< of each; its own where it stands alone
    std::size_t clusters = 0;                                    ///< above all of these
    double auc = 0;
};

Placements placements(const Sample& sample);

/// Covariance of two areas of the same cases (of one with itself: its variance); NaN where the cases of a
/// kind are fewer than two, or all of one cluster.
double delong_covariance(const Placements& first, const Placements& second);

}  // namespace skincheck
