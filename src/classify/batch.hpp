// Blobs of another number of images.
#pragma once

#include <opencv2/core.hpp>

namespace skincheck {

/// N×3×H×W with `count` >= N images: those of `blob`, then its last one again and again.
cv::Mat filled_up(const cv::Mat& blob, int count);

}  // namespace skincheck
