#include "skincheck/prepare.hpp"

#include "prepare/resample.hpp"

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>
#include <opencv2/photo.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

namespace skincheck {
namespace {

cv::Mat resize(const cv::Mat& pixels, cv::Size size, Interpolation interpolation) {
    if (size == pixels.size()) {
        return pixels;
    }
    if (interpolation != Interpolation::area) {
        return resample(pixels, size,
                        interpolation == Interpolation::cubic ? Kernel::cubic : Kernel::triangle);
    }
    // Where one side grows, OpenCV averages nothing along the other one either: it shrinks first.
    const cv::Size smaller(std::min(size.width, pixels.cols), std::min(size.height, pixels.rows));
    cv::Mat resized = pixels;
    for (const cv::Size& step : {smaller, size}) {
        if (step != resized.size()) {
            cv::Mat next;
            cv::resize(resized, next, step, 0, 0, cv::INTER_AREA);
            resized = next;
        }
    }
    return resized;
}

// A strip of 1 x 1,000,000 pixels shows no lesion. Its other side would grow to terabytes with the shortest
// one, and to gigabytes between the two passes of a squash.
void refuse_strip(const cv::Mat& pixels) {
    if (std::max(pixels.cols, pixels.rows) > 100.0 * std::min(pixels.cols, pixels.rows)) {
        CV_Error(cv::Error::StsOutOfRange, "one side is more than 100 times the other");
    }
}

// It was the loader's; see sufficient_side().
cv::Mat apply(const step::ShrinkOnLoad&, const cv::Mat& pixels) {
    return pixels;
}

cv::Mat apply(const step::ResizeSquash& step, const cv::Mat& pixels) {
    refuse_strip(pixels);
    return resize(pixels, {step.width, step.height}, step.interpolation);
}

cv::Mat apply(const step::ResizeShortestSide& step, const cv::Mat& pixels) {
    refuse_strip(pixels);
    const double scale = static_cast<double>(step.size) / std::min(pixels.cols, pixels.rows);
    const auto scaled = [&](int side) {
        return std::max(step.size, static_cast<int>(std::lround(side * scale)));
    };
    return resize(pixels, {scaled(pixels.cols), scaled(pixels.rows)}, step.interpolation);
}

cv::Mat apply(const step::CenterCrop& step, const cv::Mat& pixels) {
    if (pixels.cols < step.width || pixels.rows < step.height) {
        throw Fatal(ExitCode::model,
                    fmt::format("the model's center_crop wants {}x{} pixels of an image that has "
                                "{}x{} by then; put a resize or a pad before it",
                                step.width, step.height, pixels.cols, pixels.rows));
    }
    const cv::Rect frame((pixels.cols - step.width) / 2, (pixels.rows - step.height) / 2, step.width,
                         step.height);
    return pixels(frame).clone();
}

cv::Mat apply(const step::Pad& step, const cv::Mat& pixels) {
    const int horizontal = std::max(0, step.width - pixels.cols);
    const int vertical = std::max(0, step.height - pixels.rows);
    cv::Mat padded;
    cv::copyMakeBorder(pixels, padded, vertical / 2, vertical - vertical / 2, horizontal / 2,
                       horizontal - horizontal / 2, cv::BORDER_CONSTANT, cv::Scalar::all(step.value));
    return padded;
}

cv::Mat apply(const step::Median& step, const cv::Mat& pixels) {
    cv::Mat filtered;
    cv::medianBlur(pixels, filtered, step.size);
    return filtered;
}

cv::Mat apply(const step::Gaussian& step, const cv::Mat& pixels) {
    cv::Mat filtered;
    cv::GaussianBlur(pixels, filtered, {}, step.sigma);
    return filtered;
}

cv::Mat apply(const step::Bilateral& step, const cv::Mat& pixels) {
    cv::Mat filtered;
    cv::bilateralFilter(pixels, filtered, step.diameter, step.sigma_colour, step.sigma_space);
    return filtered;
}

cv::Mat apply(const step::NlMeans& step, const cv::Mat& pixels) {
    cv::Mat filtered;
    const auto strength = static_cast<float>(step.strength);
    cv::fastNlMeansDenoisingColored(pixels, filtered, strength, strength, step.template_size,
                                    step.search_size);
    return filtered;
}

// Hairs are dark, thin and long: the black-hat (closing minus image) lights up what is darker than its
// surroundings and thinner than the kernel. DullRazor's idea (Lee et al. 1997) with today's inpainting (Telea
// 2004).
cv::Mat apply(const step::Dehair& step, const cv::Mat& pixels) {
    cv::Mat grey;
    cv::cvtColor(pixels, grey, cv::COLOR_BGR2GRAY);
    cv::Mat hairs;
    const cv::Mat kernel = cv::getStructuringElement(cv::MORPH_RECT, {step.kernel, step.kernel});
    cv::morphologyEx(grey, hairs, cv::MORPH_BLACKHAT, kernel);
    cv::threshold(hairs, hairs, step.threshold, 255, cv::THRESH_BINARY);
    if (cv::countNonZero(hairs) == 0) {
        return pixels;
    }
    cv::Mat inpainted;
    cv::inpaint(pixels, hairs, inpainted, step.radius, cv::INPAINT_TELEA);
    return inpainted;
}

// Shades of grey (Finlayson and Trezzi 2004): the Minkowski norm of each channel is taken for the light's
// colour, and channels are scaled so that the light becomes grey at the same strength.
cv::Mat apply(const step::ColourConstancy& step, const cv::Mat& pixels) {
    std::array<double, 256> powers{};
    for (int value = 0; value < 256; ++value) {
        powers.at(static_cast<std::size_t>(value)) = std::pow(value, step.power);
    }
    std::array<double, 3> light{};
    for (int y = 0; y < pixels.rows; ++y) {
        const auto* line = pixels.ptr<cv::Vec3b>(y);
        for (int x = 0; x < pixels.cols; ++x) {
            for (int channel = 0; channel < 3; ++channel) {
                light.at(static_cast<std::size_t>(channel)) += powers.at(line[x][channel]);
            }
        }
    }
    double length = 0;
    for (double& channel : light) {
        channel = std::pow(channel / static_cast<double>(pixels.total()), 1 / step.power);
        length += channel * channel;
    }
    const double grey = std::sqrt(length / 3);
    cv::Scalar gain(1, 1, 1, 1);
    for (int channel = 0; channel < 3; ++channel) {
        const double strength = light.at(static_cast<std::size_t>(channel));
        gain[channel] = strength > 0 ? grey / strength : 1;
    }
    cv::Mat balanced;
    cv::multiply(pixels, gain, balanced, 1, CV_8U);
    return balanced;
}

}  // namespace

int sufficient_side(const ModelSpec& spec) {
    if (spec.preprocess.size() < 2) {
        return 0;
    }
    const auto* shrink = std::get_if<step::ShrinkOnLoad>(&spec.preprocess.front());
    if (shrink == nullptr) {
        return 0;
    }
    if (const auto* squash = std::get_if<step::ResizeSquash>(&spec.preprocess[1])) {
        return shrink->times * std::max(squash->width, squash->height);
    }
    const auto* shortest = std::get_if<step::ResizeShortestSide>(&spec.preprocess[1]);
    return shortest != nullptr ? shrink->times * shortest->size : 0;
}

cv::Mat apply_steps(const cv::Mat& pixels, const ModelSpec& spec) {
    cv::Mat image = pixels;
    for (const Step& step : spec.preprocess) {
        image = std::visit([&](const auto& one) { return apply(one, image); }, step);
    }
    if (image.cols != spec.input.width || image.rows != spec.input.height) {
        throw Fatal(
            ExitCode::model,
            fmt::format("the model's preprocess steps give {}x{} pixels, and its input wants {}x{}; correct "
                        "model.json",
                        image.cols, image.rows, spec.input.width, spec.input.height));
    }
    return image;
}

}  // namespace skincheck
