// Which image format some bytes are, told by the bytes themselves and never by a name.
#pragma once

#include "image/bytes.hpp"

#include <optional>

namespace skincheck {

enum class ImageFormat { jpeg, png, bmp, tiff, webp, dicom };

/// So many of a file's first bytes are enough for sniff_image_format().
inline constexpr std::size_t sniff_size = 132;

std::optional<ImageFormat> sniff_image_format(Bytes start);

}  // namespace skincheck
