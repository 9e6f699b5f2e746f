// CSV files as RFC 4180 has them, record by record; on libcsv.
#pragma once

#include "table/text_input.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skincheck {

struct CsvRecord {
    std::vector<std::string_view> fields;  ///< without their quotes, blanks kept; gone after the call
    std::size_t line = 0;                  ///< where it begins, from 1
};

/// Calls back for each record, the header too. Line ends are LF, CRLF or CR, also mixed; the last may be
/// missing; empty lines are left out. Fatal (usage), with file and line: NUL bytes, a quote within a field or
/// one left open, a record of more than longest_row bytes, one with another number of fields than the first.
void read_csv(TextInput& text, const std::function<void(const CsvRecord&)>& on_record);

/// Throws Fatal (usage) "FILE:LINE: REASON".
[[noreturn]] void refuse_line(const std::string& file, std::size_t line, const std::string& reason);

}  // namespace skincheck
