// One regular file → its bytes, without ever waiting for another process.
#pragma once

#include "skincheck/result.hpp"

#include "image/format.hpp"

#include <tl/expected.hpp>

#include <string>
#include <vector>

namespace skincheck {

struct ImageFile {
    std::vector<std::uint8_t> bytes;
    FileStamp stamp;
};

/// Reads the whole file if it is regular, holds at most `max_bytes` and begins like an image; whatever begins
/// otherwise is not read further. One that is written to meanwhile is refused (changed): its bytes may be
/// those of two images.
tl::expected<ImageFile, Failure> read_image_file(const std::string& path, std::uint64_t max_bytes);

}  // namespace skincheck
