#include "skincheck/prepare.hpp"

#include "drawn_images.hpp"
#include "prepare/resample.hpp"

#include <doctest/doctest.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

using namespace skincheck;

namespace {

ModelSpec spec_of(std::vector<Step> steps, int width, int height) {
    ModelSpec spec;
    spec.input = {"input", height, width};
    spec.preprocess = std::move(steps);
    return spec;
}

cv::Mat apply(Step step, const cv::Mat& pixels, int width, int height) {
    return apply_steps(pixels, spec_of({std::move(step)}, width, height));
}

double largest_difference(const cv::Mat& a, const cv::Mat& b) {
    REQUIRE(a.size() == b.size());
    REQUIRE(a.type() == b.type());
    return cv::norm(a, b, cv::NORM_INF);
}

}  // namespace

TEST_CASE("what suffices of an image is all, or with shrink_on_load a multiple of what the resize makes") {
    const step::ShrinkOnLoad shrink{3};
    const step::ResizeShortestSide shortest{20};
    const step::ResizeSquash squash{10, 20};
    CHECK(sufficient_side(spec_of({shrink, shortest, step::CenterCrop{10, 20}}, 10, 20)) == 60);
    CHECK(sufficient_side(spec_of({shrink, squash}, 10, 20)) == 60);
    CHECK(sufficient_side(spec_of({squash}, 10, 20)) == 0);
    CHECK(sufficient_side(spec_of({shortest, step::CenterCrop{10, 20}}, 10, 20)) == 0);
    CHECK(sufficient_side(spec_of({}, 10, 20)) == 0);
    const cv::Mat drawn = test::draw_lesion(60, 60);
    CHECK(largest_difference(apply_steps(drawn, spec_of({shrink, squash}, 10, 20)),
                             apply_steps(drawn, spec_of({squash}, 10, 20))) == 0);
}

TEST_CASE("shortest_side keeps the aspect and center_crop takes the middle") {
    cv::Mat pixels = test::draw_flat(60, 40, {10, 20, 30});
    pixels(cv::Rect(20, 0, 20, 40)).setTo(cv::Scalar(200, 100, 50));
    const cv::Mat result = apply_steps(
        pixels,
        spec_of({step::ResizeShortestSide{20, Interpolation::area}, step::CenterCrop{10, 20}}, 10, 20));
    CHECK(largest_difference(result, test::draw_flat(10, 20, {200, 100, 50})) == 0);
}

TEST_CASE("portrait and landscape are treated alike") {
    const cv::Mat landscape = test::draw_lesion(61, 45);
    cv::Mat portrait;
    cv::transpose(landscape, portrait);
    for (const Interpolation interpolation :
         {Interpolation::area, Interpolation::linear, Interpolation::cubic}) {
        const auto spec =
            spec_of({step::ResizeShortestSide{24, interpolation}, step::CenterCrop{24, 24}}, 24, 24);
        cv::Mat transposed;
        cv::transpose(apply_steps(landscape, spec), transposed);
        CHECK(largest_difference(apply_steps(portrait, spec), transposed) <= 1);
    }
}

TEST_CASE("a strip is refused before anything of its length is made") {
    for (const cv::Size size : {cv::Size(1, 15'000'000), cv::Size(15'000'000, 1)}) {
        const cv::Mat strip(size, CV_8UC3, cv::Scalar(1, 2, 3));
        for (const Step& resize : {Step(step::ResizeSquash{224, 224, Interpolation::linear}),
                                   Step(step::ResizeShortestSide{224, Interpolation::cubic})}) {
            CHECK_THROWS_WITH_AS(apply(resize, strip, 224, 224),
                                 doctest::Contains("one side is more than 100 times the other"),
                                 cv::Exception);
        }
    }
    const cv::Mat narrow(100, 1, CV_8UC3, cv::Scalar(1, 2, 3));
    CHECK(largest_difference(apply(step::ResizeSquash{8, 8, Interpolation::linear}, narrow, 8, 8),
                             test::draw_flat(8, 8, {1, 2, 3})) == 0);
}

TEST_CASE("an odd remainder is cropped on the right and at the bottom") {
    cv::Mat pixels(3, 4, CV_8UC3, cv::Scalar::all(0));
    pixels.at<cv::Vec3b>(0, 0) = {1, 2, 3};
    const cv::Mat result = apply(step::CenterCrop{3, 2}, pixels, 3, 2);
    CHECK(result.at<cv::Vec3b>(0, 0) == cv::Vec3b(1, 2, 3));
}

TEST_CASE("squash changes the aspect, area averages") {
    cv::Mat pixels(2, 4, CV_8UC3);
    for (int x = 0; x < 4; ++x) {
        pixels.col(x).setTo(cv::Scalar::all(x * 40));
    }
    const cv::Mat result = apply(step::ResizeSquash{2, 2, Interpolation::area}, pixels, 2, 2);
    CHECK(result.at<cv::Vec3b>(0, 0) == cv::Vec3b(20, 20, 20));
    CHECK(result.at<cv::Vec3b>(1, 1) == cv::Vec3b(100, 100, 100));
}

TEST_CASE("no interpolation aliases where one side shrinks and the other grows") {
    cv::Mat stripes(20, 1000, CV_8UC3, cv::Scalar::all(0));
    for (int x = 0; x < stripes.cols; x += 5) {
        stripes.colRange(x, x + 2).setTo(cv::Scalar::all(255));
    }
    for (const Interpolation interpolation :
         {Interpolation::area, Interpolation::linear, Interpolation::cubic}) {
        const cv::Mat result = apply(step::ResizeSquash{50, 24, interpolation}, stripes, 50, 24);
        CHECK(largest_difference(result, test::draw_flat(50, 24, {102, 102, 102})) <= 8);
    }
}

TEST_CASE("no interpolation aliases: a fine chequerboard becomes grey when it shrinks") {
    cv::Mat chequers(128, 128, CV_8UC3);
    for (int y = 0; y < 128; ++y) {
        for (int x = 0; x < 128; ++x) {
            chequers.at<cv::Vec3b>(y, x) = cv::Vec3b::all((x + y) % 2 == 0 ? 255 : 0);
        }
    }
    for (const Interpolation interpolation :
         {Interpolation::area, Interpolation::linear, Interpolation::cubic}) {
        const cv::Mat result = apply(step::ResizeSquash{30, 30, interpolation}, chequers, 30, 30);
        CHECK(largest_difference(result, test::draw_flat(30, 30, {127.5, 127.5, 127.5})) <= 24);
    }
}

// The expected values were printed by Pillow 12's Image.resize for the same drawn image.
TEST_CASE("linear and cubic agree with Pillow") {
    const cv::Mat drawn = draw_golden_input(7, 30, 40);
    const auto first_pixels = [](const cv::Mat& image) {
        std::vector<int> values;
        for (int i = 0; i < 12; ++i) {
            values.push_back(image.at<cv::Vec3b>(i / 3 / image.cols, i / 3 % image.cols)[i % 3]);
        }
        return values;
    };
    const auto total = [](const cv::Mat& image) {
        const cv::Scalar sum = cv::sum(image);
        return static_cast<int>(sum[0] + sum[1] + sum[2]);
    };
    const auto agree = [&](const cv::Mat& image, const std::vector<int>& values, int sum) {
        const std::vector<int> actual = first_pixels(image);
        for (std::size_t i = 0; i < values.size(); ++i) {
            CHECK(std::abs(actual[i] - values[i]) <= 1);
        }
        CHECK(std::abs(total(image) - sum) <= static_cast<int>(image.total()) / 4);
    };
    agree(resample(drawn, {5, 4}, Kernel::triangle), {124, 149, 176, 58, 103, 121, 29, 82, 97, 86, 122, 144},
          7601);
    agree(resample(drawn, {5, 4}, Kernel::cubic), {130, 154, 180, 58, 103, 121, 22, 77, 91, 89, 124, 146},
          7630);
    agree(resample(drawn, {6, 45}, Kernel::cubic), {135, 158, 185, 130, 154, 180, 34, 85, 100, 78, 114, 135},
          103177);
}

TEST_CASE("a one-pixel image fills the network's input") {
    const cv::Mat dot = test::draw_flat(1, 1, {5, 6, 7});
    for (const Interpolation interpolation :
         {Interpolation::area, Interpolation::linear, Interpolation::cubic}) {
        const auto spec = spec_of({step::ResizeShortestSide{8, interpolation}, step::CenterCrop{8, 8}}, 8, 8);
        CHECK(largest_difference(apply_steps(dot, spec), test::draw_flat(8, 8, {5, 6, 7})) == 0);
    }
}

TEST_CASE("a strip is refused before it asks for more memory than there is") {
    const cv::Mat strip(1, 200000, CV_8UC3, cv::Scalar::all(9));
    CHECK_THROWS_AS(apply(step::ResizeShortestSide{224, Interpolation::area}, strip, 224, 224),
                    cv::Exception);
}

TEST_CASE("pad centres the image on its colour") {
    const cv::Mat result = apply(step::Pad{5, 4, 77}, test::draw_flat(2, 2, {1, 2, 3}), 5, 4);
    CHECK(result.at<cv::Vec3b>(0, 0) == cv::Vec3b(77, 77, 77));
    CHECK(result.at<cv::Vec3b>(1, 1) == cv::Vec3b(1, 2, 3));
    CHECK(result.at<cv::Vec3b>(2, 2) == cv::Vec3b(1, 2, 3));
    CHECK(result.at<cv::Vec3b>(3, 4) == cv::Vec3b(77, 77, 77));
}

TEST_CASE("noise filters bring a noisy image nearer to the clean one") {
    const cv::Mat clean = test::draw_flat(64, 64, {90, 120, 180});
    cv::Mat noise(clean.size(), CV_16SC3);
    cv::RNG(1).fill(noise, cv::RNG::NORMAL, 0, 12);
    cv::Mat noisy;
    cv::add(clean, noise, noisy, cv::noArray(), CV_8U);
    const double before = cv::norm(noisy, clean, cv::NORM_L2);
    const std::vector<Step> filters = {step::Median{3}, step::Gaussian{1.2}, step::Bilateral{7, 60, 3},
                                       step::NlMeans{10, 7, 15}};
    for (const Step& filter : filters) {
        CAPTURE(filter.index());
        CHECK(cv::norm(apply(filter, noisy, 64, 64), clean, cv::NORM_L2) < 0.6 * before);
    }
}

TEST_CASE("dehair removes thin dark lines and leaves broad dark areas alone") {
    const cv::Mat skin = test::draw_flat(96, 96, {140, 160, 210});
    cv::Mat lesion = skin.clone();
    cv::circle(lesion, {48, 48}, 24, {40, 60, 90}, cv::FILLED);
    cv::Mat hairy = lesion.clone();
    cv::line(hairy, {4, 4}, {90, 12}, {20, 20, 20}, 2);
    const step::Dehair dehair{17, 10, 3};
    const cv::Mat result = apply(dehair, hairy, 96, 96);
    CHECK(cv::norm(result, lesion, cv::NORM_L1) < 0.1 * cv::norm(hairy, lesion, cv::NORM_L1));
    CHECK(result.at<cv::Vec3b>(48, 48) == cv::Vec3b(40, 60, 90));
    CHECK(largest_difference(apply(dehair, skin, 96, 96), skin) == 0);
}

TEST_CASE("colour constancy takes a cast away and leaves a grey image as it is") {
    const cv::Mat grey = test::draw_flat(16, 16, {120, 120, 120});
    CHECK(largest_difference(apply(step::ColourConstancy{6}, grey, 16, 16), grey) <= 1);
    const cv::Mat cast = test::draw_flat(16, 16, {60, 120, 180});
    const cv::Mat balanced = apply(step::ColourConstancy{6}, cast, 16, 16);
    const cv::Vec3b pixel = balanced.at<cv::Vec3b>(0, 0);
    CHECK(std::abs(pixel[0] - pixel[1]) <= 1);
    CHECK(std::abs(pixel[1] - pixel[2]) <= 1);
    const cv::Mat black = test::draw_flat(4, 4, {0, 0, 0});
    CHECK(largest_difference(apply(step::ColourConstancy{6}, black, 4, 4), black) == 0);
}

TEST_CASE("steps run in their order and leave the caller's pixels alone") {
    const cv::Mat pixels = test::draw_lesion(50, 40);
    const cv::Mat copy = pixels.clone();
    const Step pad = step::Pad{60, 60, 0};
    const Step squash = step::ResizeSquash{20, 20, Interpolation::area};
    const cv::Mat padded_last = apply_steps(pixels, spec_of({squash, pad}, 60, 60));
    const cv::Mat padded_first = apply_steps(pixels, spec_of({pad, squash}, 20, 20));
    CHECK(padded_last.cols == 60);
    CHECK(padded_first.cols == 20);
    CHECK(largest_difference(pixels, copy) == 0);
}

TEST_CASE("steps that do not fit the network are a fault of the model") {
    const cv::Mat pixels = test::draw_flat(30, 20, {0, 0, 0});
    CHECK_THROWS_AS(apply(step::Median{3}, pixels, 224, 224), Fatal);
    CHECK_THROWS_AS(apply(step::CenterCrop{31, 20}, pixels, 31, 20), Fatal);
    CHECK_THROWS_AS(apply(step::CenterCrop{30, 21}, pixels, 30, 21), Fatal);
}

TEST_CASE("the blob is RGB planes, (pixel * scale - mean) / std") {
    ModelSpec spec = spec_of({}, 3, 2);
    spec.normalise = {1.0 / 255, {0.1, 0.2, 0.3}, {0.5, 0.25, 0.2}};
    cv::Mat first = test::draw_flat(3, 2, {255, 0, 51});
    first.at<cv::Vec3b>(1, 2) = {0, 255, 255};
    const cv::Mat blob = to_blob({first, test::draw_flat(3, 2, {0, 0, 0})}, spec);
    REQUIRE(blob.dims == 4);
    CHECK(blob.size[0] == 2);
    CHECK(blob.size[1] == 3);
    CHECK(blob.size[2] == 2);
    CHECK(blob.size[3] == 3);
    const auto value = [&](int n, int channel, int y, int x) {
        const int index[] = {n, channel, y, x};
        return static_cast<double>(blob.at<float>(index));
    };
    CHECK(value(0, 0, 0, 0) == doctest::Approx((0.2 - 0.1) / 0.5));   // red
    CHECK(value(0, 1, 0, 0) == doctest::Approx((0.0 - 0.2) / 0.25));  // green
    CHECK(value(0, 2, 0, 0) == doctest::Approx((1.0 - 0.3) / 0.2));   // blue
    CHECK(value(0, 0, 1, 2) == doctest::Approx((1.0 - 0.1) / 0.5));
    CHECK(value(0, 1, 1, 2) == doctest::Approx((1.0 - 0.2) / 0.25));
    CHECK(value(1, 2, 1, 2) == doctest::Approx(-0.3 / 0.2));
}

TEST_CASE("the eight views of a square are all there is to see of it, each once") {
    const cv::Mat square = test::draw_lesion(30, 30);
    const std::vector<cv::Mat> views = views_of(square, 8);
    REQUIRE(views.size() == 8);
    CHECK(largest_difference(views.front(), square) == 0);
    for (std::size_t i = 0; i < views.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            CHECK(cv::norm(views[i], views[j], cv::NORM_L1) > 0);
        }
    }
    cv::Mat once_more;  // turning all of them gives the same eight
    cv::rotate(views[3], once_more, cv::ROTATE_90_COUNTERCLOCKWISE);
    CHECK(std::any_of(views.begin(), views.end(),
                      [&](const cv::Mat& view) { return cv::norm(view, once_more, cv::NORM_INF) == 0; }));
}

TEST_CASE("fewer views keep the shape of an image that is no square") {
    const cv::Mat wide = test::draw_lesion(40, 30);
    for (const int count : {1, 2, 4}) {
        const std::vector<cv::Mat> views = views_of(wide, count);
        CHECK(views.size() == static_cast<std::size_t>(count));
        for (const cv::Mat& view : views) {
            CHECK(view.size() == wide.size());
        }
    }
    CHECK_FALSE(is_view_count(3));
    CHECK_FALSE(is_view_count(0));
}

TEST_CASE("golden inputs differ by seed and do not change") {
    const cv::Mat one = draw_golden_input(1, 24, 32);
    CHECK(one.cols == 32);
    CHECK(one.rows == 24);
    CHECK(cv::norm(one, draw_golden_input(1, 24, 32), cv::NORM_INF) == 0);
    CHECK(cv::norm(one, draw_golden_input(2, 24, 32), cv::NORM_INF) > 20);
    // Pinned: whatever changes it invalidates the golden vectors of every package.
    CHECK(cv::sum(draw_golden_input(7, 30, 40)) == cv::Scalar(117455, 156618, 184169));
}
