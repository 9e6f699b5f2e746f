#include "skincheck/evaluate.hpp"
#include "skincheck/output.hpp"

#include "cli/commands.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <numeric>

namespace skincheck::cli {
namespace {

void write(const std::string& file, const std::string& text) {
    const auto destination = file.empty() ? standard_output() : atomic_file(file);
    destination->write(text);
    destination->commit();
}

std::size_t count(const std::vector<Fault>& faults) {
    return std::accumulate(faults.begin(), faults.end(), std::size_t{0},
                           [](std::size_t sum, const Fault& fault) { return sum + fault.count; });
}

// Table and JSON name what stays out; whoever reads neither to the end hears of it here.
void warn(const Report& report, Console& console) {
    std::size_t left_out = count(report.truth_faults);
    for (const Evaluation& evaluation : report.evaluations) {
        left_out += count(evaluation.faults);
        if (evaluation.threshold_assumed) {
            console.warn(fmt::format("{} tells no threshold: 0.5 is taken; give --threshold",
                                     evaluation.results_file));
        }
    }
    if (left_out > 0) {
        console.warn(
            fmt::format("{} rows stay out of the figures; the output names them under 'left out'", left_out));
    }
}

}  // namespace

ExitCode run_evaluate(const EvaluateCommandOptions& command, Console& console) {
    const Truth truth = read_truth(command.truth, command.truth_options);
    std::vector<Results> results;
    for (const std::string& file : command.results) {
        results.push_back(read_results(file, command.results_options));
    }
    EvaluateOptions options = command.options;
    options.with_curves = !command.report.empty();
    const Report report = evaluate(truth, results, options);
    warn(report, console);
    write(command.output, command.format == EvaluateFormat::json ? report_json(report) : report_text(report));
    if (!command.report.empty()) {
        const std::time_t now = std::time(nullptr);
        write(command.report,
              report_html(report, {command.images, fmt::format("{:%Y-%m-%d}", fmt::localtime(now))}));
    }
    return command.strict && report.has_faults() ? ExitCode::some_failed : ExitCode::ok;
}

}  // namespace skincheck::cli
