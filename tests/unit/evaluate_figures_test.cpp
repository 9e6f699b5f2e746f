#include "skincheck/evaluate.hpp"

#include "evaluate/bootstrap.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <new>
#include <numeric>
#include <random>

using namespace skincheck;

namespace {

FigureOptions without_intervals() {
    FigureOptions options;
    options.bootstrap = 0;
    return options;
}

double value(const Figures& figures, Measure measure) {
    return figures[measure].value;
}

// Malignant ones score higher on the whole.
Sample drawn(std::size_t cases, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> noise;
    Sample sample;
    for (std::size_t i = 0; i < cases; ++i) {
        const bool malignant = i % 4 == 0;
        sample.malignant.push_back(malignant ? 1 : 0);
        sample.score.push_back(1 / (1 + std::exp(-noise(random) - (malignant ? 1.0 : -0.5))));
    }
    return sample;
}

}  // namespace

TEST_CASE("figures by hand") {
    // Falling: 0.9 malignant; 0.7 one of each; 0.4 benign; 0.2 malignant.
    const Sample sample{{0.9, 0.7, 0.7, 0.4, 0.2}, {1, 1, 0, 0, 1}, {}};
    const Figures f = figures(sample, 0.7, without_intervals());
    CHECK(f.confusion.tp == 2);
    CHECK(f.confusion.fp == 1);
    CHECK(f.confusion.fn == 1);
    CHECK(f.confusion.tn == 1);
    CHECK(value(f, Measure::accuracy) == doctest::Approx(0.6));
    CHECK(value(f, Measure::precision) == doctest::Approx(2.0 / 3));
    CHECK(value(f, Measure::sensitivity) == doctest::Approx(2.0 / 3));
    CHECK(value(f, Measure::specificity) == doctest::Approx(0.5));
    CHECK(value(f, Measure::npv) == doctest::Approx(0.5));
    CHECK(value(f, Measure::f1) == doctest::Approx(2.0 / 3));
    CHECK(value(f, Measure::balanced_accuracy) == doctest::Approx(7.0 / 12));
    CHECK(value(f, Measure::mcc) == doctest::Approx((2.0 - 1) / std::sqrt(3.0 * 3 * 2 * 2)));
    // Six pairs: 0.9 beats two, 0.7 beats one and ties with one, 0.2 beats none.
    CHECK(value(f, Measure::roc_auc) == doctest::Approx(3.5 / 6));
    CHECK(value(f, Measure::average_precision) == doctest::Approx((1 + 2.0 / 3 + 3.0 / 5) / 3));
    // Above sensitivity 0.8 the curve lies at a specificity of 0.
    CHECK(value(f, Measure::partial_auc) == doctest::Approx(0));
    CHECK(value(f, Measure::brier) == doctest::Approx((0.01 + 0.09 + 0.49 + 0.16 + 0.64) / 5));
    CHECK(value(f, Measure::log_loss) ==
          doctest::Approx(-(std::log(0.9) + std::log(0.7) + std::log(0.3) + std::log(0.6) + std::log(0.2)) /
                          5));
    CHECK(value(f, Measure::ece) == doctest::Approx((0.1 + 0.4 + 0.4 + 0.8) / 5));
}

TEST_CASE("a perfect and a useless score") {
    const Sample perfect{{0.1, 0.2, 0.8, 0.9}, {0, 0, 1, 1}, {}};
    const Figures best = figures(perfect, 0.5, without_intervals());
    CHECK(value(best, Measure::roc_auc) == 1);
    CHECK(value(best, Measure::partial_auc) == doctest::Approx(0.2));
    CHECK(best.delong.reason == "no interval: no case varies from the rest of its kind");
    const Sample same{{0.3, 0.3, 0.3, 0.3}, {0, 0, 1, 1}, {}};
    const Figures chance = figures(same, 0.5, without_intervals());
    CHECK(value(chance, Measure::roc_auc) == 0.5);
    CHECK(value(chance, Measure::partial_auc) == doctest::Approx(0.02));
    CHECK(value(chance, Measure::average_precision) == 0.5);
}

TEST_CASE("what is not defined is NaN with a reason") {
    const auto check = [](const Sample& sample, double threshold, Measure measure, const char* reason) {
        const Figures f = figures(sample, threshold, without_intervals());
        CAPTURE(to_string(measure));
        CHECK(std::isnan(value(f, measure)));
        CHECK(f[measure].reason == reason);
    };
    const Sample both{{0.2, 0.8}, {0, 1}, {}};
    check(both, 0.9, Measure::precision, "no case is called malignant");
    check(both, 0.1, Measure::npv, "no case is called benign");
    check(both, 0.9, Measure::mcc, "all cases are called the same");
    const Sample benign{{0.2, 0.8}, {0, 0}, {}};
    check(benign, 0.5, Measure::sensitivity, "no malignant case");
    check(benign, 0.5, Measure::roc_auc, "no malignant case");
    check(benign, 0.5, Measure::partial_auc, "no malignant case");
    check(benign, 0.5, Measure::average_precision, "no malignant case");
    check(benign, 0.5, Measure::balanced_accuracy, "no malignant case");
    check(benign, 0.9, Measure::f1, "no case is malignant or called so");
    const Sample malignant{{0.2, 0.8}, {1, 1}, {}};
    check(malignant, 0.5, Measure::specificity, "no benign case");
    check(malignant, 0.5, Measure::roc_auc, "no benign case");
    CHECK_FALSE(std::isnan(value(figures(malignant, 0.5, without_intervals()), Measure::brier)));
}

TEST_CASE("intervals hold the figure, and come from the seed alone") {
    const Sample sample = drawn(200, 1);
    FigureOptions options;
    options.bootstrap = 500;
    options.jobs = 1;
    const Figures one = figures(sample, 0.5, options);
    options.jobs = 3;
    const Figures three = figures(sample, 0.5, options);
    options.seed = 2;
    const Figures other = figures(sample, 0.5, options);
    bool differs = false;
    for (int i = 0; i < measure_count; ++i) {
        const auto measure = static_cast<Measure>(i);
        CAPTURE(to_string(measure));
        CHECK(one[measure].low < one[measure].value);
        CHECK(one[measure].high > one[measure].value);
        CHECK(one[measure].low == three[measure].low);
        CHECK(one[measure].high == three[measure].high);
        differs = differs || one[measure].low != other[measure].low;
    }
    CHECK(differs);
    CHECK(one.delong.low < one.delong.value);
    CHECK(one.delong.high > one.delong.value);
}

TEST_CASE("what a resample throws comes out, and the others end") {
    const Sample sample = drawn(40, 1);
    FigureOptions options;
    options.bootstrap = 100'000;
    for (const int jobs : {1, 4}) {
        options.jobs = jobs;
        std::atomic<int> calls = 0;
        const auto use = [&](std::size_t, Weights) {
            ++calls;
            throw std::bad_alloc();
        };
        CHECK_THROWS_AS(resample(strata_of(sample), options, use), std::bad_alloc);
        CHECK(calls <= jobs);
    }
}

TEST_CASE("an interval that a bootstrap cannot give has a reason") {
    FigureOptions options;
    options.bootstrap = 200;
    const Sample perfect{{0.1, 0.2, 0.3, 0.8, 0.9}, {0, 0, 0, 1, 1}, {}};
    const Figures f = figures(perfect, 0.5, options);
    CHECK(f[Measure::roc_auc].value == 1);
    CHECK(std::isnan(f[Measure::roc_auc].low));
    CHECK(f[Measure::roc_auc].reason == "no interval: all resamples give the same");
    // One benign case in five is called malignant: many resamples have none, and no precision with one
    // malignant missed.
    const Sample rare{{0.9, 0.1, 0.1, 0.1, 0.1, 0.2}, {0, 0, 0, 0, 0, 1}, {}};
    CHECK(figures(rare, 0.5, options)[Measure::mcc].reason.find("undefined in") != std::string::npos);
}

TEST_CASE("a share of all or none has the exact interval, of as many cases as there are clusters") {
    FigureOptions options;
    options.bootstrap = 200;
    Sample sample{{0.1, 0.2, 0.3, 0.8, 0.9}, {0, 0, 0, 1, 1}, {}};
    const auto check = [&](Measure measure, double value, double low, double high) {
        CAPTURE(to_string(measure));
        const Figures f = figures(sample, 0.5, options);
        CHECK(f[measure].value == value);
        CHECK(f[measure].low == doctest::Approx(low));
        CHECK(f[measure].high == doctest::Approx(high));
        CHECK(f[measure].reason.empty());
        CHECK(std::isnan(figures(sample, 0.5, without_intervals())[measure].low));
    };
    check(Measure::sensitivity, 1, std::sqrt(0.025), 1);
    check(Measure::specificity, 1, std::cbrt(0.025), 1);
    check(Measure::accuracy, 1, std::pow(0.025, 0.2), 1);
    sample.score = {0.6, 0.1, 0.1, 0.1, 0.1};
    check(Measure::precision, 0, 0, 0.975);
    check(Measure::sensitivity, 0, 0, 1 - std::sqrt(0.025));
    sample.cluster = {0, 1, 2, 3, 3};
    check(Measure::sensitivity, 0, 0, 0.975);
}

TEST_CASE("cases of one cluster are drawn together: intervals widen") {
    Sample sample = drawn(120, 3);
    const Sample single = sample;
    // Each case five times over, as five images of a lesion.
    Sample repeated;
    for (std::size_t i = 0; i < single.score.size(); ++i) {
        for (int copy = 0; copy < 5; ++copy) {
            repeated.score.push_back(single.score[i]);
            repeated.malignant.push_back(single.malignant[i]);
            repeated.cluster.push_back(static_cast<int>(i));
        }
    }
    FigureOptions options;
    options.bootstrap = 400;
    const Figures of_single = figures(single, 0.5, options), of_clusters = figures(repeated, 0.5, options);
    repeated.cluster.clear();
    const Figures of_cases = figures(repeated, 0.5, options);
    for (const Measure measure : {Measure::roc_auc, Measure::brier, Measure::sensitivity}) {
        // The same clusters are drawn as the cases of the single sample, so the same intervals come out.
        CHECK(of_clusters[measure].low == doctest::Approx(of_single[measure].low).epsilon(1e-9));
        CHECK(of_cases[measure].high - of_cases[measure].low <
              0.7 * (of_clusters[measure].high - of_clusters[measure].low));
    }
}

TEST_CASE("operating points reach their aim, and no threshold does better") {
    const Sample sample = drawn(400, 5);
    FigureOptions options;
    options.bootstrap = 200;
    for (const double wanted : {0.5, 0.8, 0.95, 1.0}) {
        const OperatingPoint sensitive = operating_point(sample, Aim::sensitivity, wanted, options);
        CHECK(sensitive.sensitivity.value >= wanted);
        CHECK(value(figures(sample, std::nextafter(sensitive.threshold, 2), without_intervals()),
                    Measure::sensitivity) < wanted);
        CHECK(sensitive.confusion.tp + sensitive.confusion.fn == 100);
        const OperatingPoint specific = operating_point(sample, Aim::specificity, wanted, options);
        CHECK(specific.specificity.value >= wanted);
        if (wanted == 1) {
            CHECK(sensitive.expected_sensitivity.value < 1);  // on the cases that chose it, it would be 1
        }
    }
    const Sample four{{0.9, 0.7, 0.5, 0.3}, {1, 1, 0, 0}, {}};  // 0.9 reaches it too, but 0.7 finds more
    const OperatingPoint plain = operating_point(four, Aim::specificity, 1, without_intervals());
    CHECK(plain.threshold == 0.7);
    CHECK(plain.expected_sensitivity.reason == "without resamples");
    const OperatingPoint point = operating_point(sample, Aim::sensitivity, 0.9, options);
    CHECK(point.aim == "sensitivity >= 0.9");
    CHECK(point.expected_sensitivity.low < point.expected_sensitivity.value);
    CHECK(std::abs(point.expected_specificity.value - point.specificity.value) < 0.05);
}

TEST_CASE("an interval has 95 % of the resamples") {
    Figure figure;
    figure.value = 500;
    std::vector<double> resampled(1001);
    std::iota(resampled.begin(), resampled.end(), 0.0);
    set_interval(figure, resampled);
    CHECK(figure.low == doctest::Approx(25));
    CHECK(figure.high == doctest::Approx(975));
}

TEST_CASE("an exact share is reached in spite of binary fractions") {
    Sample sample;
    for (int i = 1; i <= 20; ++i) {
        sample.score.push_back(i / 100.0);
        sample.malignant.push_back(1);
    }
    sample.score.push_back(0.005);
    sample.malignant.push_back(0);
    const OperatingPoint point = operating_point(sample, Aim::sensitivity, 0.95, without_intervals());
    CHECK(point.threshold == 0.02);
    CHECK(point.sensitivity.value == doctest::Approx(0.95));
}

TEST_CASE("an aim that no threshold up to 1 reaches says so") {
    const Sample sample{{1.0, 1.0, 0.5}, {1, 0, 0}, {}};
    const OperatingPoint point = operating_point(sample, Aim::specificity, 0.9, without_intervals());
    CHECK(std::isnan(point.threshold));
    CHECK(point.specificity.reason == "no threshold up to 1 reaches it");
    const Sample lower{{0.9, 0.9, 0.5}, {1, 0, 0}, {}};
    const OperatingPoint above = operating_point(lower, Aim::specificity, 0.9, without_intervals());
    CHECK(above.threshold > 0.9);
    CHECK(above.specificity.value == 1);
    CHECK(above.precision.reason == "no case is called malignant");
}

TEST_CASE("two scores of the same cases") {
    const Sample sample = drawn(300, 7);
    FigureOptions options;
    options.bootstrap = 300;
    const Comparison same = compare(sample, sample.score, options);
    CHECK(same.difference.value == 0);
    CHECK(std::isnan(same.p));
    CHECK(same.reason == "the difference has no variance");
    std::vector<double> worse = sample.score;
    std::mt19937 random(1);
    for (double& score : worse) {
        score = 0.3 * score + 0.7 * std::uniform_real_distribution<double>()(random);
    }
    const Comparison better = compare(sample, worse, options);
    CHECK(better.difference.value == doctest::Approx(better.first_auc - better.second_auc));
    CHECK(better.difference.low > 0);
    CHECK(better.p < 0.01);
    CHECK(std::abs(better.delong_low - better.difference.low) <
          0.3 * (better.difference.high - better.difference.low));
    CHECK(std::abs(better.delong_high - better.difference.high) <
          0.3 * (better.difference.high - better.difference.low));
}

TEST_CASE("DeLong's interval of lesions with several equal images is that of the lesions") {
    const Sample lesions = drawn(200, 5);
    std::vector<double> other = drawn(200, 6).score;
    Sample images;
    std::vector<double> others;
    for (std::size_t i = 0; i < lesions.score.size(); ++i) {
        for (int copy = 0; copy < 3; ++copy) {
            images.score.push_back(lesions.score[i]);
            images.malignant.push_back(lesions.malignant[i]);
            images.cluster.push_back(static_cast<int>(i));
            others.push_back(other[i]);
        }
    }
    const Figures of_lesions = figures(lesions, 0.5, without_intervals());
    const Figures of_images = figures(images, 0.5, without_intervals());
    CHECK(of_images.delong.low == doctest::Approx(of_lesions.delong.low));
    CHECK(of_images.delong.high == doctest::Approx(of_lesions.delong.high));
    CHECK(compare(images, others, without_intervals()).p ==
          doctest::Approx(compare(lesions, other, without_intervals()).p));
    images.cluster.assign(images.cluster.size(), 0);
    CHECK(figures(images, 0.5, without_intervals()).delong.reason ==
          "no interval: it needs cases of each kind in two clusters");
    CHECK(compare(images, others, without_intervals()).reason ==
          "it needs cases of each kind in two clusters");
}

TEST_CASE("a difference that is the same in each case has no variance, whatever is rounded") {
    for (std::size_t pairs = 2; pairs < 40; ++pairs) {
        CAPTURE(pairs);
        Sample sample;
        std::vector<double> other;
        for (std::size_t i = 1; i <= pairs; ++i) {
            const double malignant = 1 - 0.02 * static_cast<double>(i);
            sample.malignant.insert(sample.malignant.end(), {1, 0});
            sample.score.insert(sample.score.end(), {malignant, malignant - 0.01});
            other.insert(other.end(), {malignant, malignant});
        }
        const Comparison found = compare(sample, other, without_intervals());
        CHECK(std::isnan(found.p));
        CHECK(found.reason == "the difference has no variance");
    }
}

TEST_CASE("curves run from corner to corner, inside their bands") {
    const Sample sample = drawn(400, 9);
    FigureOptions options;
    options.bootstrap = 200;
    const Curves c = curves(sample, options);
    REQUIRE(c.roc.size() == 201);
    CHECK(c.roc.back().y == 1);
    CHECK(c.precision_recall.size() == 201);
    double mean_precision = 0;
    for (const auto& curve : {c.roc, c.precision_recall}) {
        const auto inside = std::count_if(curve.begin(), curve.end(), [](const auto& point) {
            return point.low <= point.y && point.y <= point.high;
        });
        CHECK(inside > 190);
    }
    for (const auto& point : c.precision_recall) {
        mean_precision += point.y / 201;
    }
    CHECK(std::abs(mean_precision - value(figures(sample, 0.5, options), Measure::average_precision)) < 0.02);
    double area = 0;
    for (std::size_t i = 1; i < c.roc.size(); ++i) {
        CHECK(c.roc[i].y >= c.roc[i - 1].y);
        CHECK(c.roc[i].low <= c.roc[i].high);
        area += (c.roc[i].y + c.roc[i - 1].y) / 2 / 200;
    }
    CHECK(area == doctest::Approx(value(figures(sample, 0.5, options), Measure::roc_auc)).epsilon(0.01));
    std::size_t binned = 0, histogram = 0;
    for (const CalibrationBin& bin : c.calibration) {
        binned += bin.count;
        CHECK((bin.count == 0 || (bin.low <= bin.malignant_share && bin.malignant_share <= bin.high)));
    }
    for (std::size_t i = 0; i < c.malignant_histogram.size(); ++i) {
        histogram += c.malignant_histogram[i] + c.benign_histogram[i];
    }
    CHECK(binned == 400);
    CHECK(histogram == 400);
    for (const SweepPoint& point : c.sweep) {
        const Figures f = figures(sample, point.threshold, without_intervals());
        CHECK(point.sensitivity == doctest::Approx(value(f, Measure::sensitivity)));
        CHECK(point.specificity == doctest::Approx(value(f, Measure::specificity)));
    }
}

TEST_CASE("the sweep counts scores that lie on its thresholds") {
    Sample sample;
    for (int i = 0; i <= 100; ++i) {
        sample.score.push_back(i / 100.0);
        sample.malignant.push_back(i % 2 == 0 ? 1 : 0);
    }
    const Curves c = curves(sample, without_intervals());
    for (const SweepPoint& point : c.sweep) {
        CHECK(point.sensitivity ==
              doctest::Approx(
                  value(figures(sample, point.threshold, without_intervals()), Measure::sensitivity)));
    }
}

namespace {

Truth truth_of(std::vector<TruthCase> cases) {
    Truth truth;
    truth.file = "truth.csv";
    truth.columns = {"sex", "age", "lesion_id"};
    truth.cases = std::move(cases);
    return truth;
}

Results results_of(std::vector<ResultCase> cases) {
    Results results;
    results.file = "results.csv";
    results.cases = std::move(cases);
    return results;
}

EvaluateOptions quick() {
    EvaluateOptions options;
    options.figures.bootstrap = 50;
    return options;
}

const std::vector<TruthCase> four = {{"a", true, -1, {"female", "31", "l1"}},
                                     {"b", false, -1, {"male", "38", "l1"}},
                                     {"c", false, -1, {"female", "45", "l2"}},
                                     {"d", true, -1, {"", "", ""}}};

}  // namespace

TEST_CASE("joining counts and names who has no partner") {
    const Report report =
        evaluate(truth_of(four),
                 {results_of({{"x", "x", 0.5, {}}, {"c", "c", 0.2, {}}, {"a", "a", 0.9, {}}})}, quick());
    const Evaluation& e = report.evaluations.at(0);
    CHECK(e.figures.malignant == 1);
    CHECK(e.figures.benign == 1);
    REQUIRE(e.faults.size() == 2);
    CHECK(e.faults[0].count == 2);
    CHECK(e.faults[0].names == std::vector<std::string>{"b", "d"});
    CHECK(e.faults[1].names == std::vector<std::string>{"x"});
    CHECK(report.left_out() == 3);
    CHECK(e.threshold == 0.5);
    CHECK(e.threshold_source == ThresholdSource::assumed);
    CHECK(e.cluster == "lesion_id");
}

TEST_CASE("only the first ten are named") {
    Fault fault{"lost", 0, {}};
    for (int i = 0; i < 25; ++i) {
        fault.add(std::to_string(i));
    }
    CHECK(fault.count == 25);
    CHECK(fault.names.size() == 10);
    CHECK(fault.names.back() == "9");
}

TEST_CASE("nothing in common, or one kind only, ends with a sentence") {
    const auto refused = [](const Results& results, const char* part) {
        try {
            evaluate(truth_of(four), {results}, quick());
            FAIL("was evaluated");
        } catch (const Fatal& fatal) {
            CHECK(fatal.code() == ExitCode::usage);
            CAPTURE(fatal.what());
            CHECK(std::string(fatal.what()).find(part) != std::string::npos);
        }
    };
    refused(results_of({{"x", "x", 0.5, {}}}),
            "no image is both in truth.csv (4 cases, first id 'a') and in results.csv");
    refused(results_of({{"a", "a", 0.5, {}}, {"d", "d", 0.5, {}}}), "are malignant: both kinds are needed");
    refused(results_of({}), "0 usable scores");
}

TEST_CASE("where the threshold comes from") {
    Results results =
        results_of({{"a", "a", 0.9, {}}, {"b", "b", 0.2, {}}, {"c", "c", 0.3, {}}, {"d", "d", 0.8, {}}});
    EvaluateOptions options = quick();
    const auto check = [&](double threshold, ThresholdSource source, const std::string& words) {
        const Report report = evaluate(truth_of(four), {results}, options);
        CHECK(report.evaluations[0].threshold == threshold);
        CHECK(report.evaluations[0].threshold_source == source);
        CHECK(report_text(report).find("  threshold  " + words + "\n") != std::string::npos);
    };
    check(0.5, ThresholdSource::assumed,
          "0.5 (assumed: none was given, and the results tell none of these scores)");
    results.threshold = 0.25;
    check(0.25, ThresholdSource::of_results, "0.25 (stored in the results)");
    options.threshold = 0.75;
    check(0.75, ThresholdSource::given, "0.75 (given)");
}

TEST_CASE("columns are looked for before anything is joined") {
    EvaluateOptions options = quick();
    const Results without_partner = results_of({{"x", "x", 0.5, {}}});
    options.by = {"sex", "height"};
    CHECK_THROWS_WITH_AS(evaluate(truth_of(four), {without_partner}, options),
                         "--by: truth.csv has no column 'height'; there are: sex, age, lesion_id", Fatal);
    options.by = {"sex"};
    options.cluster = "patient";
    CHECK_THROWS_WITH_AS(evaluate(truth_of(four), {without_partner}, options),
                         "--cluster: truth.csv has no column 'patient'", Fatal);
}

TEST_CASE("a group is small with fewer than twenty of a kind that it has") {
    std::vector<TruthCase> cases;
    std::vector<ResultCase> scores;
    const auto add = [&](int count, bool malignant, const char* group) {
        for (int i = 0; i < count; ++i) {
            const std::string id = std::to_string(cases.size());
            cases.push_back({id, malignant, -1, {group, "", ""}});
            scores.push_back({id, id, static_cast<double>(cases.size() % 17) / 17, {}});
        }
    };
    add(20, true, "both");
    add(20, false, "both");
    add(25, false, "benign alone");
    add(20, true, "few benign");
    add(19, false, "few benign");
    EvaluateOptions options = quick();
    options.by = {"sex"};
    const Report report = evaluate(truth_of(cases), {results_of(scores)}, options);
    const auto& groups = report.evaluations[0].groups;
    REQUIRE(groups.size() == 3);
    for (const Group& group : groups) {
        CHECK(group.small == (group.value == "few benign"));
    }
}

TEST_CASE("groups: one name in upper and lower case, one number in two spellings") {
    const std::vector<TruthCase> cases{{"a", true, -1, {"Male", "50", ""}},
                                       {"b", false, -1, {"male", "50.0", ""}},
                                       {"c", true, -1, {"female", "51", ""}},
                                       {"d", false, -1, {"FEMALE", "051", ""}}};
    const std::vector<ResultCase> scores{
        {"a", "a", 0.9, {}}, {"b", "b", 0.1, {}}, {"c", "c", 0.8, {}}, {"d", "d", 0.2, {}}};
    EvaluateOptions options = quick();
    options.by = {"sex", "age"};
    std::vector<std::string> values;
    const Report report = evaluate(truth_of(cases), {results_of(scores)}, options);
    for (const Group& group : report.evaluations[0].groups) {
        values.push_back(group.value);
        CHECK(group.figures.malignant == 1);
        CHECK(group.figures.benign == 1);
    }
    CHECK(values == std::vector<std::string>{"Male", "female", "50", "51"});
    const std::vector<ResultCase> fewer(scores.begin() + 1, scores.end());
    options.by = {"sex"};
    const Report other = evaluate(truth_of(cases), {results_of(fewer)}, options);
    REQUIRE(other.evaluations[0].groups.size() == 2);
    CHECK(other.evaluations[0].groups[0].value == "Male");  // by the truth, whatever the results lack
}

TEST_CASE("groups by text, by bands of numbers, and the unknown last") {
    std::vector<TruthCase> cases;
    std::vector<ResultCase> scores;
    for (int i = 0; i < 60; ++i) {
        const std::string id = std::to_string(i);
        cases.push_back({id,
                         i % 3 == 0,
                         -1,
                         {i % 2 == 0 ? "male" : "female", i == 59 ? "" : std::to_string(20 + i), ""}});
        scores.push_back({id, id, i / 60.0, {}});
    }
    EvaluateOptions options = quick();
    options.by = {"sex", "age"};
    const Report report = evaluate(truth_of(cases), {results_of(scores)}, options);
    const auto& groups = report.evaluations[0].groups;
    std::vector<std::string> values;
    std::size_t cases_in_bands = 0;
    for (const Group& group : groups) {
        values.push_back(group.value);
        CHECK(group.small);
        cases_in_bands += group.column == "age" ? group.figures.malignant + group.figures.benign : 0;
    }
    CHECK(values == std::vector<std::string>{"female", "male", "20-29", "30-39", "40-49", "50-59", "60-69",
                                             "70-79", "(unknown)"});
    CHECK(cases_in_bands == 60);
    options.by = {"height"};
    CHECK_THROWS_WITH_AS(evaluate(truth_of(cases), {results_of(scores)}, options),
                         "--by: truth.csv has no column 'height'; there are: sex, age, lesion_id", Fatal);
    options.by = {"lesion_id"};
    for (TruthCase& known : cases) {
        known.values[2] = "lesion" + known.id;
    }
    options.cluster = "none";
    CHECK_THROWS_AS(evaluate(truth_of(cases), {results_of(scores)}, options), Fatal);
}

TEST_CASE("several classes: sensitivities, their mean, and ties that call none") {
    Truth truth = truth_of({{"a", true, 0, {"", "", ""}},
                            {"b", false, 1, {"", "", ""}},
                            {"c", false, 1, {"", "", ""}},
                            {"d", false, 1, {"", "", ""}}});
    truth.classes = {"MEL", "NV", "DF"};
    Results results = results_of({{"a", "a", 0.6, {0.4, 0.6, 0.0}},
                                  {"b", "b", 0.1, {0.9, 0.1, 0.0}},
                                  {"c", "c", 0.9, {0.1, 0.9, 0.0}},
                                  {"d", "d", 0.5, {0.5, 0.5, 0.0}}});
    results.classes = {"nv", "mel", "df"};
    const Report report = evaluate(truth, {results}, quick());
    REQUIRE(report.evaluations[0].multi_class);
    const MultiClass& several = *report.evaluations[0].multi_class;
    CHECK(several.sensitivity[0].value == 1);
    CHECK(several.sensitivity[1].value == doctest::Approx(1.0 / 3));
    CHECK(several.sensitivity[2].reason == "no case of this class");
    CHECK(several.balanced_accuracy.value == doctest::Approx(2.0 / 3));
    CHECK(several.matrix[1][0] == 1);
    CHECK(several.undecided[1] == 1);
    results.classes = {"nv", "mel", "df", "UNK"};  // which is called for b, and counts as wrong
    for (ResultCase& of_one : results.cases) {
        of_one.probabilities.push_back(of_one.id == "b" ? 0.95 : 0.0);
    }
    const Report with_unknown = evaluate(truth, {results}, quick());
    CHECK(with_unknown.evaluations[0].multi_class->sensitivity[1].value == 0);
    CHECK(with_unknown.evaluations[0].multi_class->undecided[1] == 2);
    results.classes = {"nv", "df", "vasc"};  // no mel
    CHECK_FALSE(evaluate(truth, {results}, quick()).evaluations[0].multi_class);
}

TEST_CASE("several classes: a case without all probabilities is left out and named") {
    std::vector<TruthCase> cases;
    std::vector<ResultCase> scores;
    for (int i = 0; i < 40; ++i) {
        const std::string id = std::to_string(i);
        cases.push_back({id, i % 2 == 0, i % 2, {"", "", i % 4 == 0 ? "l" : id}});
        scores.push_back({id, id, 0.5, {0.6, 0.4}});
    }
    Truth truth = truth_of(cases);
    truth.classes = {"MEL", "NV"};
    Results results = results_of(scores);
    results.classes = {"mel", "nv"};
    const MultiClass all = *evaluate(truth, {results}, quick()).evaluations[0].multi_class;
    for (const std::size_t i : {6U, 7U, 8U}) {
        results.cases[i].probabilities.clear();
    }
    const Report report = evaluate(truth, {results}, quick());
    const Evaluation& e = report.evaluations[0];
    REQUIRE(e.multi_class);
    CHECK(e.multi_class->undecided == std::vector<std::size_t>{0, 0});
    CHECK(e.multi_class->matrix == std::vector<std::vector<std::size_t>>{{18, 0}, {19, 0}});
    CHECK(e.multi_class->balanced_accuracy.value == 0.5);
    CHECK(e.figures.malignant + e.figures.benign == 40);  // they have a score
    REQUIRE(e.faults.size() == 1);
    CHECK(e.faults[0].what == "without all probabilities, out of the classes' figures alone");
    CHECK(e.faults[0].count == 3);
    CHECK(e.faults[0].names == std::vector<std::string>{"6", "7", "8"});
    CHECK(report.left_out() == 3);
    CHECK(all.matrix == std::vector<std::vector<std::size_t>>{{20, 0}, {20, 0}});

    for (ResultCase& of_one : results.cases) {
        of_one.probabilities.clear();
    }
    const Report none = evaluate(truth, {results}, quick());
    CHECK_FALSE(none.evaluations[0].multi_class);
    CHECK(none.left_out() == 40);
    truth.classes.clear();  // a truth of two kinds alone asks for no classes
    for (TruthCase& known : truth.cases) {
        known.diagnosis = -1;
    }
    CHECK(evaluate(truth, {results}, quick()).left_out() == 0);
}

TEST_CASE("the worst misses come first, and no more than asked for") {
    EvaluateOptions options = quick();
    options.worst = 1;
    options.threshold = 0.5;
    const Report report = evaluate(
        truth_of(four),
        {results_of(
            {{"a", "p/a.jpg", 0.3, {}}, {"b", "b", 0.8, {}}, {"c", "c", 0.9, {}}, {"d", "d", 0.1, {}}})},
        options);
    const Evaluation& e = report.evaluations[0];
    REQUIRE(e.missed.size() == 1);
    CHECK(e.missed[0].id == "d");
    REQUIRE(e.false_alarms.size() == 1);
    CHECK(e.false_alarms[0].id == "c");
}

TEST_CASE("comparison is over the cases that both results have") {
    const Report report = evaluate(
        truth_of(four),
        {results_of({{"a", "a", 0.9, {}}, {"b", "b", 0.1, {}}, {"c", "c", 0.3, {}}, {"d", "d", 0.8, {}}}),
         results_of({{"a", "a", 0.2, {}}, {"c", "c", 0.3, {}}, {"b", "b", 0.1, {}}})},
        quick());
    REQUIRE(report.comparison);
    CHECK(report.comparison->cases == 3);
    CHECK(report.comparison->first_auc == 1);
    CHECK(report.comparison->second_auc == 0.5);
}

TEST_CASE("text and JSON have no nan, and JSON all digits") {
    EvaluateOptions options = quick();
    options.by = {"sex"};
    options.aims = {{Aim::sensitivity, 0.95}, {Aim::specificity, 0.9}};
    const Report report = evaluate(
        truth_of(four),
        {results_of(
            {{"a", "a", 0.9, {}}, {"b", "b", 1.0 / 3, {}}, {"c", "c", 0.3, {}}, {"d", "d", 0.8, {}}})},
        options);
    const std::string text = report_text(report), json = report_json(report);
    CAPTURE(text);
    CAPTURE(json);
    CHECK(text.find(" nan") == std::string::npos);  // "malignant" has one too
    CHECK(json.find(": nan") == std::string::npos);
    CHECK(text.find("operating point: sensitivity >= 0.95") != std::string::npos);
    CHECK(text.find("--threshold 0.8") != std::string::npos);
    CHECK(json.find("\"value\": 1.0") != std::string::npos);
    CHECK(text.find(" \n") == std::string::npos);
}
