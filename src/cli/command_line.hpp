// What the command lines of all commands share: CLI11, with our usage lines, messages and rules. CLI11 itself
// is included where options are added, for it takes long to compile.
#pragma once

#include "skincheck/result.hpp"

#include "cli/options.hpp"
#include "result/number.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace CLI {
class App;
}

namespace skincheck::cli {

inline constexpr const char* notice =
    "For research only: skincheck is no medical device, and a score is no diagnosis.";

/// The first word of a command line, where it is not paths to score.
inline constexpr const char* preprocess_command = "preprocess";
inline constexpr const char* evaluate_command = "evaluate";
inline constexpr const char* merge_command = "merge";
inline constexpr const char* model_command = "model";
inline constexpr std::array commands = {preprocess_command, evaluate_command, merge_command, model_command};

/// The whole of `text` as a number in [low, high]; Fatal (usage) otherwise.
template <typename Number>
Number parse_number(const std::string& text, const char* option, Number low, Number high) {
    const std::optional<Number> value = number_in<Number>(text);
    if (!value || !(*value >= low && *value <= high)) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}: '{}' is not a {} from {} to {}", option, text,
                                std::is_integral_v<Number> ? "whole number" : "number", low, high));
    }
    return *value;
}

/// What --help begins with. CLI11 knows nothing of the paths, because it would read a name in square brackets
/// as a list; so the usage line is ours.
void set_usage(CLI::App& app, std::string usage);

/// An option that may be repeated.
void add_list_option(CLI::App& app, const char* name, std::vector<std::string>& values,
                     const char* value_name, const char* help);

/// --output for text; "-" is standard output, as without it. The help says when FILE is `replaced`.
void add_output_option(CLI::App& app, std::string& output, const char* replaced);

void add_quiet_option(CLI::App& app, Verbosity& chosen);

/// Refuses (usage) an empty argument where a file or a model is named. Of a path to score there is a row.
void refuse_empty_names(const std::vector<std::string>& names);

/// Refuses (usage) a file for text that has the name of an image or of a journal, or is one: `skincheck -o
/// drop/*` must not replace the first image by the rows of the others. So "-". Unless its run is `resumed`,
/// also one that has a journal: two kinds of runs on one output would each replace the other's rows. An empty
/// `file` is none.
void refuse_output(const char* option, const std::string& file, bool resumed = false);

/// Refuses (usage) to write where something else is read or written. Empty names are none.
void refuse_same(const char* option, const std::string& file, const std::vector<std::string>& others);

/// Refuses (usage) to write into the file that is read on standard input, where one of the `inputs` is "-".
void refuse_standard_input(const char* option, const std::string& file,
                           const std::vector<std::string>& inputs);

/// Runs CLI11 over what stands before "--". What it does not know are `paths`, or unknown options: Fatal
/// (usage). Answers the text of --help or --version, if it was asked for. The app's name is that of its
/// command, or empty.
std::string parse(CLI::App& app, std::vector<std::string> arguments, std::vector<std::string>& paths);

/// Of `evaluate`. Answers the text of --help or --version if it was asked for; then `command` is not filled.
std::string parse_evaluate(const std::vector<std::string>& arguments, EvaluateCommandOptions& command);

}  // namespace skincheck::cli
