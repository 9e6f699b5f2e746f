// Figures of calls among several classes.
#pragma once

#include "evaluate/join.hpp"

namespace skincheck {

/// Nothing when the truth has no classes, or one of those that occur has no probability in the results. Names
/// of classes are compared without case; ISIC 2019's AK is ISIC 2018's AKIEC.
std::optional<MultiClass> multi_class(const Truth& truth, const Results& results, const Joined& joined,
                                      const FigureOptions& options);

}  // namespace skincheck
