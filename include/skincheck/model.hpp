// The model package: a folder with model.json and model.onnx (or model.onnx.zst). Everything about a model
// that is not a weight is data in model.json, read and validated here; other rooms carry it out.
#pragma once

#include "skincheck/result.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace skincheck {

enum class Interpolation { area, linear, cubic };

/// The steps of `preprocess`, in the words of model.json. Sizes in pixels. Carried out by src/prepare/.
namespace step {
struct ShrinkOnLoad {  ///< {"op": "shrink_on_load", "times"}: only first, and a resize after it. A JPEG may
                       ///< be decoded at 1/2, 1/4 or 1/8, as long as no side is below `times` what the resize
                       ///< makes
    int times = 0;
};
struct ResizeSquash {  ///< {"op": "resize", "mode": "squash", "width", "height", "interpolation"}
    int width = 0, height = 0;
    Interpolation interpolation = Interpolation::area;
};
struct ResizeShortestSide {  ///< {"op": "resize", "mode": "shortest_side", "size", "interpolation"}
    int size = 0;
    Interpolation interpolation = Interpolation::area;
};
struct CenterCrop {  ///< {"op": "center_crop", "width", "height"}; a side that is too short is an error of
                     ///< the model
    int width = 0, height = 0;
};
struct Pad {  ///< {"op": "pad", "width", "height", "value"}: centred, grey `value` 0..255 around
    int width = 0, height = 0, value = 0;
};
struct Median {  ///< {"op": "median", "size"}: odd, 3 or 5
    int size = 0;
};
struct Gaussian {  ///< {"op": "gaussian", "sigma"}
    double sigma = 0;
};
struct Bilateral {  ///< {"op": "bilateral", "diameter", "sigma_colour", "sigma_space"}
    int diameter = 0;
    double sigma_colour = 0, sigma_space = 0;
};
struct NlMeans {  ///< {"op": "nlmeans", "strength", "template_size", "search_size"}
    double strength = 0;
    int template_size = 0, search_size = 0;
};
struct Dehair {  ///< {"op": "dehair", "kernel", "threshold", "radius"}: black-hat, threshold, inpainting
                 ///< (Telea)
    int kernel = 0, threshold = 0;
    double radius = 0;
};
struct ColourConstancy {  ///< {"op": "colour_constancy", "power"}: shades of grey with a Minkowski norm
    double power = 0;
};
}  // namespace step

using Step = std::variant<step::ShrinkOnLoad, step::ResizeSquash, step::ResizeShortestSide, step::CenterCrop,
                          step::Pad, step::Median, step::Gaussian, step::Bilateral, step::NlMeans,
                          step::Dehair, step::ColourConstancy>;

/// network input = (pixel * scale - mean) / std, channel by channel in RGB order.
struct Normalise {
    double scale = 1.0 / 255;
    std::array<double, 3> mean{};
    std::array<double, 3> std{1, 1, 1};
};

struct InputSpec {
    std::string name;
    int height = 0, width = 0;  ///< RGB, NCHW
};

enum class OutputKind { sigmoid, softmax };

struct OutputSpec {
    std::string name;
    OutputKind kind = OutputKind::sigmoid;
    std::vector<std::string> classes;    ///< sigmoid: one name; softmax: two or more, in the network's order
    std::vector<std::string> malignant;  ///< those whose probabilities add up to the malignancy
    bool multi_class() const { return classes.size() > 1; }
};

enum class CalibrationKind { none, temperature, platt };

/// Applied to the logit z = log(p / (1 - p)): temperature gives z / temperature, Platt gives slope * z +
/// intercept (Guo et al. 2017; Platt 1999). With softmax the temperature divides the log-probabilities of all
/// classes, and Platt moves the malignancy alone. Probabilities are kept 1e-7 away from 0 and 1 for it, so
/// that logits stay finite.
struct Calibration {
    CalibrationKind kind = CalibrationKind::none;
    double temperature = 1;
    double slope = 1, intercept = 0;
};

struct OperatingPointSpec {
    std::string name;
    double threshold = 0, sensitivity = 0, specificity = 0;
};

/// Drawn inputs and what the training framework's network answered to them.
struct Golden {
    struct Case {
        std::uint32_t seed = 0;       ///< of draw_golden_input() in prepare.hpp
        std::vector<double> outputs;  ///< the network's raw outputs, one for each class
    };
    std::vector<Case> cases;
    std::map<std::string, double> tolerance;  ///< key "DEVICE-PRECISION", for instance "cpu-fp32"
};

/// model.json, format 1. Every field is there, in any order; unknown and repeated keys are errors. A text is
/// one line.
///
///     format            1
///     name              letters, digits, '.', '_' and '-'
///     version, licence, description   texts
///     sha256            of the unpacked model.onnx, 64 lower-case hexadecimal digits
///     input             {"name", "height", "width", "channels": "RGB", "layout": "NCHW"}
///     preprocess        [{"op": …}, …], see namespace step; ends at the input's size for every image
///     normalise         {"scale", "mean": [R, G, B], "std": [R, G, B]}; scale and std above 0
///     output            {"name", "kind": "sigmoid" | "softmax", "classes": […], "malignant": […]};
///                       a sigmoid has one class, the malignant one; of a softmax's some are, not all
///     calibration       {"kind": "none"} | {"kind": "temperature", "temperature"} |
///                       {"kind": "platt", "slope", "intercept"}; temperature and slope above 0
///     threshold         0 to 1
///     operating_points  [{"name", "threshold", "sensitivity", "specificity"}, …], may be empty
///     golden            {"cases": [{"seed", "outputs": [one for each class]}, …], "tolerance":
///                       {"cpu-fp32", and if wanted "cpu-bf16", "cuda-fp32", "cuda-fp16"}}; one case
///                       at least
///     training          {…}, free
struct ModelSpec {
    std::string name, version, licence, description;
    std::string sha256;  ///< of the unpacked model.onnx, 64 lower-case hexadecimal digits
    InputSpec input;
    std::vector<Step> preprocess;
    Normalise normalise;
    OutputSpec output;
    Calibration calibration;
    double threshold = 0.5;
    std::vector<OperatingPointSpec> operating_points;
    Golden golden;
    std::string preprocess_json;  ///< {"preprocess", "normalise"} as compact JSON, for the provenance
    std::string training_json;    ///< free form

    std::string id() const;  ///< name@first-12-of-sha256
};

struct Model {
    ModelSpec spec;
    std::string onnx;       ///< the unpacked model.onnx
    std::string directory;  ///< where it was found
    std::string network;    ///< the file there that `onnx` was read from
};

/// Parses and validates model.json's text. Missing fields, unknown keys and values out of range throw Fatal
/// (model) with a sentence that names `origin` and the field.
ModelSpec parse_model_spec(const std::string& json, const std::string& origin);

/// The folder of `name_or_directory`: with a slash in it a path to a folder; else a name, searched for here,
/// in $SKINCHECK_MODEL_PATH (separated by colons), beside the executable (../share/skincheck/models) and in
/// the installed data folder; the first folder of that name with a model.json. Without a name it is the
/// default one's, but not here: what lies in the current folder may be a stranger's. Throws Fatal (model)
/// that tells where it looked.
std::string find_model(const std::string& name_or_directory);

inline constexpr const char* default_model_name = "skincheck-resnet50";

/// Reads the spec only, without the weights. Throws Fatal (model).
ModelSpec load_model_spec(const std::string& directory);

/// Reads the package: the spec, then model.onnx or model.onnx.zst, whose hash must be the spec's. Throws
/// Fatal (model).
Model load_model(const std::string& directory);

/// The network's raw outputs for one image, one for each class → calibrated, rounded score. Nothing when an
/// output is not finite. Throws Fatal (model) when their number is wrong or they are no probabilities, which
/// is the package's fault.
std::optional<Score> to_score(std::span<const float> outputs, const ModelSpec& spec);

}  // namespace skincheck
