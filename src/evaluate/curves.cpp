#include "evaluate/bootstrap.hpp"

#include <algorithm>
#include <cmath>

namespace skincheck {
namespace {

constexpr std::size_t steps = 200;  // of a curve's x, from 0 to 1

using Curve = std::array<double, steps + 1>;

struct Pair {
    Curve roc{}, precision_recall{};
};

double grid(std::size_t step) {
    return static_cast<double>(step) / static_cast<double>(steps);
}

// ROC: straight between its corners, at a vertical part its upper end. Precision: where that sensitivity is
// first reached, since between two points it does not run straight (Davis and Goadrich 2006).
Pair trace(const Ranked& ranked, Weights weights) {
    const auto [all_malignant, all_benign] = ranked.totals(weights);
    const auto malignant = static_cast<double>(all_malignant), benign = static_cast<double>(all_benign);
    Pair pair;
    std::size_t roc_step = 0, recall_step = 0;
    double fpr = 0, tpr = 0;
    ranked.for_each_cut(weights, [&](std::size_t cut, std::uint64_t tp, std::uint64_t fp) {
        const double fpr_now = static_cast<double>(fp) / benign,
                     tpr_now = static_cast<double>(tp) / malignant;
        for (; roc_step <= steps && grid(roc_step) < fpr_now; ++roc_step) {
            pair.roc[roc_step] = tpr + (tpr_now - tpr) * (grid(roc_step) - fpr) / (fpr_now - fpr);
        }
        fpr = fpr_now;
        tpr = tpr_now;
        if (cut > 0 && tp + fp > 0) {
            const double precision = static_cast<double>(tp) / static_cast<double>(tp + fp);
            for (; recall_step <= steps && grid(recall_step) <= tpr_now; ++recall_step) {
                pair.precision_recall[recall_step] = precision;
            }
        }
    });
    // Without benign cases, which can happen where lesions hold both kinds, there is no curve.
    std::fill(pair.roc.begin() + static_cast<std::ptrdiff_t>(roc_step), pair.roc.end(),
              all_benign > 0 ? 1.0 : undefined);
    return pair;
}

std::vector<CurvePoint> with_band(const Curve& curve, const std::vector<Pair>& resampled, Curve Pair::*of) {
    std::vector<CurvePoint> points;
    for (std::size_t step = 0; step <= steps; ++step) {
        CurvePoint point{grid(step), curve[step]};
        if (!resampled.empty()) {
            std::vector<double> column(resampled.size());
            std::transform(resampled.begin(), resampled.end(), column.begin(),
                           [&](const Pair& pair) { return (pair.*of)[step]; });
            std::erase_if(column, [](double value) { return std::isnan(value); });
            if (column.size() * 20 > resampled.size() * 19) {  // as for the figures' intervals
                std::sort(column.begin(), column.end());
                point.low = percentile(column, 0.025);
                point.high = percentile(column, 0.975);
            }
        }
        points.push_back(point);
    }
    return points;
}

// Wilson (1927): unlike the normal interval it makes sense for small bins and shares of 0 and 1.
void set_wilson(CalibrationBin& bin) {
    const auto n = static_cast<double>(bin.count);
    const double p = bin.malignant_share, z2 = normal_95 * normal_95;
    const double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    const double half = normal_95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    // At shares of 0 and 1 the share is the end, give or take a rounding.
    bin.low = std::clamp(middle - half, 0.0, p);
    bin.high = std::clamp(middle + half, p, 1.0);
}

void count(const Sample& sample, Curves& curves) {
    for (std::size_t i = 0; i < sample.score.size(); ++i) {
        const double score = sample.score[i];
        const bool malignant = sample.malignant[i] != 0;
        auto& histogram = malignant ? curves.malignant_histogram : curves.benign_histogram;
        ++histogram[bin_of(score, histogram.size())];
        CalibrationBin& bin = curves.calibration[bin_of(score, curves.calibration.size())];
        if (++bin.count == 1) {
            bin.mean_score = bin.malignant_share = 0;
        }
        bin.mean_score += score;
        bin.malignant_share += malignant ? 1 : 0;
    }
    for (CalibrationBin& bin : curves.calibration) {
        if (bin.count > 0) {
            bin.mean_score /= static_cast<double>(bin.count);
            bin.malignant_share /= static_cast<double>(bin.count);
            set_wilson(bin);
        }
    }
}

std::vector<SweepPoint> sweep(const Sample& sample) {
    constexpr std::size_t thresholds = 100;
    const auto at = [](std::size_t i) { return static_cast<double>(i) / static_cast<double>(thresholds); };
    std::array<std::size_t, thresholds + 1> tp{}, fp{};
    std::size_t malignant = 0;
    for (std::size_t i = 0; i < sample.score.size(); ++i) {
        // The last threshold that calls this case.
        std::size_t highest = bin_of(sample.score[i], thresholds + 1);
        while (highest < thresholds && at(highest + 1) <= sample.score[i]) {
            ++highest;
        }
        while (at(highest) > sample.score[i]) {
            --highest;
        }
        malignant += sample.malignant[i] != 0 ? 1U : 0U;
        ++(sample.malignant[i] != 0 ? tp : fp)[highest];
    }
    for (std::size_t i = thresholds; i-- > 0;) {
        tp[i] += tp[i + 1];
        fp[i] += fp[i + 1];
    }
    std::vector<SweepPoint> points;
    for (std::size_t i = 0; i <= thresholds; ++i) {
        MeasureValues values{};
        measures_of_counts(static_cast<double>(tp[i]), static_cast<double>(fp[i]),
                           static_cast<double>(malignant - tp[i]),
                           static_cast<double>(sample.score.size() - malignant - fp[i]), values);
        const auto value = [&](Measure measure) { return values.at(static_cast<std::size_t>(measure)); };
        points.push_back({at(i), value(Measure::sensitivity), value(Measure::specificity),
                          value(Measure::precision), value(Measure::f1)});
    }
    return points;
}

}  // namespace

Curves curves(const Sample& sample, const FigureOptions& options) {
    const Ranked ranked(sample);
    const std::vector<std::uint32_t> ones(ranked.clusters(), 1U);
    const Pair whole = trace(ranked, ones);
    std::vector<Pair> resampled(static_cast<std::size_t>(std::max(0, options.bootstrap)));
    resample(strata_of(sample), options,
             [&](std::size_t number, Weights weights) { resampled[number] = trace(ranked, weights); });
    Curves result;
    result.roc = with_band(whole.roc, resampled, &Pair::roc);
    result.precision_recall = with_band(whole.precision_recall, resampled, &Pair::precision_recall);
    count(sample, result);
    result.sweep = sweep(sample);
    return result;
}

}  // namespace skincheck
