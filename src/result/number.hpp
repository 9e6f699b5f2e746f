// Texts that are numbers and nothing else, whatever the locale.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace skincheck {

/// The whole of `text` as a number; nothing where something is before or behind it, or it does not fit. As
/// for std::from_chars a number may not begin with a plus. `base` is of whole numbers.
template <typename Number>
std::optional<Number> number_in(std::string_view text, int base = 10) {
    Number number{};
    const char* end = text.data() + text.size();
    std::from_chars_result result{};
    if constexpr (std::is_integral_v<Number>) {
        result = std::from_chars(text.data(), end, number, base);
    } else {
        result = std::from_chars(text.data(), end, number);
    }
    return result.ec == std::errc() && result.ptr == end ? std::optional(number) : std::nullopt;
}

}  // namespace skincheck
