#include "evaluate/multi_class.hpp"

#include "evaluate/bootstrap.hpp"
#include "evaluate/fields.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace skincheck {
namespace {

std::string plain(const std::string& name) {
    const std::string word = lower_case(name);
    return word == "ak" ? "akiec" : word;
}

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

// Of each class of the results, which one of the truth's it is; none for others, such as ISIC 2019's UNK.
std::vector<std::size_t> places(const std::vector<std::string>& of_results,
                                const std::vector<std::string>& of_truth) {
    std::vector<std::size_t> result;
    for (const std::string& name : of_results) {
        const auto found = std::find_if(of_truth.begin(), of_truth.end(), [&](const std::string& other) {
            return plain(other) == plain(name);
        });
        result.push_back(found == of_truth.end() ? none : static_cast<std::size_t>(found - of_truth.begin()));
    }
    return result;
}

struct Call {
    std::size_t truth;
    /// None: a class that the truth does not have, or two that share the highest probability.
    std::size_t called;
};

// Whether the class that the truth has for each case is one of the results'.
bool all_have_place(const std::vector<const TruthCase*>& truth, const std::vector<std::size_t>& place) {
    return std::all_of(truth.begin(), truth.end(), [&](const TruthCase* known) {
        return known->diagnosis >= 0 && std::find(place.begin(), place.end(),
                                                  static_cast<std::size_t>(known->diagnosis)) != place.end();
    });
}

std::size_t called_class(const std::vector<double>& probabilities, const std::vector<std::size_t>& place) {
    const auto highest = std::max_element(probabilities.begin(), probabilities.end());
    if (std::count(probabilities.begin(), probabilities.end(), *highest) > 1) {
        return none;
    }
    return place[static_cast<std::size_t>(highest - probabilities.begin())];
}

// The sensitivity of each class, and last the mean of those of classes that occur at all.
std::vector<double> sensitivities(const std::vector<Call>& calls, const Sample& sample, Weights weights,
                                  std::size_t classes) {
    std::vector<double> right(classes + 1), all(classes + 1);
    for (std::size_t i = 0; i < calls.size(); ++i) {
        const double weight =
            weights[sample.cluster.empty() ? i : static_cast<std::size_t>(sample.cluster[i])];
        all[calls[i].truth] += weight;
        right[calls[i].truth] += calls[i].truth == calls[i].called ? weight : 0;
    }
    double sum = 0;
    std::size_t occurring = 0;
    for (std::size_t c = 0; c < classes; ++c) {
        occurring += all[c] > 0 ? 1U : 0U;
        right[c] = all[c] > 0 ? right[c] / all[c] : undefined;
        sum += all[c] > 0 ? right[c] : 0;
    }
    right[classes] = occurring > 0 ? sum / static_cast<double>(occurring) : undefined;
    return right;
}

void set_figures(MultiClass& result, const std::vector<Call>& calls, const Sample& sample,
                 const FigureOptions& options) {
    const std::size_t classes = result.classes.size();
    const Strata strata = strata_of(sample);
    const std::vector<std::uint32_t> ones(strata[0].size() + strata[1].size(), 1U);
    const std::vector<double> values = sensitivities(calls, sample, ones, classes);
    std::vector<std::vector<double>> resampled(static_cast<std::size_t>(std::max(0, options.bootstrap)));
    resample(strata, options, [&](std::size_t number, Weights weights) {
        resampled[number] = sensitivities(calls, sample, weights, classes);
    });
    for (std::size_t c = 0; c <= classes; ++c) {
        Figure figure;
        figure.value = values[c];
        figure.reason = std::isnan(values[c]) ? "no case of this class" : "";
        std::vector<double> column;
        column.reserve(resampled.size());
        for (const auto& of_one : resampled) {
            column.push_back(of_one[c]);
        }
        set_interval(figure, std::move(column));
        if (c < classes) {
            result.sensitivity.push_back(std::move(figure));
        } else {
            result.balanced_accuracy = std::move(figure);
        }
    }
}

}  // namespace

std::optional<MultiClass> multi_class(const Truth& truth, const Results& results, const Joined& joined,
                                      const FigureOptions& options, std::vector<Fault>& faults) {
    const std::vector<std::size_t> place = places(results.classes, truth.classes);
    if (!all_have_place(joined.truth, place)) {
        return std::nullopt;
    }
    std::vector<Call> calls;
    std::vector<std::size_t> measured;  // numbers of the joined cases that the calls are of
    Fault without{"without all probabilities, out of the classes' figures alone", 0, {}};
    MultiClass result;
    result.classes = truth.classes;
    result.matrix.assign(truth.classes.size(), std::vector<std::size_t>(truth.classes.size()));
    result.undecided.assign(truth.classes.size(), 0);
    for (std::size_t i = 0; i < joined.truth.size(); ++i) {
        const std::vector<double>& probabilities = joined.result[i]->probabilities;
        if (probabilities.empty()) {
            without.add(joined.truth[i]->id);
            continue;
        }
        const Call call{static_cast<std::size_t>(joined.truth[i]->diagnosis),
                        called_class(probabilities, place)};
        calls.push_back(call);
        measured.push_back(i);
        ++(call.called == none ? result.undecided[call.truth] : result.matrix[call.truth][call.called]);
    }

    if (without.count > 0) {
        faults.push_back(std::move(without));
    }
    if (calls.empty()) {
        return std::nullopt;
    }

    set_figures(result, calls, part_of(joined.sample, measured), options);
    return result;
}

}  // namespace skincheck
