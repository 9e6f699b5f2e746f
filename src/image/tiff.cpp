// TIFF by libtiff itself: OpenCV asks it to go on after errors, so that damaged files come back as pictures.
#include "image/decode.hpp"
#include "image/pixels.hpp"
#include "image/tiff_header.hpp"

#include <fmt/format.h>
#include <tiffio.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace skincheck {

namespace {

/// What libtiff reads from and tells to; it stands still while the file is open.
struct TiffState {
    Bytes bytes;
    std::uint64_t max_memory = 0;  ///< of one block of it
    std::uint64_t position = 0;
    bool damaged = false;
    char message[200]{};
};

TiffState& state_of(thandle_t handle) {
    return *static_cast<TiffState*>(handle);
}

tmsize_t on_read(thandle_t handle, void* to, tmsize_t count) {
    TiffState& state = state_of(handle);
    if (count < 0 || state.position >= state.bytes.size()) {
        return 0;
    }
    const auto there = static_cast<std::size_t>(state.bytes.size() - state.position);
    const std::size_t size = std::min(static_cast<std::size_t>(count), there);
    std::memcpy(to, state.bytes.data() + state.position, size);
    state.position += size;
    return static_cast<tmsize_t>(size);
}

toff_t on_seek(thandle_t handle, toff_t offset, int whence) {
    TiffState& state = state_of(handle);
    const std::uint64_t base = whence == SEEK_SET   ? 0
                               : whence == SEEK_CUR ? state.position
                                                    : std::uint64_t{state.bytes.size()};
    state.position = base + offset;  // beyond the end is allowed: reading there gives nothing
    return state.position;
}

int on_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
    TiffState& state = state_of(user);
    if (!state.damaged) {
        std::vsnprintf(state.message, sizeof state.message, format, arguments);
    }
    state.damaged = true;
    return 1;
}

/// Warnings are about odd tags, except for those of the JPEG within, which lose pixels.
int on_warning(TIFF* tiff, void* user, const char* module, const char* format, va_list arguments) {
    if (module != nullptr && std::strcmp(module, "JPEGLib") == 0) {
        return on_error(tiff, user, module, format, arguments);
    }
    return 1;
}

struct Close {
    void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, Close>;

Tiff open_tiff(TiffState& state) {
    const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                   &TIFFOpenOptionsFree);
    if (options == nullptr) {
        throw std::bad_alloc();
    }
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(state.max_memory));
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &state);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &state);
    // m: no memory mapping; O: the strips' places are read only as they are needed
    return Tiff(TIFFClientOpenExt(
        "TIFF", "rmO", &state, on_read, [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; }, on_seek,
        [](thandle_t) { return 0; }, [](thandle_t handle) -> toff_t { return state_of(handle).bytes.size(); },
        nullptr, nullptr, options.get()));
}

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
    std::uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, photometric = 0, compression = 1;

    bool grey_16() const {
        return bits == 16 && samples == 1 &&
               (photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE);
    }
};

TiffLayout layout_of(TIFF* tiff) {
    TiffLayout layout;
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &layout.width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &layout.height);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &layout.bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &layout.samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &layout.format);
    TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout.photometric);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &layout.compression);
    return layout;
}

void put_grey_16(const std::uint16_t* from, int count, bool white_is_zero, cv::Vec3b* to) {
    for (int x = 0; x < count; ++x) {
        const unsigned value = white_is_zero ? 65535U - from[x] : from[x];
        to[x] = cv::Vec3b::all(static_cast<unsigned char>((value + 128) / 257));
    }
}

/// libtiff's own conversion of 16-bit grey drops the low byte, where that of colours rounds.
bool read_grey_16(TIFF* tiff, const TiffLayout& layout, TiffState& state, cv::Mat& pixels) {
    const bool white_is_zero = layout.photometric == PHOTOMETRIC_MINISWHITE;
    std::uint32_t block_width = layout.width;
    std::uint32_t block_height = 1;
    const bool tiled = TIFFIsTiled(tiff) != 0;
    if (tiled && (TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &block_width) == 0 ||
                  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &block_height) == 0)) {
        return false;
    }
    const tmsize_t size = tiled ? TIFFTileSize(tiff) : TIFFScanlineSize(tiff);
    if (block_width == 0 || block_height == 0 || size <= 0 ||
        static_cast<std::uint64_t>(size) != std::uint64_t{block_width} * block_height * 2) {
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
                put_grey_16(block.data() + row * block_width, columns, white_is_zero,
                            pixels.ptr<cv::Vec3b>(static_cast<int>(y + row)) + x);
            }
        }
    }
    return true;
}

/// How alpha stands in the file. From then on libtiff takes it for multiplied in, so that it leaves the
/// colours alone: what it multiplies by zero is lost.
Alpha take_over_alpha(TIFF* tiff) {
    std::uint16_t count = 0;
    std::uint16_t* kinds = nullptr;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds);
    if (count == 0 || kinds[0] != EXTRASAMPLE_UNASSALPHA) {
        return Alpha::multiplied;
    }
    std::vector<std::uint16_t> changed(kinds, kinds + count);
    changed[0] = EXTRASAMPLE_ASSOCALPHA;
    TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, count, changed.data());
    return Alpha::straight;
}

/// Everything else, by libtiff's conversion to RGBA.
bool read_colours(TIFF* tiff, const TiffState& state, cv::Mat& pixels) {
    const Alpha alpha = take_over_alpha(tiff);
    cv::Mat bgra(pixels.size(), CV_8UC4, cv::Scalar::all(0));
    TIFFRGBAImage image{};
    constexpr int stop_on_error = 1;
    char message[1024]{};
    if (TIFFRGBAImageBegin(&image, tiff, stop_on_error, message) == 0) {
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
    pixels = lay_over_white(bgra, alpha);
    return true;
}

/// What libtiff's conversion does not take.
std::optional<Failure> refuse(TIFF* tiff, const TiffLayout& layout) {
    // LZMA reserves as much memory as a byte of the file says, up to 4 GiB, and libtiff sets it no limit.
    if (TIFFIsCODECConfigured(layout.compression) == 0 || layout.compression == COMPRESSION_LZMA) {
        return Failure{Status::unsupported, fmt::format("a TIFF of compression {}", layout.compression)};
    }
    if (layout.format != SAMPLEFORMAT_UINT && layout.format != SAMPLEFORMAT_VOID) {
        return Failure{Status::unsupported, "a TIFF of signed or floating-point samples"};
    }
    char message[1024]{};
    if (!layout.grey_16() && TIFFRGBAImageOK(tiff, message) == 0) {
        return Failure{Status::unsupported,
                       fmt::format("a kind of TIFF that is not read: {}", one_line(message))};
    }
    return std::nullopt;
}

Failure failure_of(const TiffState& state) {
    if (is_lack_of_memory(state.message)) {
        return out_of_memory();
    }
    return {Status::corrupt, fmt::format("the TIFF is damaged: {}", one_line(state.message))};
}

}  // namespace

Decoded decode_tiff(Bytes bytes, const ImageLimits& limits) {
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
    if (auto refused = refuse(tiff.get(), layout)) {
        return tl::make_unexpected(*std::move(refused));
    }
    cv::Mat pixels(static_cast<int>(height), static_cast<int>(width), CV_8UC3);
    const bool read = layout.grey_16() ? read_grey_16(tiff.get(), layout, state, pixels)
                                       : read_colours(tiff.get(), state, pixels);
    if (!read || state.damaged) {
        return tl::make_unexpected(failure_of(state));
    }
    const auto orientation = directory->value(tiff_tag::orientation).value_or(1);
    return Image{orient_image(pixels, orientation <= 8 ? static_cast<int>(orientation) : 1), false};
}

}  // namespace skincheck
