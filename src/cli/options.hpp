// The command line → plain structs.
#pragma once

#include "skincheck/classify.hpp"
#include "skincheck/evaluate.hpp"
#include "skincheck/image.hpp"
#include "skincheck/input.hpp"
#include "skincheck/model.hpp"
#include "skincheck/output.hpp"

#include <optional>
#include <string>
#include <vector>

namespace skincheck::cli {

enum class Verbosity { quiet, normal, verbose };

/// What scoring and preprocess take.
struct CommonOptions {
    InputOptions input;
    LoadOptions load;
    std::string model;  ///< empty: the default one
    int jobs = 0;       ///< 0: as many as cores and memory allow
    Verbosity verbosity = Verbosity::normal;
    bool progress = true;
};

struct ScoreOptions {
    CommonOptions common;
    std::optional<double> threshold;  ///< nothing: the model's
    std::string operating_point;      ///< of the model, in place of a threshold; empty: none
    std::optional<Format> format;     ///< nothing: by the ending of `output`, else CSV
    std::string output;               ///< empty: standard output
    TargetRequest target;
    int batch_size = 0;  ///< 0: what suits the device
    int views = 1;       ///< of each image, see views_of()
    bool resume = false;
    bool start_over = false;
    bool wait_for_lock = false;
    std::string key_file;  ///< of anonymised paths; empty: paths are written as they are
    std::string path_map;  ///< file for the anonymised paths' originals; empty: none
};

struct MergeOptions {
    std::vector<std::string> parts;
    std::optional<Format> format;  ///< nothing: by the ending of `output`, else that of the parts
    std::string output;            ///< empty: standard output
    Verbosity verbosity = Verbosity::normal;
};

struct ModelCommandOptions {
    std::string model;  ///< empty: the default one
};

struct PreprocessOptions {
    CommonOptions common;
    std::string output;  ///< a folder
};

enum class EvaluateFormat { text, json };

struct EvaluateCommandOptions {
    std::string truth;
    TruthOptions truth_options;
    std::vector<std::string> results;  ///< one or two files; "-" is standard input
    ResultsOptions results_options;
    EvaluateOptions options;
    std::optional<EvaluateFormat> format;  ///< nothing: by the ending of `output`, else text
    std::string output;                    ///< empty: standard output
    std::string report;                    ///< an HTML file; empty: none
    std::string images;                    ///< folder of the images for the report's thumbnails
    bool strict = false;
    Verbosity verbosity = Verbosity::normal;
};

/// What there is to do, after reading the command line.
struct Invocation {
    std::optional<ScoreOptions> score;
    std::optional<PreprocessOptions> preprocess;
    std::optional<EvaluateCommandOptions> evaluate;
    std::optional<MergeOptions> merge;
    std::optional<ModelCommandOptions> model;
    std::string text;  ///< of --help or --version; then there is nothing else to do
};

/// Throws Fatal (usage) with one line that says what is wrong.
Invocation parse_command_line(const std::vector<std::string>& arguments);

}  // namespace skincheck::cli
