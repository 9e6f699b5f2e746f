// WebP by libwebp. Not by OpenCV, which tries every decoder that it has on a file that libwebp refuses: GDCM,
// which takes any memory that such a file asks for, among them.
#include "image/decode.hpp"
#include "image/pixels.hpp"
#include "image/tiff_header.hpp"

#include <opencv2/core.hpp>
#include <webp/decode.h>

#include <stdexcept>

namespace skincheck {

namespace {

// https://developers.google.com/speed/webp/docs/riff_container
constexpr std::size_t first_chunk = 12;
constexpr std::size_t chunk_header = 8;
constexpr std::size_t smallest = 30;  ///< as much as the headers of all three kinds take
constexpr std::uint32_t flag_animation = 0x02;

struct WebpHeader {
    std::uint32_t width = 0, height = 0;
    bool animated = false;
};

/// Nothing when the first chunk is none of the three that may begin a file.
std::optional<WebpHeader> read_webp_header(Bytes bytes) {
    const auto kind = text_at(bytes, first_chunk, 4);
    if (kind == "VP8X") {
        return WebpHeader{number_at(bytes, 24, 3) + 1, number_at(bytes, 27, 3) + 1,
                          (bytes[20] & flag_animation) != 0};
    }
    if (kind == "VP8L" && bytes[20] == 0x2F) {
        const std::uint32_t packed = number_at(bytes, 21, 4);
        return WebpHeader{(packed & 0x3FFF) + 1, ((packed >> 14) & 0x3FFF) + 1, false};
    }
    if (kind == "VP8 " && number_at(bytes, 23, 3) == 0x2A019D) {
        return WebpHeader{number_at(bytes, 26, 2) & 0x3FFF, number_at(bytes, 28, 2) & 0x3FFF, false};
    }
    return std::nullopt;
}

int orientation_of(Bytes bytes) {
    std::uint64_t at = first_chunk;
    while (holds(bytes, at, chunk_header)) {
        const std::uint32_t size = number_at(bytes, at + 4, 4);
        if (text_at(bytes, at, 4) == "EXIF" && holds(bytes, at + chunk_header, size)) {
            return exif_orientation(bytes.subspan(static_cast<std::size_t>(at) + chunk_header, size));
        }
        at += chunk_header + size + (size & 1U);  // chunks are padded to even sizes
    }
    return 1;
}

}  // namespace

Decoded decode_webp(Bytes bytes, const ImageLimits& limits) {
    constexpr const char* cut = "the WebP ends before its picture does";
    if (bytes.size() < smallest) {
        return image_failure(Status::truncated, cut);
    }
    const auto header = read_webp_header(bytes);
    if (!header) {
        return image_failure(Status::corrupt, "the WebP has no header of a picture");
    }
    if (auto refused = check_image_size(header->width, header->height, limits)) {
        return tl::make_unexpected(*std::move(refused));
    }
    const std::uint64_t said = std::uint64_t{number_at(bytes, 4, 4)} + chunk_header;
    if (said > bytes.size()) {
        return image_failure(Status::truncated, cut);
    }
    if (header->animated) {
        return image_failure(Status::unsupported, "an animated WebP; only still ones are read");
    }
    const Bytes container = bytes.first(static_cast<std::size_t>(said));
    WebPDecoderConfig config;
    if (WebPInitDecoderConfig(&config) == 0) {  // the library is older than its header
        throw std::runtime_error("libwebp is of another version than skincheck was built with");
    }
    VP8StatusCode status = WebPGetFeatures(container.data(), container.size(), &config.input);
    if (status == VP8_STATUS_OK && (config.input.width != static_cast<int>(header->width) ||
                                    config.input.height != static_cast<int>(header->height))) {
        status = VP8_STATUS_BITSTREAM_ERROR;
    }
    cv::Mat pixels;
    if (status == VP8_STATUS_OK) {
        const bool alpha = config.input.has_alpha != 0;
        pixels.create(config.input.height, config.input.width, alpha ? CV_8UC4 : CV_8UC3);
        config.output.colorspace = alpha ? MODE_BGRA : MODE_BGR;
        config.output.is_external_memory = 1;
        config.output.u.RGBA = {pixels.data, static_cast<int>(pixels.step),
                                pixels.total() * pixels.elemSize()};
        status = WebPDecode(container.data(), container.size(), &config);
    }
    if (status == VP8_STATUS_OUT_OF_MEMORY) {
        return tl::make_unexpected(out_of_memory());
    }
    if (status != VP8_STATUS_OK) {
        return image_failure(Status::corrupt, "the WebP is damaged");
    }
    return Image{
        orient_image(pixels.channels() == 4 ? lay_over_white(pixels) : pixels, orientation_of(container)),
        false};
}

}  // namespace skincheck
