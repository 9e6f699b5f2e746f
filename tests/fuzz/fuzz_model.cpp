// libFuzzer's target for model.json. A specification that is taken has to keep what model.hpp promises of it,
// for others rely on that without asking.
#include "skincheck/model.hpp"

#include "fuzz.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

using namespace skincheck;

namespace {

constexpr const char* origin = "model.json";

std::optional<ModelSpec> parse(const std::string& text) {
    try {
        return parse_model_spec(text, origin);
    } catch (const Fatal& fatal) {
        fuzz::require(fatal.code() == ExitCode::model, "a failure that is not the model's");
        fuzz::require_one_line(fatal.what());
        fuzz::require(std::string_view(fatal.what()).starts_with(origin),
                      "a message without the file's name");
        return std::nullopt;
    }
}

bool within(double value, double low, double high) {
    return value >= low && value <= high;
}

struct Bounds {
    static bool hold(const step::ShrinkOnLoad& one) { return within(one.times, 2, 8); }
    static bool hold(const step::ResizeSquash& one) { return one.width >= 1 && one.height >= 1; }
    static bool hold(const step::ResizeShortestSide& one) { return one.size >= 1; }
    static bool hold(const step::CenterCrop& one) { return one.width >= 1 && one.height >= 1; }
    static bool hold(const step::Pad& one) {
        return one.width >= 1 && one.height >= 1 && within(one.value, 0, 255);
    }
    static bool hold(const step::Median& one) { return one.size == 3 || one.size == 5; }
    static bool hold(const step::Gaussian& one) { return one.sigma > 0 && one.sigma <= 100; }
    static bool hold(const step::Bilateral& one) {
        return within(one.diameter, 1, 99) && one.sigma_colour > 0 && one.sigma_space > 0;
    }
    static bool hold(const step::NlMeans& one) {
        return one.strength > 0 && one.template_size % 2 == 1 && one.search_size % 2 == 1;
    }
    static bool hold(const step::Dehair& one) {
        return one.kernel % 2 == 1 && within(one.threshold, 0, 255) && one.radius > 0;
    }
    static bool hold(const step::ColourConstancy& one) { return within(one.power, 1, 32); }
};

void check(const ModelSpec& spec) {
    fuzz::require(spec.sha256.size() == 64 && !spec.name.empty(), "no name or no hash");
    fuzz::require(spec.input.width >= 1 && spec.input.height >= 1, "an input without a size");
    for (const Step& step : spec.preprocess) {
        fuzz::require(std::visit([](const auto& one) { return Bounds::hold(one); }, step),
                      "a step with a number out of bounds");
    }
    fuzz::require(spec.normalise.scale > 0 && std::isfinite(spec.normalise.scale), "a scale that is none");
    for (const double deviation : spec.normalise.std) {
        fuzz::require(deviation > 0 && std::isfinite(deviation), "a division by zero");
    }
    const auto& classes = spec.output.classes;
    fuzz::require((spec.output.kind == OutputKind::sigmoid) == (classes.size() == 1), "not its classes");
    fuzz::require(!spec.output.malignant.empty(), "nothing is malignant");
    for (const std::string& name : spec.output.malignant) {
        fuzz::require(std::find(classes.begin(), classes.end(), name) != classes.end(), "not a class");
    }
    fuzz::require(within(spec.threshold, 0, 1), "a threshold outside [0,1]");
    for (const Golden::Case& one : spec.golden.cases) {
        fuzz::require(one.outputs.size() == classes.size(), "not an output for each class");
    }
}

/// Every probability that a network can answer, and the ends, becomes one again, whatever the calibration.
void check_scores(const ModelSpec& spec) {
    for (const float first : {0.0F, 1e-9F, 0.25F, 0.5F, 1.0F}) {
        std::vector<float> outputs(spec.output.classes.size(), 0.0F);
        outputs.back() = 1 - first;
        outputs.front() = first;
        const auto score = to_score(outputs, spec);
        fuzz::require(score.has_value() && within(score->malignancy, 0, 1), "a score outside [0,1]");
        for (const double probability : score->probabilities) {
            fuzz::require(within(probability, 0, 1), "a probability outside [0,1]");
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto spec = parse({reinterpret_cast<const char*>(data), size});
    if (spec) {
        check(*spec);
        check_scores(*spec);
    }
    return 0;
}
