// Pixels → network input. The steps are data (ModelSpec::preprocess); this is their only implementation, used
// by scoring, by `skincheck preprocess` and, through that, by training.
#pragma once

#include "skincheck/model.hpp"

#include <opencv2/core/mat.hpp>

#include <cstdint>
#include <vector>

namespace skincheck {

/// What LoadOptions::sufficient_side is for these steps: with step::ShrinkOnLoad its multiple of the side
/// that the resize after it makes (of `squash` the longer one, of `shortest_side` the shorter), otherwise 0,
/// the whole image.
int sufficient_side(const ModelSpec& spec);

/// Applies the steps in order: CV_8UC3 BGR of any size → CV_8UC3 BGR of the network's size, what the network
/// would see before normalisation. Throws Fatal (model) when the steps do not end at the size of
/// `spec.input`, cv::Exception when a side that is resized is more than 100 times the other.
cv::Mat apply_steps(const cv::Mat& pixels, const ModelSpec& spec);

/// The number of views that views_of() can make: 1, 2, 4 or 8.
bool is_view_count(int count);

/// The same lesion seen from other sides, for scores that are averaged over them (test-time augmentation):
/// `prepared` itself; 2: and its mirror image; 4: and both upside down; 8: and all of these turned by a
/// quarter, which needs a square.
std::vector<cv::Mat> views_of(const cv::Mat& prepared, int count);

/// CV_8UC3 BGR images of the network's size, N of them → CV_32F blob N×3×H×W, RGB, normalised. Throws
/// cv::Exception for another type or size.
cv::Mat to_blob(const std::vector<cv::Mat>& images, const ModelSpec& spec);

/// A drawn image (CV_8UC3, BGR) of the given size for the golden vectors: integer arithmetic only, so that
/// the training recipe draws the same bytes in Python (models/training). A blot on a ground, with noise;
/// different for each seed.
cv::Mat draw_golden_input(std::uint32_t seed, int height, int width);

}  // namespace skincheck
