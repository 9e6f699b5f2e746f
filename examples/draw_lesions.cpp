// Draws the images of examples/images: blots on a ground that look a little like lesions on skin. They stand
// for no patient and no diagnosis; they are here so that skincheck can be tried without anybody's
// photographs.
//
//     draw_lesions DIR
//
// The same pictures come out at every run: all chance comes from the seeds in the table below.
#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int width = 600;
constexpr int height = 450;

using Colour = cv::Vec3f;  // blue, green, red; 0 to 255

struct Drawing {
    const char* name;
    std::uint64_t seed;
    Colour skin;
    double radius;                // of the blot, in pixels
    double irregularity;          // of its border: 0 is an ellipse
    float softness;               // of its border, in pixels
    std::vector<Colour> colours;  // of the blot, in patches
    int dots = 0;                 // dark, in the blot
    int hairs = 0;
    bool ruler = false;
};

const Colour pale{178, 192, 226};
const Colour tan_skin{132, 160, 205};
const Colour dark_skin{68, 92, 132};
const Colour light_brown{72, 105, 160};
const Colour brown{45, 72, 122};
const Colour dark_brown{28, 40, 70};
const Colour black{30, 28, 34};
const Colour blue_grey{125, 105, 100};
const Colour pink{150, 145, 215};
const Colour red{95, 90, 190};

const std::array<Drawing, 6> drawings{{
    {"round.jpg", 11, pale, 95, 0.05, 9.0F, {light_brown, brown}, 25},
    {"hairs.jpg", 22, tan_skin, 110, 0.10, 7.0F, {brown, light_brown}, 30, 14},
    {"irregular.jpg", 33, pale, 145, 0.34, 3.0F, {dark_brown, brown, blue_grey, black, light_brown}, 60},
    {"ruler.jpg", 44, tan_skin, 125, 0.26, 4.0F, {brown, black, red, dark_brown}, 40, 3, true},
    {"pink.jpg", 55, pale, 120, 0.18, 14.0F, {pink, red, pink}, 0, 2},
    {"dark_skin.jpg", 66, dark_skin, 100, 0.12, 8.0F, {dark_brown, black}, 20, 5},
}};

/// CV_32F, values around 0 with a deviation of about 1, in clouds of about `size` pixels.
cv::Mat clouds(cv::RNG& rng, int size) {
    cv::Mat coarse(height / size + 3, width / size + 3, CV_32F);
    rng.fill(coarse, cv::RNG::NORMAL, 0, 1);
    cv::Mat fine;
    cv::resize(coarse, fine, {width, height}, 0, 0, cv::INTER_CUBIC);
    return fine;
}

/// CV_32FC3: a tone with spots, pores and a light that falls off towards the corners.
cv::Mat draw_skin(cv::RNG& rng, const Colour& tone) {
    const cv::Mat texture = 1.0 + 0.025 * clouds(rng, 90) + 0.015 * clouds(rng, 12) + 0.02 * clouds(rng, 3);
    cv::Mat skin(height, width, CV_32FC3);
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const double distance =
                std::hypot(x - width / 2.0, y - height / 2.0) / std::hypot(width / 2.0, height / 2.0);
            const auto light = static_cast<float>(1.04 - 0.16 * distance * distance);
            skin.at<Colour>(y, x) = tone * (texture.at<float>(y, x) * light);
        }
    }
    return skin;
}

/// CV_32F: 1 in the blot, 0 outside, between them a border whose radius wavers with the angle.
cv::Mat draw_shape(cv::RNG& rng, const Drawing& drawing) {
    constexpr int waves = 9;
    std::array<double, waves> phase{};
    for (double& angle : phase) {
        angle = rng.uniform(0.0, CV_2PI);
    }
    const double stretch = rng.uniform(0.8, 1.0);
    const cv::Mat jitter = clouds(rng, 8);
    cv::Mat shape(height, width, CV_32F);
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const double across = x - width / 2.0;
            const double down = (y - height / 2.0) / stretch;
            const double angle = std::atan2(down, across);
            double radius = 1;
            for (int wave = 0; wave < waves; ++wave) {
                radius += drawing.irregularity *
                          std::sin((wave + 2) * angle + phase.at(static_cast<std::size_t>(wave))) /
                          (wave + 2);
            }
            const double inside = drawing.radius * radius - std::hypot(across, down) +
                                  10 * drawing.irregularity * static_cast<double>(jitter.at<float>(y, x));
            shape.at<float>(y, x) =
                static_cast<float>(1 / (1 + std::exp(-inside / static_cast<double>(drawing.softness))));
        }
    }
    return shape;
}

/// CV_32FC3: the colours of the blot in patches that run into each other.
cv::Mat draw_pigment(cv::RNG& rng, const std::vector<Colour>& colours) {
    std::vector<cv::Mat> weights;
    cv::Mat sum = cv::Mat::zeros(height, width, CV_32F);
    for (std::size_t i = 0; i < colours.size(); ++i) {
        cv::Mat weight;
        cv::exp(2.5 * clouds(rng, 70) + 0.4 * clouds(rng, 10), weight);
        sum += weight;
        weights.push_back(weight);
    }
    cv::Mat pigment = cv::Mat::zeros(height, width, CV_32FC3);
    for (std::size_t i = 0; i < colours.size(); ++i) {
        const cv::Mat share = weights[i] / sum;
        cv::Mat shares;
        cv::merge(std::vector<cv::Mat>(3, share), shares);
        pigment += shares.mul(cv::Scalar(colours[i]));
    }
    return pigment;
}

void draw_dots(cv::RNG& rng, cv::Mat& pigment, const Drawing& drawing) {
    for (int i = 0; i < drawing.dots; ++i) {
        const double angle = rng.uniform(0.0, CV_2PI);
        const double distance = rng.uniform(0.0, 0.85 * drawing.radius);
        const cv::Point centre(cvRound(width / 2.0 + distance * std::cos(angle)),
                               cvRound(height / 2.0 + distance * std::sin(angle)));
        const cv::Scalar colour(pigment.at<Colour>(centre) * 0.6F);
        cv::circle(pigment, centre, rng.uniform(2, 6), colour, cv::FILLED, cv::LINE_8);
    }
    cv::GaussianBlur(pigment, pigment, {}, 1.5);
}

/// Bent dark lines.
void draw_hairs(cv::RNG& rng, cv::Mat& image, int count) {
    for (int i = 0; i < count; ++i) {
        const cv::Point2d from(rng.uniform(-50.0, width + 50.0), rng.uniform(-40.0, height * 0.6));
        const cv::Point2d to(from.x + rng.uniform(-260.0, 260.0), from.y + rng.uniform(150.0, 400.0));
        const cv::Point2d bend((from.x + to.x) / 2 + rng.uniform(-90.0, 90.0), (from.y + to.y) / 2);
        std::vector<cv::Point> line;
        for (double t = 0; t <= 1; t += 0.02) {
            const cv::Point2d point = (1 - t) * (1 - t) * from + 2 * t * (1 - t) * bend + t * t * to;
            line.emplace_back(cvRound(point.x), cvRound(point.y));
        }
        cv::polylines(image, line, false, cv::Scalar(28, 34, 48), rng.uniform(1, 3), cv::LINE_AA);
    }
}

/// A scale along the lower edge, as dermatoscopes have one.
void draw_ruler(cv::Mat& image) {
    const cv::Scalar ink(50, 45, 45);
    for (int tick = 0; tick <= 20; ++tick) {
        const int x = 60 + tick * 24;
        cv::line(image, {x, height - 1},
                 {x, height - (tick % 10 == 0  ? 34
                               : tick % 5 == 0 ? 26
                                               : 16)},
                 ink, 2);
    }
}

cv::Mat draw(const Drawing& drawing) {
    cv::RNG rng(drawing.seed);
    cv::Mat image = draw_skin(rng, drawing.skin);
    const cv::Mat shape = draw_shape(rng, drawing);
    cv::Mat pigment = draw_pigment(rng, drawing.colours);
    draw_dots(rng, pigment, drawing);
    const cv::Mat grain = 1.0 + 0.03 * clouds(rng, 4);
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const float share = 0.92F * shape.at<float>(y, x);
            Colour& pixel = image.at<Colour>(y, x);
            pixel = pixel * (1 - share) + pigment.at<Colour>(y, x) * (share * grain.at<float>(y, x));
        }
    }
    cv::Mat pixels;
    image.convertTo(pixels, CV_8U);
    draw_hairs(rng, pixels, drawing.hairs);
    if (drawing.ruler) {
        draw_ruler(pixels);
    }
    cv::GaussianBlur(pixels, pixels, {}, 0.6);
    return pixels;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: draw_lesions DIR\n");
        return 2;
    }
    try {
        for (const Drawing& drawing : drawings) {
            const std::string path = fmt::format("{}/{}", argv[1], drawing.name);
            if (!cv::imwrite(path, draw(drawing), {cv::IMWRITE_JPEG_QUALITY, 88})) {
                throw std::runtime_error(fmt::format("{} cannot be written; is {} a folder?", path, argv[1]));
            }
        }
    } catch (const std::exception& error) {
        fmt::print(stderr, "draw_lesions: {}\n", error.what());
        return 1;
    }
    return 0;
}
