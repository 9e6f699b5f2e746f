#include "evaluate/bootstrap.hpp"
#include "evaluate/delong.hpp"

#include <algorithm>
#include <cmath>

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
    }

    result.delong.value = result[Measure::roc_auc].value;
    result.delong.reason = result[Measure::roc_auc].reason;
    if (!std::isnan(result.delong.value)) {
        const Placements placed = placements(sample.score, sample.malignant);
        const double deviation = std::sqrt(delong_covariance(placed, placed));
        if (std::isnan(deviation) || deviation == 0) {
            result.delong.reason = std::isnan(deviation)
                                       ? "no interval: it needs two cases of each kind"
                                       : "no interval: no case varies from the rest of its kind";
        } else {
            result.delong.low = std::max(0.0, result.delong.value - normal_95 * deviation);
            result.delong.high = std::min(1.0, result.delong.value + normal_95 * deviation);
        }
    }
    return result;
}

Comparison compare(const Sample& first, const std::vector<double>& second, const FigureOptions& options) {
    const Sample other{second, first.malignant, first.cluster};
    const Ranked ranked_first(first), ranked_second(other);
    const Placements a = placements(first.score, first.malignant), b = placements(second, first.malignant);

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

    if (a.malignant.size() < 2 || a.benign.size() < 2) {
        result.reason = "it needs two cases of each kind";
        return result;
    }
    const double variance = delong_covariance(a, a) + delong_covariance(b, b) - 2 * delong_covariance(a, b);
    if (variance > 0) {
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
