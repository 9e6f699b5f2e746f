// Which names stand for which paths, for whoever may know.
#pragma once

#include "skincheck/input.hpp"

#include "result/descriptor.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace skincheck::cli {

/// A CSV file of name and path, readable for its owner alone, to which lines are added.
class PathMap {
  public:
    /// Half a line that a run left behind is taken away. Throws Fatal: output when it cannot be written, as
    /// add() does; usage when something else is in it; interrupted when a signal comes while a FIFO waits for
    /// its reader.
    explicit PathMap(std::string file);
    /// Adds a line, if the file had none with this name when it was opened.
    void add(const Item& item) const;

  private:
    std::uint64_t read_names();  // answers where the last whole record ends
    void write(const std::string& line) const;

    const std::string file_;
    const Descriptor descriptor_;
    std::vector<std::uint64_t> names_;  ///< the first 64 bits of each, sorted
};

/// `source`, each of whose items is in `map` before it is given out. `map` must outlive it.
std::unique_ptr<Source> mapped_into(const PathMap& map, std::unique_ptr<Source> source);

}  // namespace skincheck::cli
