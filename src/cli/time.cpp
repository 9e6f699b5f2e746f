#include "cli/time.hpp"

#include "result/number.hpp"

#include <ctime>

namespace skincheck::cli {
namespace {

constexpr std::int64_t nanoseconds = 1'000'000'000;
constexpr std::int64_t most_seconds = 9'000'000'000;  // what fits, in nanoseconds

// Of "@SECONDS".
std::optional<std::int64_t> seconds_in(std::string_view text) {
    const auto seconds = number_in<std::int64_t>(text.substr(1));
    const bool sound = seconds && *seconds >= 0 && *seconds <= most_seconds;
    return sound ? std::optional(*seconds * nanoseconds) : std::nullopt;
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
