#include "prepare/resample.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace skincheck {
namespace {

double weight(Kernel kernel, double x) {
    x = std::abs(x);
    if (kernel == Kernel::triangle) {
        return x < 1 ? 1 - x : 0;
    }
    constexpr double a = -0.5;
    if (x < 1) {
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// Which source samples make up one output sample, and in what proportion.
struct Taps {
    int first = 0;
    std::vector<float> weights;
};

std::vector<Taps> taps(int from, int to, Kernel kernel) {
    const double scale = static_cast<double>(from) / to;
    const double widening = std::max(scale, 1.0);
    const double support = (kernel == Kernel::cubic ? 2.0 : 1.0) * widening;
    std::vector<Taps> all(static_cast<std::size_t>(to));
    for (int i = 0; i < to; ++i) {
        const double centre = (i + 0.5) * scale;
        Taps& one = all[static_cast<std::size_t>(i)];
        one.first = std::max(0, static_cast<int>(std::floor(centre - support + 0.5)));
        const int last = std::min(from, static_cast<int>(std::floor(centre + support + 0.5)));
        double sum = 0;
        for (int j = one.first; j < last; ++j) {
            const double w = weight(kernel, (j - centre + 0.5) / widening);
            one.weights.push_back(static_cast<float>(w));
            sum += w;
        }
        for (float& w : one.weights) {
            w = static_cast<float>(w / sum);
        }
    }
    return all;
}

cv::Mat horizontally(const cv::Mat& pixels, int width, Kernel kernel) {
    if (width == pixels.cols) {
        return pixels;
    }
    const std::vector<Taps> all = taps(pixels.cols, width, kernel);
    cv::Mat result(pixels.rows, width, CV_8UC3);
    for (int y = 0; y < pixels.rows; ++y) {
        const auto* line = pixels.ptr<cv::Vec3b>(y);
        auto* out = result.ptr<cv::Vec3b>(y);
        for (int x = 0; x < width; ++x) {
            const Taps& one = all[static_cast<std::size_t>(x)];
            cv::Vec3f sum(0, 0, 0);
            for (std::size_t k = 0; k < one.weights.size(); ++k) {
                sum += cv::Vec3f(line[one.first + static_cast<int>(k)]) * one.weights[k];
            }
            out[x] = cv::Vec3b(sum);  // rounds and saturates
        }
    }
    return result;
}

cv::Mat vertically(const cv::Mat& pixels, int height, Kernel kernel) {
    if (height == pixels.rows) {
        return pixels;
    }
    const std::vector<Taps> all = taps(pixels.rows, height, kernel);
    cv::Mat result(height, pixels.cols, CV_8UC3);
    cv::Mat sum(1, pixels.cols, CV_32FC3);
    for (int y = 0; y < height; ++y) {
        const Taps& one = all[static_cast<std::size_t>(y)];
        sum.setTo(cv::Scalar::all(0));
        for (std::size_t k = 0; k < one.weights.size(); ++k) {
            const auto* line = pixels.ptr<std::uint8_t>(one.first + static_cast<int>(k));
            auto* totals = sum.ptr<float>();
            for (int i = 0; i < pixels.cols * 3; ++i) {
                totals[i] += static_cast<float>(line[i]) * one.weights[k];
            }
        }
        sum.convertTo(result.row(y), CV_8UC3);
    }
    return result;
}

}  // namespace

cv::Mat resample(const cv::Mat& pixels, cv::Size size, Kernel kernel) {
    return vertically(horizontally(pixels, size.width, kernel), size.height, kernel);
}

}  // namespace skincheck
