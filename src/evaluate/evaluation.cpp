#include "evaluate/fields.hpp"
#include "evaluate/groups.hpp"
#include "evaluate/multi_class.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skincheck {
namespace {

// Of all patients where they are known; of the lesions of those cases whose patient is not.
std::vector<std::size_t> usual_cluster_columns(const Truth& truth) {
    std::vector<std::size_t> columns;
    for (const std::string_view name : {"patient_id", "lesion_id"}) {
        const auto column = find_column(truth.columns, name);
        if (!column) {
            continue;
        }
        const auto unknown = static_cast<std::size_t>(
            std::count_if(truth.cases.begin(), truth.cases.end(),
                          [&](const TruthCase& known) { return is_unknown(known.values[*column]); }));
        if (unknown < truth.cases.size()) {
            columns.push_back(*column);
        }
        if (unknown == 0) {
            break;
        }
    }
    return columns;
}

// The columns whose values say which cases belong together, the first that tells one counts; none when each
// case stands by itself.
std::vector<std::size_t> cluster_columns(const Truth& truth, const std::string& wanted) {
    if (wanted.empty()) {
        return usual_cluster_columns(truth);
    }
    if (wanted == "none") {
        return {};
    }
    const auto found = find_column(truth.columns, wanted);
    if (!found) {
        throw Fatal(ExitCode::usage,
                    fmt::format("--cluster: {} has no column '{}'", tables_of(truth), wanted));
    }
    return {*found};
}

std::string names_of(const std::vector<std::size_t>& columns, const Truth& truth) {
    std::string names;
    for (const std::size_t column : columns) {
        names += names.empty() ? "" : " or ";
        names += truth.columns[column];
    }
    return names;
}

// Wrong calls of one kind, the most wrong first.
std::vector<Miss> worst(const Joined& joined, double threshold, bool malignant, std::size_t most) {
    std::vector<Miss> misses;
    for (std::size_t i = 0; i < joined.truth.size(); ++i) {
        const double score = joined.sample.score[i];
        if (joined.truth[i]->malignant == malignant && (score >= threshold) != malignant) {
            misses.push_back({joined.truth[i]->id, joined.result[i]->path, malignant, score});
        }
    }
    std::stable_sort(misses.begin(), misses.end(), [&](const Miss& a, const Miss& b) {
        return malignant ? a.score < b.score : a.score > b.score;
    });
    misses.resize(std::min(misses.size(), most));
    return misses;
}

// What the figures are computed of, with all that can be refused found out: the figures take long.
struct Prepared {
    Joined joined;
    std::string cluster;  // the column
    std::size_t clusters = 0;
    std::vector<Members> groups;
};

Prepared prepare(const Truth& truth, const Results& results, const std::vector<std::size_t>& clusters,
                 const std::vector<std::string>& by) {
    Prepared prepared;
    prepared.joined = join(truth, results);
    prepared.clusters = prepared.joined.truth.size();
    if (!clusters.empty()) {
        prepared.cluster = names_of(clusters, truth);
        prepared.clusters = set_clusters(prepared.joined, clusters);
    }
    for (const std::string& column : by) {
        for (Members& members : members_by(column, truth, prepared.joined)) {
            prepared.groups.push_back(std::move(members));
        }
    }
    return prepared;
}

Evaluation evaluate_one(const Truth& truth, const Results& results, const Prepared& prepared,
                        const EvaluateOptions& options) {
    const Joined& joined = prepared.joined;
    Evaluation evaluation;
    evaluation.results_file = results.file;
    evaluation.results_sha256 = results.sha256;
    evaluation.model = results.model;
    evaluation.threshold = options.threshold.value_or(results.threshold.value_or(0.5));
    evaluation.threshold_source = options.threshold            ? ThresholdSource::given
                                  : results.threshold          ? ThresholdSource::of_results
                                  : results.several_thresholds ? ThresholdSource::ambiguous
                                                               : ThresholdSource::assumed;
    evaluation.cluster = prepared.cluster;
    evaluation.clusters = prepared.clusters;
    evaluation.figures = figures(joined.sample, evaluation.threshold, options.figures);
    for (const auto& [aim, wanted] : options.aims) {
        evaluation.operating_points.push_back(operating_point(joined.sample, aim, wanted, options.figures));
    }
    for (const Members& members : prepared.groups) {
        evaluation.groups.push_back(measured(members, joined, evaluation.threshold, options.figures));
    }
    evaluation.faults = results.faults;
    evaluation.faults.insert(evaluation.faults.end(), joined.faults.begin(), joined.faults.end());
    evaluation.multi_class = multi_class(truth, results, joined, options.figures, evaluation.faults);
    if (options.with_curves) {
        evaluation.curves = curves(joined.sample, options.figures);
    }
    evaluation.missed = worst(joined, evaluation.threshold, true, options.worst);
    evaluation.false_alarms = worst(joined, evaluation.threshold, false, options.worst);
    return evaluation;
}

// The cases that both have, with both scores.
struct Both {
    Sample first;
    std::vector<double> second;
};

Both common_cases(const Joined& a, const Joined& b, const std::vector<Results>& results) {
    std::vector<std::size_t> common;
    std::vector<double> scores;
    std::size_t j = 0;  // both are in the order of the truth
    for (std::size_t i = 0; i < a.truth.size(); ++i) {
        while (j < b.truth.size() && b.truth[j] < a.truth[i]) {
            ++j;
        }
        if (j < b.truth.size() && b.truth[j] == a.truth[i]) {
            common.push_back(i);
            scores.push_back(b.sample.score[j]);
        }
    }
    Sample sample = part_of(a.sample, common);
    const auto malignant = std::count(sample.malignant.begin(), sample.malignant.end(), 1);
    if (malignant == 0 || static_cast<std::size_t>(malignant) == common.size()) {
        throw Fatal(
            ExitCode::usage,
            fmt::format(
                "{} and {} share {} images with a usable score, {} of them malignant: too few to compare",
                results[0].file, results[1].file, common.size(), malignant));
    }
    return {std::move(sample), std::move(scores)};
}

std::size_t count_left_out(const std::vector<Fault>& faults) {
    std::size_t count = 0;
    for (const Fault& fault : faults) {
        count += fault.left_out ? fault.count : 0;
    }
    return count;
}

}  // namespace

std::size_t Report::left_out() const {
    std::size_t count = count_left_out(truth_faults);
    for (const Evaluation& evaluation : evaluations) {
        count += count_left_out(evaluation.faults);
    }
    return count;
}

Report evaluate(const Truth& truth, const std::vector<Results>& results, const EvaluateOptions& options) {
    const std::vector<std::size_t> clusters = cluster_columns(truth, options.cluster);
    for (const std::string& column : options.by) {
        check_group_column(column, truth);
    }
    std::vector<Prepared> prepared;
    prepared.reserve(results.size());
    for (const Results& of_one : results) {
        prepared.push_back(prepare(truth, of_one, clusters, options.by));
    }
    std::optional<Both> both;
    if (results.size() == 2) {
        both = common_cases(prepared[0].joined, prepared[1].joined, results);
    }

    Report report;
    report.truth_file = truth.file;
    report.truth_sha256 = truth.sha256;
    report.truth_layout = truth.layout;
    report.metadata_file = truth.metadata_file;
    report.metadata_sha256 = truth.metadata_sha256;
    report.truth_faults = truth.faults;
    report.options = options;
    for (std::size_t i = 0; i < results.size(); ++i) {
        report.evaluations.push_back(evaluate_one(truth, results[i], prepared[i], options));
    }
    if (both) {
        report.comparison = compare(both->first, both->second, options.figures);
    }
    return report;
}

}  // namespace skincheck
