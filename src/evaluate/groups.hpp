// The same figures for parts of the cases.
#pragma once

#include "evaluate/join.hpp"

namespace skincheck {

/// One group for each value of a column of the truth, "(unknown)" last; numbers of many values (ages) in
/// bands of ten. "diagnosis" is also the class of a truth with classes. Fatal (usage) when there is no such
/// column, or it has so many values that it is an id rather than a group.
std::vector<Group> groups_by(const std::string& column, const Truth& truth, const Joined& joined,
                             const FigureOptions& options);

}  // namespace skincheck
