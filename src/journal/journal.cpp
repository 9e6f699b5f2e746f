#include "skincheck/journal.hpp"

#include "skincheck/output.hpp"

#include "journal/database.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
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

// SQLite's numbers are signed; a digest uses all 64 bits.
std::int64_t to_database(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

std::uint64_t from_database(std::int64_t value) {
    return static_cast<std::uint64_t>(value);
}

void bind_path(SQLite::Statement& statement, int place, const std::string& path) {
    statement.bind(place, path.data(), static_cast<int>(path.size()));
}

/// Of a row whose columns 0 to 2 are malignancy, size and time of change. A file that went away, or cannot be
/// looked at now, does not take the score of what it was.
bool is_done(SQLite::Statement& statement, const std::optional<FileStamp>& stamp) {
    if (statement.getColumn(0).isNull() || statement.getColumn(1).isNull()) {
        return false;
    }
    return !stamp || (from_database(statement.getColumn(1).getInt64()) == stamp->size &&
                      statement.getColumn(2).getInt64() == stamp->modified);
}

class Database final : public Journal {
  public:
    /// A lock of an empty file makes a temporary one. Throws SQLite::Exception.
    explicit Database(JournalLock lock)
        : file_(lock.file()), lock_(std::move(lock)), database_(open_database(file_)) {
        database_.exec("BEGIN");
        next_ =
            from_database(database_.execAndGet("SELECT coalesce(max(number), 0) FROM rows").getInt64()) + 1;
        if (!file_.empty()) {
            try {
                flusher_ = std::jthread([this](const std::stop_token& stop) { flush_in_time(stop); });
            } catch (const std::system_error&) {  // no thread to be had: put() flushes too
            }
        }
    }

    ~Database() override {
        flusher_.request_stop();
        if (flusher_.joinable()) {
            flusher_.join();
        }
        try {
            const bool unused = !stored_settings() && has_no_rows();
            database_.exec("COMMIT");
            database_.exec("PRAGMA journal_mode = DELETE");  // takes SQLite's own empty journal away
            if (unused && !file_.empty()) {  // the run ended before it had begun: nothing is left of it
                unlink(file_.c_str());
            }
        } catch (const std::exception&) {  // whoever wanted to know asked commit()
        }
    }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    std::optional<std::string> agree(const Settings& settings) override;
    Place place(const Item& item) override;
    bool put(const Row& row, bool replace) override;
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
    Row read_row(SQLite::Statement& statement) const;
    std::optional<Settings> stored_settings();
    bool has_no_rows();
    [[noreturn]] void damaged(const std::string& reason) const { throw DamagedJournal(file_, reason); }

    /// Runs `call` alone, and tells what SQLite throws in our words.
    template <typename Call>
    auto guarded(const Call& call) -> decltype(call());

    std::string file_;
    JournalLock lock_;  // before the database: released after it is closed
    SQLite::Database database_;
    std::mutex mutex_;
    std::optional<SQLite::Statement> put_, insert_, met_, meet_, by_path_, by_number_;
    std::uint64_t next_ = 1;
    Clock::time_point flushed_ = Clock::now();
    bool written_ = false;             // since then
    std::exception_ptr flush_failed_;  // of the thread below, for whoever comes next
    std::condition_variable_any stopped_;
    std::jthread flusher_;
};

template <typename Call>
auto Database::guarded(const Call& call) -> decltype(call()) {
    const std::lock_guard guard(mutex_);
    try {
        if (flush_failed_) {
            std::rethrow_exception(flush_failed_);
        }
        return call();
    } catch (const SQLite::Exception& error) {
        tell(file_, error);
    }
}

SQLite::Statement& Database::prepared(std::optional<SQLite::Statement>& statement, const char* text) {
    if (!statement) {
        statement.emplace(database_, text);
    }
    statement->reset();
    return *statement;
}

void Database::flush() {
    database_.exec("COMMIT");
    database_.exec("BEGIN");
    flushed_ = Clock::now();
    written_ = false;
}

// put() flushes as long as rows follow each other; the last one before a pipe falls silent is flushed here.
void Database::flush_in_time(const std::stop_token& stop) {
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

std::optional<Settings> Database::stored_settings() {
    Settings found;
    SQLite::Statement select(database_, "SELECT name, value FROM settings ORDER BY place");
    while (select.executeStep()) {
        found.emplace_back(select.getColumn(0).getString(), select.getColumn(1).getString());
    }
    return found.empty() ? std::nullopt : std::optional(std::move(found));
}

std::optional<std::string> Database::agree(const Settings& settings) {
    return guarded([&]() -> std::optional<std::string> {
        const std::optional<Settings> found = stored_settings();
        if (!found) {
            SQLite::Statement insert(database_, "INSERT INTO settings(name, value) VALUES (?, ?)");
            for (const auto& [name, value] : settings) {
                insert.reset();
                insert.bind(1, name);
                insert.bind(2, value);
                insert.exec();
            }
            flush();
            return std::nullopt;
        }
        for (std::size_t i = 0; i < settings.size(); ++i) {
            const auto& [name, value] = settings[i];
            if (i >= found->size() || (*found)[i].first != name) {
                return "it was written by another version of skincheck";
            }
            const std::string& there = (*found)[i].second;
            constexpr std::size_t longest_to_tell = 60;
            if (there != value && std::max(there.size(), value.size()) > longest_to_tell) {
                return fmt::format("its rows were made with another {}", name);
            }
            if (there != value) {
                return fmt::format("its rows were made with {} {}, and this run has {}", name, there, value);
            }
        }
        return std::nullopt;
    });
}

Journal::Place Database::place(const Item& item) {
    return guarded([&]() -> Place {
        if (item.digest == 0) {
            return row_of_path(item.written(), item.stamp);
        }
        return row_at(item.number, item.digest, item.stamp).value_or(Place{false, item.number});
    });
}

std::optional<Journal::Place> Database::row_at(std::uint64_t number, std::uint64_t digest,
                                               const std::optional<FileStamp>& stamp) {
    auto& select =
        prepared(by_number_, "SELECT malignancy, size, modified, digest FROM rows WHERE number = ?");
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

Journal::Place Database::row_of_path(const std::string& path, const std::optional<FileStamp>& stamp) {
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

bool Database::put(const Row& row, bool replace) {
    return guarded([&] {
        auto& put = replace ? prepared(put_, "INSERT OR REPLACE INTO rows VALUES (?,?,?,?,?,?,?,?,?,?,?)")
                            : prepared(insert_, "INSERT OR IGNORE INTO rows VALUES (?,?,?,?,?,?,?,?,?,?,?)");
        put.clearBindings();
        put.bind(1, to_database(row.number));
        put.bind(2, to_database(row.digest));
        bind_path(put, 3, row.path);
        put.bind(4, std::string(to_string(row.status)));
        if (row.score) {
            put.bind(5, row.score->malignancy);
        }
        put.bind(6, row.score ? fmt::format("{}", fmt::join(row.score->probabilities, ",")) : "");
        if (row.label) {
            put.bind(7, std::string(to_string(*row.label)));
        }
        put.bind(8, row.error);
        if (row.stamp) {
            put.bind(9, to_database(row.stamp->size));
            put.bind(10, row.stamp->modified);
        }
        put.bind(11, row.of_directory ? 1 : 0);
        const bool written = put.exec() == 1;
        written_ = true;
        if (Clock::now() - flushed_ >= flush_interval) {
            flush();
        }
        return written;
    });
}

Row Database::read_row(SQLite::Statement& statement) const {
    Row row;
    row.number = from_database(statement.getColumn(0).getInt64());
    row.digest = from_database(statement.getColumn(1).getInt64());
    row.path = statement.getColumn(2).getString();
    const auto status = parse_status(statement.getColumn(3).getString());
    const std::string label = statement.getColumn(6).getString();
    row.error = statement.getColumn(7).getString();
    if (!status || statement.getColumn(0).getInt64() < 1 ||
        statement.getColumn(4).isNull() != label.empty()) {
        damaged(fmt::format("row {} cannot be", row.number));
    }
    row.status = *status;
    if (label.empty()) {
        return row;
    }
    row.label = label == to_string(Label::malignant) ? Label::malignant : Label::benign;
    row.score.emplace();
    row.score->malignancy = statement.getColumn(4).getDouble();
    const std::string probabilities = statement.getColumn(5).getString();
    const char* end = probabilities.data() + probabilities.size();
    bool sound = label == to_string(*row.label) && row.score->malignancy >= 0 && row.score->malignancy <= 1;
    for (const char* next = probabilities.data(); sound && next < end;) {
        double value = 0;
        const auto [rest, error] = std::from_chars(next, end, value);
        sound = error == std::errc() && value >= 0 && value <= 1 && (rest == end || *rest == ',');
        row.score->probabilities.push_back(value);
        next = rest + 1;
    }
    if (!sound) {
        damaged(fmt::format("row {} cannot be", row.number));
    }
    return row;
}

void Database::for_each(const std::function<void(const Row&)>& call) {
    guarded([&] {
        SQLite::Statement select(
            database_,
            "SELECT number, digest, path, status, malignancy, probabilities, label, error "
            "FROM rows ORDER BY number");
        std::uint64_t last = 0;
        while (select.executeStep()) {
            const Row row = read_row(select);
            if (row.number <= last) {  // a tree of pages that leads back
                damaged("its rows are out of order");
            }
            last = row.number;
            call(row);
        }
    });
}

void Database::forget_directories() {
    guarded([this] {
        database_.exec(
            "DELETE FROM rows WHERE of_directory = 1 AND digest = 0 AND path NOT IN (SELECT path FROM "
            "temp.met)");
        // What was not there the last time, and is a directory now that has met items in it: '0' follows '/'.
        database_.exec(
            "DELETE FROM rows WHERE status = 'not_found' AND digest = 0 AND path NOT IN (SELECT path FROM "
            "temp.met) AND EXISTS (SELECT 1 FROM temp.met AS inside WHERE inside.path > "
            "CAST(rtrim(rows.path, '/') || '/' AS BLOB) AND inside.path < CAST(rtrim(rows.path, '/') || '0' "
            "AS BLOB))");
    });
}

void Database::add_device(const Device& device) {
    guarded([&] {
        SQLite::Statement insert(database_, "INSERT OR IGNORE INTO devices VALUES (?, ?)");
        insert.bind(1, device.name);
        insert.bind(2, device.engine);
        insert.exec();
    });
}

std::vector<Journal::Device> Database::devices() {
    return guarded([&] {
        std::vector<Device> found;
        SQLite::Statement select(database_, "SELECT name, engine FROM devices ORDER BY name, engine");
        while (select.executeStep()) {
            found.push_back({select.getColumn(0).getString(), select.getColumn(1).getString()});
        }
        return found;
    });
}

void Database::commit() {
    guarded([this] { flush(); });
}

bool Database::has_no_rows() {
    return database_.execAndGet("SELECT NOT EXISTS(SELECT 1 FROM rows)").getInt() == 1;
}

bool Database::empty() {
    return guarded([this] { return has_no_rows(); });
}

bool Database::fresh() {
    return guarded([this] { return !stored_settings(); });
}

std::unique_ptr<Journal> make_database(JournalLock lock) {
    const std::string file = lock.file();
    try {
        return std::make_unique<Database>(std::move(lock));
    } catch (const SQLite::Exception& error) {
        tell(file, error);
    }
}

}  // namespace

std::string journal_path(const std::string& output) {
    return output + ".skincheck";
}

std::unique_ptr<Journal> open_journal(JournalLock lock, bool start_over) {
    if (start_over) {
        // A journal of SQLite's own, left by a kill, belongs to what is dropped.
        unlink((lock.file() + "-journal").c_str());
        if (ftruncate(lock.descriptor(), 0) != 0) {
            fail_to_write(lock.file(), errno);
        }
    }
    return make_database(std::move(lock));
}

std::unique_ptr<Journal> temporary_journal() {
    return make_database(JournalLock("", -1));
}

}  // namespace skincheck
