#include "evaluate/html_text.hpp"

#include "evaluate/figure_text.hpp"

namespace skincheck {
namespace {

bool is_control(char byte) {
    return (static_cast<unsigned char>(byte) < 0x20U && byte != '\t' && byte != '\n') || byte == '\x7F';
}

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

std::string escape_html(std::string_view text) {
    std::string escaped;
    for (const char c : as_utf8(text)) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default:
                if (is_control(c)) {
                    escaped += replacement;
                } else {
                    escaped += c;
                }
        }
    }
    return escaped;
}

}  // namespace skincheck
