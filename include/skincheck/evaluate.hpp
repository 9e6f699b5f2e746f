// How good scores are: ground truth and results → figures with intervals, a table, JSON, a report.
//
// Two kinds of case: malignant (positive) and benign. A case is called malignant when its score >= threshold;
// TP, FP, FN and TN count the calls. A figure that is not defined is NaN and says why.
#pragma once

#include "skincheck/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace skincheck {

inline constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
/// Half the width of a normal 95 % interval, in deviations.
inline constexpr double normal_95 = 1.959963984540054;

// ---------------------------------------------------------------------------------------------------------------------
// What goes in. Failures of the files (unreadable, no such column, a score that is no number) throw
// Fatal (usage).

/// Something in the files that the user must know of, counted. `names` are ids, the first ten.
struct Fault {
    std::string what;  ///< "duplicates in the results"
    std::size_t count = 0;
    std::vector<std::string> names;
    bool left_out = true;  ///< from some figures at least; false: a remark; what is named is in all of them
    void add(const std::string& name);
};

/// Truth of one image.
struct TruthCase {
    std::string id;  ///< the file's name without folder and image ending
    bool malignant = false;
    int diagnosis = -1;               ///< index into Truth::classes; -1 in tables without classes
    std::vector<std::string> values;  ///< of Truth::columns
};

struct Truth {
    std::string file;
    std::string sha256;  ///< of the bytes that were read
    std::string layout;  ///< how it was read, for a person: "ISIC 2018, malignant: MEL, BCC, AKIEC"
    std::vector<std::string> classes;  ///< diagnoses, in the table's order; empty for a binary truth
    std::vector<std::string> malignant_classes;  ///< of a table with a column for each class
    /// Further columns of the truth or of the metadata: age, sex, lesion_id ...
    std::vector<std::string> columns;
    std::vector<TruthCase> cases;                ///< in the file's order, each id once
    std::unordered_set<std::string> left_out;    ///< ids of rows that are no case, for one of the faults
    std::string metadata_file, metadata_sha256;  ///< empty: none
    std::vector<Fault> faults;
};

struct TruthOptions {
    std::string id_column;     ///< empty: by the layout
    std::string label_column;  ///< empty: by the layout
    /// Values of the label, or classes, that are malignant; empty: by the layout.
    std::vector<std::string> positive;
    std::string metadata;  ///< a second CSV with an id and further columns; empty: none
    /// Empty: id_column if the metadata has it, else one of the usual names.
    std::string metadata_id_column;
};

/// Reads the tables of the ISIC challenges (2016 to 2020, 2024; recognised by their header), HAM10000's and
/// the archive's metadata, and any CSV whose id and label columns are named.
Truth read_truth(const std::string& file, const TruthOptions& options);

struct ResultCase {
    std::string id;  ///< the file's name without folder and image ending
    std::string path;
    double score = undefined;           ///< malignancy in [0,1]
    std::vector<double> probabilities;  ///< of Results::classes; empty when any is missing
};

struct Results {
    std::string file;
    std::string sha256;                ///< of the bytes that were read
    std::string model;                 ///< name@hash; empty when the file tells none
    std::optional<double> threshold;   ///< nothing when the file tells none, or several, of these scores
    bool several_thresholds = false;   ///< of different runs
    std::vector<std::string> classes;  ///< of a multi-class model
    std::vector<ResultCase> cases;     ///< those with a usable score, in the file's order, each id once
    std::unordered_set<std::string> left_out;  ///< ids of rows that are no case, for one of the faults
    std::vector<Fault> faults;
};

struct ResultsOptions {
    std::string id_column;     ///< empty: path, or one of the names that ISIC's tables have
    std::string score_column;  ///< empty: malignancy, or one of the usual names
    /// Of a submission with a column for each class, those whose sum is the score; empty: by the layout.
    std::vector<std::string> malignant_classes;
};

/// Reads what skincheck writes (CSV, JSON, JSON Lines), submissions in ISIC's layouts, or any CSV of id
/// and score.
Results read_results(const std::string& file, const ResultsOptions& options);

// ---------------------------------------------------------------------------------------------------------------------
// Figures

enum class Measure {
    // At the threshold.
    accuracy,           ///< (TP + TN) / all
    precision,          ///< TP / (TP + FP), the positive predictive value
    sensitivity,        ///< TP / (TP + FN), also recall
    specificity,        ///< TN / (TN + FP)
    npv,                ///< TN / (TN + FN), the negative predictive value
    f1,                 ///< 2 TP / (2 TP + FP + FN)
    balanced_accuracy,  ///< (sensitivity + specificity) / 2
    mcc,                ///< Matthews (1975): (TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN))
    // Over all thresholds; cases of equal score change sides together.
    roc_auc,  ///< area under the ROC curve = P(malignant scores higher) + P(equal) / 2 (Mann-Whitney)
    /// Sum of precision times the sensitivity gained, from the highest score down; no interpolation.
    average_precision,
    /// Area between the ROC curve and the line of sensitivity = min_tpr, not normalised, as ISIC 2024 scored:
    /// 0 to 1 - min_tpr, chance has (1 - min_tpr)^2 / 2.
    partial_auc,
    // Of the scores as probabilities.
    brier,     ///< mean of (score - truth)^2 (Brier 1950)
    log_loss,  ///< mean of -ln(probability given to the truth), which is held 2.2e-16 away from 0 and 1
    /// Expected calibration error (Naeini 2015): |mean score - share of malignant|, weighted by cases, over
    /// ten bins of equal width.
    ece,
};
inline constexpr int measure_count = 14;
inline constexpr int calibration_bins = 10;

std::string_view to_string(Measure measure);  ///< the key in JSON: "roc_auc"
std::string_view title(Measure measure);      ///< for a person: "ROC AUC"

/// A number with its 95 % interval, or why there is none.
struct Figure {
    double value = undefined;
    double low = undefined;  ///< NaN when no interval was asked for, or it is not defined
    double high = undefined;
    std::string reason;  ///< why `value`, or else the interval, is NaN; empty otherwise
};

struct Confusion {
    std::size_t tp = 0, fp = 0, fn = 0, tn = 0;
};

/// Scores and truth, all of one length.
struct Sample {
    std::vector<double> score;  ///< in [0,1]
    std::vector<char> malignant;
    /// Cases with one number (of a lesion, of a patient) are drawn together by the bootstrap; empty: each
    /// case by itself.
    std::vector<int> cluster;
};

struct FigureOptions {
    double min_tpr = 0.80;
    int bootstrap = 2000;  ///< resamples; 0: no intervals
    std::uint64_t seed = 1;
    int jobs = 0;  ///< threads; 0: one a core. The result does not depend on it
};

struct Figures {
    std::size_t malignant = 0, benign = 0;
    Confusion confusion;
    std::array<Figure, measure_count> measures;  ///< by Measure
    /// DeLong's interval of the AUC (DeLong 1988, computed as in Sun and Xu 2014), cut to [0,1]. It takes
    /// cases to be independent: with several images of a lesion it is too narrow.
    Figure delong;
    const Figure& operator[](Measure measure) const { return measures.at(static_cast<std::size_t>(measure)); }
};

/// Intervals are percentiles of a bootstrap over clusters, those with a malignant case and those without
/// drawn apart (so without clusters: stratified by truth). Each resample has its own generator: seed and
/// number of cases decide all.
Figures figures(const Sample& sample, double threshold, const FigureOptions& options);

/// Of two scores for the same cases. `difference` is first - second.
struct Comparison {
    std::size_t cases = 0;
    double first_auc = undefined, second_auc = undefined;
    Figure difference;  ///< its interval is of the paired bootstrap
    double delong_low = undefined, delong_high = undefined;
    double z = undefined;
    double p = undefined;  ///< two-sided; DeLong (1988), with clusters Obuchowski (1997)
    std::string reason;    ///< why z and p are NaN; empty otherwise
};

Comparison compare(const Sample& first, const std::vector<double>& second, const FigureOptions& options);

/// A threshold that reaches an aim, and what to expect of it on other cases of the same kind.
struct OperatingPoint {
    std::string aim;  ///< "sensitivity >= 0.95"
    double threshold = undefined;
    Confusion confusion;
    Figure sensitivity, specificity, precision, npv;  ///< on these cases, at the threshold
    /// Each resample chooses its own threshold and is measured on the cases that it left out: free of the
    /// optimism of choosing and measuring on the same cases. `value` is the mean; NaN without resamples.
    Figure expected_sensitivity, expected_specificity;
};

enum class Aim { sensitivity, specificity };

/// The highest threshold of at least this sensitivity, or the lowest of at least this specificity. It is one
/// of the scores, or just above the highest: printed with all its digits and given as --threshold it calls
/// the same cases.
OperatingPoint operating_point(const Sample& sample, Aim aim, double wanted, const FigureOptions& options);

// ---------------------------------------------------------------------------------------------------------------------
// Curves, for the report

struct CurvePoint {
    double x = 0, y = 0;
    double low = undefined, high = undefined;  ///< 95 % of the resamples' curves at this x
};

struct CalibrationBin {
    std::size_t count = 0;
    double mean_score = undefined, malignant_share = undefined;
    double low = undefined, high = undefined;  ///< Wilson's 95 % interval of the share
};

struct SweepPoint {
    double threshold = 0;
    double sensitivity = undefined, specificity = undefined, precision = undefined, f1 = undefined;
};

struct Curves {
    std::vector<CurvePoint> roc;               ///< x: 1 - specificity, y: sensitivity; x rises from 0 to 1
    std::vector<CurvePoint> precision_recall;  ///< x: sensitivity, y: precision
    std::array<CalibrationBin, calibration_bins> calibration;
    std::array<std::size_t, 20> malignant_histogram{}, benign_histogram{};  ///< of the score, bins of 0.05
    std::vector<SweepPoint> sweep;                                          ///< thresholds 0, 0.01 ... 1
};

Curves curves(const Sample& sample, const FigureOptions& options);

// ---------------------------------------------------------------------------------------------------------------------
// All of it

struct Group {
    std::string column, value;  ///< "sex", "female"; ages in bands of ten years
    Figures figures;
    bool small = false;  ///< fewer than small_group cases of a kind that it has: read with care
};
inline constexpr std::size_t small_group = 20;

/// Calls among several classes: the one of the highest probability. Where two share it, or it is none of the
/// truth's classes (ISIC 2019's UNK), no class is called, which counts as wrong; so does ISIC's own scorer.
/// Cases without a probability for each class stay out, and are one of Evaluation::faults.
struct MultiClass {
    std::vector<std::string> classes;  ///< as the truth names them
    std::vector<Figure> sensitivity;   ///< of each class
    Figure balanced_accuracy;          ///< mean of them over the classes that occur: ISIC 2018's metric
    std::vector<std::vector<std::size_t>> matrix;  ///< [truth][called]
    std::vector<std::size_t> undecided;  ///< of each class of the truth, cases that are in no column
};

/// A case that was called wrongly.
struct Miss {
    std::string id, path;
    bool malignant = false;
    double score = 0;
};

struct EvaluateOptions {
    FigureOptions figures;
    std::optional<double> threshold;  ///< nothing: the one in the results, else 0.5
    std::string cluster;          ///< column; empty: patient_id, else lesion_id; "none": each case by itself
    std::vector<std::string> by;  ///< columns; "diagnosis" is also the class of a truth with classes
    std::vector<std::pair<Aim, double>> aims;
    bool with_curves = true;  ///< the report needs them, table and JSON do not
    std::size_t worst = 20;   ///< misses of each kind that are kept
};

enum class ThresholdSource {
    given,       ///< EvaluateOptions::threshold
    of_results,  ///< Results::threshold
    assumed,     ///< neither tells one: 0.5
    ambiguous,   ///< the results tell several: 0.5
};

/// One file of results against the truth.
struct Evaluation {
    std::string results_file, results_sha256, model;
    double threshold = undefined;
    ThresholdSource threshold_source = ThresholdSource::assumed;
    std::string cluster;  ///< the column, or empty; "patient_id or lesion_id" when both count
    std::size_t clusters = 0;
    Figures figures;
    std::vector<OperatingPoint> operating_points;
    std::vector<Group> groups;
    std::optional<MultiClass> multi_class;
    Curves curves;
    std::vector<Miss> missed, false_alarms;  ///< the worst first
    std::vector<Fault> faults;               ///< of the results, the join and the classes
};

struct Report {
    std::string truth_file, truth_sha256, truth_layout;
    std::string metadata_file, metadata_sha256;  ///< empty: none
    std::vector<Fault> truth_faults;
    EvaluateOptions options;
    std::vector<Evaluation> evaluations;  ///< one or two
    std::optional<Comparison> comparison;
    std::size_t left_out() const;  ///< rows of truth and results that stay out of figures
};

/// Joins by id and computes. Fatal (usage), before anything is computed, when options.cluster or one of
/// options.by is no column, when one of options.by has so many values that it is an id, and when there are
/// not cases of both kinds that are in the truth and in the results (of two results: in each, and in both).
Report evaluate(const Truth& truth, const std::vector<Results>& results, const EvaluateOptions& options);

/// For a terminal; ends with a newline.
std::string report_text(const Report& report);

/// One object, numbers at full precision; NaN → null with a reason beside it.
std::string report_json(const Report& report);

struct HtmlOptions {
    std::string images;  ///< folder where the misses' images are looked for by their stem; empty: as the
                         ///< paths say, else none
    std::string date;    ///< as it is to be printed
};

/// Fatal (usage) for HtmlOptions::images that cannot be read. Nothing is wrong with an empty one.
void check_images(const std::string& folder);

/// A page that is whole in itself: no script, nothing loaded, thumbnails inside without metadata. An image
/// that cannot be read is told in its place. Throws what check_images() throws.
std::string report_html(const Report& report, const HtmlOptions& options);

}  // namespace skincheck
