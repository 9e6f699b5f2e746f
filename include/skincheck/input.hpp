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
#include <vector>

namespace skincheck {

/// One path as it was given.
struct Item {
    std::string path;  ///< bytes, never re-encoded
    std::optional<Failure>
        failure;  ///< known before opening it, for instance a directory that may not be read
};

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

    /// The next item; nothing at the end or after a cancellation. Blocks while a pipe has no complete path.
    /// Throws Fatal (usage) when a list cannot be read or is no list of paths.
    virtual std::optional<Item> next() = 0;

    /// Whether next() would return without waiting for a pipe or terminal, so that nobody waits for a batch
    /// to fill. May look ahead by one item; throws as next() does.
    virtual bool ready() = 0;
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
};

/// Receives one line for a person, without a newline.
using Warn = std::function<void(std::string_view)>;

/// Reads the paths that `options` names. Directories are walked depth first, each one's names sorted by
/// bytes, with memory for the directories on the way only. Directories are walked only where they are given
/// in `paths`: in a list they are items like any other. A file named outright is always tried: filters are
/// for what a directory holds.
///
/// Globs are those of fnmatch(3), and `*` matches slashes too. A glob without a slash is matched against the
/// name, one with a slash against the path relative to the directory that was given; "DIR/" means directories
/// only. A file must have one of the extensions and match an include glob.
///
/// `cancellation` must outlive the source. Throws Fatal (usage) when a file of `files_from` cannot be opened,
/// or a glob can match nothing.
std::unique_ptr<Source> open_source(InputOptions options, Warn warn, const Cancellation& cancellation);

}  // namespace skincheck
