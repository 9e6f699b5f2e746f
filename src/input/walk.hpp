// A directory → its images.
#pragma once

#include "skincheck/input.hpp"

#include "filter.hpp"

#include <memory>
#include <string>

namespace skincheck {

/// Walks `directory` as open_source() says. All references must outlive the source.
std::unique_ptr<Source> walk_directory(std::string directory, const Filter& filter, bool follow,
                                       const Warn& warn, const Cancellation& cancellation);

}  // namespace skincheck
