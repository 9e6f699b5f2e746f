#include "skincheck/output.hpp"

#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/trim.hpp>
#include <boost/tokenizer.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace skincheck::cli {
namespace {

constexpr const char* usage =
    "Usage: skincheck evaluate --truth FILE [OPTIONS] RESULTS [RESULTS]\n\n"
    "Measures scores against ground truth: sensitivity, specificity, AUC, calibration and more, with 95 %\n"
    "intervals. RESULTS is what skincheck wrote (CSV, JSON, JSON Lines), a submission in ISIC's layouts, or\n"
    "any CSV of id and score; '-' is standard input. Two files are compared. Images are matched by the\n"
    "file's name, without folders and ending.";

void add_lists(CLI::App& app, const char* name, std::vector<std::string>& values, const char* type,
               const char* help, const char* group) {
    app.add_option_function<std::string>(
           name,
           [&values](const std::string& text) {
               const boost::escaped_list_separator<char> comma("", ",", "\"");  // a quoted name may hold one
               const boost::tokenizer parts(text, comma);
               for (const std::string& quoted : parts) {
                   const std::string part =
                       boost::algorithm::trim_copy_if(quoted, boost::algorithm::is_any_of(" \t"));
                   if (std::find(values.begin(), values.end(), part) == values.end()) {
                       values.push_back(part);
                   }
               }
           },
           help)
        ->type_name(type)
        ->trigger_on_parse()
        ->group(group);
}

void add_input_options(CLI::App& app, EvaluateCommandOptions& command) {
    const auto text = [&app](const char* name, std::string& value, const char* type, const char* help) {
        app.add_option(name, value, help)->type_name(type)->group("Input");
    };
    text("--truth", command.truth, "FILE",
         "Ground truth: a table of an ISIC challenge, HAM10000's, or any CSV");
    text("--id-column", command.truth_options.id_column, "NAME", "Column of the truth with the image");
    text("--label-column", command.truth_options.label_column, "NAME", "Column of the truth with the label");
    add_lists(app, "--positive", command.truth_options.positive, "VALUE,...",
              "Labels or classes that are malignant (default: by the layout)", "Input");
    text("--metadata", command.truth_options.metadata, "FILE",
         "CSV with more columns: age_approx, sex, lesion_id ...");
    text("--metadata-id-column", command.truth_options.metadata_id_column, "NAME",
         "Column of the metadata with the image");
    text("--results-id-column", command.results_options.id_column, "NAME",
         "Column of the results with the image");
    text("--score-column", command.results_options.score_column, "NAME",
         "Column of the results with the score");
    app.add_flag("--strict", command.strict, "Exit code 1 if any row stays out of the figures")
        ->group("Input");
}

void add_figure_options(CLI::App& app, EvaluateCommandOptions& command) {
    EvaluateOptions& options = command.options;
    const auto numbers = [&app](const char* name, const char* type, const char* help, auto&& set) {
        app.add_option_function<std::string>(name, set, help)->type_name(type)->group("Figures");
    };
    numbers("--threshold", "T", "Malignant from this score on, 0 to 1 (default: the one in the results)",
            [&](const std::string& t) { options.threshold = parse_number(t, "--threshold", 0.0, 1.0); });
    numbers("--target-sensitivity", "S", "Find the threshold that reaches it, and what to expect of it",
            [&](const std::string& t) {
                options.aims.emplace_back(Aim::sensitivity,
                                          parse_number(t, "--target-sensitivity", 0.0, 1.0));
            });
    numbers("--target-specificity", "S", "The same for specificity; both may be repeated",
            [&](const std::string& t) {
                options.aims.emplace_back(Aim::specificity,
                                          parse_number(t, "--target-specificity", 0.0, 1.0));
            });
    for (const char* name : {"--target-sensitivity", "--target-specificity"}) {
        app.get_option(name)->trigger_on_parse();
    }
    numbers("--min-tpr", "S", "Least sensitivity of the partial AUC (default: 0.8)",
            [&](const std::string& t) { options.figures.min_tpr = parse_number(t, "--min-tpr", 0.0, 1.0); });
    add_lists(app, "--by", options.by, "COLUMN,...",
              "The same figures for each value: sex, age_approx, diagnosis ...", "Figures");
    numbers("--bootstrap", "N", "Resamples for the intervals; 0: DeLong's alone (default: 2000)",
            [&](const std::string& t) {
                options.figures.bootstrap = parse_number(t, "--bootstrap", 0, 100'000);
            });
    app.add_option("--cluster", options.cluster,
                   "Draw equal values together (default: patient_id, else lesion_id; or none)")
        ->type_name("COLUMN")
        ->group("Figures");
    numbers("--seed", "N", "Of the bootstrap (default: 1)", [&](const std::string& t) {
        options.figures.seed =
            parse_number(t, "--seed", std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max());
    });
    numbers("-j,--jobs", "N", "Threads (default: one a core)",
            [&](const std::string& t) { options.figures.jobs = parse_number(t, "--jobs", 1, 1024); });
}

void add_output_options(CLI::App& app, EvaluateCommandOptions& command) {
    app.add_option_function<std::string>(
           "--format",
           [&command](const std::string& text) {
               if (text != "text" && text != "json") {
                   throw Fatal(ExitCode::usage, fmt::format("--format: '{}' is none of text, json", text));
               }
               command.format = text == "json" ? EvaluateFormat::json : EvaluateFormat::text;
           },
           "text or json, with all digits (default: by --output's ending, else text)")
        ->type_name("FORMAT")
        ->group("Output");
    add_output_option(app, command.output, "when all is written");
    app.add_option("--report", command.report, "Write a page with plots too, whole in itself")
        ->type_name("FILE.html")
        ->group("Output");
    app.add_option("--images", command.images, "Folder of the images, for the report's thumbnails")
        ->type_name("DIR")
        ->group("Output");
}

// What CLI11 cannot see.
void check(const EvaluateCommandOptions& command) {
    if (command.truth.empty()) {
        throw Fatal(ExitCode::usage, "evaluate needs --truth FILE");
    }
    refuse_empty_names(command.results);
    if (command.results.empty() || command.results.size() > 2) {
        throw Fatal(ExitCode::usage,
                    fmt::format("evaluate takes one file of results, or two to compare, not {}",
                                command.results.size()));
    }
    if (command.results.size() == 2 && command.results[0] == command.results[1]) {
        throw Fatal(ExitCode::usage, fmt::format("{} is named twice", command.results[0]));
    }
    const auto of_standard_input = std::count(command.results.begin(), command.results.end(), "-") +
                                   (command.truth == "-" ? 1 : 0) +
                                   (command.truth_options.metadata == "-" ? 1 : 0);
    if (of_standard_input > 1) {
        throw Fatal(ExitCode::usage, "'-' is named twice, and standard input can be read once");
    }
    if (!command.images.empty() && command.report.empty()) {
        throw Fatal(ExitCode::usage, "--images goes with --report");
    }
    if (!command.truth_options.metadata_id_column.empty() && command.truth_options.metadata.empty()) {
        throw Fatal(ExitCode::usage, "--metadata-id-column goes with --metadata");
    }
    std::vector<std::string> files = command.results;
    files.push_back(command.truth);
    files.push_back(command.truth_options.metadata);
    for (const auto& [option, file] : {std::pair("--output", command.output), {"--report", command.report}}) {
        refuse_output(option, file);
        refuse_standard_input(option, file, files);
    }
    refuse_same("--output", command.output, files);
    files.push_back(command.output);
    refuse_same("--report", command.report, files);
}

}  // namespace

std::string parse_evaluate(const std::vector<std::string>& arguments, EvaluateCommandOptions& command) {
    CLI::App app("", evaluate_command);
    set_usage(app, usage);
    app.footer(
        "Exit codes: 0 done, 1 with --strict when rows stay out, 2 usage or unusable input,\n"
        "3 not enough memory, 4 output cannot be written. More: man skincheck-evaluate\n" +
        std::string(notice));
    add_input_options(app, command);
    add_figure_options(app, command);
    add_output_options(app, command);
    add_quiet_option(app, command.verbosity);
    std::string text = parse(app, arguments, command.results);
    if (text.empty()) {
        check(command);
        if (!command.format && format_of_path(command.output) == Format::json) {
            command.format = EvaluateFormat::json;
        }
    }
    return text;
}

}  // namespace skincheck::cli
