// What the fuzz targets share.
#pragma once

#include "skincheck/evaluate.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace skincheck::fuzz {

/// A finding, also without assertions.
inline void require(bool holds, const char* otherwise) {
    if (!holds) {
        std::fprintf(stderr, "%s\n", otherwise);
        std::abort();
    }
}

/// A message for a person: something, in one line, nothing that plays with a terminal.
inline void require_one_line(std::string_view message) {
    require(!message.empty(), "an empty message");
    for (const char c : message) {
        require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F, "a message with a control character");
    }
}

/// Takes a first byte that no table begins with: seeds without one are plain tables.
inline unsigned take_choice(std::string_view& table) {
    if (table.empty() || static_cast<unsigned char>(table[0]) >= 0x20 || table[0] == '\t' ||
        table[0] == '\n' || table[0] == '\r') {
        return 0;
    }
    const auto choice = static_cast<unsigned>(static_cast<unsigned char>(table[0]));
    table.remove_prefix(1);
    return choice;
}

inline bool same_faults(const std::vector<Fault>& one, const std::vector<Fault>& other) {
    if (one.size() != other.size()) {
        return false;
    }
    for (std::size_t i = 0; i < one.size(); ++i) {
        if (one[i].what != other[i].what || one[i].count != other[i].count ||
            one[i].names != other[i].names) {
            return false;
        }
    }
    return true;
}

}  // namespace skincheck::fuzz
