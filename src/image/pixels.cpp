#include "image/pixels.hpp"

#include <opencv2/core.hpp>

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

cv::Mat lay_over_white(const cv::Mat& bgra) {
    cv::Mat bgr(bgra.size(), CV_8UC3);
    for (int y = 0; y < bgra.rows; ++y) {
        const auto* from = bgra.ptr<cv::Vec4b>(y);
        auto* to = bgr.ptr<cv::Vec3b>(y);
        for (int x = 0; x < bgra.cols; ++x) {
            const unsigned alpha = from[x][3];
            for (int c = 0; c < 3; ++c) {
                // One rounding for the sum, so that opaque and clear pixels come out exactly.
                to[x][c] = static_cast<unsigned char>((from[x][c] * alpha + 255 * (255 - alpha) + 127) / 255);
            }
        }
    }
    return bgr;
}

}  // namespace skincheck
