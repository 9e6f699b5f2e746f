#include "evaluate/results_collector.hpp"

#include "skincheck/result.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace skincheck {
namespace {

constexpr std::size_t most_models = 3;

bool outside(double value) {
    return value < 0 || value > 1;
}

bool is_none(double value) {
    return std::isnan(value);
}

}  // namespace

void ResultsCollector::add(const ResultRow& row) {
    ++rows_;
    ResultCase made;
    made.id = image_id(trimmed(row.path));
    if (made.id.empty()) {
        faults_.add("no id", std::string(row.place));
        return;
    }
    const auto& probabilities = row.probabilities;
    const auto leave_out = [&](std::string_view what, const std::string& name) {
        faults_.add(what, name);
        results_.left_out.insert(made.id);
    };
    if (row.status != "ok") {
        leave_out("status is not ok", fmt::format("{} ({})", made.id, row.status));
    } else if (is_none(row.score)) {
        leave_out("no score", made.id);
    } else if (outside(row.score) || std::any_of(probabilities.begin(), probabilities.end(), outside)) {
        leave_out("scores outside [0,1]", made.id);
    } else {
        made.path = row.path;
        made.score = row.score;
        if (std::none_of(probabilities.begin(), probabilities.end(), is_none)) {
            made.probabilities = probabilities;
        }
        results_.cases.push_back(std::move(made));
    }
}

void ResultsCollector::add_model(std::string_view model) {
    if (model.empty() || model == last_model_) {
        return;
    }
    last_model_ = model;
    if (models_.insert(last_model_).second && first_models_.size() < most_models) {
        first_models_.push_back(last_model_);
    }
}

void ResultsCollector::add_threshold(double threshold) {
    if (threshold != last_threshold_) {
        thresholds_.insert(threshold);
        last_threshold_ = threshold;
    }
}

Results ResultsCollector::finish(std::vector<std::string> classes) {
    if (rows_ == 0) {
        throw Fatal(ExitCode::usage, fmt::format("{}: there is no row of results in it", results_.file));
    }
    results_.classes = std::move(classes);
    for (ResultCase& made : results_.cases) {
        if (made.probabilities.size() != results_.classes.size()) {
            made.probabilities.clear();
        }
    }
    drop_duplicates(results_.cases, "duplicates in the results", faults_);
    results_.model = fmt::format("{}", fmt::join(first_models_, ", "));
    if (models_.size() > first_models_.size()) {
        results_.model += fmt::format(" and {} more", models_.size() - first_models_.size());
    }
    if (thresholds_.size() == 1) {
        results_.threshold = *thresholds_.begin();
    } else {
        results_.several_thresholds = !thresholds_.empty();
        for (const double threshold : thresholds_) {
            faults_.add("several thresholds", fmt::format("{}", threshold), false);
        }
    }
    results_.faults = faults_.take();
    return std::move(results_);
}

}  // namespace skincheck
