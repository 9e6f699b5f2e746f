#pragma once

#include "skincheck/model.hpp"

#include "field.hpp"

#include <vector>

namespace skincheck {

/// The list `preprocess`. Throws Fatal (model) for a step that is not known or has other fields than its own,
/// and when the steps can end at another size than `input`'s, which no image should be needed to find out.
std::vector<Step> parse_steps(const Field& field, const InputSpec& input);

}  // namespace skincheck
