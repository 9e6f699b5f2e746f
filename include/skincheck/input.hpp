// Where paths come from: arguments, directories, lists, standard input. Yields items lazily; never opens an
// image.
#pragma once

#include "skincheck/result.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skincheck {

/// One path as it was given.
struct Item {
    std::string path;                  ///< bytes, never re-encoded
    std::optional<Failure> failure;    ///< of a directory that cannot be read
    std::optional<FileStamp> stamp{};  ///< of the file, where it was looked at already
    std::string name{};                ///< what is written in place of the path; empty: the path itself
    std::uint64_t number = 0;          ///< from 1, in the order of all inputs, those of other shards too
    /// With a shard: of all inputs up to this one; in the shard's last item digest_of_all(), so that nobody
    /// takes a part that has lost its last rows for a whole one.
    std::uint64_t digest = 0;

    const std::string& written() const { return name.empty() ? path : name; }
};

/// The digest of a series of inputs that goes on with the written path `path`: two series with the same
/// digest are the same. The first 64 bits of SHA-256 over `digest` (big-endian) and `path`; an empty series
/// has 0.
std::uint64_t extend_digest(std::uint64_t digest, std::string_view path);

/// That of a whole series whose digest is `digest`, which none of its beginnings has.
inline std::uint64_t digest_of_all(std::uint64_t digest) {
    return extend_digest(digest, "");
}

/// A name for a path that tells nothing of it to whoever does not have the key: the first 128 bits of
/// HMAC-SHA-256, in hexadecimal digits.
using Anonymise = std::function<std::string(const std::string& path)>;

/// With the key in `key_file`: its bytes, without line ends behind them. Throws Fatal (usage) when it cannot
/// be read or is shorter than 16 bytes.
Anonymise anonymise_with(const std::string& key_file);

/// A request to stop that a signal handler may make and that a blocked read notices.
class Cancellation {
  public:
    Cancellation();
    ~Cancellation();
    Cancellation(const Cancellation&) = delete;
    Cancellation& operator=(const Cancellation&) = delete;

    void request() noexcept;  ///< async-signal-safe
    bool requested() const noexcept { return requested_.load(); }
    int fd() const noexcept { return read_end_; }  ///< becomes readable, for good, once a stop is requested

  private:
    std::atomic<bool> requested_{false};
    int read_end_ = -1;
    int write_end_ = -1;
};

/// A stream of items, used by one thread at a time.
class Source {
  public:
    virtual ~Source() = default;

    /// The next item; nothing at the end, or after a cancellation but for what ready() had found. Blocks
    /// while a pipe has no complete path. Throws Fatal (usage) when a list cannot be read or is no list of
    /// paths.
    virtual std::optional<Item> next() = 0;

    /// Whether next() would return without waiting for a pipe or terminal, so that nobody waits for a batch
    /// to fill. May look ahead by one item; throws as next() does.
    virtual bool ready() = 0;

    /// Inputs so far that are left to a later run.
    virtual std::uint64_t left() const { return 0; }

    /// Inputs so far that last changed before InputOptions::since.
    virtual std::uint64_t older() const { return 0; }
};

/// A source that gives out some of the items of another one, and may change them.
class Selection : public Source {
  public:
    explicit Selection(std::unique_ptr<Source> source) : source_(std::move(source)) {}
    std::optional<Item> next() final;
    bool ready() final;
    std::uint64_t left() const override { return source_->left(); }
    std::uint64_t older() const override { return source_->older(); }

  private:
    virtual bool takes(Item& item) = 0;  ///< whether to give it out; called once for each, in order
    /// When all were asked for: one that is given out behind them.
    virtual std::optional<Item> kept_for_the_end() { return std::nullopt; }
    bool fetch(bool wait);

    std::unique_ptr<Source> source_;
    std::optional<Item> ahead_;
};

struct InputOptions {
    using Strings = std::vector<std::string>;

    Strings paths;                ///< files and directories, in order; "-" stands for standard input's list
    Strings files_from;           ///< files that hold a list; read after `paths`; "-" allowed
    bool null_separated = false;  ///< lists are separated by NUL in place of newlines
    Strings include;              ///< globs; a file found in a directory must match one of them
    Strings exclude;              ///< globs of files and directories to leave out of directories
    bool hidden = false;          ///< enter and take names that begin with a dot
    bool follow = false;          ///< enter symbolic links to directories
    std::string leave_out;        ///< a directory that no walk enters, by whatever path; empty: none
    Strings extensions;           ///< what a directory is searched for: lower case, with the dot; empty: all

    std::optional<std::int64_t> since;  ///< take files that changed then or later; nanoseconds since 1970
    std::int64_t settle = 0;            ///< leave files that changed within so many nanoseconds
    Anonymise anonymise;                ///< empty: paths are written as they are
    std::optional<Shard> shard;         ///< give out its items only
    /// Called from next() and ready() with the path of each directory whose names were read; may be empty.
    std::function<void(const std::string& path)> searched;
};

/// Receives one line for a person, without a newline, and the path that it is about (it may be empty): a path
/// can name a patient, so it is kept apart.
using Warn = std::function<void(std::string_view text, std::string_view path)>;

/// Reads the paths that `options` names. Directories are walked depth first, each one's names sorted by
/// bytes, with memory for the directories on the way only. Directories are walked only where they are given
/// in `paths`: in a list they are items like any other. A file named outright is always tried: filters are
/// for what a directory holds.
///
/// A list has a path on each line. Empty lines are skipped; a carriage return at the end of a line and a byte
/// order mark at the start of the list are no part of a path. A list separated by NUL bytes has all bytes but
/// these in its paths.
///
/// Globs are those of fnmatch(3), and `*` matches slashes too. A glob without a slash is matched against the
/// name, one with a slash against the path relative to the directory that was given; "DIR/" means directories
/// only. A file must have one of the extensions and match an include glob.
///
/// `since` and `settle` look at a file's time of change. What cannot be looked at is given out all the same,
/// so that it gets its row. A time of change that lies further in the future than `settle` says nothing of
/// the file's age, and counts as old.
///
/// `cancellation` must outlive the source. Throws Fatal (usage) when a file of `files_from` cannot be opened,
/// or a glob can match nothing.
std::unique_ptr<Source> open_source(const InputOptions& options, Warn warn, const Cancellation& cancellation);

}  // namespace skincheck
