#include "image/pixels.hpp"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <algorithm>

namespace skincheck {

cv::Mat orient_image(const cv::Mat& stored, int orientation) {
    // The tag names the sides of the scene that the stored first row and first column are (EXIF 2.3, 4.6.4).
    constexpr int vertically = 0;
    constexpr int horizontally = 1;
    constexpr int both = -1;
    cv::Mat upright;
    switch (orientation) {
        case 2:  // top, right
            cv::flip(stored, upright, horizontally);
            return upright;
        case 3:  // bottom, right
            cv::flip(stored, upright, both);
            return upright;
        case 4:  // bottom, left
            cv::flip(stored, upright, vertically);
            return upright;
        case 5:  // left, top
            cv::transpose(stored, upright);
            return upright;
        case 6:  // right, top: the camera was turned to the left, so turn it to the right
            cv::rotate(stored, upright, cv::ROTATE_90_CLOCKWISE);
            return upright;
        case 7: {  // right, bottom
            cv::Mat transposed;
            cv::transpose(stored, transposed);
            cv::flip(transposed, upright, both);
            return upright;
        }
        case 8:  // left, bottom
            cv::rotate(stored, upright, cv::ROTATE_90_COUNTERCLOCKWISE);
            return upright;
        default:
            return stored;
    }
}

namespace {

bool is_clear_all_over(const cv::Mat& bgra) {
    for (int y = 0; y < bgra.rows; ++y) {
        const auto* row = bgra.ptr<cv::Vec4b>(y);
        if (std::any_of(row, row + bgra.cols, [](const cv::Vec4b& pixel) { return pixel[3] != 0; })) {
            return false;
        }
    }
    return true;
}

}  // namespace

cv::Mat lay_over_white(const cv::Mat& bgra, Alpha alpha) {
    cv::Mat bgr(bgra.size(), CV_8UC3);
    if (is_clear_all_over(bgra)) {
        cv::cvtColor(bgra, bgr, cv::COLOR_BGRA2BGR);
        return bgr;
    }
    for (int y = 0; y < bgra.rows; ++y) {
        const auto* from = bgra.ptr<cv::Vec4b>(y);
        auto* to = bgr.ptr<cv::Vec3b>(y);
        for (int x = 0; x < bgra.cols; ++x) {
            const unsigned opaque = from[x][3];
            const unsigned white = 255 - opaque;
            for (int c = 0; c < 3; ++c) {
                const unsigned colour = from[x][c];
                // One rounding for the sum, so that opaque and clear pixels come out exactly.
                to[x][c] = alpha == Alpha::multiplied
                               ? cv::saturate_cast<unsigned char>(colour + white)
                               : static_cast<unsigned char>((colour * opaque + 255 * white + 127) / 255);
            }
        }
    }
    return bgr;
}

}  // namespace skincheck
