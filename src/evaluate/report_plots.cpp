#include "evaluate/report_plots.hpp"

#include "evaluate/figure_text.hpp"
#include "evaluate/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace skincheck {
namespace {

constexpr std::array<Shape, 3> aim_shapes = {Shape::diamond, Shape::square, Shape::triangle};

Axis unit_axis(std::string label) {
    return {std::move(label), 0, 1, even_ticks(0, 1, 0.2, 1)};
}

/// "A: " where there are two evaluations.
std::string prefix(std::span<const Evaluation> evaluations, std::size_t i) {
    const std::string of_two = letter(i, evaluations.size());
    return of_two.empty() ? "" : of_two + ": ";
}

std::string at_threshold(const Evaluation& evaluation) {
    return "threshold " + exact_text(evaluation.threshold);
}

double prevalence(const Figures& figures) {
    return static_cast<double>(figures.malignant) / static_cast<double>(figures.malignant + figures.benign);
}

/// Marks the threshold and, for a single evaluation, the thresholds that reach aims.
template <typename Place>
void mark_points(Plot& plot, std::span<const Evaluation> evaluations, const Place& place) {
    for (std::size_t i = 0; i < evaluations.size(); ++i) {
        const Evaluation& evaluation = evaluations[i];
        const auto [x, y] = place(evaluation.figures[Measure::sensitivity].value,
                                  evaluation.figures[Measure::specificity].value,
                                  evaluation.figures[Measure::precision].value);
        plot.mark(x, y, Shape::disc, i == 0 ? Ink::first : Ink::second,
                  prefix(evaluations, i) + at_threshold(evaluation));
    }
    if (evaluations.size() > 1) {
        return;
    }
    for (std::size_t i = 0; i < evaluations[0].operating_points.size(); ++i) {
        const OperatingPoint& point = evaluations[0].operating_points[i];
        const auto [x, y] = place(point.sensitivity.value, point.specificity.value, point.precision.value);
        plot.mark(x, y, aim_shapes.at(i % aim_shapes.size()), Ink::second,
                  fmt::format("{} at {}", point.aim, exact_text(point.threshold)));
    }
}

double value_at(const std::vector<CurvePoint>& curve, double x) {
    const auto found =
        std::find_if(curve.begin(), curve.end(), [x](const CurvePoint& p) { return p.x >= x - 1e-9; });
    return found == curve.end() ? undefined : found->y;
}

bool has_band(const std::vector<CurvePoint>& curve) {
    return std::any_of(curve.begin(), curve.end(), [](const CurvePoint& p) { return std::isfinite(p.low); });
}

/// What sets the curves over all thresholds apart.
struct CurveKind {
    std::vector<CurvePoint> Curves::*points;
    bool steps;
    Measure area;
    const char* name;  // of the area, in the legend
};

/// Bands lie below all lines.
void draw_curves(Plot& plot, std::span<const Evaluation> evaluations, const CurveKind& kind) {
    for (std::size_t i = 0; i < evaluations.size(); ++i) {
        const auto& curve = evaluations[i].curves.*kind.points;
        const bool named = evaluations.size() == 1 && has_band(curve);
        plot.band(curve, i == 0 ? Ink::first : Ink::second, named ? "95 % of the resamples" : "");
    }
    for (std::size_t i = 0; i < evaluations.size(); ++i) {
        const auto& curve = evaluations[i].curves.*kind.points;
        const Ink ink = i == 0 ? Ink::first : Ink::second;
        const std::string name = fmt::format("{}{} {}", prefix(evaluations, i), kind.name,
                                             figure_text(evaluations[i].figures[kind.area]));
        if (kind.steps) {
            plot.steps(curve, ink, name);
        } else {
            plot.line(curve, ink, name);
        }
    }
}

/// A sentence of each, one after another.
template <typename Sentence>
std::string of_each(std::span<const Evaluation> evaluations, const Sentence& sentence) {
    std::string words;
    for (std::size_t i = 0; i < evaluations.size(); ++i) {
        words += ' ' + prefix(evaluations, i) + sentence(evaluations[i]);
    }
    return words;
}

std::string counted_cases(const CalibrationBin& bin) {
    return bin.count < 10000 ? fmt::format("{}", bin.count) : fmt::format("{}k", (bin.count + 500) / 1000);
}

/// Room for the intervals of all groups, down to a multiple of 0.1.
double lowest(std::span<const Group> groups, Measure measure, double all) {
    double low = std::isnan(all) ? 1 : all;
    for (const Group& group : groups) {
        for (const double value : {group.figures[measure].value, group.figures[measure].low}) {
            low = std::isfinite(value) ? std::min(low, value) : low;
        }
    }
    return std::clamp(std::floor(low * 10 - 0.2) / 10, 0.0, 0.8);
}

}  // namespace

std::string roc_plot(std::span<const Evaluation> evaluations, const std::string& id) {
    Plot plot(id, unit_axis("1 - specificity: share of benign cases called malignant"),
              unit_axis("sensitivity: share of malignant cases found"));
    plot.rule(0, 0, 1, 1);
    draw_curves(plot, evaluations, {&Curves::roc, false, Measure::roc_auc, "AUC"});
    mark_points(plot, evaluations, [](double sensitivity, double specificity, double) {
        return std::pair(1 - specificity, sensitivity);
    });
    const auto sentence = [](const Evaluation& evaluation) {
        return fmt::format(
            "Area under the curve {}. Where 10 % of the benign cases are called malignant, {} of the "
            "malignant are found. At {}: sensitivity {}, specificity {}.",
            figure_text(evaluation.figures[Measure::roc_auc]),
            number_text(value_at(evaluation.curves.roc, 0.1), 2), at_threshold(evaluation),
            number_text(evaluation.figures[Measure::sensitivity].value),
            number_text(evaluation.figures[Measure::specificity].value));
    };
    plot.describe("ROC curve", "Sensitivity against 1 - specificity over all thresholds." +
                                   of_each(evaluations, sentence));
    return plot.str();
}

std::string precision_recall_plot(std::span<const Evaluation> evaluations, const std::string& id) {
    Plot plot(id, unit_axis("sensitivity (recall): share of malignant cases found"),
              unit_axis("precision: share of cases called malignant that are"));
    for (const Evaluation& evaluation : evaluations) {  // two results may be of different cases
        const double share = prevalence(evaluation.figures);
        plot.rule(0, share, 1, share);
    }
    draw_curves(plot, evaluations,
                {&Curves::precision_recall, true, Measure::average_precision, "average precision"});
    mark_points(plot, evaluations, [](double sensitivity, double, double precision) {
        return std::pair(sensitivity, precision);
    });
    const auto sentence = [](const Evaluation& evaluation) {
        return fmt::format(
            "Average precision {}; calling at random would have the precision {}, the share of malignant "
            "cases. Where half of the malignant cases are found, the precision is {}. At {}: sensitivity {}, "
            "precision {}.",
            figure_text(evaluation.figures[Measure::average_precision]),
            number_text(prevalence(evaluation.figures)),
            number_text(value_at(evaluation.curves.precision_recall, 0.5), 2), at_threshold(evaluation),
            number_text(evaluation.figures[Measure::sensitivity].value),
            number_text(evaluation.figures[Measure::precision].value));
    };
    plot.describe("Precision-recall curve",
                  "Precision against sensitivity over all thresholds." + of_each(evaluations, sentence));
    return plot.str();
}

std::string calibration_plot(const Evaluation& evaluation, const std::string& id) {
    PlotLayout layout;
    layout.top = 34;  // for the counts
    Plot plot(id, unit_axis("mean score of the cases in a bin"), unit_axis("share of them that is malignant"),
              layout);
    plot.rule(0, 0, 1, 1, "score = share: perfectly calibrated");
    std::string bins;
    bool named = false;
    for (std::size_t i = 0; i < evaluation.curves.calibration.size(); ++i) {
        const CalibrationBin& bin = evaluation.curves.calibration[i];
        const double middle = (static_cast<double>(i) + 0.5) / calibration_bins;
        plot.text(middle, 1, counted_cases(bin), Anchor::middle, 0, 8);
        if (bin.count == 0) {
            continue;
        }
        plot.whisker(bin.mean_score, bin.low, bin.mean_score, bin.high, Ink::first);
        plot.mark(bin.mean_score, bin.malignant_share, Shape::disc, Ink::first,
                  named ? "" : "share with Wilson's 95 % interval");
        named = true;
        bins += fmt::format(" Mean score {}: share {} of {} cases.", number_text(bin.mean_score, 2),
                            number_text(bin.malignant_share, 2), count_text(bin.count));
    }
    plot.describe(
        "Calibration",
        fmt::format(
            "Share of malignant cases against the mean score, in ten bins of equal width; the numbers "
            "above count the cases. Expected calibration error {}.{}",
            figure_text(evaluation.figures[Measure::ece]), bins));
    return plot.str();
}

std::string histogram_plot(const Evaluation& evaluation, bool malignant, const std::string& id) {
    const auto& bins = malignant ? evaluation.curves.malignant_histogram : evaluation.curves.benign_histogram;
    const std::size_t highest = *std::max_element(bins.begin(), bins.end());
    const std::size_t all = malignant ? evaluation.figures.malignant : evaluation.figures.benign;
    const std::string kind = malignant ? "malignant" : "benign";
    PlotLayout layout;
    layout.width = 620;
    layout.height = 220;
    layout.left = 70;
    Plot plot(id, Axis{"score", 0, 1, even_ticks(0, 1, 0.1, 1)}, count_axis(kind + " cases", highest),
              layout);
    const auto width = 1.0 / static_cast<double>(bins.size());
    for (std::size_t i = 0; i < bins.size(); ++i) {
        const double left = static_cast<double>(i) * width;
        if (bins[i] > 0) {
            plot.bar(left, left + width, 0, static_cast<double>(bins[i]),
                     malignant ? Ink::malignant : Ink::benign);
        }
    }
    plot.rule(evaluation.threshold, 0, evaluation.threshold, 1e300,
              fmt::format("threshold {}: from here on called malignant", exact_text(evaluation.threshold)));
    for (std::size_t i = 0; i < bins.size(); ++i) {
        if (bins[i] > 0) {
            plot.text((static_cast<double>(i) + 0.5) * width, static_cast<double>(bins[i]),
                      count_text(bins[i]), Anchor::middle, 0, 4);
        }
    }
    const std::size_t called = malignant ? evaluation.figures.confusion.tp : evaluation.figures.confusion.fp;
    plot.describe(fmt::format("Scores of the {} cases", kind),
                  fmt::format("How many of the {} {} cases have which score, in steps of 0.05. {} of them "
                              "({}) reach the threshold {} and are called malignant.",
                              count_text(all), kind, count_text(called), share_text(called, all),
                              exact_text(evaluation.threshold)));
    return plot.str();
}

std::string sweep_plot(const Evaluation& evaluation, const std::string& id) {
    PlotLayout layout;
    layout.width = 620;
    layout.height = 340;
    Plot plot(id, Axis{"threshold", 0, 1, even_ticks(0, 1, 0.1, 1)}, unit_axis("value"), layout);
    plot.rule(evaluation.threshold, 0, evaluation.threshold, 1, at_threshold(evaluation));
    const auto draw = [&](double SweepPoint::*of, Ink ink, const char* name) {
        std::vector<CurvePoint> points;
        for (const SweepPoint& point : evaluation.curves.sweep) {
            points.push_back({point.threshold, point.*of});
        }
        plot.line(points, ink, name);
    };
    draw(&SweepPoint::sensitivity, Ink::first, "sensitivity");
    draw(&SweepPoint::specificity, Ink::second, "specificity");
    draw(&SweepPoint::precision, Ink::third, "precision");
    draw(&SweepPoint::f1, Ink::fourth, "F1");
    const Figures& figures = evaluation.figures;
    plot.describe(
        "Threshold sweep",
        fmt::format(
            "Sensitivity, specificity, precision and F1 for thresholds from 0 to 1. At {}: {}, {}, {} "
            "and {}. A higher threshold finds fewer malignant cases and raises fewer false alarms.",
            at_threshold(evaluation), number_text(figures[Measure::sensitivity].value),
            number_text(figures[Measure::specificity].value), number_text(figures[Measure::precision].value),
            number_text(figures[Measure::f1].value)));
    return plot.str();
}

Measure forest_measure(std::span<const Group> groups) {
    const bool any = std::any_of(groups.begin(), groups.end(), [](const Group& group) {
        return std::isfinite(group.figures[Measure::roc_auc].value);
    });
    return any ? Measure::roc_auc : Measure::accuracy;
}

std::string forest_plot(std::span<const Group> groups, const Evaluation& evaluation, const std::string& id) {
    const Measure measure = forest_measure(groups);
    groups = groups.first(std::min(groups.size(), forest_rows));
    const double all = evaluation.figures[measure].value;
    const double low = lowest(groups, measure, all);
    const auto rows = static_cast<double>(groups.size());
    PlotLayout layout;
    layout.width = 620;
    layout.left = 210;
    layout.right = 170;  // for the figures as text
    layout.height = layout.top + 26 * static_cast<int>(groups.size()) + layout.bottom;
    const std::string name = measure == Measure::roc_auc ? "AUC" : "share of cases called rightly";
    Axis names{"", 0, rows, {}};
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const std::string kinds = groups[i].small ? " *" : "";
        names.ticks.push_back({rows - static_cast<double>(i) - 0.5, shorten(groups[i].value, 26) + kinds});
    }
    Plot plot(id, Axis{name, low, 1, even_ticks(low, 1, low < 0.45 ? 0.2 : 0.1, 1)}, names, layout);
    plot.rule(all, 0, all, rows, "all cases: " + figure_text(evaluation.figures[measure]));
    std::string words = fmt::format("{} of each group of {}; of all cases it is {}.", name, groups[0].column,
                                    figure_text(evaluation.figures[measure]));
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const Figure& figure = groups[i].figures[measure];
        const double y = names.ticks[i].at;
        plot.whisker(figure.low, y, figure.high, y, Ink::first);
        plot.mark(figure.value, y, groups[i].small ? Shape::ring : Shape::disc, Ink::first);
        plot.text(1, y, figure_text(figure, 2), Anchor::start, 14, -4);
        words += fmt::format(" {}{}: {}.", groups[i].value, groups[i].small ? " (few cases)" : "",
                             figure_text(figure));
    }
    plot.describe(fmt::format("{} by {}", name, groups[0].column), words);
    return plot.str();
}

}  // namespace skincheck
