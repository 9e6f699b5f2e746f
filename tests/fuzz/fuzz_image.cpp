// libFuzzer's target for images of all formats, as a whole file. PNGs are tried once more with their check
// sums made right, without which libFuzzer would never get behind them.
#include "skincheck/image.hpp"

#include "fuzz.hpp"
#include "image/decode.hpp"

#include <zlib.h>

#include <cstring>
#include <optional>

using namespace skincheck;

namespace {

/// Small, so that one input takes milliseconds, and that a decoder which exceeds it is felt.
constexpr std::uint64_t max_pixels = 1'000'000;

void check(const tl::expected<Image, Failure>& image, bool allow_truncated) {
    if (!image) {
        fuzz::require(image.error().status != Status::ok, "a failure of status ok");
        fuzz::require_one_line(image.error().message);
        return;
    }
    const cv::Mat& pixels = image->pixels;
    fuzz::require(!pixels.empty() && pixels.type() == CV_8UC3, "pixels that are not BGR");
    fuzz::require(pixels.total() <= max_pixels, "more pixels than the limit");
    fuzz::require(!image->truncated || allow_truncated, "a cut picture that nobody wanted");
    std::vector<unsigned char> row(static_cast<std::size_t>(pixels.cols) * 3);
    for (int y = 0; y < pixels.rows; ++y) {  // reads every pixel: all have to be where they should
        std::memcpy(row.data(), pixels.ptr(y), row.size());
    }
}

/// The same PNG with the check sum of every chunk that is whole; nothing for other files.
std::optional<std::vector<std::uint8_t>> with_check_sums(Bytes bytes) {
    if (text_at(bytes, 0, 4) != "\x89PNG") {
        return std::nullopt;
    }
    std::vector<std::uint8_t> changed(bytes.begin(), bytes.end());
    std::uint64_t at = 8;
    while (holds(bytes, at, 12)) {
        const std::uint32_t size = number_at(bytes, at, 4, ByteOrder::big);
        if (!holds(bytes, at, 12 + std::uint64_t{size})) {
            break;
        }
        const auto end = static_cast<std::size_t>(at) + 8 + size;
        const auto sum = crc32(0, changed.data() + at + 4, size + 4);
        for (unsigned i = 0; i < 4; ++i) {
            changed[end + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
        }
        at = end + 4;
    }
    return changed;
}

void try_all(Bytes bytes) {
    LoadOptions options;
    options.limits.max_pixels = max_pixels;
    for (const int sufficient_side : {0, 16}) {
        options.sufficient_side = sufficient_side;
        options.allow_truncated = false;
        const auto whole = decode_image(bytes, options);
        check(whole, false);
        if (!whole && whole.error().status == Status::truncated) {
            options.allow_truncated = true;
            check(decode_image(bytes, options), true);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes bytes(data, size);
    try_all(bytes);
    if (const auto changed = with_check_sums(bytes)) {
        try_all(*changed);
    }
    return 0;
}
