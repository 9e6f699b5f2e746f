#pragma once

#include <cstdint>

namespace skincheck::cli {

/// How many workers suit this machine when each needs `bytes_each` of memory: one a core, fewer where memory
/// is short, at least one. Counts the cores that this process may use, and the memory that the system and its
/// control group have left.
int default_jobs(std::uint64_t bytes_each);

}  // namespace skincheck::cli
