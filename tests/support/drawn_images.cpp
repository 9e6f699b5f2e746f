#include "drawn_images.hpp"

// clang-format off
#include <cstdio>  // jpeglib.h needs FILE
#include <jpeglib.h>
// clang-format on

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>

namespace skincheck::test {

namespace {

std::string number(std::uint32_t value, unsigned size, Order order = Order::little) {
    std::string bytes;
    for (unsigned i = 0; i < size; ++i) {
        const unsigned shift = 8 * (order == Order::big ? size - 1 - i : i);
        bytes += static_cast<char>((value >> shift) & 0xFF);
    }
    return bytes;
}

std::uint32_t crc32(const std::string& bytes) {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const char c : bytes) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
        }
    }
    return ~crc;
}

/// zlib's format without any compression.
std::string store(const std::string& bytes) {
    constexpr std::size_t most = 65535;
    std::string out("\x78\x01", 2);
    std::uint32_t low = 1;
    std::uint32_t high = 0;
    for (std::size_t at = 0; at == 0 || at < bytes.size(); at += most) {
        const std::string block = bytes.substr(at, most);
        const auto size = static_cast<std::uint32_t>(block.size());
        out +=
            (at + most >= bytes.size() ? '\1' : '\0') + number(size, 2) + number(~size & 0xFFFF, 2) + block;
        for (const char c : block) {
            low = (low + static_cast<unsigned char>(c)) % 65521;
            high = (high + low) % 65521;
        }
    }
    return out + number((high << 16) | low, 4, Order::big);
}

}  // namespace

cv::Mat draw_lesion(int width, int height, unsigned seed) {
    cv::RNG random(seed);
    const cv::Scalar skin(random.uniform(150, 190), random.uniform(165, 205), random.uniform(205, 240));
    cv::Mat pixels(height, width, CV_8UC3, skin);
    const int side = std::min(width, height);
    const cv::Point centre(width / 2 + random.uniform(-side / 10, side / 10 + 1),
                           height / 2 + random.uniform(-side / 10, side / 10 + 1));
    for (int i = 0; i < 6; ++i) {
        const cv::Point where(centre.x + random.uniform(-side / 8, side / 8 + 1),
                              centre.y + random.uniform(-side / 8, side / 8 + 1));
        const cv::Size axes(random.uniform(side / 10, side / 5 + 1), random.uniform(side / 10, side / 5 + 1));
        const cv::Scalar brown(random.uniform(20, 90), random.uniform(40, 110), random.uniform(70, 150));
        cv::ellipse(pixels, where, axes, random.uniform(0, 180), 0, 360, brown, cv::FILLED);
    }
    cv::blur(pixels, pixels, {5, 5});
    const int corner = std::max(1, side / 12);
    pixels(cv::Rect(0, 0, corner, corner)).setTo(cv::Scalar(0, 0, 255));
    pixels(cv::Rect(width - corner, height - corner, corner, corner)).setTo(cv::Scalar(255, 0, 0));
    return pixels;
}

cv::Mat draw_flat(int width, int height, const cv::Scalar& bgr) {
    return {height, width, CV_8UC3, bgr};
}

std::string encode(const cv::Mat& pixels, const std::string& extension, const std::vector<int>& parameters) {
    std::vector<unsigned char> bytes;
    if (!cv::imencode(extension, pixels, bytes, parameters)) {
        throw std::runtime_error("cannot encode " + extension);
    }
    return {bytes.begin(), bytes.end()};
}

std::string compress_jpeg(const cv::Mat& samples, const std::function<void(jpeg_compress_struct&)>& set) {
    jpeg_compress_struct info{};
    jpeg_error_mgr errors{};
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    unsigned char* buffer = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&info, &buffer, &size);
    info.image_width = static_cast<JDIMENSION>(samples.cols);
    info.image_height = static_cast<JDIMENSION>(samples.rows);
    info.input_components = samples.channels();
    set(info);
    jpeg_start_compress(&info, TRUE);
    for (int y = 0; y < samples.rows; ++y) {
        JSAMPROW row = const_cast<JSAMPROW>(samples.ptr(y));
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    std::string bytes(reinterpret_cast<const char*>(buffer), size);
    jpeg_destroy_compress(&info);
    std::free(buffer);
    return bytes;
}

std::string encode_cmyk_jpeg(const cv::Mat& cmyk, bool adobe_marker) {
    return compress_jpeg(cmyk, [&](jpeg_compress_struct& info) {
        info.in_color_space = JCS_CMYK;
        jpeg_set_defaults(&info);
        jpeg_set_quality(&info, 100, TRUE);
        info.write_Adobe_marker = adobe_marker ? TRUE : FALSE;
    });
}

std::string encode_many_scans_jpeg(int scans) {
    const cv::Mat grey(8, 8, CV_8UC1, cv::Scalar(100));
    const std::string small = compress_jpeg(grey, [](jpeg_compress_struct& info) {
        info.in_color_space = JCS_GRAYSCALE;
        jpeg_set_defaults(&info);
        jpeg_set_quality(&info, 100, TRUE);
        jpeg_simple_progression(&info);
    });
    // The first scan, again and again.
    const std::size_t first = small.find("\xFF\xDA");
    const std::size_t second = small.find("\xFF\xC4", first);
    std::string bytes = small.substr(0, first);
    for (int i = 0; i < scans; ++i) {
        bytes += small.substr(first, second - first);
    }
    return bytes + small.substr(second);
}

std::string exif_data(int orientation, Order order) {
    const auto n = [&](std::uint32_t value, unsigned size) { return number(value, size, order); };
    return (order == Order::big ? "MM" : "II") + n(42, 2) + n(8, 4) + n(1, 2) + n(274, 2) + n(3, 2) +
           n(1, 4) + n(static_cast<std::uint32_t>(orientation), 2) + n(0, 2) + n(0, 4);
}

std::string add_exif_to_jpeg(const std::string& jpeg, int orientation, Order order) {
    const std::string data = std::string("Exif\0\0", 6) + exif_data(orientation, order);
    const auto size = static_cast<std::uint32_t>(data.size() + 2);
    return jpeg.substr(0, 2) + "\xFF\xE1" + number(size, 2, Order::big) + data + jpeg.substr(2);
}

std::string add_exif_to_png(const std::string& png, int orientation) {
    constexpr std::size_t header_end = 33;
    return png.substr(0, header_end) + png_chunk("eXIf", exif_data(orientation, Order::big)) +
           png.substr(header_end);
}

std::string add_exif_to_webp(const std::string& webp, int width, int height, int orientation) {
    const std::string exif = exif_data(orientation);
    const std::string extended = "VP8X" + number(10, 4) + number(0x08, 4) +
                                 number(static_cast<std::uint32_t>(width - 1), 3) +
                                 number(static_cast<std::uint32_t>(height - 1), 3);
    const std::string content = "WEBP" + extended + webp.substr(12) + "EXIF" +
                                number(static_cast<std::uint32_t>(exif.size()), 4) + exif;
    return "RIFF" + number(static_cast<std::uint32_t>(content.size()), 4) + content;
}

std::string behind_webp_header(const std::string& other) {
    const std::string frame = std::string(3, '\0') + "\x9D\x01\x2A" + number(64, 2) + number(64, 2);
    const std::string header = "RIFF" + number(static_cast<std::uint32_t>(other.size() - 8), 4) + "WEBPVP8 " +
                               number(0xFFFFFFF0, 4) + frame;
    return header + other.substr(header.size());
}

std::string png_chunk(const std::string& name, const std::string& data) {
    return number(static_cast<std::uint32_t>(data.size()), 4, Order::big) + name + data +
           number(crc32(name + data), 4, Order::big);
}

std::string write_png(const PngLayout& layout, const std::string& samples) {
    const std::size_t row = samples.size() / static_cast<std::size_t>(layout.height);
    std::string filtered;
    for (std::size_t at = 0; at < samples.size(); at += row) {
        filtered += '\0' + samples.substr(at, row);
    }
    const std::string header = number(static_cast<std::uint32_t>(layout.width), 4, Order::big) +
                               number(static_cast<std::uint32_t>(layout.height), 4, Order::big) +
                               static_cast<char>(layout.bits) + static_cast<char>(layout.colour) +
                               std::string(3, '\0');
    return "\x89PNG\r\n\x1A\n" + png_chunk("IHDR", header) +
           (layout.palette.empty() ? "" : png_chunk("PLTE", layout.palette)) +
           (layout.clear.empty() ? "" : png_chunk("tRNS", layout.clear)) +
           png_chunk("IDAT", store(filtered)) + png_chunk("IEND", "");
}

namespace {

/// `extra` is the kind of the last sample, -1 for none; `tile` the tile's side, 0 for one strip.
std::string tiff_of(const cv::Mat& pixels, int orientation, Order order, int extra, std::uint32_t tile) {
    const auto n = [&](std::uint32_t value, unsigned size) { return number(value, size, order); };
    const auto channels = static_cast<std::uint32_t>(pixels.channels());
    const bool grey = channels == 1;
    std::string samples;
    for (int y = 0; y < pixels.rows; ++y) {
        for (int x = 0; x < pixels.cols; ++x) {
            if (grey) {
                samples += n(pixels.at<std::uint16_t>(y, x), 2);
                continue;
            }
            const unsigned char* bgra = pixels.ptr(y, x);
            for (const int channel : {2, 1, 0, 3}) {
                samples +=
                    channel < pixels.channels() ? std::string(1, static_cast<char>(bgra[channel])) : "";
            }
        }
    }
    if (tile > 0) {
        samples.resize(std::min<std::size_t>(4096, std::size_t{tile} * tile * pixels.elemSize()));
    }
    const std::uint32_t entries = 10U + (tile > 0 ? 1U : 0U) + (extra >= 0 ? 1U : 0U);
    const std::uint32_t bits_at = 8 + 2 + 12 * entries + 4;
    const std::uint32_t samples_at = bits_at + 8;
    std::string directory = n(entries, 2);
    const auto entry = [&](std::uint32_t tag, std::uint32_t type, std::uint32_t count, std::uint32_t value) {
        const bool is_short = type == 3 && count == 1;
        directory += n(tag, 2) + n(type, 2) + n(count, 4) + (is_short ? n(value, 2) + n(0, 2) : n(value, 4));
    };
    entry(256, 4, 1, static_cast<std::uint32_t>(pixels.cols));
    entry(257, 4, 1, static_cast<std::uint32_t>(pixels.rows));
    entry(258, 3, channels, grey ? 16 : bits_at);
    entry(259, 3, 1, 1);
    entry(262, 3, 1, grey ? 1 : 2);
    if (tile == 0) {
        entry(273, 4, 1, samples_at);
    }
    entry(274, 3, 1, static_cast<std::uint32_t>(orientation));
    entry(277, 3, 1, channels);
    if (tile == 0) {
        entry(278, 4, 1, static_cast<std::uint32_t>(pixels.rows));
        entry(279, 4, 1, static_cast<std::uint32_t>(samples.size()));
    } else {
        entry(322, 4, 1, tile);
        entry(323, 4, 1, tile);
        entry(324, 4, 1, samples_at);
        entry(325, 4, 1, static_cast<std::uint32_t>(samples.size()));
    }
    if (extra >= 0) {
        entry(338, 3, 1, static_cast<std::uint32_t>(extra));
    }
    return (order == Order::big ? "MM" : "II") + n(42, 2) + n(8, 4) + directory + n(0, 4) + n(8, 2) +
           n(8, 2) + n(8, 2) + n(8, 2) + samples;
}

}  // namespace

std::string write_tiff(const cv::Mat& pixels, int orientation, Order order) {
    return tiff_of(pixels, orientation, order, -1, 0);
}

std::string write_tiff_with_alpha(const cv::Mat& bgra, int kind) {
    return tiff_of(bgra, 1, Order::little, kind, 0);
}

std::string write_tiled_tiff(const cv::Mat& pixel, int side) {
    return tiff_of(pixel, 1, Order::little, -1, static_cast<std::uint32_t>(side));
}

namespace {

std::string even(std::string text, char fill) {
    if (text.size() % 2 != 0) {
        text += fill;
    }
    return text;
}

std::string element(std::uint32_t group, std::uint32_t member, const std::string& kind,
                    const std::string& value, bool is_explicit) {
    const std::string tag = number(group, 2) + number(member, 2);
    const auto size = static_cast<std::uint32_t>(value.size());
    if (!is_explicit) {
        return tag + number(size, 4) + value;
    }
    const bool long_length = kind == "OB" || kind == "OW" || kind == "SQ";
    return tag + kind + (long_length ? number(0, 2) + number(size, 4) : number(size, 2)) + value;
}

std::string encapsulate(const std::string& jpeg) {
    const std::string data = even(jpeg, '\0');
    const std::string item = "\xFE\xFF" + std::string("\x00\xE0", 2);
    const std::size_t half = data.size() / 4 * 2;  // in two fragments
    return std::string("\xE0\x7F\x10\x00OB\0\0\xFF\xFF\xFF\xFF", 12) + item + number(0, 4) + item +
           number(static_cast<std::uint32_t>(half), 4) + data.substr(0, half) + item +
           number(static_cast<std::uint32_t>(data.size() - half), 4) + data.substr(half) +
           "\xFE\xFF\xDD\xE0" + number(0, 4);
}

/// A sequence of undefined length with other rows and pixels in it, as icons have.
std::string icon(bool is_explicit) {
    const std::string undefined = "\xFF\xFF\xFF\xFF";
    const std::string rows = element(0x28, 0x10, "US", number(7, 2), is_explicit);
    const std::string pixels = element(0x7FE0, 0x10, "OW", "icon", is_explicit);
    return number(0x88, 2) + number(0x200, 2) + (is_explicit ? std::string("SQ\0\0", 4) : "") + undefined +
           std::string("\xFE\xFF\x00\xE0", 4) + undefined + rows + pixels +
           std::string("\xFE\xFF\x0D\xE0\0\0\0\0", 8) + std::string("\xFE\xFF\xDD\xE0\0\0\0\0", 8);
}

}  // namespace

std::string write_dicom(const cv::Mat& samples, const DicomLayout& layout) {
    const bool jpeg = !layout.jpeg.empty();
    const std::string syntax = jpeg                 ? "1.2.840.10008.1.2.4.50"
                               : layout.is_explicit ? "1.2.840.10008.1.2.1"
                                                    : "1.2.840.10008.1.2";
    const std::string about = element(2, 0x10, "UI", even(syntax, '\0'), true);
    const auto part = [&](std::uint32_t member, const std::string& kind, const std::string& value) {
        return element(0x28, member, kind, value, layout.is_explicit);
    };
    const auto us = [](int value) { return number(static_cast<std::uint32_t>(value), 2); };
    const std::string plain(reinterpret_cast<const char*>(samples.data),
                            samples.total() * samples.elemSize());
    return std::string(128, '\0') + "DICM" +
           element(2, 0, "UL", number(static_cast<std::uint32_t>(about.size()), 4), true) + about +
           part(0x02, "US", us(samples.channels())) + part(0x04, "CS", even(layout.photometric, ' ')) +
           part(0x06, "US", us(layout.planar)) + part(0x10, "US", us(samples.rows)) +
           part(0x11, "US", us(samples.cols)) + part(0x100, "US", us(layout.bits)) +
           part(0x101, "US", us(layout.bits)) + part(0x102, "US", us(layout.bits - 1)) +
           part(0x103, "US", us(0)) + icon(layout.is_explicit) +
           (jpeg ? encapsulate(layout.jpeg)
                 : element(0x7FE0, 0x10, "OW", even(plain, '\0'), layout.is_explicit));
}

}  // namespace skincheck::test
