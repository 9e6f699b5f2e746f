#include "skincheck/evaluate.hpp"

#include "evaluate/figure_text.hpp"
#include "evaluate/html_text.hpp"
#include "evaluate/report_plots.hpp"
#include "evaluate/report_tables.hpp"
#include "evaluate/thumbnails.hpp"
#include "report_page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <opencv2/core/utility.hpp>

#include <set>
#include <stdexcept>
#include <utility>

namespace skincheck {
namespace {

std::string shown_model(const Evaluation& evaluation) {
    return evaluation.model.empty() ? file_name(evaluation.results_file) : evaluation.model;
}

TemplateData miss_item(const Miss& miss, const Thumbnails& thumbnails) {
    TemplateData item;
    const auto picture = thumbnails.of(miss);
    item.set("id", miss.id);
    item.set("score", number_text(miss.score, 4));
    item.set("truth", miss.malignant ? "malignant" : "benign");
    item.set("has_picture", picture.has_value());
    item.set("picture", picture ? *picture : "");
    item.set("why_none", picture ? "" : picture.error());
    return item;
}

void add_misses(TemplateData& data, const Evaluation& evaluation, const Thumbnails& thumbnails) {
    const auto item = [&](const Miss& miss) { return miss_item(miss, thumbnails); };
    const auto add = [&](const std::string& name, const std::vector<Miss>& misses, std::size_t all) {
        data.set(name, list_of(misses, item));
        data.set("no_" + name, misses.empty());
        data.set(name + "_shown", count_text(misses.size()));
        data.set(name + "_all", count_text(all));
    };
    add("missed", evaluation.missed, evaluation.figures.confusion.fn);
    add("false_alarms", evaluation.false_alarms, evaluation.figures.confusion.fp);
}

void add_plots(TemplateData& data, const Evaluation& evaluation, const std::string& suffix) {
    const std::span<const Evaluation> one(&evaluation, 1);
    data.set("roc", roc_plot(one, "plot-roc" + suffix));
    data.set("precision_recall", precision_recall_plot(one, "plot-precision-recall" + suffix));
    data.set("calibration", calibration_plot(evaluation, "plot-calibration" + suffix));
    data.set("histogram_malignant", histogram_plot(evaluation, true, "plot-histogram-malignant" + suffix));
    data.set("histogram_benign", histogram_plot(evaluation, false, "plot-histogram-benign" + suffix));
    data.set("sweep", sweep_plot(evaluation, "plot-sweep" + suffix));
}

TemplateData evaluation_data(const Report& report, std::size_t i, const Thumbnails& thumbnails) {
    const Evaluation& evaluation = report.evaluations[i];
    const bool two = report.evaluations.size() > 1;
    const std::string suffix = two ? (i == 0 ? "-a" : "-b") : "";
    TemplateData data;
    data.set("suffix", suffix);
    data.set("letter", letter(i, report.evaluations.size()));
    data.set("results", file_name(evaluation.results_file));
    data.set("model", shown_model(evaluation));
    data.set("clustered", !evaluation.cluster.empty());
    data.set("cluster", evaluation.cluster);
    data.set("clusters", count_text(evaluation.clusters));
    data.set("key_figures", key_figures(evaluation));
    data.set("figure_rows", figure_rows(evaluation, report.options.figures));
    data.set("confusion_rows", confusion_rows(evaluation.figures.confusion));
    data.set("called_malignant",
             count_text(evaluation.figures.confusion.tp + evaluation.figures.confusion.fp));
    data.set("called_benign", count_text(evaluation.figures.confusion.fn + evaluation.figures.confusion.tn));
    data.set("operating_rows", operating_rows(evaluation));
    data.set("multi_class",
             evaluation.multi_class ? multi_class_table(*evaluation.multi_class) : TemplateData(false));
    data.set("groups", group_tables(evaluation, suffix));
    add_plots(data, evaluation, suffix);
    add_misses(data, evaluation, thumbnails);
    return data;
}

TemplateData fault_rows(const Report& report, bool left_out) {
    TemplateData rows{TemplateData::type::list};
    const auto add = [&](const std::string& file, const std::vector<Fault>& faults) {
        for (const Fault& fault : faults) {
            if (fault.count > 0 && fault.left_out == left_out) {
                TemplateData row;
                row.set("file", file_name(file));
                row.set("what", fault.what);
                row.set("count", count_text(fault.count));
                row.set("names",
                        list_of(fault.names, [](const std::string& name) { return TemplateData(name); }));
                row.set("more", fault.names.size() < fault.count);
                rows.push_back(row);
            }
        }
    };
    add(report.truth_file, report.truth_faults);
    for (const Evaluation& evaluation : report.evaluations) {
        add(evaluation.results_file, evaluation.faults);
    }
    return rows;
}

TemplateData provenance_rows(const Report& report, const HtmlOptions& options) {
    TemplateData rows{TemplateData::type::list};
    const auto add = [&](const std::string& name, const std::string& value) {
        TemplateData row;
        row.set("name", name);
        row.set("value", value.empty() ? std::string("not known") : value);
        rows.push_back(row);
    };
    const auto drawn_together = [](const Evaluation& evaluation) {
        return evaluation.cluster.empty() ? std::string("each case by itself")
                                          : fmt::format("cases of one {} together ({} values)",
                                                        evaluation.cluster, count_text(evaluation.clusters));
    };
    const FigureOptions& figures = report.options.figures;
    add("Truth", report.truth_file);
    add("Truth, SHA-256", report.truth_sha256);
    add("Truth, read as", report.truth_layout);
    if (!report.metadata_file.empty()) {
        add("Metadata", report.metadata_file);
        add("Metadata, SHA-256", report.metadata_sha256);
    }
    for (std::size_t i = 0; i < report.evaluations.size(); ++i) {
        const Evaluation& evaluation = report.evaluations[i];
        const std::string of_two = letter(i, report.evaluations.size());
        const std::string which = of_two.empty() ? "" : " " + of_two;
        add("Model" + which, evaluation.model);
        add("Results" + which, evaluation.results_file);
        add("Results" + which + ", SHA-256", evaluation.results_sha256);
        add("Threshold" + which, fmt::format("{} ({})", exact_text(evaluation.threshold),
                                             source_text(evaluation.threshold_source)));
        add("Resamples draw" + which, drawn_together(evaluation));
    }
    add("Resamples", figures.bootstrap > 0
                         ? fmt::format("{}, seed {}", count_text(static_cast<std::size_t>(figures.bootstrap)),
                                       figures.seed)
                         : std::string("none: no intervals"));
    add("Minimum sensitivity of the partial AUC", exact_text(figures.min_tpr));
    add("Groups by",
        report.options.by.empty() ? "none" : fmt::format("{}", fmt::join(report.options.by, ", ")));
    add("skincheck", SKINCHECK_VERSION);
    add("OpenCV", cv::getVersionString());
    add("Date", options.date);
    return rows;
}

/// Two results of one model are told apart by their files.
std::string headline(const Report& report) {
    const Evaluation &first = report.evaluations.front(), &last = report.evaluations.back();
    std::string line = shown_model(first);
    if (report.evaluations.size() > 1) {
        line = first.model == last.model
                   ? file_name(first.results_file) + " and " + file_name(last.results_file)
                   : line + " and " + shown_model(last);
    }
    return line + " on " + file_name(report.truth_file);
}

std::set<std::string> ids_of_misses(const Report& report) {
    std::set<std::string> ids;
    for (const Evaluation& evaluation : report.evaluations) {
        for (const auto* misses : {&evaluation.missed, &evaluation.false_alarms}) {
            for (const Miss& miss : *misses) {
                ids.insert(miss.id);
            }
        }
    }
    return ids;
}

}  // namespace

std::string report_html(const Report& report, const HtmlOptions& options) {
    const Thumbnails thumbnails(options.images, ids_of_misses(report));
    TemplateData evaluations{TemplateData::type::list};
    bool multi_class = false, groups = false;
    for (std::size_t i = 0; i < report.evaluations.size(); ++i) {
        evaluations.push_back(evaluation_data(report, i, thumbnails));
        multi_class = multi_class || report.evaluations[i].multi_class;
        groups = groups || !report.evaluations[i].groups.empty();
    }
    TemplateData page;
    page.set("style", report_style);
    page.set("headline", headline(report));
    page.set("layout", report.truth_layout);
    page.set("date", options.date);
    page.set("version", SKINCHECK_VERSION);
    page.set("resamples", count_text(static_cast<std::size_t>(report.options.figures.bootstrap)));
    page.set("resampled", report.options.figures.bootstrap > 0);
    page.set("two", report.evaluations.size() > 1);
    page.set("evaluations", evaluations);
    page.set("with_multi_class", multi_class);
    page.set("with_groups", groups);
    page.set("comparison", report.comparison ? comparison_data(report) : TemplateData(false));
    const TemplateData faults = fault_rows(report, true), remarks = fault_rows(report, false);
    page.set("with_faults", faults.is_non_empty_list());
    page.set("faults", faults);
    page.set("with_remarks", remarks.is_non_empty_list());
    page.set("remarks", remarks);
    page.set("provenance", provenance_rows(report, options));

    kainjow::mustache::mustache whole{std::string(report_template)};
    if (!whole.is_valid()) {
        throw std::logic_error("report.html.mustache: " + whole.error_message());
    }
    whole.set_custom_escape([](const std::string& text) { return escape_html(text); });
    return whole.render(page);
}

}  // namespace skincheck
