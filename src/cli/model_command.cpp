#include "skincheck/classify.hpp"
#include "skincheck/model.hpp"
#include "skincheck/output.hpp"

#include "cli/commands.hpp"
#include "cli/tested_classifier.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

namespace skincheck::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* line = "{:<26}  {}\n";

// A value on its line: "resize (mode shortest_side, size 224)" for an object with an "op".
std::string in_line(const Json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    std::vector<std::string> parts;
    if (value.is_array()) {
        std::transform(value.begin(), value.end(), std::back_inserter(parts), in_line);
        return fmt::format("{}", fmt::join(parts, ", "));
    }
    if (!value.is_object()) {
        return value.dump();
    }
    for (const auto& [key, member] : value.items()) {
        if (key != "op") {
            const std::string text = in_line(member);
            parts.push_back(member.is_structured() ? fmt::format("{} ({})", key, text)
                                                   : fmt::format("{} {}", key, text));
        }
    }
    const std::string members = fmt::format("{}", fmt::join(parts, ", "));
    return value.contains("op") ? fmt::format("{} ({})", in_line(value["op"]), members) : members;
}

// One line for each member of an object, whatever it holds: `training` is free form.
std::string members(const std::string& title, const std::string& json) {
    std::string text;
    const Json object = Json::parse(json, nullptr, false);
    if (object.is_object()) {
        for (const auto& [key, value] : object.items()) {
            std::string name = key;
            std::replace(name.begin(), name.end(), '_', ' ');
            text += fmt::format(line, one_line(title + name), one_line(in_line(value)));
        }
    }
    return text;
}

std::string calibration_text(const Calibration& calibration) {
    switch (calibration.kind) {
        case CalibrationKind::temperature:
            return fmt::format("temperature {}", calibration.temperature);
        case CalibrationKind::platt:
            return fmt::format("Platt, slope {}, intercept {}", calibration.slope, calibration.intercept);
        case CalibrationKind::none:
            break;
    }
    return "none";
}

std::string essentials(const Model& model) {
    const ModelSpec& spec = model.spec;
    const OutputSpec& output = spec.output;
    std::string text;
    text += fmt::format(line, "model", spec.id());
    text += fmt::format(line, "version", spec.version);
    text += fmt::format(line, "folder", model.directory);
    text += fmt::format(line, "description", spec.description);
    text += fmt::format(line, "licence", spec.licence);
    text += fmt::format(line, "network", fmt::format("SHA-256 {}, as model.json has it", spec.sha256));
    text += fmt::format(line, "input", fmt::format("{}x{} pixels, RGB", spec.input.width, spec.input.height));
    text += members("", spec.preprocess_json);
    text += fmt::format(
        line, "output",
        fmt::format("{} of {}; malignant: {}", output.kind == OutputKind::sigmoid ? "sigmoid" : "softmax",
                    fmt::join(output.classes, ", "), fmt::join(output.malignant, " + ")));
    text += fmt::format(line, "calibration", calibration_text(spec.calibration));
    text += fmt::format(line, "threshold", spec.threshold);
    for (const OperatingPointSpec& point : spec.operating_points) {
        text += fmt::format(line, point.name,
                            fmt::format("threshold {}: sensitivity {}, specificity {}", point.threshold,
                                        point.sensitivity, point.specificity));
    }
    return text + members("training ", spec.training_json);
}

// One line: passed, or failed, which makes `passed` false.
std::string tested(const Model& model, const Target& target, bool& passed) {
    if (!tolerance_of(model.spec, target)) {
        return "not used: model.json has no golden.tolerance for it, so the model cannot be checked there";
    }
    try {
        const double difference = make_tested_classifier(model, target).difference;
        return fmt::format("self-test passed: {} drawn images, largest difference {:.2g}",
                           model.spec.golden.cases.size(), difference);
    } catch (const Fatal& fatal) {
        passed = false;
        return fmt::format("FAILED: {}", fatal.what());
    }
}

std::string targets(const Model& model, bool& passed) {
    std::string text;
    for (const TargetState& state : list_targets()) {
        const std::string name = state.target.name();
        if (!state.description.empty() && state.obstacle.empty()) {
            text += fmt::format(line, name, state.description);
        }
        text += fmt::format(line, name,
                            state.obstacle.empty() ? tested(model, state.target, passed)
                                                   : fmt::format("not usable: {}", state.obstacle));
    }
    return text;
}

}  // namespace

ExitCode run_model(const ModelCommandOptions& options) {
    const Model model = load_model(find_model(options.model));
    const auto destination = standard_output();
    destination->write(essentials(model));
    bool passed = true;
    destination->write(targets(model, passed));
    destination->commit();
    return passed ? ExitCode::ok : ExitCode::model;
}

}  // namespace skincheck::cli
