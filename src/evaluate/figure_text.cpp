#include "evaluate/figure_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace skincheck {
namespace {

bool starts_character(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
}

constexpr std::string_view ellipsis = "\xE2\x80\xA6";  // U+2026

}  // namespace

// The JSON library knows what is UTF-8 and replaces what is not; its own parser then undoes its quoting.
std::string as_utf8(std::string_view bytes) {
    using Json = nlohmann::json;
    const std::string quoted = Json(bytes).dump(-1, ' ', false, Json::error_handler_t::replace);
    return Json::parse(quoted).get<std::string>();
}

std::string shorten(std::string_view text, std::size_t length) {
    std::string whole = as_utf8(text);
    std::size_t characters = 0;
    std::size_t keep = 0;  // bytes of the first length - 1 characters
    for (std::size_t i = 0; i < whole.size(); ++i) {
        if (starts_character(whole[i]) && ++characters == length) {
            keep = i;
        }
    }
    if (characters > length) {
        whole.resize(keep);
        whole += ellipsis;
    }
    return whole;
}

std::string number_text(double value, int digits) {
    if (std::isnan(value)) {
        return "undefined";
    }
    if (std::isinf(value)) {
        return "infinite";
    }
    return fmt::format("{:.{}f}", value, digits);
}

std::string exact_text(double value) {
    return std::isfinite(value) ? fmt::format("{}", value) : number_text(value);
}

std::string count_text(std::size_t count) {
    std::string text = fmt::format("{}", count);
    for (std::size_t end = text.size(); end > 3; end -= 3) {
        text.insert(end - 3, 1, ',');
    }
    return text;
}

std::string share_text(std::size_t part, std::size_t all) {
    if (all == 0) {
        return "undefined";
    }
    return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(all));
}

std::string interval_text(const Figure& figure, int digits) {
    if (std::isnan(figure.low) || std::isnan(figure.high)) {
        return "";
    }
    return number_text(figure.low, digits) + " to " + number_text(figure.high, digits);
}

std::string figure_text(const Figure& figure, int digits) {
    const std::string interval = interval_text(figure, digits);
    const std::string value = number_text(figure.value, digits);
    return interval.empty() ? value : value + " (" + interval + ")";
}

std::string explained_text(const Figure& figure, int digits) {
    const std::string text = figure_text(figure, digits);
    return std::isnan(figure.value) && !figure.reason.empty() ? text + ": " + figure.reason : text;
}

std::string letter(std::size_t evaluation, std::size_t evaluations) {
    return evaluations < 2 ? "" : std::string(1, static_cast<char>('A' + evaluation));
}

std::string source_text(ThresholdSource source) {
    switch (source) {
        case ThresholdSource::given:
            return "given";
        case ThresholdSource::of_results:
            return "stored in the results";
        case ThresholdSource::ambiguous:
            return "assumed: none was given, and the results tell several";
        default:
            return "assumed: none was given, and the results tell none of these scores";
    }
}

std::string file_name(const std::string& path) {
    return path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0
}

}  // namespace skincheck
