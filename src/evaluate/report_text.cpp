#include "skincheck/evaluate.hpp"

#include "evaluate/figure_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace skincheck {
namespace {

using Out = std::back_insert_iterator<std::string>;

constexpr int digits = 4;

// Names come from the files, and go to a terminal.
std::string shown_name(const std::string& name) {
    return shorten(one_line(name), 60);
}

std::string shown_names(const std::vector<std::string>& names) {
    std::vector<std::string> shown;
    std::transform(names.begin(), names.end(), std::back_inserter(shown), shown_name);
    return fmt::format("{}", fmt::join(shown, ", "));
}

void write_head(Out out, const Report& report, const Evaluation& evaluation) {
    const Figures& f = evaluation.figures;
    const std::size_t cases = f.malignant + f.benign;
    const FigureOptions& options = report.options.figures;
    fmt::format_to(out, "{}\n", as_utf8(evaluation.results_file));
    fmt::format_to(out, "  truth      {} ({})\n", as_utf8(report.truth_file), report.truth_layout);
    fmt::format_to(out, "  model      {}\n",
                   evaluation.model.empty() ? "not told by the results" : shown_name(evaluation.model));
    fmt::format_to(out, "  cases      {}: {} malignant ({}), {} benign\n", cases, f.malignant,
                   share_text(f.malignant, cases), f.benign);
    fmt::format_to(out, "  threshold  {} ({})\n", exact_text(evaluation.threshold),
                   source_text(evaluation.threshold_source));
    if (options.bootstrap > 0) {
        fmt::format_to(out, "  intervals  95 %, {} bootstrap resamples of {} {}, seed {}\n",
                       options.bootstrap, evaluation.clusters,
                       evaluation.cluster.empty() ? std::string("cases")
                                                  : fmt::format("values of {}", evaluation.cluster),
                       options.seed);
    }
}

void write_confusion(Out out, const Confusion& c) {
    fmt::format_to(out, "\n{:<22}{:>18}{:>16}\n", "", "called malignant", "called benign");
    fmt::format_to(out, "  {:<20}{:>18}{:>16}\n", "malignant", c.tp, c.fn);
    fmt::format_to(out, "  {:<20}{:>18}{:>16}\n", "benign", c.fp, c.tn);
}

void write_figures(Out out, const Figures& f, const FigureOptions& options) {
    fmt::format_to(out, "\n{:<36}{:>7}{}\n", "figure", "value",
                   options.bootstrap > 0 ? "  95 % interval" : "");
    for (int i = 0; i < measure_count; ++i) {
        const auto measure = static_cast<Measure>(i);
        const Figure& figure = f[measure];
        std::string name(title(measure));
        if (measure == Measure::partial_auc) {
            name += fmt::format(" (sensitivity >= {})", exact_text(options.min_tpr));
        } else if (measure == Measure::ece) {
            name += fmt::format(" ({} bins of equal width)", calibration_bins);
        }
        std::string line = fmt::format("  {:<34}{:>7}  {}", name,
                                       std::isnan(figure.value) ? "-" : number_text(figure.value, digits),
                                       interval_text(figure, digits));
        if (measure == Measure::roc_auc && !std::isnan(f.delong.low)) {
            line += fmt::format("{}(DeLong: {})", std::isnan(figure.low) ? "" : "  ",
                                interval_text(f.delong, digits));
        }
        if (!figure.reason.empty()) {
            line += fmt::format("{}{}{}", line.ends_with(' ') ? "" : "  ",
                                std::isnan(figure.value) ? "undefined: " : "", figure.reason);
        }
        fmt::format_to(out, "{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
    }
}

void write_operating_points(Out out, const std::vector<OperatingPoint>& points) {
    for (const OperatingPoint& point : points) {
        fmt::format_to(out, "\noperating point: {}\n", point.aim);
        if (std::isnan(point.threshold)) {
            fmt::format_to(out, "  {}\n", point.sensitivity.reason);
            continue;
        }
        fmt::format_to(out, "  --threshold {}\n", exact_text(point.threshold));
        fmt::format_to(out, "  {:<14}{:<32}{}\n", "", "on these cases", "to expect on others");
        fmt::format_to(out, "  {:<14}{:<32}{}\n", "sensitivity", explained_text(point.sensitivity, digits),
                       explained_text(point.expected_sensitivity, digits));
        fmt::format_to(out, "  {:<14}{:<32}{}\n", "specificity", explained_text(point.specificity, digits),
                       explained_text(point.expected_specificity, digits));
        fmt::format_to(out, "  {:<14}{}\n", "precision", explained_text(point.precision, digits));
        fmt::format_to(out, "  {:<14}{}\n", "NPV", explained_text(point.npv, digits));
    }
}

void write_multi_class(Out out, const MultiClass& several) {
    std::vector<std::string> classes;
    std::transform(several.classes.begin(), several.classes.end(), std::back_inserter(classes), shown_name);
    std::size_t width = 7;
    for (const std::string& name : classes) {
        width = std::max(width, name.size() + 2);
    }
    fmt::format_to(out, "\nbalanced multi-class accuracy: {}\n",
                   explained_text(several.balanced_accuracy, digits));
    fmt::format_to(out, "  {:<{}}", "class", width);
    for (const std::string& name : classes) {
        fmt::format_to(out, "{:>{}}", name, width);
    }
    fmt::format_to(out, "{:>{}}{:>8}  sensitivity\n", "(none)", width, "cases");
    for (std::size_t truth = 0; truth < classes.size(); ++truth) {
        fmt::format_to(out, "  {:<{}}", classes[truth], width);
        std::size_t cases = several.undecided[truth];
        for (const std::size_t count : several.matrix[truth]) {
            fmt::format_to(out, "{:>{}}", count, width);
            cases += count;
        }
        fmt::format_to(out, "{:>{}}{:>8}  {}\n", several.undecided[truth], width, cases,
                       explained_text(several.sensitivity[truth], digits));
    }
    fmt::format_to(
        out,
        "  (rows: truth; columns: called; (none): a class that the truth does not have, or two that "
        "shared the highest probability)\n");
}

void write_groups(Out out, const std::vector<Group>& groups) {
    std::string column;
    bool any_small = false;
    for (const Group& group : groups) {
        if (group.column != column) {
            column = group.column;
            fmt::format_to(out, "\nby {:<21}{:>7}{:>11}  {:<27}{:<27}{}\n", column, "cases", "malignant",
                           "ROC AUC", "sensitivity", "specificity");
        }
        const Figures& f = group.figures;
        const auto cell = [&](Measure measure) {
            return std::isnan(f[measure].value) ? std::string("-") : figure_text(f[measure], digits);
        };
        fmt::format_to(out, "  {:<22}{:>7}{:>11}  {:<27}{:<27}{}\n",
                       shown_name(group.value) + (group.small ? " *" : ""), f.malignant + f.benign,
                       f.malignant, cell(Measure::roc_auc), cell(Measure::sensitivity),
                       cell(Measure::specificity));
        any_small = any_small || group.small;
    }
    if (any_small) {
        fmt::format_to(out, "  * fewer than {} cases of a kind that it has: read with care\n", small_group);
    }
}

void write_faults(Out out, const std::vector<Fault>& faults, bool left_out, std::string_view of) {
    bool begun = false;
    for (const Fault& fault : faults) {
        if (fault.left_out != left_out) {
            continue;
        }
        if (!begun) {
            fmt::format_to(out, "\n{} {}\n", left_out ? "left out," : "remarks", of);
            begun = true;
        }
        fmt::format_to(out, "  {} {}: {}{}\n", fault.count, fault.what, shown_names(fault.names),
                       fault.count > fault.names.size() ? ", ..." : "");
    }
}

void write_comparison(Out out, const Report& report) {
    const Comparison& c = *report.comparison;
    fmt::format_to(out, "\n{} against {}, the {} cases that both have\n", report.evaluations[0].results_file,
                   report.evaluations[1].results_file, c.cases);
    fmt::format_to(out, "  ROC AUC {} and {}, difference {}\n", number_text(c.first_auc, digits),
                   number_text(c.second_auc, digits), explained_text(c.difference, digits));
    if (std::isnan(c.p)) {
        fmt::format_to(out, "  DeLong: undefined, {}\n", c.reason);
    } else {
        fmt::format_to(out, "  DeLong: {:.4f} to {:.4f}, z = {:.3f}, p = {:.4g}\n", c.delong_low,
                       c.delong_high, c.z, c.p);
    }
}

}  // namespace

std::string report_text(const Report& report) {
    std::string text;
    const Out out = std::back_inserter(text);
    for (const Evaluation& evaluation : report.evaluations) {
        if (!text.empty()) {
            text += "\n\n";
        }
        write_head(out, report, evaluation);
        write_confusion(out, evaluation.figures.confusion);
        write_figures(out, evaluation.figures, report.options.figures);
        write_operating_points(out, evaluation.operating_points);
        if (evaluation.multi_class) {
            write_multi_class(out, *evaluation.multi_class);
        }
        write_groups(out, evaluation.groups);
        write_faults(out, evaluation.faults, true, "of the results, the join or the classes");
        write_faults(out, evaluation.faults, false, "on the results");
    }
    write_faults(out, report.truth_faults, true, "of the truth");
    write_faults(out, report.truth_faults, false, "on the truth");
    if (report.comparison) {
        write_comparison(out, report);
    }
    text += "\nFor research only: skincheck is no medical device.\n";
    return text;
}

}  // namespace skincheck
