// Small pictures of cases, for the report.
#pragma once

#include "skincheck/evaluate.hpp"

#include <tl/expected.hpp>

#include <map>
#include <set>
#include <string>

namespace skincheck {

inline constexpr int thumbnail_size = 224;  // pixels, of the longer side

class Thumbnails {
  public:
    /// Looks in `folder` and below it for an image of each of these ids. Of several the first in sorted order
    /// is taken. An empty folder: images are where the paths of the cases say. Throws Fatal (usage) when
    /// `folder` cannot be read.
    Thumbnails(std::string folder, const std::set<std::string>& ids);

    /// A data URI of a JPEG that holds pixels and nothing else, or in a few words why there is none.
    tl::expected<std::string, std::string> of(const Miss& miss) const;

  private:
    std::string folder_;
    std::map<std::string, std::string> paths_;  ///< by id
};

}  // namespace skincheck
