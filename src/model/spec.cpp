#include "skincheck/model.hpp"

#include "field.hpp"
#include "result/number.hpp"
#include "steps.hpp"

#include <algorithm>

namespace skincheck {
namespace {

constexpr double any = 1e9;  // a bound for numbers that have none of their own

std::string model_name(const Field& field) {
    std::string name = field.text();
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name.find_first_not_of(allowed) != std::string::npos || name.size() > 100) {
        field.fail(fmt::format("{} is not made of letters, digits, '.', '_' and '-' only, 100 at most",
                               field.found()));
    }
    return name;
}

std::string hash(const Field& field) {
    std::string digits = field.text();
    if (digits.size() != 64 || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
        field.fail(fmt::format("{} is not 64 lower-case hexadecimal digits", field.found()));
    }
    return digits;
}

InputSpec input_spec(const Field& field) {
    field.expect_keys({"name", "height", "width", "channels", "layout"});
    field.member("channels").one_of<bool>({{"RGB", true}});
    field.member("layout").one_of<bool>({{"NCHW", true}});
    return {field.member("name").text(), field.member("height").size(), field.member("width").size()};
}

std::array<double, 3> three(const Field& field, bool above_zero) {
    const std::vector<Field> elements = field.elements();
    if (elements.size() != 3) {
        field.fail(fmt::format("{} entries; it wants 3, for red, green and blue", elements.size()));
    }
    std::array<double, 3> values{};
    std::transform(elements.begin(), elements.end(), values.begin(), [&](const Field& element) {
        return above_zero ? element.positive(any) : element.number(-any, any);
    });
    return values;
}

Normalise normalise(const Field& field) {
    field.expect_keys({"scale", "mean", "std"});
    return {field.member("scale").positive(any), three(field.member("mean"), false),
            three(field.member("std"), true)};
}

OutputSpec output_spec(const Field& field) {
    field.expect_keys({"name", "kind", "classes", "malignant"});
    OutputSpec output;
    output.name = field.member("name").text();
    output.kind = field.member("kind").one_of<OutputKind>(
        {{"sigmoid", OutputKind::sigmoid}, {"softmax", OutputKind::softmax}});
    output.classes = field.member("classes").texts();
    output.malignant = field.member("malignant").texts();
    const bool sigmoid = output.kind == OutputKind::sigmoid;
    if (sigmoid != (output.classes.size() == 1)) {
        field.member("classes").fail(
            fmt::format("{} classes; {}", output.classes.size(),
                        sigmoid ? "sigmoid wants exactly one" : "softmax wants two or more"));
    }
    for (const Field& element : field.member("malignant").elements()) {
        const auto& classes = output.classes;
        if (std::find(classes.begin(), classes.end(), element.text()) == classes.end()) {
            element.fail(fmt::format("{} is none of the classes", element.found()));
        }
    }
    if (!sigmoid && output.malignant.size() == output.classes.size()) {
        field.member("malignant").fail("all classes are malignant; every image would score 1");
    }
    return output;
}

Calibration calibration(const Field& field) {
    Calibration result;
    result.kind = field.member("kind").one_of<CalibrationKind>({{"none", CalibrationKind::none},
                                                                {"temperature", CalibrationKind::temperature},
                                                                {"platt", CalibrationKind::platt}});
    switch (result.kind) {
        case CalibrationKind::none:
            field.expect_keys({"kind"});
            break;
        case CalibrationKind::temperature:
            field.expect_keys({"kind", "temperature"});
            result.temperature = field.member("temperature").positive(1000);
            break;
        case CalibrationKind::platt:
            field.expect_keys({"kind", "slope", "intercept"});
            result.slope = field.member("slope").positive(1000);
            result.intercept = field.member("intercept").number(-1000, 1000);
            break;
    }
    return result;
}

std::vector<OperatingPointSpec> operating_points(const Field& field) {
    std::vector<OperatingPointSpec> points;
    for (const Field& element : field.elements()) {
        element.expect_keys({"name", "threshold", "sensitivity", "specificity"});
        const std::string name = element.member("name").text();
        if (std::any_of(points.begin(), points.end(),
                        [&](const OperatingPointSpec& other) { return other.name == name; })) {
            element.member("name").fail(fmt::format("\"{}\" is the name of another one too", one_line(name)));
        }
        if (number_in<double>(name)) {  // which --threshold takes it for
            element.member("name").fail(fmt::format("\"{}\" is a number; a name is needed", one_line(name)));
        }
        points.push_back({name, element.member("threshold").number(0, 1),
                          element.member("sensitivity").number(0, 1),
                          element.member("specificity").number(0, 1)});
    }
    return points;
}

Golden golden(const Field& field, std::size_t classes) {
    field.expect_keys({"cases", "tolerance"});
    Golden result;
    for (const Field& element : field.member("cases").elements()) {
        element.expect_keys({"seed", "outputs"});
        Golden::Case one;
        one.seed = static_cast<std::uint32_t>(element.member("seed").integer(0, 0xffffffff));
        for (const Field& output : element.member("outputs").elements()) {
            one.outputs.push_back(output.number(0, 1));
        }
        if (one.outputs.size() != classes) {
            element.member("outputs").fail(fmt::format("{} entries; it wants one for each of the {} classes",
                                                       one.outputs.size(), classes));
        }
        result.cases.push_back(std::move(one));
    }
    if (result.cases.empty()) {
        field.member("cases").fail("the list is empty; it wants one case at least");
    }
    const Field tolerance = field.member("tolerance");
    tolerance.member("cpu-fp32");
    tolerance.allow_keys({"cpu-fp32", "cpu-bf16", "cuda-fp32", "cuda-fp16"});
    for (const std::string& key : tolerance.keys()) {
        result.tolerance[key] = tolerance.member(key).positive(1);
    }
    return result;
}

}  // namespace

ModelSpec parse_model_spec(const std::string& json, const std::string& origin) {
    const Json document = parse_json(json, origin);
    const Field field(document, "", origin);
    // First of all, because another format may have other keys.
    field.member("format").integer(1, 1);
    field.expect_keys({"format", "name", "version", "licence", "description", "sha256", "input", "preprocess",
                       "normalise", "output", "calibration", "threshold", "operating_points", "golden",
                       "training"});
    ModelSpec spec;
    spec.name = model_name(field.member("name"));
    spec.version = field.member("version").text();
    spec.licence = field.member("licence").text();
    spec.description = field.member("description").text();
    spec.sha256 = hash(field.member("sha256"));
    spec.input = input_spec(field.member("input"));
    spec.preprocess = parse_steps(field.member("preprocess"), spec.input);
    spec.normalise = normalise(field.member("normalise"));
    spec.output = output_spec(field.member("output"));
    spec.calibration = calibration(field.member("calibration"));
    spec.threshold = field.member("threshold").number(0, 1);
    spec.operating_points = operating_points(field.member("operating_points"));
    spec.golden = golden(field.member("golden"), spec.output.classes.size());
    field.member("training").keys();  // an object; what is in it is free

    Json seen = Json::object();
    seen["preprocess"] = document["preprocess"];
    seen["normalise"] = document["normalise"];
    spec.preprocess_json = seen.dump();
    spec.training_json = document["training"].dump();
    return spec;
}

std::string ModelSpec::id() const {
    return fmt::format("{}@{}", name, sha256.substr(0, 12));
}

}  // namespace skincheck
