// Text as it stands in the page.
#pragma once

#include <string>
#include <string_view>

namespace skincheck {

/// UTF-8 for HTML: for the text of an element and for attributes in quotes. Bytes that are no UTF-8 and
/// control characters become U+FFFD.
std::string escape_html(std::string_view text);

}  // namespace skincheck
