#include "cli/options.hpp"

#include "skincheck/prepare.hpp"
#include "skincheck/result.hpp"

#include "cli/command_line.hpp"
#include "cli/time.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace skincheck::cli {
namespace {

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
    add_quiet_option(app, options.verbosity);
    app.add_flag_callback(
           "-v,--verbose",
           [&options] {
               if (options.verbosity == Verbosity::quiet) {  // whose turn came before
                   throw Fatal(ExitCode::usage, "--quiet and --verbose exclude each other");
               }
               options.verbosity = Verbosity::verbose;
           },
           "Say what is used, and name each failed input")
        ->group("Messages");
    app.add_flag_callback(
           "--no-progress", [&options] { options.progress = false; }, "Show no progress on the terminal")
        ->group("Messages");
}

void add_format_option(CLI::App& app, std::optional<Format>& format, const char* help) {
    app.add_option_function<std::string>(
           "--format",
           [&format](const std::string& text) {
               format = parse_format(text);
               if (!format) {
                   throw Fatal(ExitCode::usage,
                               fmt::format("--format: '{}' is none of csv, json, jsonl, isic", text));
               }
           },
           help)
        ->type_name("FORMAT")
        ->group("Output");
}

bool is_number(const std::string& text) {
    double value = 0;
    const char* end = text.data() + text.size();
    return std::from_chars(text.data(), end, value).ptr == end;
}

void add_score_options(CLI::App& app, ScoreOptions& options) {
    app.add_option_function<std::string>(
           "--threshold",
           [&options](const std::string& text) {
               if (is_number(text)) {
                   options.threshold = parse_number(text, "--threshold", 0.0, 1.0);
               } else {
                   options.operating_point = text;  // whether there is one, the model tells
               }
           },
           "Malignant from here on: 0 to 1 or an operating point (default: the model's)")
        ->type_name("T")
        ->group("Model");
    app.add_option_function<std::string>(
           "--tta",
           [&options](const std::string& text) {
               options.views = parse_number(text, "--tta", 1, 8);
               if (!is_view_count(options.views)) {
                   throw Fatal(ExitCode::usage, fmt::format("--tta: {} is none of 1, 2, 4, 8", text));
               }
           },
           "Average over N views of an image, flipped and turned: 2, 4, 8 (default: 1)")
        ->type_name("N")
        ->group("Model");
    add_format_option(app, options.format,
                      "csv, json, jsonl or isic (default: by the ending of --output, else csv)");
    add_output_option(app, options.output, "at the end or when interrupted");
    app.add_option("--device", options.target.device, "auto, cpu, cuda or cuda:N (default: auto)")
        ->type_name("DEVICE")
        ->group("Running");
    app.add_option("--engine", options.target.engine, "auto, opencv or openvino, on the CPU (default: auto)")
        ->type_name("ENGINE")
        ->group("Running");
    app.add_option("--precision", options.target.precision, "fp32, fp16 or bf16 (default: fp32)")
        ->type_name("PRECISION")
        ->group("Running");
    app.add_option_function<std::string>(
           "--batch-size",
           [&options](const std::string& text) {
               options.batch_size = parse_number(text, "--batch-size", 1, 1024);
           },
           "Images that go through the network together (default: cpu 1, cuda 32)")
        ->type_name("N")
        ->group("Running");
}

void add_selection_options(CLI::App& app, InputOptions& input) {
    constexpr double longest_settling = 1e8;  // seconds: three years
    app.add_option_function<std::string>(
           "--since",
           [&input](const std::string& text) {
               input.since = parse_time(text);
               if (!input.since) {
                   throw Fatal(
                       ExitCode::usage,
                       fmt::format("--since: '{}' is no time; write 2026-11-22, 2026-11-22T18:30 (local "
                                   "time, or with Z behind it UTC) or @SECONDS",
                                   text));
               }
           },
           "Take files that changed at TIME or later: 2026-11-22, 2026-11-22T18:30")
        ->type_name("TIME")
        ->group("Input");
    app.add_option_function<std::string>(
           "--settle",
           [&input](const std::string& text) {
               input.settle =
                   static_cast<std::int64_t>(parse_number(text, "--settle", 0.0, longest_settling) * 1e9);
           },
           "Leave files that changed within SECONDS to the next run")
        ->type_name("SECONDS")
        ->group("Input");
    app.add_option_function<std::string>(
           "--shard",
           [&input](const std::string& text) {
               input.shard = parse_shard(text);
               if (!input.shard) {
                   throw Fatal(ExitCode::usage,
                               fmt::format("--shard: '{}' is no part I/N with I from 1 to N", text));
               }
           },
           "Score part I of N of the inputs; skincheck merge joins the parts")
        ->type_name("I/N")
        ->group("Input");
}

void add_journal_options(CLI::App& app, ScoreOptions& options) {
    app.add_flag("--resume", options.resume,
                 "Go on where the last run on --output ended; keeps FILE.skincheck")
        ->group("Output");
    app.add_flag("--force", options.start_over, "With --resume: drop what is there and start over")
        ->group("Output");
    app.add_flag("--wait-lock", options.wait_for_lock,
                 "With --resume: wait while another run writes --output")
        ->group("Output");
    app.add_option("--anonymise-paths", options.key_file, "Write a keyed hash in place of each path")
        ->type_name("KEYFILE")
        ->group("Output");
    app.add_option("--path-map", options.path_map,
                   "Add the hashes and their paths to FILE, which is kept private")
        ->type_name("FILE")
        ->group("Output");
}

void refuse_contradictions(const ScoreOptions& options) {
    const auto refuse_if = [](bool refused, const char* reason) {
        if (refused) {
            throw Fatal(ExitCode::usage, reason);
        }
    };
    const InputOptions& input = options.common.input;
    refuse_if(options.resume && options.output.empty(), "--resume needs --output FILE");
    refuse_if(options.start_over && !options.resume, "--force goes with --resume");
    refuse_if(options.wait_for_lock && !options.resume, "--wait-lock goes with --resume");
    refuse_if(!options.path_map.empty() && options.key_file.empty(),
              "--path-map goes with --anonymise-paths");
    refuse_if(options.key_file == "-",
              "--anonymise-paths -: the key is not read from standard input; name a file");
    std::vector<std::string> files = input.files_from;
    files.push_back(options.key_file);
    refuse_output("--path-map", options.path_map);
    refuse_same("--path-map", options.path_map, files);
    files.push_back(options.path_map);
    std::copy_if(input.paths.begin(), input.paths.end(), std::back_inserter(files),
                 [](const std::string& path) { return path != "-"; });
    refuse_same("--output", options.output, files);
    refuse_if(input.shard && input.settle > 0,
              "--shard and --settle exclude each other: all shards must have the same inputs");
    refuse_if(input.shard && options.format == Format::isic,
              "--shard: a submission cannot be merged; write csv or jsonl, and merge with --format isic");
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
    CLI::App app("", preprocess_command);
    set_usage(app,
              "Usage: skincheck preprocess --output DIR [OPTIONS] [PATH...]\n\n"
              "Writes what the network would see of each image, before "
              "normalisation, as PNG files under DIR, and a\n"
              "CSV row (path,status,output,error) for each to standard output.");
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
        if (options.output == "-") {
            throw Fatal(ExitCode::usage, "--output -: PNG files do not go to standard output; name a folder");
        }
        complete_input(options.common.input, "skincheck preprocess");
        invocation.preprocess = std::move(options);
    }
    return invocation;
}

Invocation parse_merge(const std::vector<std::string>& arguments) {
    Invocation invocation;
    MergeOptions options;
    CLI::App app("", merge_command);
    set_usage(
        app,
        "Usage: skincheck merge [OPTIONS] PART...\n\n"
        "Joins what runs with --shard 1/N to N/N wrote to what one run over all inputs would have written.\n"
        "Refuses parts that are not whole, not of the same inputs or not of the same model.");
    add_format_option(app, options.format,
                      "csv, json, jsonl or isic (default: by the ending of --output, else as the parts)");
    add_output_option(app, options.output, "when all is written");
    add_quiet_option(app, options.verbosity);
    invocation.text = parse(app, arguments, options.parts);
    if (invocation.text.empty()) {
        refuse_empty_names(options.parts);
        if (options.parts.empty()) {
            throw Fatal(ExitCode::usage, "name the parts to merge (see skincheck merge --help)");
        }
        refuse_output("--output", options.output);
        refuse_same("--output", options.output, options.parts);
        if (!options.format && !options.output.empty()) {
            options.format = format_of_path(options.output);
        }
        invocation.merge = std::move(options);
    }
    return invocation;
}

Invocation parse_model(const std::vector<std::string>& arguments) {
    Invocation invocation;
    ModelCommandOptions options;
    std::vector<std::string> models;
    CLI::App app("", model_command);
    set_usage(
        app,
        "Usage: skincheck model [OPTIONS] [DIR|NAME]\n\n"
        "Tells what a model is, checks its hash, and runs its self-test on each device of this machine.\n"
        "Without DIR or NAME it is the model that scoring would use.");
    invocation.text = parse(app, arguments, models);
    if (invocation.text.empty()) {
        refuse_empty_names(models);
        if (models.size() > 1) {
            throw Fatal(ExitCode::usage, "name one model (see skincheck model --help)");
        }
        if (!models.empty()) {
            options.model = models.front();
        }
        invocation.model = std::move(options);
    }
    return invocation;
}

Invocation parse_score(const std::vector<std::string>& arguments) {
    Invocation invocation;
    ScoreOptions options;
    CLI::App app;
    set_usage(app,
              "Usage: skincheck [OPTIONS] [PATH...]\n"
              "       skincheck preprocess --output DIR [OPTIONS] [PATH...]\n"
              "       skincheck evaluate --truth FILE [OPTIONS] RESULTS [RESULTS]\n"
              "       skincheck merge [OPTIONS] PART...\n"
              "       skincheck model [OPTIONS] [DIR|NAME]\n\n"
              "Scores dermoscopic images for malignancy: one row for each input, "
              "in the order of the inputs. PATH is an\n"
              "image, or a directory that is searched for images, or '-' for a "
              "list of paths on standard input, which is\n"
              "also read when there is no PATH.\n\n"
              "preprocess writes what the network sees, evaluate measures scores "
              "against ground truth, merge joins the parts\n"
              "of a run, model tells what a model is; each has a --help of its own.");
    app.footer(fmt::format(
        "Exit codes: 0 all rows ok, 1 some inputs failed, 2 usage, 3 model or device unusable or\n"
        "memory too little, 4 output cannot be written, 129/130/143 interrupted. More: man skincheck\n{}",
        notice));
    add_input_options(app, options.common);
    add_selection_options(app, options.common.input);
    add_running_options(app, options.common);
    add_score_options(app, options);
    add_journal_options(app, options);
    add_message_options(app, options.common);
    invocation.text = parse(app, arguments, options.common.input.paths);
    if (invocation.text.empty()) {
        refuse_output("--output", options.output, options.resume);
        if (!options.format && !options.output.empty()) {
            options.format = format_of_path(options.output);
        }
        refuse_contradictions(options);
        complete_input(options.common.input, "skincheck");
        refuse_standard_input("--output", options.output, options.common.input.paths);
        refuse_standard_input("--output", options.output, options.common.input.files_from);
        if (!options.key_file.empty()) {
            options.common.input.anonymise = anonymise_with(options.key_file);
        }
        invocation.score = std::move(options);
    }
    return invocation;
}

}  // namespace

Invocation parse_command_line(const std::vector<std::string>& arguments) {
    const std::string command = arguments.empty() ? "" : arguments.front();
    if (command == preprocess_command) {
        return parse_preprocess({arguments.begin() + 1, arguments.end()});
    }
    if (command == merge_command) {
        return parse_merge({arguments.begin() + 1, arguments.end()});
    }
    if (command == model_command) {
        return parse_model({arguments.begin() + 1, arguments.end()});
    }
    if (command == evaluate_command) {
        Invocation invocation;
        EvaluateCommandOptions options;
        invocation.text = parse_evaluate({arguments.begin() + 1, arguments.end()}, options);
        invocation.evaluate = std::move(options);
        return invocation;
    }
    return parse_score(arguments);
}

}  // namespace skincheck::cli
