#include "steps.hpp"

#include <algorithm>

namespace skincheck {
namespace {

int byte(const Field& field) {
    return static_cast<int>(field.integer(0, 255));
}

Interpolation interpolation(const Field& field) {
    return field.one_of<Interpolation>(
        {{"area", Interpolation::area}, {"linear", Interpolation::linear}, {"cubic", Interpolation::cubic}});
}

Step shrink_on_load(const Field& field) {
    field.expect_keys({"op", "times"});
    return step::ShrinkOnLoad{static_cast<int>(field.member("times").integer(2, 8))};
}

Step resize(const Field& field) {
    if (field.member("mode").one_of<bool>({{"squash", true}, {"shortest_side", false}})) {
        field.expect_keys({"op", "mode", "width", "height", "interpolation"});
        return step::ResizeSquash{field.member("width").size(), field.member("height").size(),
                                  interpolation(field.member("interpolation"))};
    }
    field.expect_keys({"op", "mode", "size", "interpolation"});
    return step::ResizeShortestSide{field.member("size").size(),
                                    interpolation(field.member("interpolation"))};
}

Step center_crop(const Field& field) {
    field.expect_keys({"op", "width", "height"});
    return step::CenterCrop{field.member("width").size(), field.member("height").size()};
}

Step pad(const Field& field) {
    field.expect_keys({"op", "width", "height", "value"});
    return step::Pad{field.member("width").size(), field.member("height").size(),
                     byte(field.member("value"))};
}

Step median(const Field& field) {
    field.expect_keys({"op", "size"});
    return step::Median{field.member("size").odd(3, 5)};
}

Step gaussian(const Field& field) {
    field.expect_keys({"op", "sigma"});
    return step::Gaussian{field.member("sigma").positive(100)};
}

Step bilateral(const Field& field) {
    field.expect_keys({"op", "diameter", "sigma_colour", "sigma_space"});
    return step::Bilateral{static_cast<int>(field.member("diameter").integer(1, 99)),
                           field.member("sigma_colour").positive(1000),
                           field.member("sigma_space").positive(1000)};
}

Step nlmeans(const Field& field) {
    field.expect_keys({"op", "strength", "template_size", "search_size"});
    return step::NlMeans{field.member("strength").positive(255), field.member("template_size").odd(1, 99),
                         field.member("search_size").odd(1, 99)};
}

Step dehair(const Field& field) {
    field.expect_keys({"op", "kernel", "threshold", "radius"});
    return step::Dehair{field.member("kernel").odd(3, 255), byte(field.member("threshold")),
                        field.member("radius").positive(100)};
}

Step colour_constancy(const Field& field) {
    field.expect_keys({"op", "power"});
    return step::ColourConstancy{field.member("power").number(1, 32)};
}

Step parse_step(const Field& field) {
    const auto parse =
        field.member("op").one_of<Step (*)(const Field&)>({{"shrink_on_load", shrink_on_load},
                                                           {"resize", resize},
                                                           {"center_crop", center_crop},
                                                           {"pad", pad},
                                                           {"median", median},
                                                           {"gaussian", gaussian},
                                                           {"bilateral", bilateral},
                                                           {"nlmeans", nlmeans},
                                                           {"dehair", dehair},
                                                           {"colour_constancy", colour_constancy}});
    return parse(field);
}

bool is_resize(const Step& step) {
    return std::holds_alternative<step::ResizeSquash>(step) ||
           std::holds_alternative<step::ResizeShortestSide>(step);
}

// What is known of an image's size after some steps, whatever image it was.
struct Size {
    int width = 1, height = 1;  // at least
    bool fixed = false;         // and not more
};

void follow(const Step& step, const Field& field, Size& size) {
    if (const auto* squash = std::get_if<step::ResizeSquash>(&step)) {
        size = {squash->width, squash->height, true};
    } else if (const auto* shortest = std::get_if<step::ResizeShortestSide>(&step)) {
        size = {shortest->size, shortest->size, false};
    } else if (const auto* pad = std::get_if<step::Pad>(&step)) {
        size = {std::max(size.width, pad->width), std::max(size.height, pad->height), size.fixed};
    } else if (const auto* crop = std::get_if<step::CenterCrop>(&step)) {
        if (crop->width > size.width || crop->height > size.height) {
            field.fail(fmt::format("cuts {}x{} pixels out of images that can be as small as {}x{} by then",
                                   crop->width, crop->height, size.width, size.height));
        }
        size = {crop->width, crop->height, true};
    }
}

}  // namespace

std::vector<Step> parse_steps(const Field& field, const InputSpec& input) {
    std::vector<Step> steps;
    Size size;
    for (const Field& element : field.elements()) {
        const bool after_shrinking =
            !steps.empty() && std::holds_alternative<step::ShrinkOnLoad>(steps.back());
        steps.push_back(parse_step(element));
        if (after_shrinking && !is_resize(steps.back())) {
            element.fail("shrink_on_load stands before a resize, whose size says how far images may shrink");
        }
        if (steps.size() > 1 && std::holds_alternative<step::ShrinkOnLoad>(steps.back())) {
            element.fail("shrink_on_load can only be the first step");
        }
        follow(steps.back(), element, size);
    }
    if (!size.fixed) {
        field.fail(
            "the steps end at a size that depends on the image; one of them must be a resize with squash or "
            "a center_crop");
    }
    if (size.width != input.width || size.height != input.height) {
        field.fail(fmt::format("the steps end at {}x{} pixels, and input wants {}x{}", size.width,
                               size.height, input.width, input.height));
    }
    return steps;
}

}  // namespace skincheck
