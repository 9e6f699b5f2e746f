// A classifier without a network, for tests of what stands around it.
#pragma once

#include "skincheck/classify.hpp"

#include <algorithm>

namespace skincheck::test {

/// Answers the mean of each image's values in the blob, cut to [0,1]: N×1. With a scale of 1/255 and no mean
/// or deviation that is the brightness of the image, so a test knows the score from the picture.
class FakeClassifier : public Classifier {
  public:
    cv::Mat classify(const cv::Mat& blob) override {
        cv::Mat outputs(blob.size[0], 1, CV_32F);
        const std::size_t values = blob.total() / static_cast<std::size_t>(std::max(1, blob.size[0]));
        for (int n = 0; n < blob.size[0]; ++n) {
            const auto* first = blob.ptr<float>(n);
            double sum = 0;
            for (std::size_t i = 0; i < values; ++i) {
                sum += first[i];
            }
            outputs.at<float>(n, 0) =
                static_cast<float>(std::clamp(sum / static_cast<double>(values), 0.0, 1.0));
        }
        return outputs;
    }
};

}  // namespace skincheck::test
