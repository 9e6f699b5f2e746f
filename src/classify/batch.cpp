#include "classify/batch.hpp"

#include <algorithm>
#include <vector>

namespace skincheck {

cv::Mat filled_up(const cv::Mat& blob, int count) {
    std::vector<int> shape(blob.size.p, blob.size.p + blob.dims);
    const int images = shape.front();
    shape.front() = count;
    cv::Mat filled(shape, CV_32F);
    const std::size_t values = blob.total() / static_cast<std::size_t>(images);
    for (int i = 0; i < count; ++i) {
        std::copy_n(blob.ptr<float>(std::min(i, images - 1)), values, filled.ptr<float>(i));
    }
    return filled;
}

}  // namespace skincheck
