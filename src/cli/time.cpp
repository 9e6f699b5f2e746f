#include "cli/time.hpp"

#include <charconv>
#include <ctime>
#include <system_error>

namespace skincheck::cli {
namespace {

constexpr std::int64_t nanoseconds = 1'000'000'000;
constexpr std::int64_t most_seconds = 9'000'000'000;  // what fits, in nanoseconds

std::optional<std::int64_t> seconds_in(const std::string& text) {
    std::int64_t seconds = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + 1, end, seconds);
    const bool sound = error == std::errc() && rest == end && seconds >= 0 && seconds <= most_seconds;
    return sound ? std::optional(seconds * nanoseconds) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_time(const std::string& text) {
    if (text.starts_with('@')) {
        return seconds_in(text);
    }
    for (const char* format :
         {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"}) {
        std::tm parts{};
        parts.tm_isdst = -1;
        const char* rest = strptime(text.c_str(), format, &parts);
        const bool utc = rest != nullptr && *rest == 'Z';
        if (rest == nullptr || *(rest + (utc ? 1 : 0)) != '\0') {
            continue;
        }
        const int day = parts.tm_mday;
        const std::time_t time = utc ? timegm(&parts) : std::mktime(&parts);
        if (time < -most_seconds || time > most_seconds || parts.tm_mday != day) {  // February 30th
            return std::nullopt;
        }
        return time * nanoseconds;
    }
    return std::nullopt;
}

}  // namespace skincheck::cli
