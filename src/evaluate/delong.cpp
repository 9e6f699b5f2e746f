#include "evaluate/delong.hpp"

#include "skincheck/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace skincheck {
namespace {

// Ranks from 1, in the order of the values given; equal ones share the mean of theirs.
std::vector<double> midranks(const std::vector<double>& values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> ranks(values.size());
    for (std::size_t from = 0; from < order.size();) {
        std::size_t to = from;
        while (to < order.size() && values[order[to]] == values[order[from]]) {
            ++to;
        }
        for (std::size_t i = from; i < to; ++i) {
            ranks[order[i]] = static_cast<double>(from + to + 1) / 2;
        }
        from = to;
    }
    return ranks;
}

double covariance(const std::vector<double>& a, const std::vector<double>& b, double mean_a, double mean_b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += (a[i] - mean_a) * (b[i] - mean_b);
    }
    return sum / static_cast<double>(a.size() - 1);
}

}  // namespace

Placements placements(const std::vector<double>& score, const std::vector<char>& malignant) {
    std::vector<double> of_malignant, of_benign;
    for (std::size_t i = 0; i < score.size(); ++i) {
        (malignant[i] != 0 ? of_malignant : of_benign).push_back(score[i]);
    }
    const std::vector<double> pooled = midranks(score), among_malignant = midranks(of_malignant),
                              among_benign = midranks(of_benign);
    Placements result;
    const auto m = static_cast<double>(of_malignant.size()), n = static_cast<double>(of_benign.size());
    for (std::size_t i = 0; i < score.size(); ++i) {
        if (malignant[i] != 0) {
            result.malignant.push_back((pooled[i] - among_malignant[result.malignant.size()]) / n);
        } else {
            result.benign.push_back(1 - (pooled[i] - among_benign[result.benign.size()]) / m);
        }
    }
    result.auc = std::accumulate(result.malignant.begin(), result.malignant.end(), 0.0) / m;
    return result;
}

double delong_covariance(const Placements& first, const Placements& second) {
    if (first.malignant.size() < 2 || first.benign.size() < 2) {
        return undefined;
    }
    return covariance(first.malignant, second.malignant, first.auc, second.auc) /
               static_cast<double>(first.malignant.size()) +
           covariance(first.benign, second.benign, first.auc, second.auc) /
               static_cast<double>(first.benign.size());
}

}  // namespace skincheck
