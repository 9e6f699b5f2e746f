// DICOM with 8-bit pixels, plain or JPEG: by hand, because OpenCV's reader (by GDCM) swaps width and height,
// swaps red and blue, and refuses the YBR pixels that dermatoscopes write.
#include "image/decode.hpp"
#include "image/dicom_header.hpp"

#include <fmt/format.h>
#include <opencv2/core.hpp>

#include <array>
#include <cmath>

namespace skincheck {

namespace {

constexpr const char* cut = "the DICOM ends before its picture does";

bool is_grey(const DicomHeader& header) {
    return header.photometric == "MONOCHROME1" || header.photometric == "MONOCHROME2";
}

void invert_if_white_is_zero(const DicomHeader& header, cv::Mat& pixels) {
    if (header.photometric == "MONOCHROME1") {
        cv::bitwise_not(pixels, pixels);
    }
}

unsigned char to_byte(double value) {
    return cv::saturate_cast<unsigned char>(std::lround(value));
}

/// PS3.3, C.7.6.3.1.2: the same full-range conversion as JFIF's.
cv::Vec3b ybr_to_bgr(double y, double blue, double red) {
    return {to_byte(y + 1.772 * (blue - 128)), to_byte(y - 0.344136 * (blue - 128) - 0.714136 * (red - 128)),
            to_byte(y + 1.402 * (red - 128))};
}

std::optional<Failure> check_plain(const DicomHeader& header) {
    const bool colour =
        header.samples == 3 && (header.photometric == "RGB" || header.photometric == "YBR_FULL");
    if (!colour && !(header.samples == 1 && is_grey(header))) {
        return Failure{Status::unsupported,
                       fmt::format("a DICOM of {} samples a pixel, {}", header.samples, header.photometric)};
    }
    if (header.bits_allocated != 8 || header.bits_stored != 8) {
        return Failure{
            Status::unsupported,
            fmt::format("a DICOM of {} bits allocated and {} stored a sample; only 8 and 8 are read",
                        header.bits_allocated, header.bits_stored)};
    }
    if (header.is_signed != 0) {
        return Failure{Status::unsupported, "a DICOM of signed samples; only unsigned ones are read"};
    }
    return std::nullopt;
}

/// Those whose pixels stand as they are: implicit and explicit little endian; a header without one is
/// explicit. Others may hold a compressed picture in a value of defined length.
bool is_plain(std::string_view transfer_syntax) {
    return transfer_syntax.empty() || transfer_syntax == "1.2.840.10008.1.2" ||
           transfer_syntax == "1.2.840.10008.1.2.1";
}

/// What a JPEG within may be of (PS3.5, 8.2.1); the decoder makes RGB of colours.
bool is_of_jpeg(const DicomHeader& header) {
    return is_grey(header) || header.photometric == "RGB" || header.photometric == "YBR_FULL" ||
           header.photometric == "YBR_FULL_422";
}

Failure of_transfer_syntax(const DicomHeader& header) {
    return {Status::unsupported,
            fmt::format("a DICOM of transfer syntax {}; only plain and 8-bit JPEG pixels are read",
                        header.transfer_syntax)};
}

Decoded decode_plain(Bytes bytes, const DicomHeader& header) {
    if (!is_plain(header.transfer_syntax)) {
        return tl::make_unexpected(of_transfer_syntax(header));
    }
    if (auto refused = check_plain(header)) {
        return tl::make_unexpected(*std::move(refused));
    }
    const std::uint64_t plane = std::uint64_t{header.rows} * header.columns;
    if (header.length < plane * header.samples) {
        return image_failure(Status::corrupt, "the DICOM has fewer pixels than its header says");
    }
    if (!holds(bytes, header.pixels, header.length)) {
        return image_failure(Status::truncated, cut);
    }
    const Bytes data = bytes.subspan(static_cast<std::size_t>(header.pixels), header.length);
    const std::size_t step = header.planar == 1 ? 1 : header.samples;
    const std::size_t next = header.samples == 1  ? 0
                             : header.planar == 1 ? static_cast<std::size_t>(plane)
                                                  : 1;
    const bool ybr = header.photometric == "YBR_FULL";
    cv::Mat pixels(static_cast<int>(header.rows), static_cast<int>(header.columns), CV_8UC3);
    std::size_t at = 0;
    for (int y = 0; y < pixels.rows; ++y) {
        auto* to = pixels.ptr<cv::Vec3b>(y);
        for (int x = 0; x < pixels.cols; ++x, at += step) {
            const std::array<unsigned char, 3> one{data[at], data[at + next], data[at + 2 * next]};
            to[x] = ybr ? ybr_to_bgr(one[0], one[1], one[2]) : cv::Vec3b(one[2], one[1], one[0]);
        }
    }
    invert_if_white_is_zero(header, pixels);
    return Image{pixels, false};
}

/// The first frame's fragments, put together; nothing when the file ends within them.
std::optional<std::vector<std::uint8_t>> first_frame(Bytes bytes, const DicomHeader& header) {
    constexpr std::uint64_t item_header = 8;
    std::uint64_t at = header.pixels;
    std::vector<std::uint8_t> frame;
    std::uint64_t frame_end = bytes.size();
    for (bool is_table = true;; is_table = false) {
        if (!holds(bytes, at, item_header)) {
            return std::nullopt;
        }
        const std::uint32_t length = number_at(bytes, at + 4, 4);
        if (dicom::tag_at(bytes, at) != dicom::item) {  // the end of the sequence
            return frame;
        }
        at += item_header;
        if (!holds(bytes, at, length)) {
            return std::nullopt;
        }
        if (is_table) {  // of the frames' offsets, from the first fragment on; it may be empty
            frame_end = length >= 8 ? at + length + number_at(bytes, at + 4, 4) : frame_end;
        } else if (at - item_header < frame_end) {
            const Bytes fragment = bytes.subspan(static_cast<std::size_t>(at), length);
            frame.insert(frame.end(), fragment.begin(), fragment.end());
        }
        at += length;
    }
}

Decoded decode_encapsulated(Bytes bytes, const DicomHeader& header, const ImageLimits& limits) {
    if (header.transfer_syntax != "1.2.840.10008.1.2.4.50" &&
        header.transfer_syntax != "1.2.840.10008.1.2.4.51") {
        return tl::make_unexpected(of_transfer_syntax(header));
    }
    if (!is_of_jpeg(header)) {
        return image_failure(Status::unsupported,
                             fmt::format("a DICOM whose JPEG is of kind \"{}\"", header.photometric));
    }
    const auto frame = first_frame(bytes, header);
    if (!frame) {
        return image_failure(Status::truncated, cut);
    }
    const bool rgb = header.photometric == "RGB";
    auto decoded = decode_jpeg(*frame, LoadOptions{limits, false},
                               rgb ? JpegColours::rgb_unless_marked : JpegColours::by_markers,
                               JpegOrientation::as_stored);
    if (decoded && (decoded->pixels.cols != static_cast<int>(header.columns) ||
                    decoded->pixels.rows != static_cast<int>(header.rows))) {
        return image_failure(Status::corrupt, "the DICOM's picture is not of the size that its header says");
    }
    if (decoded) {
        invert_if_white_is_zero(header, decoded->pixels);
    }
    return decoded;
}

}  // namespace

Decoded decode_dicom(Bytes bytes, const ImageLimits& limits) {
    const auto header = read_dicom_header(bytes);
    if (!header) {
        return tl::make_unexpected(header.error());
    }
    if (auto refused = check_image_size(header->columns, header->rows, limits)) {
        return tl::make_unexpected(*std::move(refused));
    }
    return header->encapsulated ? decode_encapsulated(bytes, *header, limits) : decode_plain(bytes, *header);
}

}  // namespace skincheck
