// One file → pixels or a status: limits, decoding, orientation, truncation.
#pragma once

#include "skincheck/result.hpp"

#include <opencv2/core/mat.hpp>
#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace skincheck {

/// Decided from the file's size and the image's header, before anything is allocated.
struct ImageLimits {
    std::uint64_t max_bytes = 1ULL << 30;
    std::uint64_t max_pixels = 256ULL * 1000 * 1000;
};

struct LoadOptions {
    ImageLimits limits;
    bool allow_truncated = false;  ///< give the pixels of a cut JPEG, with `Image::truncated` set
    /// Pixels that the shorter side has to keep; 0: all that the file has. A JPEG whose half, quarter or
    /// eighth is at least as long comes as that, which costs a fraction of the time and memory.
    int sufficient_side = 0;
};

struct Image {
    cv::Mat pixels;          ///< CV_8UC3, BGR, upright, the full frame; see LoadOptions::sufficient_side
    bool truncated = false;  ///< only with LoadOptions::allow_truncated; what is missing is grey
    FileStamp stamp{};       ///< of the file that was read
};

/// Reads and decodes one image. EXIF and TIFF orientation are applied; grey and palette images become BGR; an
/// alpha channel is laid over white (of TIFF only that of grey and RGB: others are unsupported), unless it is
/// zero all over, when it is ignored, as any other further channel is; 16-bit samples are scaled by 1/257 and
/// rounded; CMYK and YCCK are taken with Adobe's inversion where its marker is. Never throws for what a file
/// contains, never blocks on a FIFO, never writes to stderr.
tl::expected<Image, Failure> load_image(const std::string& path, const LoadOptions& options);

/// The file name extensions (lower case, with the dot) of the formats that are decoded.
std::vector<std::string> image_extensions();

}  // namespace skincheck
