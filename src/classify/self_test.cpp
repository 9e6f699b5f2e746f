#include "skincheck/classify.hpp"
#include "skincheck/prepare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace skincheck {
namespace {

std::string tolerance_key(const Target& target) {
    return fmt::format("{}-{}", target.device.cuda ? "cuda" : "cpu", to_string(target.precision));
}

template <typename Test>
void with_advice(std::string_view advice, const Test& test) {
    try {
        test();
    } catch (const Fatal& fatal) {
        throw Fatal(ExitCode::model, fmt::format("{}; {}", fatal.what(), advice));
    }
}

}  // namespace

std::optional<double> tolerance_of(const ModelSpec& spec, const Target& target) {
    const auto found = spec.golden.tolerance.find(tolerance_key(target));
    return found == spec.golden.tolerance.end() ? std::nullopt : std::optional(found->second);
}

double self_test(Classifier& classifier, const ModelSpec& spec, const Target& target, int batch_size) {
    const std::optional<double> tolerance = tolerance_of(spec, target);
    if (!tolerance) {
        throw Fatal(
            ExitCode::model,
            fmt::format(
                "{}: model.json has no golden.tolerance for {}, so this model cannot be checked there; "
                "use another --device or --precision",
                spec.id(), tolerance_key(target)));
    }
    double largest = 0;
    const auto expect = [&](const Golden::Case& golden, const float* actual) {
        for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
            const double difference = std::abs(actual[i] - golden.outputs[i]);
            if (difference <= *tolerance) {  // false for NaN
                largest = std::max(largest, difference);
                continue;
            }
            throw Fatal(ExitCode::model,
                        fmt::format("{}: the self-test failed on {}: for seed {} the output \"{}\" is {:.6f} "
                                    "in place of {:.6f}, off by more than {:g}",
                                    spec.id(), target.name(), golden.seed, spec.output.classes.at(i),
                                    actual[i], golden.outputs[i], *tolerance));
        }
    };
    std::vector<cv::Mat> inputs;
    with_advice(
        "install the package again, or use another --device or --precision; after changes of your own "
        "complete it again (docs/own-model.md)",
        [&] {
            for (const Golden::Case& golden : spec.golden.cases) {
                inputs.push_back(draw_golden_input(golden.seed, spec.input.height, spec.input.width));
                expect(golden, classifier.classify(to_blob({inputs.back()}, spec)).ptr<float>());
            }
        });
    if (batch_size == 1) {
        return largest;
    }
    // A network may have been exported for one image at a time, which only shows with more.
    const std::size_t cases = inputs.size();
    const auto size = std::clamp<std::size_t>(cases, 2, static_cast<std::size_t>(batch_size));
    for (std::size_t i = cases; i < size; ++i) {
        inputs.push_back(inputs.front());
    }
    inputs.resize(size);
    with_advice("single images pass, so use --batch-size 1", [&] {
        const cv::Mat outputs = classifier.classify(to_blob(inputs, spec));
        for (std::size_t i = 0; i < size; ++i) {
            expect(spec.golden.cases[i % cases], outputs.ptr<float>(static_cast<int>(i)));
        }
    });
    return largest;
}

}  // namespace skincheck
