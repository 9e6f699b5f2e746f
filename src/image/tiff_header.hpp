// The first directory of a TIFF structure, which TIFF files and EXIF data share. Bounds-checked, both byte
// orders.
#pragma once

#include "image/bytes.hpp"

#include <optional>

namespace skincheck {

class TiffDirectory {
  public:
    /// Where a tag's numbers stand.
    struct Entry {
        std::uint16_t type = 0;
        std::uint32_t count = 0;
        std::uint64_t offset = 0;  ///< of the first number, from the start of the structure
    };

    /// Nothing when this is not TIFF, or when the directory does not stand within `bytes`, which must outlive
    /// it.
    static std::optional<TiffDirectory> first(Bytes bytes);

    std::optional<Entry> find(std::uint16_t tag) const;

    /// Whether the values of all tags, of whatever type, stand within the bytes.
    bool holds_all_values() const;

    /// One of an entry's whole numbers (BYTE, SHORT or LONG); nothing when it is of another type or beyond
    /// the end.
    std::optional<std::uint32_t> value(const Entry& entry, std::uint32_t index = 0) const;
    std::optional<std::uint32_t> value(std::uint16_t tag) const;

  private:
    Entry entry_at(std::uint32_t index) const;
    TiffDirectory(Bytes bytes, ByteOrder order, std::uint64_t entries, std::uint32_t count)
        : bytes_(bytes), order_(order), entries_(entries), count_(count) {}

    Bytes bytes_;
    ByteOrder order_;
    std::uint64_t entries_;
    std::uint32_t count_;
};

namespace tiff_tag {
inline constexpr std::uint16_t width = 256, height = 257, photometric = 262, strip_offsets = 273,
                               orientation = 274, strip_sizes = 279, tile_offsets = 324, tile_sizes = 325;
}

/// The orientation in EXIF data, with or without "Exif\0\0" before it; 1 (upright) when it says none or
/// nonsense.
int exif_orientation(Bytes exif);

}  // namespace skincheck
