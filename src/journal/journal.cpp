#include "skincheck/journal.hpp"

#include "skincheck/output.hpp"

#include "journal/database.hpp"
#include "journal/stored_row.hpp"
#include "result/descriptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>

namespace skincheck {
namespace {

using Clock = std::chrono::steady_clock;

// A flush costs some milliseconds, a lost row the work of one image: about a second of work may be lost.
constexpr std::chrono::seconds flush_interval{1};

constexpr const char* score_of_number =
    "SELECT malignancy, size, modified, digest FROM rows WHERE number = ?";

/// Of a row whose columns 0 to 2 are malignancy, size and time of change. Without a `stamp` the file went
/// away, or cannot be looked at now: then its row keeps the score that it has.
bool is_done(SQLite::Statement& statement, const std::optional<FileStamp>& stamp) {
    if (statement.getColumn(0).isNull() || statement.getColumn(1).isNull()) {
        return false;
    }
    return !stamp || (from_database(statement.getColumn(1).getInt64()) == stamp->size &&
                      statement.getColumn(2).getInt64() == stamp->modified);
}

class SqliteJournal final : public Journal {
  public:
    /// A lock of an empty file makes a temporary one. Throws SQLite::Exception.
    explicit SqliteJournal(JournalLock lock)
        : file_(lock.file()), lock_(std::move(lock)), database_(open_database(file_)) {
        database_.exec("BEGIN");
        next_ =
            from_database(database_.execAndGet("SELECT coalesce(max(number), 0) FROM rows").getInt64()) + 1;
        settled_ = stored_settings().has_value();
        if (!file_.empty()) {
            try {
                flusher_ = std::jthread([this](const std::stop_token& stop) { flush_in_time(stop); });
            } catch (const std::system_error&) {  // no thread to be had: put() flushes too
            }
        }
    }

    ~SqliteJournal() override {
        flusher_.request_stop();
        if (flusher_.joinable()) {
            flusher_.join();
        }
        try {
            const bool unused = has_no_rows() && !settled_;
            if (sqlite3_get_autocommit(database_.getHandle()) == 0) {
                database_.exec("COMMIT");
            }
            database_.exec("PRAGMA journal_mode = DELETE");  // takes SQLite's own empty journal away
            if (unused && !file_.empty()) {  // the run ended before it had begun: nothing is left of it
                unlink(file_.c_str());
            }
        } catch (const std::exception&) {  // whoever wanted to know asked commit()
        }
    }
    SqliteJournal(const SqliteJournal&) = delete;
    SqliteJournal& operator=(const SqliteJournal&) = delete;

    std::optional<std::string> agree(const Settings& settings) override;
    Place place(const Item& item) override;
    bool put(const Row& row, bool replace) override;
    void searched(const std::string& directory) override;
    void forget_directories() override;
    void add_device(const Device& device) override;
    std::vector<Device> devices() override;
    void commit() override;
    bool empty() override;
    bool fresh() override;
    void for_each(const std::function<void(const Row&)>& call) override;

  private:
    void flush();
    void flush_in_time(const std::stop_token& stop);
    SQLite::Statement& prepared(std::optional<SQLite::Statement>& statement, const char* text);
    std::optional<Place> row_at(std::uint64_t number, std::uint64_t digest,
                                const std::optional<FileStamp>& stamp);
    Place row_of_path(const std::string& path, const std::optional<FileStamp>& stamp);
    std::optional<Settings> stored_settings();
    bool has_no_rows();
    bool has_score(std::uint64_t number);

    /// Runs `call` alone, and tells what SQLite throws in our words.
    template <typename Call>
    auto guarded(const Call& call) -> decltype(call());

    std::string file_;
    JournalLock lock_;  // before the database: released after it is closed
    SQLite::Database database_;
    std::mutex mutex_;
    std::optional<SQLite::Statement> put_, insert_, met_, meet_, by_path_, by_number_, search_;
    std::uint64_t next_ = 1;
    bool settled_ = false;  // its settings stay, also without a row: of an earlier run, or by commit()
    Clock::time_point flushed_ = Clock::now();
    bool written_ = false;             // since then
    std::exception_ptr flush_failed_;  // of the thread below, for whoever comes next
    std::condition_variable_any stopped_;
    std::jthread flusher_;
};

template <typename Call>
auto SqliteJournal::guarded(const Call& call) -> decltype(call()) {
    const std::lock_guard guard(mutex_);
    try {
        if (flush_failed_) {
            std::rethrow_exception(flush_failed_);
        }
        return call();
    } catch (const SQLite::Exception& error) {
        rethrow_as_ours(file_, error);
    }
}

SQLite::Statement& SqliteJournal::prepared(std::optional<SQLite::Statement>& statement, const char* text) {
    if (!statement) {
        statement.emplace(database_, text);
    }
    statement->reset();
    return *statement;
}

void SqliteJournal::flush() {
    if (sqlite3_get_autocommit(database_.getHandle()) == 0) {  // else SQLite took it back, as on a full disk
        database_.exec("COMMIT");
    }
    database_.exec("BEGIN");
    flushed_ = Clock::now();
    written_ = false;
}

// put() flushes as long as rows follow each other; the last one before a pipe falls silent is flushed here.
void SqliteJournal::flush_in_time(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!flush_failed_ && !stop.stop_requested()) {
        stopped_.wait_for(lock, stop, flush_interval, [] { return false; });
        try {
            if (written_ && Clock::now() - flushed_ >= flush_interval) {
                flush();
            }
        } catch (const SQLite::Exception&) {
            flush_failed_ = std::current_exception();
        }
    }
}

std::optional<Settings> SqliteJournal::stored_settings() {
    Settings found;
    SQLite::Statement select(database_, "SELECT name, value FROM settings ORDER BY place");
    while (select.executeStep()) {
        found.emplace_back(select.getColumn(0).getString(), select.getColumn(1).getString());
    }
    return found.empty() ? std::nullopt : std::optional(std::move(found));
}

std::optional<std::string> SqliteJournal::agree(const Settings& settings) {
    return guarded([&]() -> std::optional<std::string> {
        const std::optional<Settings> found = stored_settings();
        if (!found || has_no_rows()) {
            database_.exec("DELETE FROM settings; DELETE FROM devices");
            SQLite::Statement insert(database_, "INSERT INTO settings(name, value) VALUES (?, ?)");
            for (const auto& [name, value] : settings) {
                insert.reset();
                insert.bind(1, name);
                insert.bind(2, value);
                insert.exec();
            }
            return std::nullopt;
        }
        constexpr const char* other_version = "it was written by another version of skincheck";
        if (found->size() != settings.size()) {
            return other_version;
        }
        for (std::size_t i = 0; i < settings.size(); ++i) {
            const auto& [name, value] = settings[i];
            if ((*found)[i].first != name) {
                return other_version;
            }
            const std::string& there = (*found)[i].second;
            constexpr std::size_t longest_to_tell = 60;
            if (there != value && std::max(there.size(), value.size()) > longest_to_tell) {
                return fmt::format("its rows were made with another {}", name);
            }
            if (there != value) {
                return fmt::format("its rows differ in {}: {} there, {} in this run", name, there, value);
            }
        }
        return std::nullopt;
    });
}

Journal::Place SqliteJournal::place(const Item& item) {
    return guarded([&]() -> Place {
        if (item.digest == 0) {
            return row_of_path(item.written(), item.stamp);
        }
        return row_at(item.number, item.digest, item.stamp).value_or(Place{false, item.number});
    });
}

std::optional<Journal::Place> SqliteJournal::row_at(std::uint64_t number, std::uint64_t digest,
                                                    const std::optional<FileStamp>& stamp) {
    auto& select = prepared(by_number_, score_of_number);
    select.bind(1, to_database(number));
    if (!select.executeStep()) {
        return std::nullopt;
    }
    if (from_database(select.getColumn(3).getInt64()) != digest) {
        throw Fatal(
            ExitCode::usage,
            fmt::format("the inputs are not those that {} was begun with (input {} or one before it is "
                        "another): a shard needs the same inputs each time; --force starts over",
                        file_, number));
    }
    return Place{is_done(select, stamp), number};
}

Journal::Place SqliteJournal::row_of_path(const std::string& path, const std::optional<FileStamp>& stamp) {
    auto& met = prepared(met_, "SELECT number FROM temp.met WHERE path = ?");
    bind_path(met, 1, path);
    const std::int64_t last = met.executeStep() ? met.getColumn(0).getInt64() : 0;
    auto& select = prepared(by_path_,
                            "SELECT malignancy, size, modified, number FROM rows WHERE path = ? AND "
                            "number > ? ORDER BY number LIMIT 1");
    bind_path(select, 1, path);
    select.bind(2, last);
    const Place place = select.executeStep()
                            ? Place{is_done(select, stamp), from_database(select.getColumn(3).getInt64())}
                            : Place{false, next_++};
    auto& meet = prepared(meet_, "INSERT OR REPLACE INTO temp.met VALUES (?, ?)");
    bind_path(meet, 1, path);
    meet.bind(2, to_database(place.number));
    meet.exec();
    return place;
}

bool SqliteJournal::has_score(std::uint64_t number) {
    auto& select = prepared(by_number_, score_of_number);
    select.bind(1, to_database(number));
    const bool scored = select.executeStep() && !select.getColumn(0).isNull();
    select.reset();
    return scored;
}

bool SqliteJournal::put(const Row& row, bool replace) {
    return guarded([&] {
        if (replace && row.status == Status::not_found && has_score(row.number)) {
            return false;
        }
        auto& put = replace ? prepared(put_, replace_row) : prepared(insert_, insert_row);
        bind_row(put, row);
        const bool written = put.exec() == 1;
        written_ = true;
        if (Clock::now() - flushed_ >= flush_interval) {
            flush();
        }
        return written;
    });
}

void SqliteJournal::for_each(const std::function<void(const Row&)>& call) {
    guarded([&] {
        SQLite::Statement select(database_, select_rows);
        std::uint64_t last = 0;
        while (select.executeStep()) {
            const Row row = read_row(select, file_);
            if (row.number <= last) {  // a tree of pages that leads back
                throw DamagedJournal(file_, "its rows are out of order");
            }
            last = row.number;
            call(row);
        }
    });
}

void SqliteJournal::searched(const std::string& directory) {
    guarded([&] {
        auto& search =
            prepared(search_, "INSERT OR IGNORE INTO temp.searched VALUES (CAST(rtrim(?, '/') AS BLOB))");
        bind_path(search, 1, directory);
        search.exec();
    });
}

void SqliteJournal::forget_directories() {
    guarded([this] {
        database_.exec(R"(
            DELETE FROM rows WHERE malignancy IS NULL AND digest = 0
                AND path NOT IN (SELECT path FROM temp.met)
                AND CAST(rtrim(path, '/') AS BLOB) IN (SELECT path FROM temp.searched))");
    });
}

void SqliteJournal::add_device(const Device& device) {
    guarded([&] {
        SQLite::Statement insert(database_, "INSERT OR IGNORE INTO devices VALUES (?, ?)");
        insert.bind(1, device.name);
        insert.bind(2, device.engine);
        insert.exec();
    });
}

std::vector<Journal::Device> SqliteJournal::devices() {
    return guarded([&] {
        std::vector<Device> found;
        SQLite::Statement select(database_, "SELECT name, engine FROM devices ORDER BY name, engine");
        while (select.executeStep()) {
            found.push_back({select.getColumn(0).getString(), select.getColumn(1).getString()});
        }
        return found;
    });
}

void SqliteJournal::commit() {
    guarded([this] {
        flush();
        settled_ = true;
    });
}

bool SqliteJournal::has_no_rows() {
    return database_.execAndGet("SELECT NOT EXISTS(SELECT 1 FROM rows)").getInt() == 1;
}

bool SqliteJournal::empty() {
    return guarded([this] { return has_no_rows(); });
}

bool SqliteJournal::fresh() {
    return guarded([this] { return !stored_settings(); });
}

std::unique_ptr<Journal> make_database(JournalLock lock) {
    const std::string file = lock.file();
    try {
        return std::make_unique<SqliteJournal>(std::move(lock));
    } catch (const SQLite::Exception& error) {
        rethrow_as_ours(file, error);
    }
}

}  // namespace

bool is_journal(const std::string& path) {
    constexpr std::string_view begins("SQLite format 3\0", 16);
    return first_bytes(path, begins.size()) == begins;
}

std::string journal_path(const std::string& output) {
    return resolve_links(output).append(journal_ending);
}

bool has_journal(const std::string& output) {
    struct stat status {};
    return stat(journal_path(output).c_str(), &status) == 0;
}

std::unique_ptr<Journal> open_journal(JournalLock lock, bool start_over) {
    if (start_over) {
        // A journal of SQLite's own, left by a kill, belongs to what is dropped.
        unlink((lock.file() + "-journal").c_str());
        if (ftruncate(lock.descriptor(), 0) != 0) {
            fail_to_write(lock.file(), errno);
        }
    }
    auto journal = make_database(std::move(lock));
    journal->for_each([](const Row&) {});  // what is damaged is told before the work, and not after a night
    return journal;
}

std::unique_ptr<Journal> temporary_journal() {
    return make_database(JournalLock("", -1));
}

}  // namespace skincheck
