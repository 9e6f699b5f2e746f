#include "skincheck/evaluate.hpp"

#include "drawn_images.hpp"
#include "evaluate/figure_text.hpp"
#include "evaluate/html_text.hpp"
#include "evaluate/svg.hpp"
#include "evaluate/thumbnails.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>

using namespace skincheck;
using skincheck::test::TemporaryFolder;

namespace {

using Strings = std::vector<std::string>;

Figure figure(double value, double half = 0.02) {
    return {value, value - half, value + half, ""};
}

Figure no_figure(const std::string& reason) {
    Figure figure;
    figure.reason = reason;
    return figure;
}

Figures made_up_figures() {
    Figures figures;
    figures.malignant = 307;
    figures.benign = 1205;
    figures.confusion = {300, 568, 7, 637};
    for (std::size_t i = 0; i < figures.measures.size(); ++i) {
        figures.measures[i] = figure(0.5 + 0.03 * static_cast<double>(i));
    }
    figures.delong = figure(0.91);
    return figures;
}

Curves made_up_curves() {
    Curves curves;
    for (int i = 0; i <= 20; ++i) {
        const double x = i / 20.0;
        curves.roc.push_back({x, std::sqrt(x), x, std::min(1.0, std::sqrt(x) + 0.05)});
        curves.precision_recall.push_back({x, 1 - 0.8 * x, 0.9 - 0.8 * x, 1});
        curves.sweep.push_back({x, 1 - x, x, i < 20 ? 0.2 + 0.5 * x : undefined, 0.5});
    }
    for (std::size_t i = 0; i < curves.calibration.size(); ++i) {
        const double share = 0.05 + 0.1 * static_cast<double>(i);
        if (i != 4) {  // an empty bin
            curves.calibration[i] = {100 + i, share, share, share - 0.04, share + 0.04};
        }
    }
    for (std::size_t i = 0; i < 20; ++i) {
        curves.malignant_histogram[i] = i + 1;
        curves.benign_histogram[i] = 2000 - 100 * i;
    }
    return curves;
}

Evaluation made_up_evaluation() {
    Evaluation evaluation;
    evaluation.results_file = "some/where/results.csv";
    evaluation.results_sha256 = std::string(64, 'b');
    evaluation.model = "drawn@0123456789ab";
    evaluation.threshold = 0.069773;
    evaluation.cluster = "lesion_id";
    evaluation.clusters = 1400;
    evaluation.figures = made_up_figures();
    evaluation.operating_points = {{"sensitivity >= 0.95",
                                    0.123456,
                                    {292, 300, 15, 905},
                                    figure(0.95),
                                    figure(0.75),
                                    figure(0.49),
                                    figure(0.98),
                                    figure(0.94),
                                    figure(0.74)}};
    evaluation.groups = {{"sex", "female", made_up_figures(), false},
                         {"sex", "male", made_up_figures(), true},
                         {"age", "30-39", made_up_figures(), false}};
    evaluation.groups[1].figures.measures.fill(no_figure("no malignant case"));
    evaluation.multi_class = MultiClass{{"MEL", "NV"},
                                        {figure(0.8), no_figure("no case of this class")},
                                        figure(0.8),
                                        {{8, 2}, {0, 0}},
                                        {0, 0}};
    evaluation.curves = made_up_curves();
    evaluation.missed = {{"missed_1", "gone/missed_1.jpg", true, 0.0123}};
    evaluation.false_alarms = {{"alarm_1", "gone/alarm_1.jpg", false, 0.9876}};
    evaluation.faults = {{"duplicates in the results", 12, {"twice_1", "twice_2"}},
                         {"a kind of which there is none", 0, {}}};
    return evaluation;
}

Report made_up_report(std::size_t evaluations = 1) {
    Report report;
    report.truth_file = "some/where/truth.csv";
    report.truth_sha256 = std::string(64, 'a');
    report.truth_layout = "ISIC 2018, malignant: MEL, BCC, AKIEC";
    report.evaluations.assign(evaluations, made_up_evaluation());
    report.options.by = {"sex", "age"};
    if (evaluations == 2) {
        report.comparison = Comparison{1512, 0.91, 0.90, figure(0.0123, 0.002), 0.0101, 0.0145, 2.5, 0.0124};
    }
    return report;
}

std::string page_of(const Report& report, const std::string& images = "") {
    return report_html(report, {images, "2026-01-02"});
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// What stands between each `start` and the `end` that follows it.
Strings all_between(const std::string& text, const std::string& start, char end = '"') {
    Strings found;
    for (std::size_t at = text.find(start); at != std::string::npos; at = text.find(start, at + 1)) {
        const std::size_t begin = at + start.size();
        found.push_back(text.substr(begin, text.find(end, begin) - begin));
    }
    return found;
}

std::size_t count_of(const std::string& text, const std::string& part) {
    return all_between(text, part).size();
}

std::string without_style(std::string page) {
    const std::size_t begin = page.find("<style>");
    return page.erase(begin, page.find("</style>") - begin + 8);
}

/// The bytes of the pictures in a page, in its order.
Strings pictures_of(const std::string& page) {
    Strings pictures = all_between(page, "src=\"data:image/jpeg;base64,");
    for (std::string& picture : pictures) {
        std::string bytes(picture.size(), '\0');
        const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                         reinterpret_cast<const unsigned char*>(picture.data()),
                                         static_cast<int>(picture.size()));
        REQUIRE(size > 0);
        bytes.resize(static_cast<std::size_t>(size));
        picture = bytes;
    }
    return pictures;
}

cv::Mat decoded(const std::string& bytes) {
    return cv::imdecode(std::vector<std::uint8_t>(bytes.begin(), bytes.end()), cv::IMREAD_COLOR);
}

/// Elements are opened and closed in order. Neither < nor > stands for itself anywhere.
void check_elements(const std::string& page) {
    static const std::set<std::string> empty_elements = {"!DOCTYPE", "meta", "link", "img", "br"};
    const std::string body = without_style(page);
    const Strings tags = all_between(body, "<", '>');
    CHECK(std::count(body.begin(), body.end(), '>') == static_cast<std::ptrdiff_t>(tags.size()));
    Strings open;
    for (const std::string& tag : tags) {
        const bool closes = tag.starts_with("/");
        const std::string name = tag.substr(closes ? 1 : 0, tag.find_first_of(" /", 1) - (closes ? 1 : 0));
        REQUIRE_MESSAGE(tag.find('<') == std::string::npos, tag);
        REQUIRE_MESSAGE(std::count(tag.begin(), tag.end(), '"') % 2 == 0, tag);
        if (closes) {
            REQUIRE_FALSE(open.empty());
            REQUIRE(open.back() == tag.substr(1));
            open.pop_back();
        } else if (!tag.ends_with("/") && empty_elements.count(name) == 0) {
            open.push_back(name);
        }
    }
    CHECK(open.empty());
}

/// Also: ids are there once, and what is pointed to exists.
void check_structure(const std::string& page) {
    check_elements(page);
    const Strings ids = all_between(page, " id=\"");
    const std::set<std::string> known(ids.begin(), ids.end());
    CHECK(known.size() == ids.size());
    for (const std::string& pointer : all_between(page, " href=\"#")) {
        CHECK_MESSAGE(known.count(pointer) == 1, pointer);
    }
    for (const std::string& pointers : all_between(page, " aria-labelledby=\"")) {
        for (const std::string& pointer : all_between(" " + pointers + " ", " ", ' ')) {
            CHECK_MESSAGE((pointer.empty() || known.count(pointer) == 1), pointer);
        }
    }
}

/// Nothing but data and places in the page itself is referred to.
void check_self_contained(const std::string& page) {
    for (const std::string& attribute : Strings{"src", "href", "action", "data", "poster", "srcset"}) {
        for (const std::string& address : all_between(page, attribute + "=\"")) {
            CHECK_MESSAGE((address.starts_with("data:") || address.starts_with("#")), address.substr(0, 40));
        }
    }
    for (const std::string& forbidden :
         Strings{"<script", "url(", "@import", "http://", "https://", "<iframe", "<object", " onload="}) {
        CHECK_MESSAGE(!contains(page, forbidden), forbidden);
    }
    CHECK(contains(page, "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\""));
}

/// "nan" or "inf" as a word, anywhere but in the styles.
bool says_nan(const std::string& page) {
    std::string word;
    for (const char c : without_style(page)) {
        if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
            word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        } else if (word == "nan" || word == "inf") {
            return true;
        } else {
            word.clear();
        }
    }
    return false;
}

}  // namespace

TEST_CASE("the page has every section and every plot") {
    const std::string page = page_of(made_up_report());
    check_structure(page);
    check_self_contained(page);
    CHECK_FALSE(says_nan(page));
    CHECK(all_between(page, "<section id=\"") ==
          Strings{"key-figures", "figures", "curves", "calibration", "scores", "confusion", "sweep",
                  "operating-points", "multi-class", "groups", "misses", "left-out", "guide", "provenance"});
    CHECK(all_between(page, "<svg class=\"plot\" id=\"") ==
          Strings{"plot-roc", "plot-precision-recall", "plot-calibration", "plot-histogram-malignant",
                  "plot-histogram-benign", "plot-sweep", "plot-groups-1", "plot-groups-2"});
    CHECK(count_of(page, "<svg ") == count_of(page, "<title id="));
    CHECK(count_of(page, "<svg ") == count_of(page, "<desc id="));
    CHECK(count_of(page, "<table") == count_of(page, "<caption"));
    CHECK(count_of(page, "<th>") + count_of(page, "<th ") == count_of(page, "<th scope="));
    CHECK(contains(page, "<html lang=\"en\">"));
}

TEST_CASE("the page says the figures, what they hang on and where they come from") {
    const std::string page = page_of(made_up_report());
    for (const std::string& part :
         Strings{"no medical device", "drawn@0123456789ab on truth.csv",
                 "ISIC 2018, malignant: MEL, BCC, AKIEC", "2026-01-02",
                 "0.720 to 0.760",  // the AUC's interval on its card
                 "1,512", "307 malignant (20.3 %)", "300 of 307 found", "<code>0.069773</code>",
                 "<code>0.123456</code>", "sensitivity &gt;= 0.95", "duplicates in the results",
                 "<code>twice_1</code>", "and more", "no case of this class", "2,000 bootstrap resamples",
                 "<code>lesion_id</code>", "2,000, seed 1"}) {
        CHECK_MESSAGE(contains(page, part), part);
    }
    CHECK(contains(page, std::string(64, 'a')));
    CHECK(contains(page, std::string(64, 'b')));
    CHECK_FALSE(contains(page, "a kind of which there is none"));
    // Of 1,000 cases 203 are malignant; 94 % of them are found and 26 % of the others called.
    CHECK(contains(page, "<td class=\"number\">398</td><td class=\"number\">12 of 203</td>"));
    CHECK(contains(
        page, "Expected calibration error 0.890 (0.870 to 0.910)"));  // in words, for those who do not see
    CHECK(contains(page, "Mean score 0.15: share 0.15 of 101 cases."));
    CHECK(contains(page, "<code>lesion_id</code> are drawn together (1,400 values)"));
    CHECK(contains(page, "cases of one lesion_id together (1,400 values)"));
}

TEST_CASE("the page says the same of the threshold wherever it names it") {
    Report report = made_up_report();
    for (const auto& [source, words] :
         {std::pair(ThresholdSource::given, "given"),
          std::pair(ThresholdSource::of_results, "stored in the results"),
          std::pair(ThresholdSource::ambiguous, "assumed: none was given, and the results tell several"),
          std::pair(ThresholdSource::assumed,
                    "assumed: none was given, and the results tell none of these scores")}) {
        report.evaluations[0].threshold_source = source;
        const std::string page = page_of(report);
        CHECK(contains(page, fmt::format("malignant from here on; {}</span>", words)));
        CHECK(contains(page, fmt::format("<th scope=\"row\">threshold {}</th>", words)));
        CHECK(contains(page, fmt::format("<td>0.069773 ({})</td>", words)));
        CHECK(contains(report_text(report), fmt::format("  threshold  0.069773 ({})\n", words)));
    }
}

TEST_CASE("two evaluations stand side by side") {
    Report report = made_up_report(2);
    report.evaluations[1].model = "other@ba9876543210";
    const std::string page = page_of(report);
    check_structure(page);
    check_self_contained(page);
    for (const std::string& id :
         Strings{"plot-roc-a", "plot-roc-b", "plot-sweep-b", "plot-roc-both", "plot-precision-recall-both"}) {
        CHECK_MESSAGE(contains(page, fmt::format("<svg class=\"plot\" id=\"{}\"", id)), id);
    }
    CHECK(contains(page, "drawn@0123456789ab and other@ba9876543210 on truth.csv"));
    CHECK(contains(page, "<strong>0.0123 (0.0103 to 0.0143)</strong>"));
    CHECK(contains(page, "p: 0.0124. The interval does not hold 0: A ranks"));
    report.comparison->difference = figure(0.01, 0.02);
    report.comparison->p = undefined;
    report.comparison->reason = "the difference has no variance";
    CHECK(contains(page_of(report),
                   "p: undefined: the difference has no variance. The interval holds 0: these cases do not"));
}

TEST_CASE("of two results on different cases each has its own line of chance") {
    Report report = made_up_report(2);
    report.evaluations[1].figures.malignant = 1205;
    const std::string page = page_of(report);
    const Strings plots = all_between(page, "id=\"plot-precision-recall-both\"", '\0');
    REQUIRE(plots.size() == 1);
    const std::string plot = plots[0].substr(0, plots[0].find("</svg>"));
    const Strings lines = all_between(plot, "<path class=\"rule\" d=\"");
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] != lines[1]);
    CHECK(contains(plot, "calling at random would have the precision 0.203,"));
    CHECK(contains(plot, "calling at random would have the precision 0.500,"));
}

TEST_CASE("names from files are text and nothing else") {
    const std::string hostile = "<script>alert(1)</script>\"'&amp;{{version}}{{{style}}}\xFF\x01";
    const std::string shown =
        "&lt;script&gt;alert(1)&lt;/"
        "script&gt;&quot;&#39;&amp;amp;{{version}}{{{style}}}\xEF\xBF\xBD\xEF\xBF\xBD";
    Report report = made_up_report(2);
    report.truth_file = report.truth_layout = hostile;
    report.truth_faults = {{hostile, 1, {hostile}}};
    report.options.by = {hostile};
    for (Evaluation& evaluation : report.evaluations) {
        evaluation.results_file = evaluation.model = evaluation.cluster = hostile;
        evaluation.operating_points[0].aim = hostile;
        evaluation.missed = {{hostile, hostile, true, 0.1}};
        evaluation.groups.assign(2, {hostile, hostile, made_up_figures(), false});
        evaluation.groups[1].figures.measures.fill(no_figure(hostile));
        evaluation.multi_class->classes = {hostile, hostile};
    }
    const std::string page = page_of(report);
    check_structure(page);
    check_self_contained(page);
    CHECK(contains(page, "<code>" + shown + "</code>"));
    CHECK(contains(page, "<desc id=\"plot-groups-1-a-desc\">AUC of each group of " + shown));
    CHECK_FALSE(contains(page, "\xFF"));
    CHECK_FALSE(contains(page, "\x01"));
}

TEST_CASE("what is undefined says so, and nothing is printed as nan") {
    Report report = made_up_report(2);
    report.options.figures.bootstrap = 0;
    report.comparison = Comparison{};
    for (Evaluation& evaluation : report.evaluations) {
        evaluation.figures = {};
        evaluation.figures.measures.fill(no_figure("there is only one kind of case"));
        evaluation.threshold = undefined;
        evaluation.operating_points = {OperatingPoint{}};
        evaluation.operating_points[0].expected_sensitivity = no_figure("without resamples");
        evaluation.groups.assign(3, {"sex", "", evaluation.figures, true});
        evaluation.multi_class = MultiClass{{"MEL"}, {Figure{}}, Figure{}, {{0}}};
        evaluation.curves = {};
        evaluation.curves.roc = {{undefined, undefined}, {0.5, undefined}};
        evaluation.curves.sweep = {{0.5}};
        evaluation.missed = {{"", "", true, undefined}};
    }
    const std::string page = page_of(report);
    check_structure(page);
    CHECK_FALSE(says_nan(page));
    CHECK(contains(page, "<em>undefined</em>"));
    CHECK(contains(page, "there is only one kind of case"));
    CHECK(contains(page, "without resamples"));
    CHECK_FALSE(contains(page, "bootstrap resamples"));
}

TEST_CASE("sections of which there is nothing are left out or say so") {
    Report report = made_up_report();
    Evaluation& evaluation = report.evaluations[0];
    evaluation.groups.clear();
    evaluation.multi_class.reset();
    evaluation.operating_points.clear();
    evaluation.missed.clear();
    evaluation.false_alarms.clear();
    evaluation.faults.clear();
    evaluation.model.clear();
    evaluation.curves = {};
    const std::string page = page_of(report);
    check_structure(page);
    for (const std::string& id :
         Strings{"#groups", "#multi-class", "#comparison", "id=\"groups\"", "id=\"multi-class\""}) {
        CHECK_MESSAGE(!contains(page, id), id);
    }
    CHECK(contains(page, "<h1>results.csv on truth.csv</h1>"));
    CHECK(contains(page, "Nothing: every row has its partner"));
    CHECK(count_of(page, "<p>None.</p>") == 2);
}

TEST_CASE("groups of one kind of case each are drawn by the share that is called rightly") {
    Report report = made_up_report();
    for (Group& group : report.evaluations[0].groups) {
        group.column = "diagnosis";
        group.figures.measures[static_cast<std::size_t>(Measure::roc_auc)] = no_figure("no benign case");
    }
    const std::string page = page_of(report);
    CHECK(contains(page,
                   "<title id=\"plot-groups-1-title\">share of cases called rightly by diagnosis</title>"));
    CHECK(contains(page, "No group has an AUC"));
}

TEST_CASE("thumbnails are found by their stem, shrunk, upright and without metadata") {
    const TemporaryFolder folder;
    const cv::Mat wide = test::draw_lesion(600, 300);
    const std::string jpeg = test::encode(wide, ".jpg");
    folder.write("b/deep/missed_1.JPG", test::add_exif_to_jpeg(jpeg, 6));  // a quarter turn
    folder.write("c/missed_1.png", test::encode(test::draw_flat(20, 20, {0, 0, 255}), ".png"));
    folder.write("a/missed_1.txt", "no image");
    folder.write("a/alarm_10.png", test::encode(wide, ".png"));
    const std::string page = page_of(made_up_report(), folder.path());
    const Strings pictures = pictures_of(page);
    REQUIRE(pictures.size() == 1);
    CHECK(decoded(pictures[0]).size() == cv::Size(112, 224));
    CHECK_FALSE(contains(pictures[0], "Exif"));
    CHECK(contains(page, "alt=\"missed_1: malignant, score 0.0123\""));
    CHECK(contains(
        page, "<span class=\"no-picture\">no image of this name</span><span class=\"id\">alarm_1</span>"));
}

TEST_CASE("without a folder the images are where the results say") {
    const TemporaryFolder folder;
    Report report = made_up_report();
    Evaluation& evaluation = report.evaluations[0];
    const cv::Mat small = test::draw_flat(20, 10, {0, 0, 255});
    evaluation.missed = {{"small", folder.write("small.png", test::encode(small, ".png")), true, 0.01},
                         {"broken", folder.write("broken.png", "no png"), true, 0.02}};
    const std::string page = page_of(report);
    const Strings pictures = pictures_of(page);
    REQUIRE(pictures.size() == 1);
    CHECK(decoded(pictures[0]).size() == cv::Size(20, 10));  // never enlarged
    CHECK(count_of(page, "<span class=\"no-picture\">") == 2);
}

TEST_CASE("a folder of images that cannot be read is told") {
    CHECK_THROWS_WITH_AS(page_of(made_up_report(), "/there is/none"),
                         doctest::Contains("/there is/none cannot be read: No such file"), Fatal);
}

TEST_CASE("numbers and names as text") {
    CHECK(number_text(0.12345) == "0.123");
    CHECK(number_text(undefined) == "undefined");
    CHECK(number_text(-std::numeric_limits<double>::infinity()) == "infinite");
    CHECK(exact_text(0.069773) == "0.069773");
    CHECK(exact_text(undefined) == "undefined");
    CHECK(count_text(0) == "0");
    CHECK(count_text(999) == "999");
    CHECK(count_text(1234567) == "1,234,567");
    CHECK(share_text(1, 8) == "12.5 %");
    CHECK(share_text(0, 0) == "undefined");
    CHECK(figure_text(figure(0.5, 0.1)) == "0.500 (0.400 to 0.600)");
    CHECK(figure_text({0.5, undefined, undefined, "one case"}) == "0.500");
    CHECK(figure_text(no_figure("no case")) == "undefined");
    CHECK(explained_text(figure(0.5, 0.1), 4) == "0.5000 (0.4000 to 0.6000)");
    CHECK(explained_text({0.5, undefined, undefined, "one case"}) == "0.500");
    CHECK(explained_text(no_figure("no case")) == "undefined: no case");
    CHECK(explained_text({}) == "undefined");
    CHECK(file_name("a/b.csv") == "b.csv");
    CHECK(file_name("b.csv") == "b.csv");
    CHECK(shorten("four", 4) == "four");
    CHECK(shorten("fives", 4) == "fiv\xE2\x80\xA6");
    CHECK(shorten("\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F", 3) == "\xC3\xA4\xC3\xB6\xE2\x80\xA6");
    CHECK(escape_html("a\tb\x7F") == "a\tb\xEF\xBF\xBD");
}

TEST_CASE("axes of counts have round numbers and room above") {
    for (const std::size_t highest : {0U, 1U, 2U, 7U, 10U, 99U, 101U, 1205U, 49999U, 1000000U}) {
        const Axis axis = count_axis("cases", highest);
        CHECK(axis.high >= static_cast<double>(highest) * 1.05);
        CHECK(axis.ticks.size() >= 2);
        CHECK(axis.ticks.size() <= 11);
        CHECK(axis.ticks.back().at == axis.high);
    }
    CHECK(count_axis("cases", 1205).ticks.back().text == "1,500");
}

TEST_CASE("a plot leaves gaps, and out points that nobody sees") {
    const Axis unit{"x", 0, 1, even_ticks(0, 1, 0.5, 1)};
    Plot gap("gap", unit, unit);
    gap.line({{0, 0}, {0.2, undefined}, {0.4, 0.4}, {0.6, 0.6}}, Ink::first);
    CHECK(all_between(gap.str(), "class=\"line first\" d=\"").at(0).find_last_of('M') > 0);
    std::vector<CurvePoint> many;
    for (int i = 0; i <= 100000; ++i) {
        many.push_back({i / 100000.0, i / 100000.0});
    }
    Plot plot("many", unit, unit);
    plot.line(many, Ink::first, "a <name>");
    const std::string svg = plot.str();
    CHECK(svg.size() < 20000);
    CHECK(contains(svg, "L442.0 16.0\""));  // the last point is kept
    CHECK(contains(svg, "a &lt;name&gt;"));
}
