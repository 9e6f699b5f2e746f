#include "skincheck/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace skincheck {
namespace {

constexpr double stray = 1e-4;      // how far rounding may carry an output out of [0,1]
constexpr double stray_sum = 0.01;  // and a softmax's sum away from 1, in 16-bit arithmetic
constexpr double least = 1e-7;      // keeps logits finite; docs/own-model.md tells it

double logit(double p) {
    p = std::clamp(p, least, 1 - least);
    return std::log(p / (1 - p));
}

double sigmoid(double z) {
    return 1 / (1 + std::exp(-z));
}

// std::max in this order, so that -0.0 becomes 0.0.
double within_unit(double p) {
    return std::min(std::max(0.0, p), 1.0);
}

std::vector<double> checked(std::span<const float> outputs, const ModelSpec& spec) {
    std::vector<double> probabilities;
    for (const float output : outputs) {
        if (output < -stray || output > 1 + stray) {
            throw Fatal(
                ExitCode::model,
                fmt::format("{} answered {:.6}, which is no probability; its network lacks the {} at its end",
                            spec.id(), output,
                            spec.output.kind == OutputKind::sigmoid ? "sigmoid" : "softmax"));
        }
        probabilities.push_back(within_unit(output));
    }
    const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
    if (spec.output.kind == OutputKind::softmax && std::abs(sum - 1) > stray_sum) {
        throw Fatal(
            ExitCode::model,
            fmt::format(
                "{} answered probabilities that add up to {:.6}, not 1; its network lacks the softmax "
                "at its end",
                spec.id(), sum));
    }
    return probabilities;
}

void apply_temperature(std::vector<double>& probabilities, double temperature) {
    // Relative to the largest, so that no power underflows for all of them.
    const double largest = *std::max_element(probabilities.begin(), probabilities.end());
    double sum = 0;
    for (double& p : probabilities) {
        p = std::pow(std::max(p, least) / largest, 1 / temperature);
        sum += p;
    }
    for (double& p : probabilities) {
        p /= sum;
    }
}

}  // namespace

std::optional<Score> to_score(std::span<const float> outputs, const ModelSpec& spec) {
    const std::vector<std::string>& classes = spec.output.classes;
    if (outputs.size() != classes.size()) {
        throw Fatal(ExitCode::model, fmt::format("{} answered {} numbers for its {} classes", spec.id(),
                                                 outputs.size(), classes.size()));
    }
    if (!std::all_of(outputs.begin(), outputs.end(), [](float output) { return std::isfinite(output); })) {
        return std::nullopt;
    }
    std::vector<double> probabilities = checked(outputs, spec);
    const Calibration& calibration = spec.calibration;
    const bool softmax = spec.output.kind == OutputKind::softmax;
    if (softmax && calibration.kind == CalibrationKind::temperature) {
        apply_temperature(probabilities, calibration.temperature);
    }
    double malignancy = 0;
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const auto& malignant = spec.output.malignant;
        if (std::find(malignant.begin(), malignant.end(), classes[i]) != malignant.end()) {
            malignancy += probabilities[i];
        }
    }
    if (!softmax && calibration.kind == CalibrationKind::temperature) {
        malignancy = sigmoid(logit(malignancy) / calibration.temperature);
    }
    if (calibration.kind == CalibrationKind::platt) {
        malignancy = sigmoid(calibration.slope * logit(malignancy) + calibration.intercept);
    }
    Score score;
    score.malignancy = within_unit(round_probability(malignancy));
    if (spec.output.multi_class()) {
        for (const double p : probabilities) {
            score.probabilities.push_back(round_probability(p));
        }
    }
    return score;
}

}  // namespace skincheck
