// The plots of the report, each with a title and a description in words.
#pragma once

#include "skincheck/evaluate.hpp"

#include <span>
#include <string>

namespace skincheck {

/// One evaluation or, over each other, two.
std::string roc_plot(std::span<const Evaluation> evaluations, const std::string& id);
std::string precision_recall_plot(std::span<const Evaluation> evaluations, const std::string& id);

std::string calibration_plot(const Evaluation& evaluation, const std::string& id);

/// How many cases of one kind have which score. Each kind has a scale of its own: with two malignant cases in
/// ten, a common one would hide them.
std::string histogram_plot(const Evaluation& evaluation, bool malignant, const std::string& id);

std::string sweep_plot(const Evaluation& evaluation, const std::string& id);

/// What is drawn of these groups: the AUC, or the accuracy where no group has one, as among diagnoses.
Measure forest_measure(std::span<const Group> groups);

/// A line a group, at most `forest_rows`, beside the figure of all cases.
std::string forest_plot(std::span<const Group> groups, const Evaluation& evaluation, const std::string& id);
inline constexpr std::size_t forest_rows = 36;  // what a page of A4 holds

}  // namespace skincheck
