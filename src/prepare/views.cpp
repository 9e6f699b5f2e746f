#include "skincheck/prepare.hpp"

#include <opencv2/core.hpp>

namespace skincheck {

bool is_view_count(int count) {
    return count == 1 || count == 2 || count == 4 || count == 8;
}

std::vector<cv::Mat> views_of(const cv::Mat& prepared, int count) {
    std::vector<cv::Mat> views{prepared};
    const auto double_by = [&](const auto& change) {
        const std::size_t before = views.size();
        if (before < static_cast<std::size_t>(count)) {
            for (std::size_t i = 0; i < before; ++i) {
                cv::Mat changed;
                change(views[i], changed);
                views.push_back(changed);
            }
        }
    };
    double_by([](const cv::Mat& from, cv::Mat& to) { cv::flip(from, to, 1); });  // left to right
    double_by([](const cv::Mat& from, cv::Mat& to) { cv::flip(from, to, 0); });  // top to bottom
    double_by([](const cv::Mat& from, cv::Mat& to) { cv::rotate(from, to, cv::ROTATE_90_CLOCKWISE); });
    return views;
}

}  // namespace skincheck
