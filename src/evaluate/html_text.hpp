// Text and numbers as they stand in the report, and some of them on the terminal.
#pragma once

#include "skincheck/evaluate.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace skincheck {

/// UTF-8 for HTML: for the text of an element and for attributes in quotes. Bytes that are no UTF-8 and
/// control characters become U+FFFD.
std::string escape_html(std::string_view text);

/// At most `length` characters, the last of which is an ellipsis when some are cut off. Bytes that are no
/// UTF-8 become U+FFFD, so that no character is cut in two.
std::string shorten(std::string_view text, std::size_t length);

/// "undefined" for NaN, "infinite" for infinities.
std::string number_text(double value, int digits = 3);

/// The shortest text that reads back as the same number: what is pasted as --threshold.
std::string exact_text(double value);

/// "1,512"
std::string count_text(std::size_t count);

/// "20.3 %"; "undefined" when `all` is 0.
std::string share_text(std::size_t part, std::size_t all);

/// "0.890 to 0.924"; empty when there is no interval.
std::string interval_text(const Figure& figure, int digits = 3);

/// "0.908 (0.890 to 0.924)"; without what is not there.
std::string figure_text(const Figure& figure, int digits = 3);

/// The name of a file without its folders.
std::string file_name(const std::string& path);

}  // namespace skincheck
