#include "skincheck/evaluate.hpp"
#include "skincheck/output.hpp"

#include "cli/commands.hpp"
#include "cli/resources.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace skincheck::cli {
namespace {

// Table and JSON name what stays out; whoever reads neither to the end hears of it here.
void warn(const Report& report, Console& console) {
    for (const Evaluation& evaluation : report.evaluations) {
        if (evaluation.threshold_source == ThresholdSource::assumed) {
            console.warn(fmt::format("{} tells no threshold of these scores: 0.5 is taken; give --threshold",
                                     evaluation.results_file));
        } else if (evaluation.threshold_source == ThresholdSource::ambiguous) {
            console.warn(
                fmt::format("{} tells several thresholds, as rows of different runs do: 0.5 is taken; "
                            "give --threshold",
                            evaluation.results_file));
        }
    }
    if (const std::size_t rows = report.left_out(); rows > 0) {
        console.warn(fmt::format("{} {} out of the figures; see 'left out' in the output", rows,
                                 rows == 1 ? "row stays" : "rows stay"));
    }
}

}  // namespace

ExitCode run_evaluate(const EvaluateCommandOptions& command, Console& console) {
    const Truth truth = read_truth(command.truth, command.truth_options);
    ResultsOptions results_options = command.results_options;
    if (!command.truth_options.positive.empty()) {
        results_options.malignant_classes =
            truth.malignant_classes.empty() ? command.truth_options.positive : truth.malignant_classes;
    }
    std::vector<Results> results;
    for (const std::string& file : command.results) {
        results.push_back(read_results(file, results_options));
    }
    // Before the work: what cannot be written is told at once, and not after a table that looks like success.
    for (const std::string& file : {command.output, command.report}) {
        check_writable(file);
    }
    check_images(command.images);

    EvaluateOptions options = command.options;
    options.with_curves = !command.report.empty();
    if (options.figures.jobs == 0) {
        options.figures.jobs = static_cast<int>(usable_cores());
    }
    const Report report = evaluate(truth, results, options);
    if (!command.report.empty()) {
        const std::time_t now = std::time(nullptr);
        const std::string page =
            report_html(report, {command.images, fmt::format("{:%Y-%m-%d}", fmt::localtime(now))});
        const auto file = atomic_file(command.report);  // only now: a signal ends this command at once
        file->write(page);
        file->commit();
    }
    warn(report, console);
    const auto output = command.output.empty() ? standard_output() : atomic_file(command.output);
    output->write(command.format == EvaluateFormat::json ? report_json(report) : report_text(report));
    output->commit();
    return command.strict && report.left_out() > 0 ? ExitCode::some_failed : ExitCode::ok;
}

}  // namespace skincheck::cli
