#include "evaluate/report_tables.hpp"

#include "evaluate/figure_text.hpp"
#include "evaluate/report_plots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

namespace skincheck {
namespace {

std::size_t cases_of(const Figures& figures) {
    return figures.malignant + figures.benign;
}

TemplateData text_cell(const std::string& value) {
    TemplateData cell;
    cell.set("value", value);
    cell.set("has_interval", false);
    cell.set("has_reason", false);
    cell.set("undefined", false);
    return cell;
}

TemplateData cells_of(std::initializer_list<const Figure*> figures) {
    return list_of(figures, [](const Figure* figure) { return figure_cell(*figure); });
}

TemplateData card(const std::string& label, const std::string& value, const std::string& detail) {
    TemplateData card;
    card.set("label", label);
    card.set("value", value);
    card.set("detail", detail);
    return card;
}

TemplateData figure_card(const std::string& label, const Figure& figure, const std::string& detail = "") {
    const std::string interval = interval_text(figure);
    std::string below = std::isnan(figure.value) ? figure.reason
                        : interval.empty()       ? "no interval"
                                                 : "95 %: " + interval;
    return card(label, number_text(figure.value), detail.empty() ? below : below + "; " + detail);
}

std::string definition(Measure measure, const FigureOptions& options) {
    switch (measure) {
        case Measure::accuracy:
            return "share of all cases that are called rightly: (TP + TN) / all";
        case Measure::precision:
            return "share of the cases called malignant that are (positive predictive value): TP / (TP + FP)";
        case Measure::sensitivity:
            return "share of the malignant cases that are called so (recall): TP / (TP + FN)";
        case Measure::specificity:
            return "share of the benign cases that are called so: TN / (TN + FP)";
        case Measure::npv:
            return "share of the cases called benign that are (negative predictive value): TN / (TN + FN)";
        case Measure::f1:
            return "harmonic mean of precision and sensitivity: 2 TP / (2 TP + FP + FN)";
        case Measure::balanced_accuracy:
            return "(sensitivity + specificity) / 2; chance has 0.5";
        case Measure::mcc:
            return "Matthews's correlation of call and truth, -1 to 1; chance has 0";
        case Measure::roc_auc:
            return "chance that a malignant case scores higher than a benign one; ties count half";
        case Measure::average_precision:
            return "mean precision over the sensitivities; chance has the share of malignant cases";
        case Measure::partial_auc:
            return fmt::format(
                "area between the ROC curve and sensitivity = {0}, not normalised (as ISIC 2024): "
                "0 to {1:.4g}, chance has {2:.4g}",
                options.min_tpr, 1 - options.min_tpr, (1 - options.min_tpr) * (1 - options.min_tpr) / 2);
        case Measure::brier:
            return "mean squared distance of score and truth; 0 is best";
        case Measure::log_loss:
            return "mean of -ln of the probability that was given to the truth; 0 is best";
        default:
            return fmt::format(
                "expected calibration error: |mean score - share of malignant| over {} bins of equal "
                "width; 0 is best",
                calibration_bins);
    }
}

/// "tone-0" to "tone-5": the background of a cell.
std::string tone(std::size_t part, std::size_t all) {
    return fmt::format("tone-{}", all == 0 ? 0 : (part * 5 + all - 1) / all);
}

TemplateData confusion_cell(std::size_t count, std::size_t of, const char* meaning) {
    TemplateData cell;
    cell.set("count", count_text(count));
    cell.set("share", share_text(count, of));
    cell.set("meaning", meaning);
    cell.set("tone", tone(count, of));
    return cell;
}

TemplateData confusion_row(const char* name, const TemplateData& called_malignant,
                           const TemplateData& called_benign, std::size_t all) {
    TemplateData cells{TemplateData::type::list};
    cells.push_back(called_malignant);
    cells.push_back(called_benign);
    TemplateData row;
    row.set("name", name);
    row.set("cells", cells);
    row.set("all", count_text(all));
    return row;
}

/// What a threshold does to a thousand cases of which as many are malignant as of these.
void set_thousand(TemplateData& row, const Figures& figures, const Figure& sensitivity,
                  const Figure& specificity) {
    if (std::isnan(sensitivity.value) || std::isnan(specificity.value)) {
        row.set("called", "undefined");
        row.set("missed_cases", "undefined");
        return;
    }
    const double malignant =
        1000.0 * static_cast<double>(figures.malignant) / static_cast<double>(cases_of(figures));
    const double found = malignant * sensitivity.value;
    const double false_alarms = (1000 - malignant) * (1 - specificity.value);
    row.set("called", fmt::format("{:.0f}", found + false_alarms));
    row.set("missed_cases", fmt::format("{:.0f} of {:.0f}", malignant - found, malignant));
}

TemplateData operating_row(const Evaluation& evaluation, const OperatingPoint& point) {
    TemplateData row;
    row.set("aim", point.aim);
    row.set("threshold", exact_text(point.threshold));
    row.set("cells", cells_of({&point.sensitivity, &point.specificity, &point.precision, &point.npv,
                               &point.expected_sensitivity, &point.expected_specificity}));
    const bool expected = !std::isnan(point.expected_sensitivity.value + point.expected_specificity.value);
    set_thousand(row, evaluation.figures, expected ? point.expected_sensitivity : point.sensitivity,
                 expected ? point.expected_specificity : point.specificity);
    return row;
}

/// The threshold in use was not chosen on these cases: what it reached here is what to expect.
TemplateData threshold_row(const Evaluation& evaluation) {
    const Figures& figures = evaluation.figures;
    const Figure &sensitivity = figures[Measure::sensitivity], &specificity = figures[Measure::specificity];
    TemplateData row;
    row.set("aim", "threshold " + source_text(evaluation.threshold_source));
    row.set("threshold", exact_text(evaluation.threshold));
    TemplateData cells =
        cells_of({&sensitivity, &specificity, &figures[Measure::precision], &figures[Measure::npv]});
    cells.push_back(text_cell("as here"));
    cells.push_back(text_cell("as here"));
    row.set("cells", cells);
    set_thousand(row, figures, sensitivity, specificity);
    return row;
}

TemplateData group_row(const Group& group, Measure measure) {
    const Figures& figures = group.figures;
    TemplateData row;
    row.set("name", group.value);
    row.set("small", group.small);
    row.set("cases", count_text(cases_of(figures)));
    row.set("malignant", count_text(figures.malignant));
    // Of one kind of case alone, sensitivity or specificity says the same as accuracy.
    row.set("cells", measure == Measure::accuracy
                         ? cells_of({&figures[measure]})
                         : cells_of({&figures[measure], &figures[Measure::sensitivity],
                                     &figures[Measure::specificity], &figures[Measure::precision]}));
    return row;
}

}  // namespace

TemplateData figure_cell(const Figure& figure, int digits) {
    TemplateData cell;
    const std::string interval = interval_text(figure, digits);
    cell.set("value", number_text(figure.value, digits));
    cell.set("interval", interval);
    cell.set("has_interval", !interval.empty());
    cell.set("reason", figure.reason);
    cell.set("has_reason", !figure.reason.empty());
    cell.set("undefined", std::isnan(figure.value));
    return cell;
}

TemplateData key_figures(const Evaluation& evaluation) {
    const Figures& figures = evaluation.figures;
    const Confusion& c = figures.confusion;
    TemplateData cards{TemplateData::type::list};
    cards.push_back(figure_card("ROC AUC", figures[Measure::roc_auc]));
    cards.push_back(figure_card("Sensitivity", figures[Measure::sensitivity],
                                fmt::format("{} of {} found", count_text(c.tp), count_text(c.tp + c.fn))));
    cards.push_back(
        figure_card("Specificity", figures[Measure::specificity],
                    fmt::format("{} of {} left alone", count_text(c.tn), count_text(c.tn + c.fp))));
    cards.push_back(card("Threshold", exact_text(evaluation.threshold),
                         "malignant from here on; " + source_text(evaluation.threshold_source)));
    cards.push_back(card("Cases", count_text(cases_of(figures)),
                         fmt::format("{} malignant ({})", count_text(figures.malignant),
                                     share_text(figures.malignant, cases_of(figures)))));
    return cards;
}

TemplateData figure_rows(const Evaluation& evaluation, const FigureOptions& options) {
    TemplateData rows{TemplateData::type::list};
    const auto add = [&](std::string_view name, const Figure& figure, const std::string& meaning) {
        TemplateData row = figure_cell(figure, 4);
        row.set("name", std::string(name));
        row.set("definition", meaning);
        rows.push_back(row);
    };
    for (int i = 0; i < measure_count; ++i) {
        const auto measure = static_cast<Measure>(i);
        add(title(measure), evaluation.figures[measure], definition(measure, options));
        if (measure == Measure::roc_auc) {
            add("ROC AUC, DeLong", evaluation.figures.delong,
                evaluation.cluster.empty()
                    ? "the same area with DeLong's interval"
                    : fmt::format(
                          "the same area with DeLong's interval, as Obuchowski (1997) has it for several "
                          "cases of one {}",
                          evaluation.cluster));
        }
    }
    return rows;
}

TemplateData confusion_rows(const Confusion& c) {
    TemplateData rows{TemplateData::type::list};
    rows.push_back(confusion_row("malignant", confusion_cell(c.tp, c.tp + c.fn, "found (TP)"),
                                 confusion_cell(c.fn, c.tp + c.fn, "missed (FN)"), c.tp + c.fn));
    rows.push_back(confusion_row("benign", confusion_cell(c.fp, c.fp + c.tn, "false alarms (FP)"),
                                 confusion_cell(c.tn, c.fp + c.tn, "left alone (TN)"), c.fp + c.tn));
    return rows;
}

TemplateData operating_rows(const Evaluation& evaluation) {
    TemplateData rows{TemplateData::type::list};
    rows.push_back(threshold_row(evaluation));
    for (const OperatingPoint& point : evaluation.operating_points) {
        rows.push_back(operating_row(evaluation, point));
    }
    return rows;
}

TemplateData multi_class_table(const MultiClass& multi_class) {
    TemplateData table = figure_cell(multi_class.balanced_accuracy, 4);
    const bool undecided = std::any_of(multi_class.undecided.begin(), multi_class.undecided.end(),
                                       [](std::size_t count) { return count > 0; });
    std::vector<std::string> columns = multi_class.classes;
    if (undecided) {
        columns.emplace_back("(none)");
    }
    table.set("classes", list_of(columns, [](const std::string& name) { return TemplateData(name); }));
    TemplateData rows{TemplateData::type::list};
    for (std::size_t i = 0; i < multi_class.classes.size(); ++i) {
        std::vector<std::size_t> counts = multi_class.matrix[i];
        if (undecided) {
            counts.push_back(multi_class.undecided[i]);
        }
        std::size_t all = 0;
        for (const std::size_t count : counts) {
            all += count;
        }
        TemplateData row;
        row.set("name", multi_class.classes[i]);
        row.set("all", count_text(all));
        row.set("counts",
                list_of(counts, [all](std::size_t count) { return confusion_cell(count, all, ""); }));
        row.set("cells", cells_of({&multi_class.sensitivity[i]}));
        rows.push_back(row);
    }
    table.set("rows", rows);
    return table;
}

TemplateData group_tables(const Evaluation& evaluation, const std::string& suffix) {
    TemplateData tables{TemplateData::type::list};
    std::span<const Group> rest = evaluation.groups;
    for (int number = 1; !rest.empty(); ++number) {
        const auto end = std::find_if(rest.begin(), rest.end(), [&](const Group& group) {
            return group.column != rest.front().column;
        });
        const auto groups = rest.first(static_cast<std::size_t>(end - rest.begin()));
        rest = rest.subspan(groups.size());
        TemplateData table;
        table.set("column", groups.front().column);
        const Measure measure = forest_measure(groups);
        table.set("rows",
                  list_of(groups, [measure](const Group& group) { return group_row(group, measure); }));
        table.set("forest", forest_plot(groups, evaluation, fmt::format("plot-groups-{}{}", number, suffix)));
        table.set("of_auc", measure == Measure::roc_auc);
        table.set("cut", groups.size() > forest_rows);
        table.set("small_group", fmt::format("{}", small_group));
        tables.push_back(table);
    }
    return tables;
}

}  // namespace skincheck
