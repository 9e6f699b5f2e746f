#pragma once

#include <opencv2/core/mat.hpp>

namespace skincheck {

enum class Kernel { triangle, cubic };

/// Resizes CV_8UC3 with a kernel that widens when shrinking, so that fine hairs do not alias. The same
/// definition as Pillow's resize (and torchvision's on PIL images): pixel centres, cubic with a = -0.5,
/// rounding to 8 bits between the horizontal and the vertical pass. OpenCV's own INTER_LINEAR and INTER_CUBIC
/// do not widen.
cv::Mat resample(const cv::Mat& pixels, cv::Size size, Kernel kernel);

}  // namespace skincheck
