#include "image/decode.hpp"

#include <boost/algorithm/string/case_conv.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <locale>

namespace skincheck {

namespace {

constexpr std::array<std::string_view, 5> lack_of_memory{
    "out of memory", "not enough memory", "insufficient memory", "failed to allocate", "no space for"};

}  // namespace

std::optional<Failure> check_image_size(std::uint64_t width, std::uint64_t height,
                                        const ImageLimits& limits) {
    // What OpenCV's matrices and every decoder here can count; beyond it the limit of pixels cannot help.
    constexpr std::uint64_t max_side = 1U << 30;
    if (width == 0 || height == 0) {
        return Failure{Status::corrupt, fmt::format("the header says {}x{} pixels", width, height)};
    }
    if (width > max_side || height > max_side || width * height > limits.max_pixels) {
        return Failure{Status::too_large, fmt::format("{}x{} pixels are over the limit of {} pixels", width,
                                                      height, limits.max_pixels)};
    }
    return std::nullopt;
}

Failure no_image() {
    return {Status::unsupported, "not an image that is read (JPEG, PNG, BMP, TIFF, WebP, DICOM)"};
}

// The words of libpng, zlib and libtiff. Not "Memory allocation of ... is beyond the ... limit", which is how
// libtiff tells of a file that asks for too much.
bool is_lack_of_memory(std::string_view message) {
    const std::string lower = boost::algorithm::to_lower_copy(std::string(message), std::locale::classic());
    return std::any_of(lack_of_memory.begin(), lack_of_memory.end(),
                       [&](std::string_view words) { return lower.find(words) != std::string::npos; });
}

}  // namespace skincheck
