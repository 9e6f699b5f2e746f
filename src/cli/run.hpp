// What scoring and preprocess do between their input and their last line.
#pragma once

#include "skincheck/pipeline.hpp"

#include "cli/console.hpp"
#include "cli/options.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace skincheck::cli {

/// Where the rows of a run go.
class Rows {
  public:
    virtual ~Rows() = default;
    /// Called when the input is open. What comes out is what is to be worked on.
    virtual std::unique_ptr<Source> begin(std::unique_ptr<Source> source) = 0;
    /// Called with the name of each directory whose content is among the input; from another thread than
    /// write().
    virtual void searched(const std::string& /*directory*/) {}
    virtual void write(const Row& row) = 0;
    /// Called once, unless write() failed. A run that is not `complete` ended in an error or was interrupted.
    virtual void end(const Summary& summary, bool complete) = 0;
    /// What became of the rows of a run that was interrupted, for the user; after end().
    virtual std::string_view interrupted(const Summary& summary) const = 0;
    /// Inputs so far whose rows are there from an earlier run.
    virtual std::uint64_t kept() const { return 0; }
};

/// Sends the input of `options` through the pipeline, with progress, messages and the summary. `done` is what
/// an image that is ok was: "scored".
ExitCode run(Rows& rows, const Work& work, std::string_view done, const CommonOptions& options,
             const Parallelism& parallelism, Console& console, Cancellation& cancellation);

}  // namespace skincheck::cli
