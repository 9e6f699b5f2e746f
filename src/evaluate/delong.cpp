#include "evaluate/delong.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

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

/// What the cases of a cluster add together, beyond what is to be expected of as many.
struct ClusterSum {
    double malignant = 0, benign = 0;
};

std::vector<ClusterSum> cluster_sums(const Placements& placed) {
    std::vector<ClusterSum> sums(placed.clusters);
    for (std::size_t i = 0; i < placed.malignant.size(); ++i) {
        sums[placed.malignant_cluster[i]].malignant += placed.malignant[i] - placed.auc;
    }
    for (std::size_t i = 0; i < placed.benign.size(); ++i) {
        sums[placed.benign_cluster[i]].benign += placed.benign[i] - placed.auc;
    }
    return sums;
}

std::size_t distinct(std::vector<std::size_t> clusters) {
    std::sort(clusters.begin(), clusters.end());
    return static_cast<std::size_t>(std::unique(clusters.begin(), clusters.end()) - clusters.begin());
}

/// n / (n - 1), for a variance of n.
double unbiased(std::size_t n) {
    return static_cast<double>(n) / static_cast<double>(n - 1);
}

}  // namespace

Placements placements(const Sample& sample) {
    std::vector<double> of_malignant, of_benign;
    for (std::size_t i = 0; i < sample.score.size(); ++i) {
        (sample.malignant[i] != 0 ? of_malignant : of_benign).push_back(sample.score[i]);
    }
    const std::vector<double> pooled = midranks(sample.score), among_malignant = midranks(of_malignant),
                              among_benign = midranks(of_benign);
    Placements result;
    const auto m = static_cast<double>(of_malignant.size()), n = static_cast<double>(of_benign.size());
    for (std::size_t i = 0; i < sample.score.size(); ++i) {
        const std::size_t cluster = sample.cluster.empty() ? i : static_cast<std::size_t>(sample.cluster[i]);
        result.clusters = std::max(result.clusters, cluster + 1);
        if (sample.malignant[i] != 0) {
            result.malignant.push_back((pooled[i] - among_malignant[result.malignant.size()]) / n);
            result.malignant_cluster.push_back(cluster);
        } else {
            result.benign.push_back(1 - (pooled[i] - among_benign[result.benign.size()]) / m);
            result.benign_cluster.push_back(cluster);
        }
    }
    result.auc = std::accumulate(result.malignant.begin(), result.malignant.end(), 0.0) / m;
    return result;
}

double delong_covariance(const Placements& first, const Placements& second) {
    const std::size_t with_malignant = distinct(first.malignant_cluster),
                      with_benign = distinct(first.benign_cluster);
    if (with_malignant < 2 || with_benign < 2) {
        return undefined;
    }
    std::vector<std::size_t> all = first.malignant_cluster;
    all.insert(all.end(), first.benign_cluster.begin(), first.benign_cluster.end());
    const auto m = static_cast<double>(first.malignant.size()), n = static_cast<double>(first.benign.size());
    const std::vector<ClusterSum> a = cluster_sums(first), b = cluster_sums(second);
    double of_malignant = 0, of_benign = 0, of_both = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        of_malignant += a[i].malignant * b[i].malignant;
        of_benign += a[i].benign * b[i].benign;
        of_both += a[i].malignant * b[i].benign + a[i].benign * b[i].malignant;
    }
    return unbiased(with_malignant) * of_malignant / (m * m) + unbiased(with_benign) * of_benign / (n * n) +
           unbiased(distinct(std::move(all))) * of_both / (m * n);
}

}  // namespace skincheck
