// The words that every room shares. This header depends on no other room.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace skincheck {

/// What became of one item. The strings (see to_string) are a stable interface: new ones may be added, none
/// is renamed.
enum class Status {
    ok,
    not_found,
    denied,
    not_a_file,  ///< a directory, FIFO, socket or device
    empty,
    unsupported,  ///< not an image that this build decodes
    corrupt,
    truncated,
    too_large,  ///< over the limit of pixels or bytes; decided from the header, before any allocation
    io_error,
    model_error,  ///< the network's output was not finite
    changed,      ///< it was written to while it was read
};
inline constexpr int status_count = 12;

std::string_view to_string(Status status);
std::optional<Status> parse_status(std::string_view text);

enum class Label { benign, malignant };

std::string_view to_string(Label label);
std::optional<Label> parse_label(std::string_view text);

/// Why there are no pixels or no score, for one item. `message` is one line for a person: what, and what to
/// do; it does not repeat the path.
struct Failure {
    Status status = Status::io_error;
    std::string message;
};

/// What every lack of memory for one image is told as.
Failure out_of_memory();

/// Of somebody else's text (a library's message, a file name): no line ends or other control characters, so
/// that it stays in its line and cannot play with a terminal.
std::string one_line(std::string_view text);

/// What the network says of one image.
struct Score {
    double malignancy = 0;  ///< calibrated probability in [0,1], rounded to six decimals
    /// One for each class in the model's order, rounded; empty unless multi-class.
    std::vector<double> probabilities;
};

/// Which content of a file was looked at: another size or time of change means another content.
struct FileStamp {
    std::uint64_t size = 0;     ///< bytes
    std::int64_t modified = 0;  ///< nanoseconds since 1970
    bool operator==(const FileStamp&) const = default;
};

/// Part `index` of `count`, from 1: of a numbered series it has the items index, index + count, ...
struct Shard {
    std::uint64_t index = 1, count = 1;
    bool operator==(const Shard&) const = default;
};

/// Which of `count` shards has the item of this number, both from 1.
constexpr std::uint64_t shard_index_of(std::uint64_t number, std::uint64_t count) {
    return (number - 1) % count + 1;
}

/// "2/4". Nothing for what is no such pair.
std::optional<Shard> parse_shard(std::string_view text);
std::string to_string(const Shard& shard);

/// What is written for one item. `score` and `label` are there together or not at all.
struct Row {
    std::string path;  ///< as Item::written()
    Status status = Status::ok;
    std::optional<Score> score;
    std::optional<Label> label;
    std::string error;   ///< one line for a person; empty when the status is ok
    std::string output;  ///< the file that preprocessing wrote; empty when there is none, and in scoring
    std::optional<FileStamp> stamp{};  ///< of the pixels; nothing when there are none
    std::uint64_t number = 0;          ///< Item::number
    std::uint64_t digest = 0;          ///< Item::digest
};

/// What an image is called in tables of truth and in submissions: its file's name without folders and without
/// the ending of an image format (in any case). Any other dot belongs to the id.
std::string image_id(std::string_view path);

/// Counts of rows.
struct Summary {
    std::uint64_t rows = 0;
    std::array<std::uint64_t, status_count> by_status{};
    std::uint64_t used = 0;  ///< with a score or a file: ok, or truncated where the user wants these
    std::uint64_t benign = 0, malignant = 0;
    std::uint64_t kept = 0;   ///< inputs whose rows an earlier run wrote; not among `rows`
    std::uint64_t left = 0;   ///< inputs left to a later run, without a row
    std::uint64_t older = 0;  ///< inputs that --since leaves out

    void add(const Row& row);
    std::uint64_t count(Status status) const { return by_status[static_cast<std::size_t>(status)]; }
    std::uint64_t failed() const { return rows - used; }
};

/// Rounds to the six decimals that the output has, so that a label never contradicts the number beside it.
double round_probability(double probability);

/// `malignant` if and only if `malignancy` (rounded as in Score) >= `threshold`.
Label decide(double malignancy, double threshold);

enum class ExitCode {
    ok = 0,
    some_failed = 1,  ///< finished, but not every row is ok
    usage = 2,
    model = 3,   ///< the model or the device cannot be used
    output = 4,  ///< the output cannot be written
    hung_up = 129,
    interrupted = 130,
    terminated = 143,
};

/// Of a run that came to its end: ok or some_failed.
ExitCode exit_code_of_rows(const Summary& summary);

/// Ends the run with an exit code and one line for the user. Beside it the library lets std::bad_alloc
/// through, and cv::Exception where that is said; what concerns a single item is a Failure instead.
class Fatal : public std::runtime_error {
  public:
    Fatal(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
    ExitCode code() const { return code_; }

  private:
    ExitCode code_;
};

}  // namespace skincheck
