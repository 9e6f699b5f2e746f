// BMP, uncompressed: by hand, because OpenCV 4.6 prints on stderr when one is cut, and treats masks and alpha
// otherwise than 4.10 does.
#include "image/decode.hpp"
#include "image/pixels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace skincheck {

namespace {

constexpr std::uint32_t file_header = 14, core_header = 12, info_header = 40;
constexpr std::uint32_t bi_rgb = 0, bi_bitfields = 3, bi_alphabitfields = 6;

struct BmpHeader {
    std::uint32_t header_size = 0;
    std::uint32_t data = 0;  ///< offset of the pixels
    std::uint32_t width = 0, height = 0;
    std::uint32_t bits = 0;  ///< a pixel
    std::uint32_t compression = bi_rgb;
    std::uint32_t colours_used = 0;
    bool top_down = false;
    std::array<std::uint32_t, 4> masks{};  ///< blue, green, red, alpha

    bool masked() const { return compression == bi_bitfields || compression == bi_alphabitfields; }
    std::uint64_t stride() const { return (std::uint64_t{width} * bits + 31) / 32 * 4; }
    /// Where the header, with masks that stand behind a short one, ends.
    std::uint64_t palette() const {
        const std::uint32_t behind = header_size != info_header         ? 0U
                                     : compression == bi_bitfields      ? 12U
                                     : compression == bi_alphabitfields ? 16U
                                                                        : 0U;
        return std::uint64_t{file_header} + header_size + behind;
    }
};

BmpHeader read_bmp_header(Bytes bytes) {
    BmpHeader header;
    header.data = number_at(bytes, 10, 4);
    header.header_size = number_at(bytes, file_header, 4);
    if (header.header_size == core_header) {
        header.width = number_at(bytes, 18, 2);
        header.height = number_at(bytes, 20, 2);
        header.bits = number_at(bytes, 24, 2);
    } else {
        header.width = number_at(bytes, 18, 4);
        header.height = number_at(bytes, 22, 4);
        header.top_down = (header.height >> 31) != 0;
        if (header.top_down) {
            header.height = 0U - header.height;
        }
        header.bits = number_at(bytes, 28, 2);
        header.compression = number_at(bytes, 30, 4);
        header.colours_used = number_at(bytes, 46, 4);
    }
    if (header.masked()) {
        const bool alpha = header.compression == bi_alphabitfields || header.header_size >= 56;
        header.masks = {number_at(bytes, 62, 4), number_at(bytes, 58, 4), number_at(bytes, 54, 4),
                        alpha ? number_at(bytes, 66, 4) : 0};
    } else if (header.bits == 16) {
        header.masks = {0x1F, 0x3E0, 0x7C00, 0};
    } else {
        header.masks = {0xFF, 0xFF00, 0xFF0000, 0};  // the fourth byte of 32 bits means nothing
    }
    return header;
}

std::optional<Failure> check(const BmpHeader& header, std::size_t file_size) {
    const bool masks_fit = header.bits == 16 || header.bits == 32;
    if (header.compression != bi_rgb && !(header.masked() && masks_fit)) {
        return Failure{Status::unsupported, "a compressed BMP; only uncompressed ones are read"};
    }
    if (header.bits != 1 && header.bits != 4 && header.bits != 8 && header.bits != 24 && !masks_fit) {
        return Failure{Status::corrupt, fmt::format("the BMP says {} bits a pixel", header.bits)};
    }
    if (header.data < header.palette()) {
        return Failure{Status::corrupt, "the BMP's pixels begin within its header"};
    }
    if (header.data + header.stride() * header.height > file_size) {
        return Failure{Status::truncated, "the BMP ends before its picture does"};
    }
    return std::nullopt;
}

using Palette = std::array<cv::Vec3b, 256>;

Palette read_palette(Bytes bytes, const BmpHeader& header) {
    Palette palette{};
    const std::uint32_t size = header.header_size == core_header ? 3 : 4;
    const std::uint32_t all = 1U << header.bits;
    const std::uint32_t count = header.colours_used == 0 ? all : std::min(all, header.colours_used);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint64_t at = header.palette() + std::uint64_t{i} * size;
        if (at + size > header.data) {  // what the file does not say is black
            break;
        }
        for (unsigned c = 0; c < 3; ++c) {
            palette[i][static_cast<int>(c)] = bytes[static_cast<std::size_t>(at) + c];
        }
    }
    return palette;
}

/// The part of a pixel that `mask` shows, scaled to 0..255.
unsigned char sample(std::uint32_t pixel, std::uint32_t mask) {
    if (mask == 0) {
        return 0;
    }
    const int shift = std::countr_zero(mask);
    const std::uint64_t most = mask >> shift;
    return static_cast<unsigned char>((std::uint64_t{(pixel & mask) >> shift} * 255 + most / 2) / most);
}

cv::Mat read_indexed(Bytes bytes, const BmpHeader& header, cv::Size size) {
    const Palette palette = read_palette(bytes, header);
    const unsigned bits = header.bits;
    cv::Mat pixels(size, CV_8UC3);
    for (int y = 0; y < size.height; ++y) {
        const auto* row = bytes.data() + header.data + header.stride() * static_cast<std::uint64_t>(y);
        auto* to = pixels.ptr<cv::Vec3b>(y);
        for (unsigned x = 0; x < header.width; ++x) {
            const std::uint64_t bit = std::uint64_t{x} * bits;
            const unsigned shift = 8 - bits - static_cast<unsigned>(bit % 8);
            to[x] = palette[(row[bit / 8] >> shift) & ((1U << bits) - 1)];
        }
    }
    return pixels;
}

cv::Mat read_direct(Bytes bytes, const BmpHeader& header, cv::Size size) {
    const bool alpha = header.masks[3] != 0;
    const unsigned pixel_size = header.bits / 8;
    const int channels = alpha ? 4 : 3;
    cv::Mat pixels(size, CV_8UC(channels));
    for (int y = 0; y < size.height; ++y) {
        const std::uint64_t row = header.data + header.stride() * static_cast<std::uint64_t>(y);
        auto* to = pixels.ptr(y);
        if (header.bits == 24) {
            std::memcpy(to, bytes.data() + row, std::size_t{header.width} * 3);
            continue;
        }
        for (unsigned x = 0; x < header.width; ++x) {
            const std::uint32_t pixel = number_at(bytes, row + std::uint64_t{x} * pixel_size, pixel_size);
            for (int c = 0; c < channels; ++c) {
                *to++ = sample(pixel, header.masks[static_cast<std::size_t>(c)]);
            }
        }
    }
    return alpha ? lay_over_white(pixels) : pixels;
}

}  // namespace

Decoded decode_bmp(Bytes bytes, const ImageLimits& limits) {
    if (!holds(bytes, 0, std::uint64_t{file_header} + number_at(bytes, file_header, 4))) {
        return image_failure(Status::truncated, "the BMP ends within its header");
    }
    const BmpHeader header = read_bmp_header(bytes);
    if (auto refused = check_image_size(header.width, header.height, limits)) {
        return tl::make_unexpected(*std::move(refused));
    }
    if (auto refused = check(header, bytes.size())) {
        return tl::make_unexpected(*std::move(refused));
    }
    const cv::Size size(static_cast<int>(header.width), static_cast<int>(header.height));
    const cv::Mat stored =
        header.bits <= 8 ? read_indexed(bytes, header, size) : read_direct(bytes, header, size);
    constexpr int upside_down = 4;  // rows are stored from the bottom up, as that orientation says
    return Image{orient_image(stored, header.top_down ? 1 : upside_down), false};
}

}  // namespace skincheck
