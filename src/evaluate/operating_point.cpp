#include "evaluate/bootstrap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace skincheck {
namespace {

// How many cases a threshold for the aim calls malignant.
std::size_t choose_cut(const Ranked& ranked, Weights weights, Aim aim, double wanted) {
    const auto [malignant, benign] = ranked.totals(weights);
    // A share such as 0.95 of 20 is 19, whatever binary fractions make of it.
    const double enough = wanted * static_cast<double>(malignant) - 1e-9;
    const double allowed = (1 - wanted) * static_cast<double>(benign) + 1e-9;
    std::size_t chosen = 0;
    std::uint64_t called = 0;
    bool reached = false;
    ranked.for_each_cut(weights, [&](std::size_t cut, std::uint64_t tp, std::uint64_t fp) {
        if (aim == Aim::specificity) {
            // Cases that a resample left out must not move its threshold.
            const bool more = tp + fp > called;
            chosen = more && static_cast<double>(fp) <= allowed ? cut : chosen;
            called = tp + fp;
        } else if (!reached && cut > 0 && static_cast<double>(tp) >= enough) {
            chosen = cut;
            reached = true;
        }
    });
    return chosen;
}

Figure share(std::size_t part, std::size_t rest, const char* reason) {
    Figure figure;
    if (part + rest == 0) {
        figure.reason = reason;
    } else {
        figure.value = static_cast<double>(part) / static_cast<double>(part + rest);
    }
    return figure;
}

// The mean of what the resamples gave for cases that they had left out, and its interval.
Figure expected(const std::vector<double>& of_resamples) {
    Figure figure;
    std::vector<double> finite = of_resamples;
    std::erase_if(finite, [](double value) { return std::isnan(value); });
    if (finite.empty()) {
        figure.reason =
            of_resamples.empty() ? "without resamples" : "no resample left a case of this kind out";
        return figure;
    }
    figure.value = std::accumulate(finite.begin(), finite.end(), 0.0) / static_cast<double>(finite.size());
    set_interval(figure, of_resamples);
    return figure;
}

}  // namespace

OperatingPoint operating_point(const Sample& sample, Aim aim, double wanted, const FigureOptions& options) {
    const Ranked ranked(sample);
    const std::vector<std::uint32_t> ones(ranked.clusters(), 1U);
    const std::size_t cut = choose_cut(ranked, ones, aim, wanted);

    OperatingPoint point;
    point.aim = fmt::format("{} >= {}", aim == Aim::sensitivity ? "sensitivity" : "specificity", wanted);
    const double threshold = ranked.threshold(cut);
    if (threshold > 1) {
        for (Figure* figure : {&point.sensitivity, &point.specificity, &point.precision, &point.npv,
                               &point.expected_sensitivity, &point.expected_specificity}) {
            figure->reason = "no threshold up to 1 reaches it";
        }
        return point;
    }
    point.threshold = threshold;
    const Figures reached = figures(sample, threshold, options);
    point.confusion = reached.confusion;
    point.sensitivity = reached[Measure::sensitivity];
    point.specificity = reached[Measure::specificity];
    point.precision = reached[Measure::precision];
    point.npv = reached[Measure::npv];

    const auto total = static_cast<std::size_t>(std::max(0, options.bootstrap));
    std::vector<double> sensitivity(total, undefined), specificity(total, undefined);
    resample(strata_of(sample), options, [&](std::size_t number, Weights weights) {
        const Confusion c = ranked.calls(choose_cut(ranked, weights, aim, wanted),
                                         [&](std::size_t cluster) { return weights[cluster] == 0; });
        sensitivity[number] = share(c.tp, c.fn, "").value;
        specificity[number] = share(c.tn, c.fp, "").value;
    });
    point.expected_sensitivity = expected(sensitivity);
    point.expected_specificity = expected(specificity);
    return point;
}

}  // namespace skincheck
