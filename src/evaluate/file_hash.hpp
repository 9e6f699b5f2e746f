#pragma once

#include <string>

namespace skincheck {

/// SHA-256 of a regular file, 64 lower-case hexadecimal digits; empty for a pipe, which can be read but once,
/// and for what cannot be read.
std::string file_hash(const std::string& file);

}  // namespace skincheck
