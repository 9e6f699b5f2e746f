// Truth and results of the same images, side by side.
#pragma once

#include "skincheck/evaluate.hpp"

namespace skincheck {

/// Cases that have both, in the order of the truth. Pointers into the truth and the results joined.
struct Joined {
    Sample sample;
    std::vector<const TruthCase*> truth;
    std::vector<const ResultCase*> result;
    std::vector<Fault> faults;  ///< without a partner, on either side
};

/// Fatal (usage) when no id is in both, or all that are have the same truth.
Joined join(const Truth& truth, const Results& results);

/// Numbers the cases by their values in the first of the columns that tells one, into sample.cluster; a case
/// of which none does is a cluster of its own. Answers how many there are.
std::size_t set_clusters(Joined& joined, const std::vector<std::size_t>& columns);

/// Only the cases of these numbers; clusters are numbered anew.
Sample part_of(const Sample& sample, const std::vector<std::size_t>& cases);

}  // namespace skincheck
