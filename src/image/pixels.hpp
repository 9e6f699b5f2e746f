// What several decoders do to pixels once they have them.
#pragma once

#include <opencv2/core/mat.hpp>

namespace skincheck {

/// Turns what was stored so that it stands upright. `orientation` is EXIF's and TIFF's tag 274, 1 to 8; any
/// other value changes nothing.
cv::Mat orient_image(const cv::Mat& stored, int orientation);

enum class Alpha {
    straight,   ///< the colours are those of an opaque pixel
    multiplied  ///< they are multiplied by alpha already
};

/// CV_8UC4 BGRA → CV_8UC3 BGR over white. Where not one pixel has any alpha, the colours stay as they are:
/// such a picture shows nothing, so its fourth channel was not meant as alpha.
cv::Mat lay_over_white(const cv::Mat& bgra, Alpha alpha = Alpha::straight);

/// value * factor / 255, rounded; both 0..255.
constexpr unsigned char multiply_8bit(unsigned value, unsigned factor) {
    return static_cast<unsigned char>((value * factor + 127) / 255);
}

}  // namespace skincheck
