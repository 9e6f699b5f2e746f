// Figures of calls among several classes.
#pragma once

#include "evaluate/join.hpp"

namespace skincheck {

/// Nothing when the truth has no classes, one of those that occur is none of the results', or no case has
/// probabilities. Cases without them stay out, and are appended to `faults`. Names of classes are compared
/// without case; ISIC 2019's AK is ISIC 2018's AKIEC.
std::optional<MultiClass> multi_class(const Truth& truth, const Results& results, const Joined& joined,
                                      const FigureOptions& options, std::vector<Fault>& faults);

}  // namespace skincheck
