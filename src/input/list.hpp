// A list of paths, from a file, a pipe or a terminal.
#pragma once

#include "skincheck/input.hpp"

#include <memory>
#include <string>

namespace skincheck {

/// The list on standard input. All references must outlive the source.
std::unique_ptr<Source> list_on_standard_input(char separator, const Warn& warn,
                                               const Cancellation& cancellation);

/// The list in a file, opened now. Throws Fatal (usage) when it cannot be opened.
std::unique_ptr<Source> list_in_file(const std::string& path, char separator, const Warn& warn,
                                     const Cancellation& cancellation);

}  // namespace skincheck
