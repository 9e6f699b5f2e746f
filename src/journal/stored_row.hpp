// A row of the output as a row of the journal's table `rows`, and back.
#pragma once

#include "skincheck/result.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <string>

namespace skincheck {

/// Both take what bind_row() binds.
constexpr const char* replace_row = "INSERT OR REPLACE INTO rows VALUES (?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* insert_row = "INSERT OR IGNORE INTO rows VALUES (?,?,?,?,?,?,?,?,?,?,?)";

/// What read_row() reads, in the order of the output.
constexpr const char* select_rows =
    "SELECT number, digest, path, status, malignancy, probabilities, label, error, checksum FROM rows "
    "ORDER BY number";

// SQLite's numbers are signed; a digest uses all 64 bits.
std::int64_t to_database(std::uint64_t value);
std::uint64_t from_database(std::int64_t value);

/// Bytes, whatever their encoding.
void bind_path(SQLite::Statement& statement, int place, const std::string& path);

void bind_row(SQLite::Statement& statement, const Row& row);

/// Of the journal `file`. Throws DamagedJournal where its values are not those that a run has written.
Row read_row(SQLite::Statement& statement, const std::string& file);

}  // namespace skincheck
