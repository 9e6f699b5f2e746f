#include "evaluate/figure_text.hpp"
#include "evaluate/report_plots.hpp"
#include "evaluate/report_tables.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace skincheck {
namespace {

std::string conclusion(const Comparison& comparison) {
    const Figure& difference = comparison.difference;
    if (std::isnan(difference.low)) {
        return "There is no interval for the difference" +
               (difference.reason.empty() ? "." : ": " + difference.reason + ".");
    }
    if (difference.low <= 0 && difference.high >= 0) {
        return "The interval holds 0: these cases do not tell the two apart.";
    }
    return fmt::format("The interval does not hold 0: {} ranks these cases better than chance would explain.",
                       difference.value > 0 ? "A" : "B");
}

std::string p_text(const Comparison& comparison) {
    return std::isnan(comparison.p) ? fmt::format("undefined: {}", comparison.reason)
           : comparison.p < 0.0001  ? "< 0.0001"
                                    : fmt::format("{:.4f}", comparison.p);
}

}  // namespace

TemplateData comparison_data(const Report& report) {
    const Comparison& comparison = *report.comparison;
    const Figures &first = report.evaluations[0].figures, &second = report.evaluations[1].figures;
    TemplateData data;
    TemplateData rows{TemplateData::type::list};
    for (int i = 0; i < measure_count; ++i) {
        const auto measure = static_cast<Measure>(i);
        TemplateData row;
        row.set("name", std::string(title(measure)));
        row.set("cells", list_of(std::array{&first[measure], &second[measure]},
                                 [](const Figure* figure) { return figure_cell(*figure); }));
        rows.push_back(row);
    }
    data.set("rows", rows);
    data.set("cases", count_text(comparison.cases));
    data.set("first_auc", number_text(comparison.first_auc));
    data.set("second_auc", number_text(comparison.second_auc));
    data.set("difference", figure_text(comparison.difference, 4));
    const Figure delong{comparison.difference.value, comparison.delong_low, comparison.delong_high, ""};
    data.set("delong", interval_text(delong, 4));
    data.set("has_delong", !interval_text(delong).empty());
    data.set("p", p_text(comparison));
    data.set("conclusion", conclusion(comparison));
    data.set("roc", roc_plot(report.evaluations, "plot-roc-both"));
    data.set("precision_recall", precision_recall_plot(report.evaluations, "plot-precision-recall-both"));
    return data;
}

}  // namespace skincheck
