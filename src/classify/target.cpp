#include "skincheck/classify.hpp"

#include "classify/build_information.hpp"
#include "classify/cards.hpp"
#include "classify/openvino.hpp"
#include "result/number.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace skincheck {
namespace {

// The N of "cuda:N", 0 for "cuda".
std::optional<int> card_of(const std::string& requested) {
    if (requested == "cuda") {
        return 0;
    }
    constexpr std::string_view prefix = "cuda:";
    if (!requested.starts_with(prefix)) {
        return std::nullopt;
    }
    const auto index = number_in<int>(std::string_view(requested).substr(prefix.size()));
    return index && *index >= 0 ? index : std::nullopt;
}

Precision precision_of(const std::string& requested) {
    for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
        if (requested == to_string(precision)) {
            return precision;
        }
    }
    throw Fatal(ExitCode::usage, fmt::format("--precision {}: is none of fp32, fp16, bf16", requested));
}

std::optional<Engine> engine_of(const std::string& requested) {
    for (const Engine engine : {Engine::opencv, Engine::openvino}) {
        if (requested == to_string(engine)) {
            return engine;
        }
    }
    if (requested == "auto") {
        return std::nullopt;
    }
    throw Fatal(ExitCode::usage, fmt::format("--engine {}: is none of auto, opencv, openvino", requested));
}

// The option to be named where none of a target's engines can do what was asked for, and why.
using Refusal = std::pair<std::string, std::string>;

std::optional<Refusal> refusal_of(const Target& target) {
    if (target.engine == Engine::openvino) {
        if (auto reason = openvino_obstacle(target.precision)) {
            const bool usual = target.precision == Precision::fp32;
            return Refusal{usual
                               ? "--engine openvino"
                               : fmt::format("--engine openvino --precision {}", to_string(target.precision)),
                           std::move(*reason)};
        }
    } else if (target.precision != Precision::fp32) {
        const std::string precision(to_string(target.precision));
        return Refusal{
            "--precision " + precision,
            target.precision == Precision::bf16
                ? "OpenCV's own engine computes in fp32 only; use --precision fp32, or --engine openvino "
                  "where this OpenCV has it"
                : "the CPU computes in fp32 or bf16; use one of these, or --device cuda where there is a "
                  "card"};
    }
    return std::nullopt;
}

// Those of the CPU, the fastest first. What is named and cannot be used is told, whatever else there is.
std::vector<Target> targets_of_the_cpu(std::optional<Engine> engine, Precision precision) {
    std::vector<Target> targets;
    std::optional<Refusal> refusal;
    for (const Engine one : {Engine::openvino, Engine::opencv}) {
        if (engine.value_or(one) == one) {
            const Target target{{}, one, precision};
            auto refused = refusal_of(target);
            if (!refused) {
                targets.push_back(target);
            } else if (!refusal || !(precision == Precision::bf16 && opencv_built_with("OpenVINO:"))) {
                refusal =
                    std::move(refused);  // OpenCV's own engine has no bf16 on any CPU: that is no reason
            }
        }
    }
    if (targets.empty()) {
        throw Fatal(ExitCode::model, fmt::format("{}: {}", refusal->first, refusal->second));
    }
    return targets;
}

}  // namespace

std::string Device::name() const {
    return cuda ? fmt::format("cuda:{}", index) : "cpu";
}

std::string_view to_string(Engine engine) {
    return engine == Engine::openvino ? "openvino" : "opencv";
}

std::string_view to_string(Precision precision) {
    constexpr std::array<std::string_view, 3> names{"fp32", "fp16", "bf16"};
    return names.at(static_cast<std::size_t>(precision));
}

std::string Target::name() const {
    return device.cuda ? fmt::format("{} {}", device.name(), to_string(precision))
                       : fmt::format("{} {} {}", device.name(), to_string(engine), to_string(precision));
}

std::vector<Target> choose_targets(const TargetRequest& request) {
    const Precision precision = precision_of(request.precision);
    const std::optional<Engine> engine = engine_of(request.engine);
    if (request.device == "cpu") {
        return targets_of_the_cpu(engine, precision);
    }
    const std::optional<int> card = request.device == "auto" ? 0 : card_of(request.device);
    if (!card) {
        throw Fatal(ExitCode::usage,
                    fmt::format("--device {}: is none of auto, cpu, cuda, cuda:N", request.device));
    }
    const Target on_card{{true, *card}, Engine::opencv, precision};
    const bool for_the_cpu = engine == Engine::openvino;
    if (request.device != "auto") {
        if (for_the_cpu) {
            throw Fatal(
                ExitCode::usage,
                fmt::format("--engine openvino: is for the CPU, and not for --device {}", request.device));
        }
        if (const auto reason = card_obstacle(*card, precision)) {
            throw Fatal(ExitCode::model, fmt::format("--device {}: {}", request.device, *reason));
        }
        return {on_card};
    }
    if (for_the_cpu || card_obstacle(*card, precision)) {
        return targets_of_the_cpu(engine, precision);
    }
    std::vector<Target> targets{on_card};
    if (precision != Precision::fp16) {
        std::ranges::copy(targets_of_the_cpu(engine, precision), std::back_inserter(targets));
    }
    return targets;
}

std::vector<TargetState> list_targets() {
    std::vector<TargetState> states{{Target{}, "", ""}};
    const Target openvino{{}, Engine::openvino, Precision::fp32};
    states.push_back({openvino, cpu_has_bf16() ? "computes in bf16 too (--precision bf16)" : "",
                      openvino_obstacle(openvino.precision).value_or("")});
    const int cards = count_cards();
    for (int index = 0; index < std::max(1, cards); ++index) {
        for (const Precision precision : {Precision::fp32, Precision::fp16}) {
            TargetState state{
                {{true, index}, Engine::opencv, precision}, "", card_obstacle(index, precision).value_or("")};
            if (index < cards && precision == Precision::fp32) {
                state.description = describe_card(index);
            }
            if (cards > 0 || precision == Precision::fp32) {
                states.push_back(std::move(state));
            }
        }
    }
    return states;
}

}  // namespace skincheck
