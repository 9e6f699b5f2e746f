// Where rows go: through a writer as they come, or into a journal and from there into a file.
#pragma once

#include "skincheck/journal.hpp"
#include "skincheck/output.hpp"

#include "cli/path_map.hpp"
#include "cli/run.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace skincheck::cli {

/// Writes all rows of a journal to `destination`, makes it final, and answers what they come to. A
/// cancellation ends it before, with Fatal (interrupted).
Summary write_rows(Journal& rows, Format format, Provenance provenance, Destination& destination,
                   const Cancellation* cancellation = nullptr);

/// Rows as they come. What an interrupted run wrote is made final too, unless that is nothing or `whole_only`
/// is on.
class StreamedRows final : public Rows {
  public:
    StreamedRows(std::unique_ptr<Destination> destination, std::unique_ptr<Writer> writer, bool whole_only)
        : destination_(std::move(destination)), writer_(std::move(writer)), whole_only_(whole_only) {}

    std::unique_ptr<Source> begin(std::unique_ptr<Source> source) override;
    void write(const Row& row) override { writer_->row(row); }
    void end(const Summary& summary, bool complete) override;
    std::string_view interrupted(const Summary& summary) const override;

  private:
    std::unique_ptr<Destination> destination_;
    std::unique_ptr<Writer> writer_;
    const bool whole_only_;
};

/// With --resume the output's journal; one that is to start over is locked only, until another run's input is
/// open, whose rows take the place of those that are dropped.
struct HeldJournal {
    std::optional<JournalLock> to_start_over;
    std::unique_ptr<Journal> journal;  ///< nothing before that
};

/// Rows that a journal keeps; at the end of each run, all of them are written to `output` anew, with all
/// devices and engines that computed them in the provenance. With `whole_only` that waits for a run that is
/// complete.
class JournaledRows final : public Rows {
  public:
    JournaledRows(HeldJournal held, Settings settings, std::string output, Format format,
                  Provenance provenance, bool whole_only)
        : held_(std::move(held)),
          settings_(std::move(settings)),
          output_(std::move(output)),
          format_(format),
          provenance_(std::move(provenance)),
          whole_only_(whole_only) {}

    /// Throws Fatal (usage) when the journal's rows were made with other settings.
    std::unique_ptr<Source> begin(std::unique_ptr<Source> source) override;
    void searched(const std::string& directory) override { held_.journal->searched(directory); }
    void write(const Row& row) override;
    void end(const Summary& summary, bool complete) override;
    std::string_view interrupted(const Summary& summary) const override;
    std::uint64_t kept() const override { return kept_; }

  private:
    HeldJournal held_;
    const Settings settings_;
    const std::string output_;
    const Format format_;
    const Provenance provenance_;
    const bool whole_only_;
    bool device_added_ = false;
    std::atomic<std::uint64_t> kept_{0};
};

/// Rows whose path names go into a map when their turn comes, those too that the journal will leave out: a
/// map that is new has none of them.
class MappedRows final : public Rows {
  public:
    MappedRows(std::unique_ptr<Rows> rows, std::unique_ptr<PathMap> map)
        : rows_(std::move(rows)), map_(std::move(map)) {}
    std::unique_ptr<Source> begin(std::unique_ptr<Source> source) override {
        return rows_->begin(mapped_into(*map_, std::move(source)));
    }
    void searched(const std::string& directory) override { rows_->searched(directory); }
    void write(const Row& row) override { rows_->write(row); }
    void end(const Summary& summary, bool complete) override { rows_->end(summary, complete); }
    std::string_view interrupted(const Summary& summary) const override {
        return rows_->interrupted(summary);
    }
    std::uint64_t kept() const override { return rows_->kept(); }

  private:
    std::unique_ptr<Rows> rows_;
    const std::unique_ptr<PathMap> map_;
};

}  // namespace skincheck::cli
