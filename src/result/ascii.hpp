// Letters of ASCII. Other bytes stay as they are, whatever the locale.
#pragma once

namespace skincheck {

inline char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace skincheck
