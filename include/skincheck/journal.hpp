// What a run has done so far, on disk beside its output: another run goes on where it ended, and two never
// write at once.
#pragma once

#include "skincheck/input.hpp"
#include "skincheck/result.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skincheck {

/// What all rows of a journal have in common, as (what, value): ("threshold", "0.3").
using Settings = std::vector<std::pair<std::string, std::string>>;

/// Rows by their number, in an SQLite database. They are written through to the disk about once a second and
/// by commit(); a kill or a power cut loses what came after, and never a part of a row. Where neither a row
/// nor commit() came, and none before, its file goes with it. May be used by several threads. Throws
/// CannotWrite when the disk does not take what it should, and Fatal (output) when the file is damaged.
class Journal {
  public:
    virtual ~Journal() = default;

    /// Makes `settings` those of an empty journal. Answers a sentence that tells what differs when it has
    /// others.
    virtual std::optional<std::string> agree(const Settings& settings) = 0;

    /// What is to be done for an item; without a stamp its file cannot be looked at. A path
    /// that comes for the n-th time since the journal was opened meets its n-th row. An item with a digest
    /// keeps its number; Fatal (usage) when the row there has another digest, because then other inputs came
    /// before it.
    struct Place {
        bool done = false;         ///< its row is there, has a score, and the file is not known to be another
        std::uint64_t number = 0;  ///< of its row, which may be still to be written
    };
    virtual Place place(const Item& item) = 0;

    /// Writes a row at its number. False, and nothing is written, when there is one and `replace` is off, or
    /// when it has a score and the new row says that the file went away.
    virtual bool put(const Row& row, bool replace) = 0;

    /// That a directory of this name, as a row has it, could be read.
    virtual void searched(const std::string& directory) = 0;

    /// Drops the rows without a score of what has been searched() since the journal was opened: it could not
    /// be read or was not there, and now what is in it has rows. Not what place() has met since then, and not
    /// of shards, whose inputs stay the same.
    virtual void forget_directories() = 0;

    /// What computed rows of this journal, kept with them. devices() are all of them, sorted, each once.
    struct Device {
        std::string name, engine;
    };
    virtual void add_device(const Device& device) = 0;
    virtual std::vector<Device> devices() = 0;

    virtual void commit() = 0;
    virtual bool empty() = 0;  ///< has no rows
    virtual bool fresh() = 0;  ///< has no settings either: it was just made

    /// Reads all rows in the order of their numbers. `call` must not use the journal, which others wait for.
    virtual void for_each(const std::function<void(const Row&)>& call) = 0;
};

inline constexpr std::string_view journal_ending = ".skincheck";
/// Of the file that SQLite keeps beside a journal while it writes, and that a kill leaves there.
inline constexpr std::string_view rollback_ending = ".skincheck-journal";

/// Whether a regular file is there that begins as a database does.
bool is_journal(const std::string& path);

/// The journal's file for `output`: FILE.skincheck beside the file that its symbolic links lead to. Throws
/// CannotWrite when they lead in a circle.
std::string journal_path(const std::string& output);

/// Whether a file has that name.
bool has_journal(const std::string& output);

/// The lock of an output's journal, whose file is made if it is not there, readable for its owner alone. It
/// is held as long as this, or the journal that was opened with it, lives. A file that stayed empty is
/// removed.
class JournalLock {
  public:
    /// Takes over the descriptor of the locked `file`; -1 is none.
    JournalLock(std::string file, int descriptor) : file_(std::move(file)), descriptor_(descriptor) {}
    JournalLock(JournalLock&& other) noexcept
        : file_(std::move(other.file_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
    JournalLock& operator=(JournalLock&&) = delete;
    ~JournalLock();
    const std::string& file() const { return file_; }
    int descriptor() const { return descriptor_; }

  private:
    std::string file_;
    int descriptor_;
};

/// Nothing when another run has it; with `wait`, that is waited for until a cancellation. Throws CannotWrite.
std::optional<JournalLock> lock_journal(const std::string& output, bool wait,
                                        const Cancellation& cancellation);

/// Opens the journal that is locked, or makes it. With `start_over` what is in it is dropped. Like all that
/// is done with it, throws CannotWrite, Fatal (output) or std::bad_alloc.
std::unique_ptr<Journal> open_journal(JournalLock lock, bool start_over);

/// A journal that goes with its object: on disk, but nobody else sees it.
std::unique_ptr<Journal> temporary_journal();

/// The items of `source` that `journal` has not done yet, numbered as their rows are to be. Counts in `kept`
/// what it leaves out. Both must outlive the source.
std::unique_ptr<Source> resume_from(std::unique_ptr<Source> source, Journal& journal,
                                    std::atomic<std::uint64_t>& kept);

}  // namespace skincheck
