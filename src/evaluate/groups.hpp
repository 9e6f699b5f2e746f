// The same figures for parts of the cases.
#pragma once

#include "evaluate/join.hpp"

namespace skincheck {

/// The cases with one value in a column.
struct Members {
    std::string column, value;
    std::vector<std::size_t> cases;  ///< numbers of the joined ones
};

/// Fatal (usage) when the truth has no such column. "diagnosis" is also the class of a truth with classes.
void check_group_column(const std::string& column, const Truth& truth);

/// One group for each value of a column, "(unknown)" last; numbers of many values (ages) in bands of ten.
/// Fatal (usage) when there is no such column, or it has so many values that it is an id rather than a group.
std::vector<Members> members_by(const std::string& column, const Truth& truth, const Joined& joined);

Group measured(const Members& members, const Joined& joined, double threshold, const FigureOptions& options);

}  // namespace skincheck
