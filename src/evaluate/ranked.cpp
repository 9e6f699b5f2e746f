#include "evaluate/ranked.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace skincheck {
namespace {

double ratio(double part, double whole) {
    return whole > 0 ? part / whole : undefined;
}

double& at(MeasureValues& values, Measure measure) {
    return values.at(static_cast<std::size_t>(measure));
}

}  // namespace

Ranked::Ranked(const Sample& sample) {
    constexpr double epsilon = std::numeric_limits<double>::epsilon();
    std::vector<std::uint32_t> order(sample.score.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return sample.score[a] > sample.score[b] || (sample.score[a] == sample.score[b] && a < b);
    });
    cases_.reserve(order.size());
    for (const std::uint32_t i : order) {
        const double score = sample.score[i];
        const bool malignant = sample.malignant[i] != 0;
        const double given = std::clamp(malignant ? score : 1 - score, epsilon, 1 - epsilon);
        const auto cluster = sample.cluster.empty() ? i : static_cast<std::uint32_t>(sample.cluster[i]);
        clusters_ = std::max(clusters_, std::size_t{cluster} + 1);
        const auto bin = static_cast<std::uint8_t>(bin_of(score, calibration_bins));
        cases_.push_back({score, -std::log(given), cluster, bin, malignant, true});
        if (cases_.size() > 1) {
            Case& previous = cases_[cases_.size() - 2];
            previous.last_of_tie = previous.score != score;
        }
    }
}

std::pair<std::uint64_t, std::uint64_t> Ranked::totals(Weights weights) const {
    std::uint64_t malignant = 0, all = 0;
    for (const Case& c : cases_) {
        all += weights[c.cluster];
        malignant += c.malignant ? weights[c.cluster] : 0;
    }
    return {malignant, all - malignant};
}

double Ranked::threshold(std::size_t cut) const {
    return cut > 0 ? cases_[cut - 1].score : std::nextafter(cases_.front().score, 2.0);
}

double Ranked::roc_auc(Weights weights) const {
    std::uint64_t tp = 0, fp = 0;
    double twice = 0;  // in units of one malignant and one benign case
    for_each_cut(weights, [&](std::size_t, std::uint64_t tp_now, std::uint64_t fp_now) {
        twice += static_cast<double>(fp_now - fp) * static_cast<double>(tp + tp_now);
        tp = tp_now;
        fp = fp_now;
    });
    return ratio(twice, 2 * static_cast<double>(tp) * static_cast<double>(fp));
}

MeasureValues Ranked::measures(Weights weights, double threshold, double min_tpr) const {
    const auto [all_malignant, all_benign] = totals(weights);
    const auto malignant = static_cast<double>(all_malignant), benign = static_cast<double>(all_benign);
    const double wanted = min_tpr * malignant;

    std::uint64_t tp = 0, fp = 0;         // of all that was passed
    double tp_before = 0, fp_before = 0;  // at the last place where a threshold can lie
    double called_tp = 0, called_fp = 0;
    double twice_auc = 0, precision_sum = 0, partial = 0, squares = 0, logs = 0;
    std::array<double, calibration_bins> scores_of_bin{}, malignant_of_bin{};
    for (const Case& c : cases_) {
        const std::uint32_t times = weights[c.cluster];
        const double weight = times;
        (c.malignant ? tp : fp) += times;
        const double error = c.malignant ? 1 - c.score : c.score;
        squares += weight * error * error;
        logs += weight * c.log_loss;
        scores_of_bin[c.bin] += weight * c.score;
        malignant_of_bin[c.bin] += c.malignant ? weight : 0;
        if (!c.last_of_tie) {
            continue;
        }
        const auto tp_now = static_cast<double>(tp), fp_now = static_cast<double>(fp);
        if (c.score >= threshold) {
            called_tp = tp_now;
            called_fp = fp_now;
        }
        twice_auc += (fp_now - fp_before) * (tp_before + tp_now);
        if (tp_now > tp_before) {
            precision_sum += (tp_now - tp_before) * tp_now / (tp_now + fp_now);
            const double from = std::max(tp_before, wanted);
            if (from < tp_now) {
                const double fp_from =
                    fp_before + (fp_now - fp_before) * (from - tp_before) / (tp_now - tp_before);
                partial += (tp_now - from) * (benign - (fp_from + fp_now) / 2);
            }
        }
        tp_before = tp_now;
        fp_before = fp_now;
    }

    MeasureValues values;
    measures_of_counts(called_tp, called_fp, malignant - called_tp, benign - called_fp, values);
    const double all = malignant + benign;
    at(values, Measure::roc_auc) = ratio(twice_auc, 2 * malignant * benign);
    at(values, Measure::average_precision) = ratio(precision_sum, malignant);
    at(values, Measure::partial_auc) = ratio(partial, malignant * benign);
    at(values, Measure::brier) = ratio(squares, all);
    at(values, Measure::log_loss) = ratio(logs, all);
    double distance = 0;
    for (std::size_t bin = 0; bin < scores_of_bin.size(); ++bin) {
        distance += std::abs(scores_of_bin[bin] - malignant_of_bin[bin]);
    }
    at(values, Measure::ece) = ratio(distance, all);
    return values;
}

void measures_of_counts(double tp, double fp, double fn, double tn, MeasureValues& values) {
    const double sensitivity = ratio(tp, tp + fn), specificity = ratio(tn, tn + fp);
    at(values, Measure::accuracy) = ratio(tp + tn, tp + fp + fn + tn);
    at(values, Measure::precision) = ratio(tp, tp + fp);
    at(values, Measure::sensitivity) = sensitivity;
    at(values, Measure::specificity) = specificity;
    at(values, Measure::npv) = ratio(tn, tn + fn);
    at(values, Measure::f1) = ratio(2 * tp, 2 * tp + fp + fn);
    at(values, Measure::balanced_accuracy) = (sensitivity + specificity) / 2;
    at(values, Measure::mcc) =
        ratio(tp * tn - fp * fn, std::sqrt((tp + fp) * (tp + fn)) * std::sqrt((tn + fp) * (tn + fn)));
}

}  // namespace skincheck
