#include "cli/options.hpp"

#include "skincheck/result.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <opencv2/core/utility.hpp>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <type_traits>

namespace skincheck::cli {
namespace {

constexpr const char* notice =
    "For research only: skincheck is no medical device, and a score is no diagnosis.";

// CLI11 knows nothing of the paths, because it would read a name in square brackets as a list; so the usage
// line is ours.
class HelpFormatter : public CLI::Formatter {
  public:
    explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(30); }
    std::string make_usage(const CLI::App* /*app*/, std::string /*name*/) const override {
        return usage_ + "\n";
    }

  private:
    std::string usage_;
};

// The whole of `text` as a number in [low, high].
template <typename Number>
Number parse_number(const std::string& text, const char* option, Number low, Number high) {
    Number value{};
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end || !(value >= low && value <= high)) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}: '{}' is not a {} from {} to {}", option, text,
                                std::is_integral_v<Number> ? "whole number" : "number", low, high));
    }
    return value;
}

void add_list_option(CLI::App& app, const char* name, std::vector<std::string>& values,
                     const char* value_name, const char* help) {
    app.add_option_function<std::string>(
           name, [&values](const std::string& value) { values.push_back(value); }, help)
        ->type_name(value_name)
        ->trigger_on_parse();
}

void add_input_options(CLI::App& app, CommonOptions& options) {
    InputOptions& input = options.input;
    app.add_flag("-0,--null", input.null_separated, "Lists of paths are separated by NUL, not by newlines")
        ->group("Input");
    add_list_option(app, "--files-from", input.files_from, "FILE",
                    "Read paths from FILE too ('-': standard input)");
    add_list_option(app, "--include", input.include, "GLOB",
                    "In directories take only files that match GLOB");
    add_list_option(app, "--exclude", input.exclude, "GLOB",
                    "In directories leave out files and folders that match");
    for (const char* name : {"--files-from", "--include", "--exclude"}) {
        app.get_option(name)->group("Input");
    }
    app.add_flag("--hidden", input.hidden, "In directories take names that begin with a dot too")
        ->group("Input");
    app.add_flag("--follow", input.follow, "Enter symbolic links to directories")->group("Input");
    app.add_flag("--allow-truncated", options.load.allow_truncated,
                 "Use JPEGs that end early too; their status stays truncated")
        ->group("Input");
}

void add_running_options(CLI::App& app, CommonOptions& options) {
    app.add_option("--model", options.model, "The model: a package's folder, or its name")
        ->type_name("DIR|NAME")
        ->group("Model");
    app.add_option_function<std::string>(
           "-j,--jobs",
           [&options](const std::string& text) { options.jobs = parse_number(text, "--jobs", 1, 1024); },
           "Images in work at the same time (default: one a core, as memory allows)")
        ->type_name("N")
        ->group("Running");
}

void add_message_options(CLI::App& app, CommonOptions& options) {
    const auto set = [&options](Verbosity verbosity) {
        if (options.verbosity != Verbosity::normal && options.verbosity != verbosity) {
            throw Fatal(ExitCode::usage, "--quiet and --verbose exclude each other");
        }
        options.verbosity = verbosity;
    };
    app.add_flag_callback(
           "-q,--quiet", [set] { set(Verbosity::quiet); }, "Say nothing but errors")
        ->group("Messages");
    app.add_flag_callback(
           "-v,--verbose", [set] { set(Verbosity::verbose); }, "Say what is used, and name each failed input")
        ->group("Messages");
    app.add_flag_callback(
           "--no-progress", [&options] { options.progress = false; }, "Show no progress on the terminal")
        ->group("Messages");
}

void add_score_options(CLI::App& app, ScoreOptions& options) {
    app.add_option_function<std::string>(
           "--threshold",
           [&options](const std::string& text) {
               options.threshold = parse_number(text, "--threshold", 0.0, 1.0);
           },
           "Malignant from this malignancy on, 0 to 1 (default: the model's)")
        ->type_name("T")
        ->group("Model");
    app.add_option_function<std::string>(
           "--format",
           [&options](const std::string& text) {
               options.format = parse_format(text);
               if (!options.format) {
                   throw Fatal(ExitCode::usage,
                               fmt::format("--format: '{}' is none of csv, json, jsonl", text));
               }
           },
           "csv, json or jsonl (default: by the ending of --output, else csv)")
        ->type_name("FORMAT")
        ->group("Output");
    app.add_option("-o,--output", options.output, "Write to FILE, which appears when it is whole")
        ->type_name("FILE")
        ->group("Output");
    app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N (default: auto)")
        ->type_name("DEVICE")
        ->group("Running");
    app.add_option("--precision", options.precision, "fp32 or fp16, which needs cuda (default: fp32)")
        ->type_name("PRECISION")
        ->group("Running");
    app.add_option_function<std::string>(
           "--batch-size",
           [&options](const std::string& text) {
               options.batch_size = parse_number(text, "--batch-size", 1, 1024);
           },
           "Images that go through the network together (default: 1 on the CPU)")
        ->type_name("N")
        ->group("Running");
}

// Runs CLI11 over what stands before "--". What it does not know are paths, or unknown options. Answers the
// text of
// --help or --version, if it was asked for.
std::string parse(CLI::App& app, std::vector<std::string> arguments, std::vector<std::string>& paths) {
    app.allow_extras();
    app.set_help_flag("-h,--help", "Print this help")->group("Messages");
    app.set_version_flag("-V,--version",
                         fmt::format("skincheck {} (OpenCV {})", SKINCHECK_VERSION, cv::getVersionString()),
                         "Print the version")
        ->group("Messages");
    const auto separator = std::find(arguments.begin(), arguments.end(), "--");
    const std::vector<std::string> after(separator == arguments.end() ? separator : separator + 1,
                                         arguments.end());
    arguments.erase(separator, arguments.end());
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        return app.help();
    } catch (const CLI::CallForVersion& version) {
        return version.what() + std::string("\n");
    } catch (const CLI::ParseError& error) {
        throw Fatal(ExitCode::usage, error.what());
    }
    paths = app.remaining();
    for (const std::string& path : paths) {
        if (path.size() > 1 && path.front() == '-') {
            throw Fatal(ExitCode::usage,
                        fmt::format("unknown option '{0}' (a path? put -- before it)", path));
        }
    }
    paths.insert(paths.end(), after.begin(), after.end());
    return "";
}

// Without a path, a list is read from a pipe or a file on standard input, but nobody types one into a
// terminal.
void complete_input(InputOptions& input, const char* command) {
    input.extensions = image_extensions();
    if (!input.paths.empty() || !input.files_from.empty()) {
        return;
    }
    if (isatty(STDIN_FILENO) != 0) {
        throw Fatal(
            ExitCode::usage,
            fmt::format("name images or directories, or pipe a list of paths in (see {} --help)", command));
    }
    input.paths.emplace_back("-");
}

Invocation parse_preprocess(const std::vector<std::string>& arguments) {
    Invocation invocation;
    PreprocessOptions options;
    CLI::App app;
    app.formatter(
        std::make_shared<HelpFormatter>("Usage: skincheck preprocess --output DIR [OPTIONS] [PATH...]\n\n"
                                        "Writes what the network would see of each image, before "
                                        "normalisation, as PNG files under DIR, and a\n"
                                        "CSV row (path,status,output,error) for each to standard output."));
    add_input_options(app, options.common);
    add_running_options(app, options.common);
    app.add_option("-o,--output", options.output, "The folder for the PNG files; made if it is not there")
        ->type_name("DIR")
        ->group("Output");
    add_message_options(app, options.common);
    invocation.text = parse(app, arguments, options.common.input.paths);
    if (invocation.text.empty()) {
        if (options.output.empty()) {
            throw Fatal(ExitCode::usage, "preprocess needs --output DIR");
        }
        complete_input(options.common.input, "skincheck preprocess");
        invocation.preprocess = std::move(options);
    }
    return invocation;
}

Invocation parse_score(const std::vector<std::string>& arguments) {
    Invocation invocation;
    ScoreOptions options;
    CLI::App app;
    app.formatter(
        std::make_shared<HelpFormatter>("Usage: skincheck [OPTIONS] [PATH...]\n"
                                        "       skincheck preprocess --output DIR [OPTIONS] [PATH...]\n\n"
                                        "Scores dermoscopic images for malignancy: one row for each input, "
                                        "in the order of the inputs. PATH is an\n"
                                        "image, or a directory that is searched for images, or '-' for a "
                                        "list of paths on standard input, which is\n"
                                        "also read when there is no PATH."));
    app.footer(
        fmt::format("Exit codes: 0 all rows ok, 1 some inputs failed, 2 usage, 3 model or device unusable,\n"
                    "4 output cannot be written, 130/143 interrupted. More: man skincheck\n{}",
                    notice));
    add_input_options(app, options.common);
    add_running_options(app, options.common);
    add_score_options(app, options);
    add_message_options(app, options.common);
    invocation.text = parse(app, arguments, options.common.input.paths);
    if (invocation.text.empty()) {
        if (!options.format && !options.output.empty()) {
            options.format = format_of_path(options.output);
        }
        complete_input(options.common.input, "skincheck");
        invocation.score = std::move(options);
    }
    return invocation;
}

}  // namespace

Invocation parse_command_line(const std::vector<std::string>& arguments) {
    if (!arguments.empty() && arguments.front() == "preprocess") {
        return parse_preprocess({arguments.begin() + 1, arguments.end()});
    }
    return parse_score(arguments);
}

}  // namespace skincheck::cli
