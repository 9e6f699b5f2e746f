#include "skincheck/classify.hpp"
#include "skincheck/prepare.hpp"

#include <fmt/format.h>

#include <cmath>

namespace skincheck {

void self_test(Classifier& classifier, const ModelSpec& spec, const Device& device, Precision precision) {
    const std::string key = fmt::format("{}-{}", device.cuda ? "cuda" : "cpu", to_string(precision));
    const auto tolerance = spec.golden.tolerance.find(key);
    if (tolerance == spec.golden.tolerance.end()) {
        throw Fatal(
            ExitCode::model,
            fmt::format(
                "{}: model.json has no golden.tolerance for {}, so this model cannot be checked there; "
                "use another --device or --precision",
                spec.id(), key));
    }
    for (const Golden::Case& golden : spec.golden.cases) {
        const cv::Mat input = draw_golden_input(golden.seed, spec.input.height, spec.input.width);
        const cv::Mat outputs = classifier.classify(to_blob({input}, spec));
        for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
            const double expected = golden.outputs[i];
            const double actual = outputs.at<float>(0, static_cast<int>(i));
            if (std::abs(actual - expected) <= tolerance->second) {  // false for NaN
                continue;
            }
            throw Fatal(
                ExitCode::model,
                fmt::format(
                    "{}: the self-test failed on {}: for seed {} the output \"{}\" is {:.6f} in place "
                    "of {:.6f}, off by more than {:g}; install the package again, or use another "
                    "--device or --precision",
                    spec.id(), key, golden.seed, spec.output.classes.at(i), actual, expected,
                    tolerance->second));
        }
    }
}

}  // namespace skincheck
