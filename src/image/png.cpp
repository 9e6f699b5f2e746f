// PNG by libpng itself: silent, with a difference between a cut file and a damaged one.
#include "image/decode.hpp"
#include "image/pixels.hpp"
#include "image/tiff_header.hpp"

#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <optional>
#include <vector>

namespace skincheck {

namespace {

/// All that outlives a longjmp. Functions that call setjmp take it by reference and own nothing themselves.
struct PngState {
    png_structp png = nullptr;
    png_infop info = nullptr;
    Bytes bytes;
    std::size_t position = 0;
    bool palette = false;  ///< what is read are numbers of its colours
    int passes = 1;        ///< over all rows, each of which fills in more of an interlaced picture
    char message[128]{};
    bool cut = false;      ///< the file ended before the picture did
    bool damaged = false;  ///< libpng only warned, but pixels are wrong

    PngState() = default;
    ~PngState() { png_destroy_read_struct(&png, &info, nullptr); }
    PngState(const PngState&) = delete;
    PngState& operator=(const PngState&) = delete;
};

void keep_message(PngState& state, png_const_charp message) {
    std::strncpy(state.message, message, sizeof state.message - 1);
}

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
    keep_message(*static_cast<PngState*>(png_get_error_ptr(png)), message);
    png_longjmp(png, 1);
}

/// A damaged comment is nobody's loss. Transparency and the check sum over all pixels are.
void on_warning(png_structp png, png_const_charp message) {
    PngState& state = *static_cast<PngState*>(png_get_error_ptr(png));
    if (std::strncmp(message, "tRNS", 4) == 0 || std::strstr(message, "data check") != nullptr) {
        state.damaged = true;
        keep_message(state, message);
    }
}

void on_read(png_structp png, png_bytep to, std::size_t count) {
    PngState& state = *static_cast<PngState*>(png_get_io_ptr(png));
    if (!holds(state.bytes, state.position, count)) {
        state.cut = true;
        png_error(png, "the file ends");
    }
    std::memcpy(to, state.bytes.data() + state.position, count);
    state.position += count;
}

/// Chunks that may be large when unpacked and that say nothing of the pixels that we use.
void skip_text_and_profiles(png_structp png) {
    static constexpr png_byte names[] = "iCCP\0iTXt\0sPLT\0tEXt\0zTXt";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, 5);
}

bool read_header(PngState& state) {
    state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
    state.info = state.png != nullptr ? png_create_info_struct(state.png) : nullptr;
    if (state.info == nullptr) {
        keep_message(state, "not enough memory");
        return false;
    }
    if (setjmp(png_jmpbuf(state.png)) != 0) {
        return false;
    }
    png_set_read_fn(state.png, &state, on_read);
    png_set_user_limits(state.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // checked by check_image_size() before
    png_set_chunk_malloc_max(state.png, 8'000'000);
    png_set_chunk_cache_max(state.png, 100);
    png_set_benign_errors(state.png, 1);
    skip_text_and_profiles(state.png);
    png_read_info(state.png, state.info);
    state.palette = png_get_color_type(state.png, state.info) == PNG_COLOR_TYPE_PALETTE;
    if (state.palette) {
        png_set_packing(state.png);  // one byte a pixel
    } else {
        png_set_expand(state.png);
        png_set_scale_16(state.png);
        png_set_gray_to_rgb(state.png);
        png_set_bgr(state.png);
    }
    state.passes = png_set_interlace_handling(state.png);
    png_read_update_info(state.png, state.info);
    return true;
}

bool read_rows(PngState& state, cv::Mat& pixels) {
    if (setjmp(png_jmpbuf(state.png)) != 0) {
        return false;
    }
    // Row by row, not by png_read_image(): its list of rows can be larger than the picture.
    for (int pass = 0; pass < state.passes; ++pass) {
        for (int y = 0; y < pixels.rows; ++y) {
            png_read_row(state.png, pixels.ptr(y), nullptr);
        }
    }
    png_read_end(state.png, state.info);
    return true;
}

/// Numbers of the palette's colours → BGRA; nothing when one is beyond it. libpng itself gives black for
/// that.
std::optional<cv::Mat> look_up(const PngState& state, const cv::Mat& numbers) {
    png_colorp colours = nullptr;
    png_bytep alphas = nullptr;  // of the first colours; the others are opaque
    int count = 0;
    int alpha_count = 0;
    png_get_PLTE(state.png, state.info, &colours, &count);
    png_get_tRNS(state.png, state.info, &alphas, &alpha_count, nullptr);
    std::vector<cv::Vec4b> table;
    for (int i = 0; i < count; ++i) {
        const png_byte alpha = i < alpha_count ? alphas[i] : png_byte{255};
        table.emplace_back(colours[i].blue, colours[i].green, colours[i].red, alpha);
    }
    cv::Mat bgra(numbers.size(), CV_8UC4);
    for (int y = 0; y < numbers.rows; ++y) {
        const auto* from = numbers.ptr<unsigned char>(y);
        auto* to = bgra.ptr<cv::Vec4b>(y);
        for (int x = 0; x < numbers.cols; ++x) {
            if (from[x] >= table.size()) {
                return std::nullopt;
            }
            to[x] = table[from[x]];
        }
    }
    return bgra;
}

Failure failure_of(const PngState& state) {
    if (state.cut) {
        return {Status::truncated, "the PNG ends before its picture does"};
    }
    if (is_lack_of_memory(state.message)) {
        return out_of_memory();
    }
    return {Status::corrupt, fmt::format("the PNG is damaged: {}", one_line(state.message))};
}

int orientation_of(const PngState& state) {
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(state.png, state.info, &size, &exif) == 0 || exif == nullptr) {
        return 1;
    }
    return exif_orientation(Bytes(exif, size));
}

}  // namespace

Decoded decode_png(Bytes bytes, const ImageLimits& limits) {
    constexpr std::size_t header_end = 33;  // signature and IHDR
    if (bytes.size() >= header_end && text_at(bytes, 12, 4) == "IHDR") {
        const auto width = number_at(bytes, 16, 4, ByteOrder::big);
        const auto height = number_at(bytes, 20, 4, ByteOrder::big);
        if (auto refused = check_image_size(width, height, limits)) {
            return tl::make_unexpected(*std::move(refused));
        }
    }
    PngState state;
    state.bytes = bytes;
    if (!read_header(state)) {
        return tl::make_unexpected(failure_of(state));
    }
    const auto width = png_get_image_width(state.png, state.info);
    const auto height = png_get_image_height(state.png, state.info);
    const int channels = png_get_channels(state.png, state.info);
    if (auto refused = check_image_size(width, height, limits)) {
        return tl::make_unexpected(*std::move(refused));
    }
    if ((channels != 3 && channels != 4 && !state.palette) ||
        png_get_rowbytes(state.png, state.info) != std::size_t{width} * static_cast<std::size_t>(channels)) {
        return image_failure(Status::unsupported, "a kind of PNG that is not read");
    }
    cv::Mat pixels(static_cast<int>(height), static_cast<int>(width), CV_8UC(channels), cv::Scalar::all(0));
    if (!read_rows(state, pixels) || state.damaged) {
        return tl::make_unexpected(failure_of(state));
    }
    if (state.palette) {
        auto colours = look_up(state, pixels);
        if (!colours) {
            return image_failure(Status::corrupt,
                                 "the PNG is damaged: a pixel's colour is not in its palette");
        }
        pixels = *std::move(colours);
    }
    return Image{
        orient_image(pixels.channels() == 4 ? lay_over_white(pixels) : pixels, orientation_of(state)), false};
}

}  // namespace skincheck
