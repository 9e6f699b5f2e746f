// The journal's SQLite database: opened as one that may come from somebody else, its errors in our words.
#pragma once

#include "skincheck/result.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>

namespace skincheck {

class DamagedJournal : public Fatal {
  public:
    DamagedJournal(const std::string& file, const std::string& reason);
};

/// Opens `file` (empty: a temporary one that nobody else sees) or makes it, with the tables `settings`,
/// `devices` and `rows`, and `temp.met` and `temp.searched` for this run. Nothing that a database can hold
/// beside tables is run. No lock is taken. Throws SQLite::Exception and DamagedJournal.
SQLite::Database open_database(const std::string& file);

/// What SQLite threw, as CannotWrite, DamagedJournal or std::bad_alloc.
[[noreturn]] void rethrow_as_ours(const std::string& file, const SQLite::Exception& error);

}  // namespace skincheck
