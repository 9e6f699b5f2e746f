// Rows → bytes: CSV, JSON, JSON Lines; to standard output or to a file that appears whole. The same inputs,
// model, device and options give the same bytes: no clock, host or user in them.
#pragma once

#include "skincheck/model.hpp"
#include "skincheck/result.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skincheck {

/// `isic` is a submission to an ISIC challenge: image,MEL,NV,... (2018) from a model of those seven classes,
/// else isic_id,target (2024). It holds ids in place of paths, and nothing but the score.
enum class Format { csv, json, jsonl, isic };

/// From a name (csv, json, jsonl, isic); nothing for any other.
std::optional<Format> parse_format(std::string_view name);

/// From a file name's ending (.csv, .json, .jsonl, .ndjson; any case); nothing for any other.
std::optional<Format> format_of_path(std::string_view path);

/// Why something cannot be written. Throughout this room.
class CannotWrite : public Fatal {
  public:
    CannotWrite(const std::string& message, int error) : Fatal(ExitCode::output, message), error_(error) {}
    int error() const { return error_; }  ///< errno

  private:
    int error_;
};

/// Throws CannotWrite with what errno says, and what to do about it.
[[noreturn]] void fail_to_write(const std::string& path, int error);

/// Where the bytes go. Failures throw CannotWrite with the reason.
class Destination {
  public:
    virtual ~Destination() = default;
    /// Writes all of `bytes` through to the system: whoever reads the other end of a pipe has them now.
    virtual void write(std::string_view bytes) = 0;
    /// Makes the output final: for a file flush, fsync and rename; for anything else it asks for errors that
    /// come late. Without it a file is never seen under its name.
    virtual void commit() = 0;
};

/// File descriptor 1.
std::unique_ptr<Destination> standard_output();

/// A file that is written under a temporary name beside `path` and renamed by commit(), or copied there where
/// the system allows no other file in its place; the destructor of one that was not committed removes it. If
/// the copy fails too, CannotWrite tells where it stays. An existing file keeps its mode, but for the rights
/// of a group that it cannot keep; a path to something that is no regular file (a FIFO, a device such as
/// /dev/stdout) is written to directly. Throws Fatal (interrupted) when a signal comes while a FIFO waits for
/// its reader.
///
/// `obstacle` is asked before the renaming why the file must not be replaced: where it answers anything, the
/// file stays as it is, and CannotWrite tells the answer and where the new one is.
std::unique_ptr<Destination> atomic_file(const std::string& path,
                                         std::function<std::string()> obstacle = nullptr);

/// Where the symbolic links from `path` lead, so that the file changes and the link stays. Ends at
/// /dev/stdout and its like. Throws CannotWrite when they lead in a circle.
std::string resolve_links(const std::string& path);

/// Throws what atomic_file() throws for a file that cannot be written, and leaves nothing behind. What is no
/// regular file is not tried: a FIFO would be opened. Nothing is wrong with an empty path.
void check_writable(const std::string& path);

/// What a reader needs to know where the rows came from.
struct Provenance {
    std::string device;     ///< Device::name(); of rows that several runs computed joined_names()
    std::string engine;     ///< opencv, openvino; joined as `device`
    std::string precision;  ///< fp32, fp16, bf16
    ModelSpec model;
    double threshold = 0.5;
    int views = 1;                 ///< of each image, whose outputs were averaged
    std::optional<Shard> shard{};  ///< adds to each row: shard, item (its number), inputs (its digest)
};

/// What several runs name, each "cpu" or joined already as "cpu, cuda:0": each name once, by the order of
/// bytes.
std::string joined_names(const std::vector<std::string>& of_runs);

/// Turns rows into one format. begin(), row() for each, end() — in that order, once each.
class Writer {
  public:
    virtual ~Writer() = default;
    virtual void begin() = 0;
    virtual void row(const Row& row) = 0;
    virtual void end(const Summary& summary) = 0;
};

/// `destination` must outlive the writer.
std::unique_ptr<Writer> make_writer(Format format, Provenance provenance, Destination& destination);

/// The fields that a shard's rows have more than others, as make_writer() writes and merge reads them.
inline constexpr const char* shard_field = "shard";
inline constexpr const char* item_field = "item";
inline constexpr const char* inputs_field = "inputs";

/// A CSV field as RFC 4180 has it: quoted when it holds a comma, a quote, CR or LF. Bytes stay as they are.
std::string csv_field(std::string_view value);

}  // namespace skincheck
