#include "image/decode.hpp"

#include <fmt/format.h>

namespace skincheck {

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

std::string one_line(std::string text) {
    constexpr std::size_t longest = 200;
    text = text.substr(0, text.find('\n')).substr(0, longest);
    for (char& c : text) {
        if (c < ' ' || c > '~') {
            c = '?';
        }
    }
    return text;
}

}  // namespace skincheck
