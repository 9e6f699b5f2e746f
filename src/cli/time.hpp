// Points in time as a user writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace skincheck::cli {

/// "2026-11-22", "2026-11-22 18:30", "2026-11-22T18:30:05", each of local time or with Z of UTC, or
/// "@SECONDS" since 1970 → nanoseconds since 1970. Nothing for anything else.
std::optional<std::int64_t> parse_time(const std::string& text);

}  // namespace skincheck::cli
