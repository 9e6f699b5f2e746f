#include "evaluate/bootstrap.hpp"
#include "evaluate/delong.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace skincheck {
namespace {

struct Name {
    std::string_view key, title;
};

constexpr std::array<Name, measure_count> names = {{
    {"accuracy", "Accuracy"},
    {"precision", "Precision (PPV)"},
    {"sensitivity", "Sensitivity (recall)"},
    {"specificity", "Specificity"},
    {"npv", "NPV"},
    {"f1", "F1"},
    {"balanced_accuracy", "Balanced accuracy"},
    {"mcc", "Matthews correlation"},
    {"roc_auc", "ROC AUC"},
    {"average_precision", "Average precision"},
    {"partial_auc", "Partial AUC"},
    {"brier", "Brier score"},
    {"log_loss", "Log loss"},
    {"ece", "ECE"},
}};

// Why a measure has no value.
std::string reason_of(Measure measure, const Confusion& c) {
    switch (measure) {
        case Measure::precision:
            return "no case is called malignant";
        case Measure::npv:
            return "no case is called benign";
        case Measure::sensitivity:
        case Measure::average_precision:
            return "no malignant case";
        case Measure::specificity:
            return "no benign case";
        case Measure::f1:
            return "no case is malignant or called so";
        case Measure::mcc:
            if (c.tp + c.fp == 0 || c.tn + c.fn == 0) {
                return "all cases are called the same";
            }
            [[fallthrough]];
        default:
            return c.tp + c.fn == 0 ? (c.fp + c.tn == 0 ? "no case" : "no malignant case") : "no benign case";
    }
}

// How many clusters have cases that this is a share of; 0 for what is no share.
std::size_t clusters_of(Measure measure, const Sample& sample, double threshold) {
    std::set<std::size_t> clusters;
    for (std::size_t i = 0; i < sample.score.size(); ++i) {
        const bool malignant = sample.malignant[i] != 0, called = sample.score[i] >= threshold;
        if (measure == Measure::accuracy || (measure == Measure::sensitivity && malignant) ||
            (measure == Measure::specificity && !malignant) || (measure == Measure::precision && called) ||
            (measure == Measure::npv && !called)) {
            clusters.insert(sample.cluster.empty() ? i : static_cast<std::size_t>(sample.cluster[i]));
        }
    }
    return clusters.size();
}

// Of all or none, which resamples cannot tell from more of the same (Clopper and Pearson, Biometrika 26,
// 1934).
void set_exact_interval(Figure& figure, std::size_t clusters) {
    if (clusters == 0 || (figure.value != 0 && figure.value != 1)) {
        return;
    }
    const double farthest = std::pow(0.025, 1 / static_cast<double>(clusters));
    figure.low = figure.value == 1 ? farthest : 0;
    figure.high = figure.value == 1 ? 1 : 1 - farthest;
    figure.reason.clear();
}

// What is left of a variance that would be nothing if numbers had all their digits; of those that it is made
// of.
constexpr double rounded_off = 1e-12;

const char* too_few(const Sample& sample) {
    return sample.cluster.empty() ? "it needs two cases of each kind"
                                  : "it needs cases of each kind in two clusters";
}

}  // namespace

std::string_view to_string(Measure measure) {
    return names.at(static_cast<std::size_t>(measure)).key;
}
std::string_view title(Measure measure) {
    return names.at(static_cast<std::size_t>(measure)).title;
}

Figures figures(const Sample& sample, double threshold, const FigureOptions& options) {
    const Ranked ranked(sample);
    const std::vector<std::uint32_t> ones(ranked.clusters(), 1U);
    const MeasureValues values = ranked.measures(ones, threshold, options.min_tpr);

    Figures result;
    for (std::size_t i = 0; i < sample.score.size(); ++i) {
        const bool malignant = sample.malignant[i] != 0, called = sample.score[i] >= threshold;
        Confusion& c = result.confusion;
        ++(malignant ? (called ? c.tp : c.fn) : (called ? c.fp : c.tn));
    }
    result.malignant = result.confusion.tp + result.confusion.fn;
    result.benign = result.confusion.fp + result.confusion.tn;

    std::vector<MeasureValues> resampled(static_cast<std::size_t>(std::max(0, options.bootstrap)));
    resample(strata_of(sample), options, [&](std::size_t number, Weights weights) {
        resampled[number] = ranked.measures(weights, threshold, options.min_tpr);
    });
    for (std::size_t i = 0; i < values.size(); ++i) {
        Figure& figure = result.measures[i];
        figure.value = values[i];
        if (std::isnan(figure.value)) {
            figure.reason = reason_of(static_cast<Measure>(i), result.confusion);
            continue;
        }
        std::vector<double> column;
        column.reserve(resampled.size());
        for (const MeasureValues& of_one : resampled) {
            column.push_back(of_one[i]);
        }
        set_interval(figure, std::move(column));
        if (options.bootstrap > 0 && std::isnan(figure.low)) {
            set_exact_interval(figure, clusters_of(static_cast<Measure>(i), sample, threshold));
        }
    }

    result.delong.value = result[Measure::roc_auc].value;
    result.delong.reason = result[Measure::roc_auc].reason;
    if (!std::isnan(result.delong.value)) {
        const Placements placed = placements(sample);
        const double variance = delong_covariance(placed, placed);
        if (std::isnan(variance)) {
            result.delong.reason = fmt::format("no interval: {}", too_few(sample));
        } else if (variance < rounded_off * rounded_off) {
            result.delong.reason = "no interval: no case varies from the rest of its kind";
        } else {
            const double deviation = std::sqrt(variance);
            result.delong.low = std::max(0.0, result.delong.value - normal_95 * deviation);
            result.delong.high = std::min(1.0, result.delong.value + normal_95 * deviation);
        }
    }
    return result;
}

Comparison compare(const Sample& first, const std::vector<double>& second, const FigureOptions& options) {
    const Sample other{second, first.malignant, first.cluster};
    const Ranked ranked_first(first), ranked_second(other);
    const Placements a = placements(first), b = placements(other);

    Comparison result;
    result.cases = second.size();
    result.first_auc = a.auc;
    result.second_auc = b.auc;
    result.difference.value = a.auc - b.auc;
    std::vector<double> resampled(static_cast<std::size_t>(std::max(0, options.bootstrap)));
    resample(strata_of(first), options, [&](std::size_t number, Weights weights) {
        resampled[number] = ranked_first.roc_auc(weights) - ranked_second.roc_auc(weights);
    });
    set_interval(result.difference, std::move(resampled));

    const double both = delong_covariance(a, a) + delong_covariance(b, b);
    if (std::isnan(both)) {
        result.reason = too_few(first);
        return result;
    }
    const double variance = both - 2 * delong_covariance(a, b);
    if (variance > rounded_off * both) {
        const double deviation = std::sqrt(variance);
        result.z = result.difference.value / deviation;
        result.p = std::erfc(std::abs(result.z) / std::sqrt(2.0));
        result.delong_low = result.difference.value - normal_95 * deviation;
        result.delong_high = result.difference.value + normal_95 * deviation;
    } else {
        result.reason = "the difference has no variance";
    }
    return result;
}

}  // namespace skincheck
