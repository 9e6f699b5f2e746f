// JPEG by libjpeg itself: OpenCV gives a grey-filled picture for a cut file and tells only on stderr.
// clang-format off
#include <cstdio>     // jpeglib.h needs FILE
#include <jpeglib.h>  // jerror.h's numbers depend on it
#include <jerror.h>
// clang-format on
#include "image/decode.hpp"
#include "image/pixels.hpp"
#include "image/tiff_header.hpp"

#include <fmt/format.h>
#include <opencv2/core.hpp>

#include <algorithm>
#include <csetjmp>

namespace skincheck {

namespace {

/// A file may ask for any number of passes over the whole picture, each of a few bytes; real ones have about
/// ten. With as many as this the largest picture costs seconds of work, not minutes. libtiff has the same
/// limit.
constexpr int max_scans = 100;

/// All that outlives a longjmp. Functions that call setjmp take it by reference and own nothing themselves.
struct JpegState {
    jpeg_decompress_struct info{};
    jpeg_error_mgr errors{};
    jpeg_progress_mgr progress{};
    std::jmp_buf jump{};
    Bytes bytes{};                    ///< the whole file
    char message[JMSG_LENGTH_MAX]{};  ///< of the error or of the first damage
    int error = 0;                    ///< the code of the error that ended the decoding
    bool cut = false;                 ///< the file ended before the picture did
    bool cut_before_size = false;     ///< so early that the width and height there are made up
    bool damaged = false;             ///< there is something in it that no encoder wrote
    bool too_many_scans = false;
    bool nothing_decoded = false;  ///< it was cut before the first row of blocks was there

    JpegState() = default;
    ~JpegState() { jpeg_destroy_decompress(&info); }
    JpegState(const JpegState&) = delete;
    JpegState& operator=(const JpegState&) = delete;
};

JpegState& state_of(j_common_ptr info) {
    return *static_cast<JpegState*>(info->client_data);
}

void keep_message(j_common_ptr info) {
    JpegState& state = state_of(info);
    if (state.message[0] == '\0') {
        (*info->err->format_message)(info, state.message);
    }
}

[[noreturn]] void on_error(j_common_ptr info) {
    JpegState& state = state_of(info);
    state.error = info->err->msg_code;
    if (!state.cut) {
        state.message[0] = '\0';
    }
    keep_message(info);
    std::longjmp(state.jump, 1);
}

/// Whether the `count` bytes that libjpeg has just skipped are what cameras fill up with. Where damage made a
/// scan's data run out of step, what is left of them stands there, and nothing else tells of it.
bool is_padding(const JpegState& state, int count) {
    constexpr std::ptrdiff_t most_others = 16;
    const JOCTET* end = state.info.src->next_input_byte;
    const JOCTET* begin = state.bytes.data();
    if (end < begin || end > begin + state.bytes.size()) {
        return true;  // libjpeg's own end marker, behind a file that is cut
    }
    const auto skipped = std::min<std::ptrdiff_t>(count, end - begin);
    if (skipped < 1) {
        return true;
    }
    const JOCTET last = end[-1];  // some other byte than these two, again and again
    return std::count_if(end - skipped, end, [last](JOCTET byte) {
               return byte != 0x00 && byte != 0xFF && byte != last;
           }) <= most_others;
}

/// Every warning that libjpeg knows, by whether pixels are lost.
void on_warning(j_common_ptr info) {
    JpegState& state = state_of(info);
    switch (info->err->msg_code) {
        case JWRN_JPEG_EOF:  // the file ended; libjpeg goes on with an end marker of its own
            state.cut_before_size |= state.info.image_width == 0 || state.info.image_height == 0;
            state.cut = true;
            keep_message(info);
            break;
        case JWRN_HIT_MARKER:   // a scan's data ended early
        case JWRN_MUST_RESYNC:  // the same, at a place where a restart marker has to stand
            if (state.info.unread_marker != JPEG_EOI || !state.cut) {  // not libjpeg's own end marker
                state.damaged = true;
            }
            if (state.info.input_scan_number <= 1 && state.info.input_iMCU_row == 0) {
                state.nothing_decoded = true;
            }
            keep_message(info);
            break;
        case JWRN_HUFF_BAD_CODE:
        case JWRN_ARITH_BAD_CODE:
        case JWRN_BOGUS_PROGRESSION:  // scans refine what was never sent
            state.damaged = true;
            keep_message(info);
            break;
        case JWRN_EXTRANEOUS_DATA:
            if (state.info.input_scan_number > 0 && !is_padding(state, info->err->msg_parm.i[0])) {
                state.damaged = true;
                keep_message(info);
            }
            break;
        default:
            // Harmless: JWRN_JFIF_MAJOR, JWRN_ADOBE_XFORM, JWRN_BOGUS_ICC, JWRN_NOT_SEQUENTIAL (baseline with
            // odd scan parameters, decoded as baseline), JWRN_TOO_MUCH_DATA (never, as we count rows).
            break;
    }
}

void on_message(j_common_ptr info, int level) {
    if (level < 0) {
        on_warning(info);
    }
}

void on_progress(j_common_ptr info) {
    if (state_of(info).info.input_scan_number > max_scans) {
        state_of(info).too_many_scans = true;
        std::longjmp(state_of(info).jump, 1);
    }
}

/// The largest of 1, 2, 4, 8 by which the shorter side can be divided and still be as long as is wanted.
/// libjpeg leaves out the high frequencies then, and most of the work after Huffman's.
unsigned divisor(unsigned shorter_side, int sufficient_side) {
    unsigned by = 1;
    while (sufficient_side > 0 && by < 8 &&
           shorter_side / (2 * by) >= static_cast<unsigned>(sufficient_side)) {
        by *= 2;
    }
    return by;
}

bool read_header(JpegState& state, Bytes bytes, JpegColours colours, int sufficient_side) {
    jpeg_decompress_struct& info = state.info;
    info.err = jpeg_std_error(&state.errors);
    info.client_data = &state;
    state.errors.error_exit = on_error;
    state.errors.emit_message = on_message;
    state.errors.output_message = [](j_common_ptr) {};
    state.progress.progress_monitor = on_progress;
    if (setjmp(state.jump) != 0) {
        return false;
    }
    jpeg_create_decompress(&info);  // keeps err and client_data
    info.progress = &state.progress;
    state.bytes = bytes;
    jpeg_mem_src(&info, bytes.data(), static_cast<unsigned long>(bytes.size()));
    jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&info, TRUE);
    if (colours == JpegColours::rgb_unless_marked && info.num_components == 3 &&
        info.saw_JFIF_marker == FALSE && info.saw_Adobe_marker == FALSE) {
        info.jpeg_color_space = JCS_RGB;
    }
    const bool four = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
    info.out_color_space = four ? JCS_CMYK : JCS_EXT_BGR;
    info.scale_num = 1;
    info.scale_denom = divisor(std::min(info.image_width, info.image_height), sufficient_side);
    jpeg_calc_output_dimensions(&info);
    return true;
}

/// Fills `rows` (of the size that the header was read to give) as far as the data go; false after an error.
bool read_rows(JpegState& state, cv::Mat& rows) {
    if (setjmp(state.jump) != 0) {
        return false;
    }
    jpeg_start_decompress(&state.info);
    while (state.info.output_scanline < state.info.output_height) {
        JSAMPROW row = rows.ptr(static_cast<int>(state.info.output_scanline));
        jpeg_read_scanlines(&state.info, &row, 1);
    }
    jpeg_finish_decompress(&state.info);  // reads on to the end marker
    return true;
}

Failure failure_of(const JpegState& state) {
    if (state.too_many_scans) {
        return {Status::corrupt, fmt::format("the JPEG has more than {} scans", max_scans)};
    }
    if (state.cut) {
        return {Status::truncated, "the JPEG ends before its picture does"};
    }
    const std::string reason = one_line(state.message);
    switch (state.error) {
        case JERR_BAD_PRECISION:
        case JERR_SOF_UNSUPPORTED:
        case JERR_CONVERSION_NOTIMPL:
        case JERR_ARITH_NOTIMPL:
        case JERR_NOT_COMPILED:
        case JERR_FRACT_SAMPLE_NOTIMPL:
        case JERR_CCIR601_NOTIMPL:
            return {Status::unsupported, fmt::format("a kind of JPEG that is not read: {}", reason)};
        case JERR_OUT_OF_MEMORY:
            return out_of_memory();
        case JERR_IMAGE_TOO_BIG:
            return {Status::too_large, "a JPEG may have at most 65500 pixels a side"};
        default:
            return {Status::corrupt, fmt::format("the JPEG is damaged: {}", reason)};
    }
}

/// Adobe's programs store ink inverted (255 is none) and say so by their marker; without it 255 is full ink.
cv::Mat cmyk_to_bgr(const cv::Mat& cmyk, bool inverted) {
    cv::Mat bgr(cmyk.size(), CV_8UC3);
    for (int y = 0; y < cmyk.rows; ++y) {
        const auto* from = cmyk.ptr<cv::Vec4b>(y);
        auto* to = bgr.ptr<cv::Vec3b>(y);
        for (int x = 0; x < cmyk.cols; ++x) {
            for (int c = 0; c < 3; ++c) {
                const unsigned ink = from[x][2 - c];
                const unsigned black = from[x][3];
                to[x][c] = inverted ? multiply_8bit(ink, black) : multiply_8bit(255 - ink, 255 - black);
            }
        }
    }
    return bgr;
}

int orientation_of(const jpeg_decompress_struct& info) {
    for (auto* marker = info.marker_list; marker != nullptr; marker = marker->next) {
        const Bytes data(marker->data, marker->data_length);
        if (marker->marker == JPEG_APP0 + 1 && text_at(data, 0, 4) == "Exif") {  // the others are XMP
            return exif_orientation(data);
        }
    }
    return 1;
}

}  // namespace

Decoded decode_jpeg(Bytes bytes, const LoadOptions& options, JpegColours colours,
                    JpegOrientation orientation) {
    JpegState state;
    const bool header = read_header(state, bytes, colours, options.sufficient_side);
    const jpeg_decompress_struct& info = state.info;
    if (header || (info.image_width > 0 && info.image_height > 0 && !state.cut_before_size)) {
        if (auto refused = check_image_size(info.image_width, info.image_height, options.limits)) {
            return tl::make_unexpected(*std::move(refused));
        }
    }
    if (!header) {
        return tl::make_unexpected(failure_of(state));
    }
    if (info.jpeg_color_space == JCS_UNKNOWN) {
        return image_failure(Status::unsupported,
                             fmt::format("a JPEG of {} components", info.num_components));
    }
    const bool four = info.out_color_space == JCS_CMYK;
    const cv::Size size(static_cast<int>(info.output_width), static_cast<int>(info.output_height));
    cv::Mat rows(size, four ? CV_8UC4 : CV_8UC3, cv::Scalar::all(128));
    // Before the markers go with the decoder's memory.
    const int turned = orientation == JpegOrientation::of_exif ? orientation_of(info) : 1;
    const bool inverted = info.saw_Adobe_marker != FALSE;
    const bool whole = read_rows(state, rows);
    if (!whole || state.cut || state.damaged) {
        const bool usable = state.cut && !state.damaged && !state.too_many_scans && !state.nothing_decoded &&
                            info.output_scanline > 0;
        if (!usable || !options.allow_truncated) {
            return tl::make_unexpected(failure_of(state));
        }
    }
    return Image{orient_image(four ? cmyk_to_bgr(rows, inverted) : rows, turned), state.cut};
}

}  // namespace skincheck
