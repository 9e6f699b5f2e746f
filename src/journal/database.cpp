#include "journal/database.hpp"

#include "skincheck/output.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <new>

namespace skincheck {
namespace {

constexpr int application_id = 0x736b696e;  // "skin": a database of ours

// The rows that a path had in this run already are remembered on disk too: memory stays flat.
constexpr const char* schema = R"(
    CREATE TABLE settings(place INTEGER PRIMARY KEY, name TEXT NOT NULL, value TEXT NOT NULL) STRICT;
    CREATE TABLE devices(name TEXT NOT NULL, engine TEXT NOT NULL, PRIMARY KEY(name, engine)) STRICT;
    CREATE TABLE rows(number INTEGER PRIMARY KEY, digest INTEGER NOT NULL, path BLOB NOT NULL,
        status TEXT NOT NULL, malignancy REAL, probabilities TEXT NOT NULL, label TEXT, error TEXT NOT NULL,
        size INTEGER, modified INTEGER, checksum INTEGER NOT NULL) STRICT;
    CREATE INDEX rows_by_path ON rows(path, number);
)";
constexpr const char* schema_of_this_run = R"(
    CREATE TEMP TABLE met(path BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID, STRICT;
    CREATE TEMP TABLE searched(path BLOB PRIMARY KEY) WITHOUT ROWID, STRICT;
)";

constexpr const char* temporary_place = "the temporary rows, in TMPDIR or else /var/tmp";

void prepare(SQLite::Database& database) {
    // A database may come from somebody else: nothing in it is run.
    sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = TRUNCATE");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA cell_size_check = ON");
    if (database.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0) {
        database.exec("BEGIN");
        database.exec(fmt::format("PRAGMA application_id = {}", application_id));
        database.exec(schema);
        database.exec("COMMIT");
    }
}

/// Tables of our names could still be something else.
void check_schema(SQLite::Database& database, const std::string& file) {
    SQLite::Database reference(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    reference.exec(schema);
    const char* text = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)";
    const std::string expected = reference.execAndGet(text).getString();
    if (database.execAndGet("PRAGMA application_id").getInt() != application_id ||
        database.execAndGet(text).getString() != expected) {
        throw DamagedJournal(file, "it is no journal of this version of skincheck");
    }
}

/// SQLite notices a page that cannot be, but not by itself an index that lacks a row, which would then be
/// there twice: as after a kill, when the file NAME-journal beside it is lost.
void check_integrity(SQLite::Database& database, const std::string& file) {
    const std::string found = database.execAndGet("PRAGMA integrity_check(1)").getString();
    if (found != "ok") {
        throw DamagedJournal(file, one_line(found));
    }
}

}  // namespace

DamagedJournal::DamagedJournal(const std::string& file, const std::string& reason)
    : Fatal(ExitCode::output, fmt::format("the journal {} is damaged ({}); --force starts over, without the "
                                          "rows in it",
                                          file, reason)) {}

SQLite::Database open_database(const std::string& file) {
    // Our lock on the whole file is enough, and outlives SQLite's, which a close of the same file by anybody
    // in this process would drop.
    SQLite::Database database(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 0, "unix-none");
    prepare(database);
    check_schema(database, file);
    check_integrity(database, file);
    database.exec(schema_of_this_run);
    return database;
}

[[noreturn]] void rethrow_as_ours(const std::string& file, const SQLite::Exception& error) {
    switch (error.getErrorCode()) {
        case SQLITE_FULL:  // of the journal's own disk, or of that of the temporary tables
            fail_to_write(file.empty() ? temporary_place : fmt::format("{} or {}", file, temporary_place),
                          ENOSPC);
        case SQLITE_READONLY:
        case SQLITE_PERM:
            fail_to_write(file, EACCES);
        case SQLITE_NOMEM:
            throw std::bad_alloc();
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
            throw CannotWrite(fmt::format("cannot write {}: {}; check its folder and its disk",
                                          file.empty() ? temporary_place : file, one_line(error.what())),
                              EIO);
        default:
            throw DamagedJournal(file, one_line(error.what()));
    }
}

}  // namespace skincheck
