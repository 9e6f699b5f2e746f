// A TIFF in memory, as libtiff reads it.
#pragma once

#include "image/bytes.hpp"

#include <tiffio.h>

#include <cstdint>
#include <memory>

namespace skincheck {

/// What libtiff reads from and tells to; it stands still while the file is open.
struct TiffState {
    Bytes bytes;
    std::uint64_t max_memory = 0;  ///< of one block of it, in bytes
    std::uint64_t position = 0;
    bool damaged = false;
    bool refused = false;  ///< there is nothing wrong with it, but libtiff does not convert such a picture
    char message[200]{};
};

struct CloseTiff {
    void operator()(TIFF* tiff) const;
};
using Tiff = std::unique_ptr<TIFF, CloseTiff>;

/// Reads the first directory. Null, with `damaged` and `message` in the state, if libtiff cannot;
/// std::bad_alloc.
Tiff open_tiff(TiffState& state);

}  // namespace skincheck
