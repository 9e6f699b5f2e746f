#include "skincheck/prepare.hpp"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cstring>

namespace skincheck {

cv::Mat to_blob(const std::vector<cv::Mat>& images, const ModelSpec& spec) {
    const int height = spec.input.height;
    const int width = spec.input.width;
    const int shape[] = {static_cast<int>(images.size()), 3, height, width};
    cv::Mat blob(4, shape, CV_32F);
    for (std::size_t n = 0; n < images.size(); ++n) {
        CV_Assert(images[n].type() == CV_8UC3 && images[n].rows == height && images[n].cols == width);
        for (int channel = 0; channel < 3; ++channel) {
            cv::Mat plane(height, width, CV_32F, blob.ptr<float>(static_cast<int>(n), channel));
            cv::Mat values;
            cv::extractChannel(images[n], values, 2 - channel);  // BGR → RGB
            const double std = spec.normalise.std.at(static_cast<std::size_t>(channel));
            const double mean = spec.normalise.mean.at(static_cast<std::size_t>(channel));
            values.convertTo(plane, CV_32F, spec.normalise.scale / std, -mean / std);
        }
    }
    return blob;
}

// The training recipe has the same function (models/training): a change here must be made there, and it
// changes every golden vector.
cv::Mat draw_golden_input(std::uint32_t seed, int height, int width) {
    cv::Mat image(height, width, CV_8UC3);
    std::uint32_t state = seed * 2654435761U + 1U;
    const auto draw = [&state](std::uint32_t below) {
        state = state * 1664525U +
                1013904223U;  // Numerical Recipes' linear congruence; the upper bits are the good ones
        return static_cast<int>((state >> 16U) % below);
    };
    const int centre_x = width * (35 + draw(30)) / 100;
    const int centre_y = height * (35 + draw(30)) / 100;
    const int radius = std::min(width, height) * (15 + draw(25)) / 100;
    int skin[3];
    int blot[3];
    for (int channel = 0; channel < 3; ++channel) {
        skin[channel] = 110 + 35 * channel + draw(40);
        blot[channel] = 25 + 25 * channel + draw(50);
    }
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const int distance = (x - centre_x) * (x - centre_x) + (y - centre_y) * (y - centre_y);
            const int* colour = distance < radius * radius ? blot : skin;
            const int noise = draw(32) - 16;
            auto& pixel = image.at<cv::Vec3b>(y, x);
            for (int channel = 0; channel < 3; ++channel) {
                pixel[channel] = cv::saturate_cast<std::uint8_t>(colour[channel] + noise);
            }
        }
    }
    return image;
}

}  // namespace skincheck
