// Figures, counts and names as text: on the terminal and in the page the same.
#pragma once

#include "skincheck/evaluate.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace skincheck {

/// Bytes that are no UTF-8 become U+FFFD.
std::string as_utf8(std::string_view bytes);

/// As UTF-8, at most `length` characters, the last of which is an ellipsis when some are cut off.
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

/// As figure_text(), but with the reason of what is not there: "undefined: no benign case".
std::string explained_text(const Figure& figure, int digits = 3);

/// "A" and "B" where there are two evaluations, else nothing.
std::string letter(std::size_t evaluation, std::size_t evaluations);

/// "given": where a threshold comes from.
std::string source_text(ThresholdSource source);

/// The name of a file without its folders.
std::string file_name(const std::string& path);

}  // namespace skincheck
