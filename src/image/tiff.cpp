// TIFF by libtiff itself: OpenCV asks it to go on after errors, so that damaged files come back as pictures.
#include "image/decode.hpp"
#include "image/pixels.hpp"
#include "image/tiff_file.hpp"
#include "image/tiff_header.hpp"

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

namespace skincheck {

namespace {

/// Whether all strips or tiles and all that the directory points to stand within the file.
bool is_whole(const TiffDirectory& directory, std::size_t file_size) {
    if (!directory.holds_all_values()) {
        return false;
    }
    const bool tiled = directory.find(tiff_tag::tile_offsets).has_value();
    const auto offsets = directory.find(tiled ? tiff_tag::tile_offsets : tiff_tag::strip_offsets);
    const auto sizes = directory.find(tiled ? tiff_tag::tile_sizes : tiff_tag::strip_sizes);
    if (!offsets) {
        return true;  // libtiff will say what it thinks of that
    }
    for (std::uint32_t i = 0; i < offsets->count; ++i) {
        const auto offset = directory.value(*offsets, i);
        const auto size = sizes ? directory.value(*sizes, i) : std::optional<std::uint32_t>(0);
        if (!offset || !size || std::uint64_t{*offset} + *size > file_size) {
            return false;
        }
    }
    return true;
}

/// Whether strips or tiles together have more bytes than that. They may stand on one another, as blank ones
/// do that are stored once; but each is read as a whole, so that eight bytes of file for each could stand for
/// hours of reading. Both tags are asked, for libtiff takes either for the other.
bool blocks_exceed(const TiffDirectory& directory, std::uint64_t most) {
    for (const std::uint16_t tag : {tiff_tag::strip_sizes, tiff_tag::tile_sizes}) {
        const auto sizes = directory.find(tag);
        std::uint64_t sum = 0;
        for (std::uint32_t i = 0; sizes && i < sizes->count; ++i) {
            const auto size = directory.value(*sizes, i);
            if (!size) {
                return true;  // a type that no size has
            }
            sum += *size;
        }
        if (sum > most) {
            return true;
        }
    }
    return false;
}

struct TiffLayout {
    std::uint32_t width = 0, height = 0;
    std::uint16_t bits = 1, samples = 1, extras = 0, format = SAMPLEFORMAT_UINT;
    std::uint16_t compression = COMPRESSION_NONE, planar = PLANARCONFIG_CONTIG;
    std::uint16_t photometric = PHOTOMETRIC_MINISBLACK;  ///< what libtiff takes grey for if there is no word
    std::optional<Alpha> alpha;                          ///< of the first extra sample

    bool grey_16() const {
        const bool grey = photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
        return bits == 16 && grey &&
               (samples == 1 || (planar == PLANARCONFIG_CONTIG && samples == extras + 1));
    }
};

/// TIFF 6.0, section 18: an extra sample of which nothing is said is none.
std::optional<Alpha> alpha_of(std::uint16_t kind) {
    switch (kind) {
        case EXTRASAMPLE_ASSOCALPHA:
            return Alpha::multiplied;
        case EXTRASAMPLE_UNASSALPHA:
            return Alpha::straight;
        default:
            return std::nullopt;
    }
}

TiffLayout layout_of(TIFF* tiff) {
    TiffLayout layout;
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &layout.width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &layout.height);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &layout.bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &layout.samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &layout.format);
    TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout.photometric);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &layout.compression);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &layout.planar);
    std::uint16_t* kinds = nullptr;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &layout.extras, &kinds);
    if (layout.extras > 0 && layout.extras < layout.samples) {
        layout.alpha = alpha_of(kinds[0]);
    }
    return layout;
}

constexpr unsigned char to_8_bits(unsigned value) {
    return static_cast<unsigned char>((value + 128) / 257);
}

void put_grey_16(const std::uint16_t* from, int count, const TiffLayout& layout, cv::Vec4b* to) {
    for (int x = 0; x < count; ++x, from += layout.samples) {
        const unsigned value = layout.photometric == PHOTOMETRIC_MINISWHITE ? 65535U - from[0] : from[0];
        const unsigned char grey = to_8_bits(value);
        to[x] = {grey, grey, grey, to_8_bits(layout.alpha ? from[1] : 65535U)};
    }
}

/// libtiff's own conversion of 16-bit grey drops the low byte and any alpha, where that of colours rounds and
/// keeps it.
bool read_grey_16(TIFF* tiff, const TiffLayout& layout, TiffState& state, cv::Mat& bgra) {
    std::uint32_t block_width = layout.width;
    std::uint32_t block_height = 1;
    const bool tiled = TIFFIsTiled(tiff) != 0;
    if (tiled && (TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &block_width) == 0 ||
                  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &block_height) == 0)) {
        return false;
    }
    const tmsize_t size = tiled ? TIFFTileSize(tiff) : TIFFScanlineSize(tiff);
    if (block_width == 0 || block_height == 0 || size <= 0 ||
        static_cast<std::uint64_t>(size) != std::uint64_t{block_width} * block_height * 2 * layout.samples) {
        return false;
    }
    if (static_cast<std::uint64_t>(size) > state.max_memory) {
        fmt::format_to_n(state.message, sizeof state.message - 1,
                         "its tiles of {}x{} pixels are far larger than it", block_width, block_height);
        return false;
    }
    std::vector<std::uint16_t> block(static_cast<std::size_t>(size) / 2);
    for (std::uint64_t y = 0; y < layout.height; y += block_height) {
        for (std::uint64_t x = 0; x < layout.width; x += block_width) {
            const auto left = static_cast<std::uint32_t>(x);
            const auto top = static_cast<std::uint32_t>(y);
            const auto got = tiled ? TIFFReadTile(tiff, block.data(), left, top, 0, 0)
                                   : TIFFReadScanline(tiff, block.data(), top, 0);
            if (got < 0) {
                return false;
            }
            const auto columns = static_cast<int>(std::min<std::uint64_t>(block_width, layout.width - x));
            for (std::uint64_t row = 0; row < block_height && y + row < layout.height; ++row) {
                put_grey_16(block.data() + row * block_width * layout.samples, columns, layout,
                            bgra.ptr<cv::Vec4b>(static_cast<int>(y + row)) + x);
            }
        }
    }
    return true;
}

/// From then on libtiff takes straight alpha for multiplied in, so that it leaves the colours alone: what it
/// multiplies by zero is lost.
void keep_colours_from_alpha(TIFF* tiff) {
    std::uint16_t count = 0;
    std::uint16_t* kinds = nullptr;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds);
    std::vector<std::uint16_t> changed(kinds, kinds + count);
    changed.front() = EXTRASAMPLE_ASSOCALPHA;
    TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, count, changed.data());
}

/// Everything else, by libtiff's conversion to RGBA.
bool read_colours(TIFF* tiff, const TiffLayout& layout, TiffState& state, cv::Mat& bgra) {
    if (layout.alpha == Alpha::straight) {
        keep_colours_from_alpha(tiff);
    }
    TIFFRGBAImage image{};
    constexpr int stop_on_error = 1;
    char message[1024]{};
    if (TIFFRGBAImageBegin(&image, tiff, stop_on_error, message) == 0) {
        if (!state.damaged) {
            state.refused = true;
            fmt::format_to_n(state.message, sizeof state.message - 1, "{}", message);
        }
        return false;
    }
    image.orientation = ORIENTATION_TOPLEFT;  // as stored: turning is our work
    image.req_orientation = ORIENTATION_TOPLEFT;
    const bool read = TIFFRGBAImageGet(&image, bgra.ptr<std::uint32_t>(), image.width, image.height) != 0;
    TIFFRGBAImageEnd(&image);
    if (!read || state.damaged) {
        return false;
    }
    for (int y = 0; y < bgra.rows; ++y) {
        auto* row = bgra.ptr<cv::Vec4b>(y);
        for (int x = 0; x < bgra.cols; ++x) {
            std::uint32_t packed = 0;
            std::memcpy(&packed, row[x].val, sizeof packed);
            row[x] = {
                static_cast<unsigned char>(TIFFGetB(packed)), static_cast<unsigned char>(TIFFGetG(packed)),
                static_cast<unsigned char>(TIFFGetR(packed)), static_cast<unsigned char>(TIFFGetA(packed))};
        }
    }
    return true;
}

/// Whether its decoder can be trusted with any file. The others are hardly met, and three kinds of them are
/// dangerous: JBIG ends the process when it cannot have the memory that the file asks for; LZMA reserves as
/// much as a byte of the file says, up to 4 GiB, and libtiff sets it no limit; pages of a fax (CCITT) may end
/// anywhere, and libtiff says nothing.
bool is_read(std::uint16_t compression) {
    constexpr std::array compressions{COMPRESSION_NONE,          COMPRESSION_LZW,     COMPRESSION_JPEG,
                                      COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE, COMPRESSION_PACKBITS,
                                      COMPRESSION_ZSTD,          COMPRESSION_WEBP,    COMPRESSION_LERC};
    return std::find(compressions.begin(), compressions.end(), compression) != compressions.end() &&
           TIFFIsCODECConfigured(compression) != 0;
}

Failure refused_kind(const char* reason) {
    return {Status::unsupported, fmt::format("a kind of TIFF that is not read: {}", one_line(reason))};
}

/// What libtiff's conversion does not take, or takes for something else.
std::optional<Failure> refuse(TIFF* tiff, const TiffLayout& layout, bool says_photometric) {
    const bool grey =
        layout.photometric == PHOTOMETRIC_MINISBLACK || layout.photometric == PHOTOMETRIC_MINISWHITE;
    if (!says_photometric && layout.samples > 2) {
        return refused_kind("it does not say what its samples mean");
    }
    if (layout.photometric == PHOTOMETRIC_MINISWHITE && layout.planar == PLANARCONFIG_SEPARATE &&
        layout.samples > 1) {
        return refused_kind("inverted grey with more samples in planes of their own");
    }
    if (layout.alpha && !grey && layout.photometric != PHOTOMETRIC_RGB) {
        return refused_kind("an alpha channel that is neither of grey nor of RGB");
    }
    if (!is_read(layout.compression)) {
        return Failure{Status::unsupported, fmt::format("a TIFF of compression {}", layout.compression)};
    }
    if (layout.format != SAMPLEFORMAT_UINT && layout.format != SAMPLEFORMAT_VOID) {
        return Failure{Status::unsupported, "a TIFF of signed or floating-point samples"};
    }
    char message[1024]{};
    if (!layout.grey_16() && TIFFRGBAImageOK(tiff, message) == 0) {
        return refused_kind(message);
    }
    return std::nullopt;
}

Failure failure_of(const TiffState& state) {
    if (is_lack_of_memory(state.message)) {
        return out_of_memory();
    }
    if (state.refused) {
        return refused_kind(state.message);
    }
    const std::string_view reason = state.message;
    return {Status::corrupt, fmt::format("the TIFF is damaged{}{}", reason.empty() ? "" : ": ",
                                         one_line(std::string(reason)))};
}

}  // namespace

Decoded decode_tiff(Bytes bytes, const ImageLimits& limits) {
    if (bytes[2] == '+' || bytes[3] == '+') {
        return image_failure(Status::unsupported,
                             "a BigTIFF: only TIFF of the classic kind, up to 4 GiB, is read; convert it");
    }
    const auto directory = TiffDirectory::first(bytes);
    if (!directory) {
        return image_failure(Status::truncated, "the TIFF ends before its directory does");
    }
    const auto width = directory->value(tiff_tag::width).value_or(0);
    const auto height = directory->value(tiff_tag::height).value_or(0);
    if (auto refused = check_image_size(width, height, limits)) {
        return tl::make_unexpected(*std::move(refused));
    }
    if (!is_whole(*directory, bytes.size())) {
        return image_failure(Status::truncated, "the TIFF ends before its picture does");
    }
    // A pixel has up to 8 bytes in a decoder's buffers.
    const std::uint64_t unpacked = 16 * std::uint64_t{width} * height + bytes.size();
    if (blocks_exceed(*directory, unpacked)) {
        return image_failure(Status::corrupt, "the TIFF's strips or tiles are larger than it can hold");
    }
    constexpr std::uint64_t tile = 64ULL << 20;  // it may be larger than its picture
    TiffState state{bytes, unpacked + tile};
    const Tiff tiff = open_tiff(state);
    const TiffLayout layout = tiff ? layout_of(tiff.get()) : TiffLayout{};
    if (layout.width != width || layout.height != height) {
        return tl::make_unexpected(failure_of(state));
    }
    if (auto refused = refuse(tiff.get(), layout, directory->find(tiff_tag::photometric).has_value())) {
        return tl::make_unexpected(*std::move(refused));
    }
    cv::Mat bgra(static_cast<int>(height), static_cast<int>(width), CV_8UC4, cv::Scalar::all(0));
    const bool read = layout.grey_16() ? read_grey_16(tiff.get(), layout, state, bgra)
                                       : read_colours(tiff.get(), layout, state, bgra);
    if (!read || state.damaged) {
        return tl::make_unexpected(failure_of(state));
    }
    cv::Mat pixels;
    if (layout.alpha) {
        pixels = lay_over_white(bgra, *layout.alpha);
    } else {
        cv::cvtColor(bgra, pixels, cv::COLOR_BGRA2BGR);
    }
    const auto orientation = directory->value(tiff_tag::orientation).value_or(1);
    return Image{orient_image(pixels, orientation <= 8 ? static_cast<int>(orientation) : 1), false};
}

}  // namespace skincheck
