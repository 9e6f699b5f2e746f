#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace skincheck::cli {

/// What a control group (version 2) leaves to its processes; nothing where it sets no limit.
struct ControlGroup {
    std::optional<std::uint64_t> cores;  ///< rounded up
    std::optional<std::uint64_t> bytes;  ///< of memory, counting what the page cache would give back
};

/// Of the group whose files are in `folder`.
ControlGroup read_control_group(const std::string& folder);

/// The tightest limits of the group named `group` ("/a/b") and of all above it, whose files are in folders
/// below `root`.
ControlGroup read_control_groups(const std::string& root, const std::string& group);

/// The cores that this process may use: those that taskset and its control group leave to it.
std::uint64_t usable_cores();

/// How many workers suit this machine when each needs `bytes_each` of memory: one a core, fewer where memory
/// is short, at least one. Counts usable_cores(), and the memory that the system and the control group have
/// left.
int default_jobs(std::uint64_t bytes_each);

}  // namespace skincheck::cli
