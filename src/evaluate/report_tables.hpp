// The tables of the report as data for its template, report.html.mustache.
//
// The template looks up a name that an object lacks in the objects around it, so an object says of each name
// that it could have whether it is there.
#pragma once

#include "skincheck/evaluate.hpp"

#include <kainjow/mustache.hpp>

#include <string>
#include <vector>

namespace skincheck {

using TemplateData = kainjow::mustache::data;

template <typename Items, typename Make>
TemplateData list_of(const Items& items, const Make& make) {
    TemplateData list{TemplateData::type::list};
    for (const auto& item : items) {
        list.push_back(make(item));
    }
    return list;
}

/// value, interval, has_interval, reason, has_reason, undefined
TemplateData figure_cell(const Figure& figure, int digits = 3);

TemplateData key_figures(const Evaluation& evaluation);
TemplateData figure_rows(const Evaluation& evaluation, const FigureOptions& options);
TemplateData confusion_rows(const Confusion& confusion);
TemplateData operating_rows(const Evaluation& evaluation);
TemplateData multi_class_table(const MultiClass& multi_class);
/// A table and a plot for each column. `suffix` ends the ids.
TemplateData group_tables(const Evaluation& evaluation, const std::string& suffix);
TemplateData comparison_data(const Report& report);

}  // namespace skincheck
