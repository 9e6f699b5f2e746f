// A directory → its images.
#pragma once

#include "skincheck/input.hpp"

#include "filter.hpp"

#include <memory>
#include <string>

namespace skincheck {

/// Walks `directory` as open_source() says of `options`, whose globs `filter` has. All references must
/// outlive the source.
std::unique_ptr<Source> walk_directory(std::string directory, const InputOptions& options,
                                       const Filter& filter, const Warn& warn,
                                       const Cancellation& cancellation);

}  // namespace skincheck
