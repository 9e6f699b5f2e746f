// DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988): the variance of one or two areas under ROC curves
// of the same cases, by midranks (Sun and Xu, IEEE Signal Processing Letters 21, 2014), in n log n.
#pragma once

#include <vector>

namespace skincheck {

/// What each malignant case (v10) and each benign one (v01) adds to an area: the share of the other kind that
/// it stands on the right side of.
struct Placements {
    std::vector<double> malignant, benign;
    double auc = 0;
};

Placements placements(const std::vector<double>& score, const std::vector<char>& malignant);

/// Covariance of two areas of the same cases (of one with itself: its variance); NaN with fewer than two
/// cases of a kind.
double delong_covariance(const Placements& first, const Placements& second);

}  // namespace skincheck
