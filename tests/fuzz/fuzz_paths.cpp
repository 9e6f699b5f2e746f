// libFuzzer's target for lists of paths, and for the globs that choose among names. The first byte says which
// and how, the rest is the list, or a glob and the names that it is tried on, separated by NUL.
#include "skincheck/input.hpp"

#include "fuzz.hpp"
#include "input/filter.hpp"
#include "input/list.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace skincheck;

namespace {

struct Outcome {
    std::vector<std::string> paths;
    bool refused = false;
    bool operator==(const Outcome&) const = default;
};

/// What input.hpp says of a list, in the simplest way.
Outcome split(std::string_view list, char separator) {
    Outcome outcome;
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (separator == '\n' && list.starts_with(byte_order_mark)) {
        list.remove_prefix(byte_order_mark.size());
    }
    while (!list.empty() && !outcome.refused) {
        const std::size_t end = std::min(list.find(separator), list.size());
        std::string_view entry = list.substr(0, end);
        list.remove_prefix(std::min(end + 1, list.size()));
        outcome.refused = entry.find('\0') != std::string_view::npos;
        if (separator == '\n' && entry.ends_with('\r')) {
            entry.remove_suffix(1);
        }
        if (!outcome.refused && !entry.empty()) {
            outcome.paths.emplace_back(entry);
        }
    }
    return outcome;
}

void take(Source& source, Outcome& outcome, bool only_ready) {
    while (!only_ready || source.ready()) {
        auto item = source.next();
        if (!item) {
            return;
        }
        fuzz::require(!item->failure && !item->path.empty(), "an item that is no path");
        outcome.paths.push_back(std::move(item->path));
    }
}

const Cancellation never;

std::unique_ptr<Source> open_list(int fd, char separator, const Warn& warn) {
    return list_in_file("/proc/self/fd/" + std::to_string(fd), separator, warn, never);
}

Outcome read_file(std::string_view list, char separator) {
    Outcome outcome;
    const int file = memfd_create("list", 0);
    fuzz::require(file >= 0 && write(file, list.data(), list.size()) == static_cast<ssize_t>(list.size()),
                  "no file in memory");
    const Warn warn = [](std::string_view line, std::string_view) { fuzz::require_one_line(line); };
    try {
        take(*open_list(file, separator, warn), outcome, false);
    } catch (const Fatal& fatal) {
        fuzz::require_one_line(fatal.what());
        outcome.refused = true;
    }
    close(file);
    return outcome;
}

/// The list comes in pieces of `piece` bytes, and after each all is taken that can be had without waiting.
Outcome read_pipe(std::string_view list, char separator, std::size_t piece) {
    Outcome outcome;
    std::array<int, 2> ends{};
    fuzz::require(pipe(ends.data()) == 0, "no pipe");
    const Warn warn = [](std::string_view line, std::string_view) { fuzz::require_one_line(line); };
    try {
        const auto source = open_list(ends[0], separator, warn);
        close(std::exchange(ends[0], -1));
        while (!list.empty()) {
            const std::string_view now = list.substr(0, piece);
            fuzz::require(write(ends[1], now.data(), now.size()) == static_cast<ssize_t>(now.size()),
                          "the pipe is full");
            list.remove_prefix(now.size());
            take(*source, outcome, true);
        }
        close(std::exchange(ends[1], -1));
        take(*source, outcome, false);
    } catch (const Fatal& fatal) {
        fuzz::require_one_line(fatal.what());
        outcome.refused = true;
    }
    for (const int end : ends) {
        if (end >= 0) {
            close(end);
        }
    }
    return outcome;
}

void try_list(std::string_view list, char separator, std::size_t piece) {
    const Outcome expected = split(list, separator);
    fuzz::require(read_file(list, separator) == expected, "a file's paths are not what stands in it");
    fuzz::require(read_pipe(list, separator, piece) == expected, "the size of the pieces makes a difference");
}

/// A filter of one glob, if there can be one.
std::optional<Filter> filter_of(const InputOptions& options) {
    try {
        return Filter(options);
    } catch (const Fatal& fatal) {
        fuzz::require(fatal.code() == ExitCode::usage, "a failure that is not the user's");
        return std::nullopt;
    }
}

void try_glob(std::string_view bytes) {
    const std::size_t end = std::min(bytes.find('\0'), bytes.size());
    const std::string pattern(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    InputOptions including;
    including.include = {pattern};
    InputOptions excluding;
    excluding.exclude = {pattern};
    const auto include = filter_of(including);
    const auto exclude = filter_of(excluding);
    if (!include || !exclude) {
        return;
    }
    for (const std::string& name : split(bytes, '\0').paths) {
        const bool matches = Glob(pattern).matches(name, false);
        fuzz::require(include->takes_file(name) == matches, "--include is not the glob");
        fuzz::require(exclude->takes_file(name) != matches, "--exclude is not the glob");
        fuzz::require(Glob(pattern).matches(name, true) || !matches,
                      "a file matches where a folder does not");
        fuzz::require(exclude->enters_directory(name) != Glob(pattern).matches(name, true),
                      "--exclude of folders is not the glob");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t pipe_holds = 4096;
    if (size == 0 || size > pipe_holds) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 4) {
        case 0:
            try_glob(bytes);
            break;
        case 1:
            try_list(bytes, '\0', 1 + data[0] / 4U);
            break;
        default:
            try_list(bytes, '\n', 1 + data[0] / 4U);
            break;
    }
    return 0;
}
