#include "skincheck/evaluate.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace skincheck {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) {
    return std::isnan(value) ? Json() : Json(value);
}
Json text(const std::string& value) {
    return value.empty() ? Json() : Json(value);
}

Json object_of(const Figure& figure) {
    Json object{{"value", number(figure.value)}, {"low", number(figure.low)}, {"high", number(figure.high)}};
    if (!figure.reason.empty()) {
        object["reason"] = figure.reason;
    }
    return object;
}

Json object_of(const Confusion& c) {
    return {{"tp", c.tp}, {"fp", c.fp}, {"fn", c.fn}, {"tn", c.tn}};
}

Json object_of(const Figures& f) {
    Json object{{"cases", f.malignant + f.benign}, {"malignant", f.malignant}, {"benign", f.benign}};
    object["confusion"] = object_of(f.confusion);
    for (int i = 0; i < measure_count; ++i) {
        const auto measure = static_cast<Measure>(i);
        object[std::string(to_string(measure))] = object_of(f[measure]);
    }
    object["roc_auc_delong"] = object_of(f.delong);
    return object;
}

Json object_of(const OperatingPoint& point) {
    return {{"aim", point.aim},
            {"threshold", number(point.threshold)},
            {"confusion", std::isnan(point.threshold) ? Json() : object_of(point.confusion)},
            {"sensitivity", object_of(point.sensitivity)},
            {"specificity", object_of(point.specificity)},
            {"precision", object_of(point.precision)},
            {"npv", object_of(point.npv)},
            {"expected_sensitivity", object_of(point.expected_sensitivity)},
            {"expected_specificity", object_of(point.expected_specificity)}};
}

Json object_of(const MultiClass& several) {
    Json sensitivity = Json::object();
    for (std::size_t i = 0; i < several.classes.size(); ++i) {
        sensitivity[several.classes[i]] = object_of(several.sensitivity[i]);
    }
    return {{"classes", several.classes},
            {"balanced_accuracy", object_of(several.balanced_accuracy)},
            {"sensitivity", sensitivity},
            {"confusion", several.matrix},
            {"undecided", several.undecided}};
}

Json array_of(const std::vector<Fault>& faults, bool left_out) {
    Json array = Json::array();
    for (const Fault& fault : faults) {
        if (fault.left_out != left_out) {
            continue;
        }
        array.push_back({{"what", fault.what}, {"count", fault.count}, {"names", fault.names}});
    }
    return array;
}

Json array_of(const std::vector<Miss>& misses) {
    Json array = Json::array();
    for (const Miss& miss : misses) {
        array.push_back({{"id", miss.id}, {"path", miss.path}, {"score", miss.score}});
    }
    return array;
}

Json object_of(const Evaluation& evaluation) {
    Json object{{"results", evaluation.results_file},
                {"results_sha256", text(evaluation.results_sha256)},
                {"model", text(evaluation.model)},
                {"threshold", evaluation.threshold},
                {"threshold_assumed", evaluation.threshold_source == ThresholdSource::assumed ||
                                          evaluation.threshold_source == ThresholdSource::ambiguous},
                {"cluster", text(evaluation.cluster)},
                {"clusters", evaluation.clusters},
                {"figures", object_of(evaluation.figures)}};
    object["operating_points"] = Json::array();
    for (const OperatingPoint& point : evaluation.operating_points) {
        object["operating_points"].push_back(object_of(point));
    }
    object["groups"] = Json::array();
    for (const Group& group : evaluation.groups) {
        object["groups"].push_back({{"column", group.column},
                                    {"value", group.value},
                                    {"small", group.small},
                                    {"figures", object_of(group.figures)}});
    }
    object["multi_class"] = evaluation.multi_class ? object_of(*evaluation.multi_class) : Json();
    object["missed"] = array_of(evaluation.missed);
    object["false_alarms"] = array_of(evaluation.false_alarms);
    object["left_out"] = array_of(evaluation.faults, true);
    object["remarks"] = array_of(evaluation.faults, false);
    return object;
}

Json object_of(const Comparison& c) {
    Json delong{{"low", number(c.delong_low)},
                {"high", number(c.delong_high)},
                {"z", number(c.z)},
                {"p", number(c.p)}};
    if (!c.reason.empty()) {
        delong["reason"] = c.reason;
    }
    return {{"cases", c.cases},
            {"first_roc_auc", number(c.first_auc)},
            {"second_roc_auc", number(c.second_auc)},
            {"difference", object_of(c.difference)},
            {"delong", delong}};
}

}  // namespace

std::string report_json(const Report& report) {
    const FigureOptions& options = report.options.figures;
    Json object{
        {"skincheck", {{"version", SKINCHECK_VERSION}}},
        {"truth",
         {{"file", report.truth_file},
          {"sha256", text(report.truth_sha256)},
          {"layout", report.truth_layout},
          {"metadata", text(report.metadata_file)},
          {"metadata_sha256", text(report.metadata_sha256)},
          {"left_out", array_of(report.truth_faults, true)},
          {"remarks", array_of(report.truth_faults, false)}}},
        {"bootstrap", {{"resamples", options.bootstrap}, {"seed", options.seed}, {"confidence", 0.95}}},
        {"min_tpr", options.min_tpr},
        {"calibration_bins", calibration_bins}};
    object["evaluations"] = Json::array();
    for (const Evaluation& evaluation : report.evaluations) {
        object["evaluations"].push_back(object_of(evaluation));
    }
    object["comparison"] = report.comparison ? object_of(*report.comparison) : Json();
    return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace skincheck
