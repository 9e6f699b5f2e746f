#include "image/format.hpp"

#include "skincheck/image.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace skincheck {

namespace {

/// A file that was cut within its signature still counts, from `least` bytes on.
bool begins_with(Bytes start, std::string_view signature, std::size_t least) {
    const std::size_t size = std::min(start.size(), signature.size());
    return size >= least && text_at(start, 0, size) == signature.substr(0, size);
}

/// "BM" alone begins many a text; the size of the second header takes few values.
bool is_bmp(Bytes start) {
    if (!begins_with(start, "BM", 2) || !holds(start, 14, 4)) {
        return false;
    }
    const std::uint32_t size = number_at(start, 14, 4);
    return size == 12 || size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124;
}

}  // namespace

std::optional<ImageFormat> sniff_image_format(Bytes start) {
    using namespace std::string_view_literals;
    if (begins_with(start, "\xFF\xD8\xFF"sv, 2)) {
        return ImageFormat::jpeg;
    }
    if (begins_with(start, "\x89PNG"sv, 4)) {
        return ImageFormat::png;
    }
    for (const std::string_view tiff : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {  // +: BigTIFF
        if (begins_with(start, tiff, tiff.size())) {
            return ImageFormat::tiff;
        }
    }
    if (text_at(start, 0, 4) == "RIFF" && text_at(start, 8, 4) == "WEBP") {
        return ImageFormat::webp;
    }
    if (text_at(start, 128, 4) == "DICM") {
        return ImageFormat::dicom;
    }
    if (is_bmp(start)) {
        return ImageFormat::bmp;
    }
    return std::nullopt;
}

std::vector<std::string> image_extensions() {
    return {".bmp",  ".dcm", ".dib", ".dicom", ".jfif", ".jpe",
            ".jpeg", ".jpg", ".png", ".tif",   ".tiff", ".webp"};
}

}  // namespace skincheck
