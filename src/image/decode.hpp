// One function for each format: bytes → pixels or a status. They share the checks of size and the words of
// failures.
#pragma once

#include "skincheck/image.hpp"

#include "image/bytes.hpp"

#include <tl/expected.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace skincheck {

using Decoded = tl::expected<Image, Failure>;

inline tl::unexpected<Failure> image_failure(Status status, std::string message) {
    return tl::make_unexpected(Failure{status, std::move(message)});
}

/// Nothing when an image of this size may be decoded; to be asked before anything of that size is allocated.
std::optional<Failure> check_image_size(std::uint64_t width, std::uint64_t height, const ImageLimits& limits);

/// Of a decoder library's message: whether it is about memory, and not about the file.
bool is_lack_of_memory(std::string_view message);

enum class JpegColours {
    by_markers,        ///< as JFIF and Adobe markers and the components' names say; YCbCr if there is no word
    rgb_unless_marked  ///< RGB if neither marker is there, as DICOM has it
};

enum class JpegOrientation {
    of_exif,   ///< turned as its EXIF data say
    as_stored  ///< whatever they say: something around the JPEG describes the rows and columns that are
               ///< stored
};

/// Of a file that begins like none of the formats.
Failure no_image();

/// The bytes of a whole file, of whatever format: what load_image() does once it has them. Does not throw.
Decoded decode_image(Bytes bytes, const LoadOptions& options);

Decoded decode_jpeg(Bytes bytes, const LoadOptions& options, JpegColours colours = JpegColours::by_markers,
                    JpegOrientation orientation = JpegOrientation::of_exif);
Decoded decode_png(Bytes bytes, const ImageLimits& limits);
Decoded decode_bmp(Bytes bytes, const ImageLimits& limits);
Decoded decode_tiff(Bytes bytes, const ImageLimits& limits);
Decoded decode_webp(Bytes bytes, const ImageLimits& limits);
Decoded decode_dicom(Bytes bytes, const ImageLimits& limits);

}  // namespace skincheck
