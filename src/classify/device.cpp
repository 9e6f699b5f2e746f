#include "skincheck/classify.hpp"

#include <fmt/format.h>
#include <opencv2/core/cuda.hpp>
#include <opencv2/core/utility.hpp>
#include <opencv2/dnn.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

namespace skincheck {
namespace {

// OpenCV answers -1 without a driver, and may throw with a broken one: all of it means that no card can be
// used.
int count_cards() {
    try {
        return std::max(0, cv::cuda::getCudaEnabledDeviceCount());
    } catch (const std::exception&) {
        return 0;
    }
}

bool has_target(int index, cv::dnn::Target target) {
    try {
        cv::cuda::setDevice(index);
        const auto targets = cv::dnn::getAvailableTargets(cv::dnn::DNN_BACKEND_CUDA);
        return std::find(targets.begin(), targets.end(), target) != targets.end();
    } catch (const std::exception&) {
        return false;
    }
}

// For the message only; what decides is what the functions above answer.
bool built_with_cuda() {
    const std::string& information = cv::getBuildInformation();
    const auto line = information.find("NVIDIA CUDA:");
    return line != std::string::npos &&
           information.substr(line, information.find('\n', line) - line).find("YES") != std::string::npos;
}

// What stands against the use of a card, and what to do; nothing when it can be used.
std::optional<std::string> obstacle(int index) {
    const int cards = count_cards();
    if (cards == 0) {
        return built_with_cuda()
                   ? "no CUDA card answers on this machine; see whether nvidia-smi finds one, or use "
                     "--device cpu"
                   : "this skincheck was built with an OpenCV without CUDA; use --device cpu, or build "
                     "OpenCV with CUDA";
    }
    if (index >= cards) {
        return fmt::format("this machine has {} CUDA card{}, numbered from 0", cards, cards == 1 ? "" : "s");
    }
    if (!has_target(index, cv::dnn::DNN_TARGET_CUDA)) {
        return "this OpenCV's DNN module was built without CUDA, or not for this card's architecture; use "
               "--device "
               "cpu, or build OpenCV with OPENCV_DNN_CUDA and with this card in CUDA_ARCH_BIN";
    }
    return std::nullopt;
}

std::string describe_card(int index) {
    try {
        const cv::cuda::DeviceInfo card(index);
        return fmt::format("{}, {} MiB, compute capability {}.{}", card.name(), card.totalMemory() >> 20U,
                           card.majorVersion(), card.minorVersion());
    } catch (const std::exception& error) {
        return one_line(error.what());
    }
}

// The N of "cuda:N", 0 for "cuda".
std::optional<int> card_of(const std::string& requested) {
    if (requested == "cuda") {
        return 0;
    }
    constexpr std::string_view prefix = "cuda:";
    const char* end = requested.data() + requested.size();
    int index = -1;
    if (requested.rfind(prefix, 0) != 0) {
        return std::nullopt;
    }
    const auto [stop, error] = std::from_chars(requested.data() + prefix.size(), end, index);
    if (error != std::errc() || stop != end || index < 0) {
        return std::nullopt;
    }
    return index;
}

}  // namespace

std::string Device::name() const {
    return cuda ? fmt::format("cuda:{}", index) : "cpu";
}

Device choose_device(const std::string& requested) {
    if (requested == "cpu") {
        return {};
    }
    if (requested == "auto") {
        return {!obstacle(0).has_value(), 0};
    }
    const std::optional<int> card = card_of(requested);
    if (!card) {
        throw Fatal(ExitCode::usage,
                    fmt::format("--device {}: is none of auto, cpu, cuda, cuda:N", requested));
    }
    if (const auto reason = obstacle(*card)) {
        throw Fatal(ExitCode::model, fmt::format("--device {}: {}", requested, *reason));
    }
    return {true, *card};
}

std::vector<DeviceState> list_devices() {
    std::vector<DeviceState> devices{{{}, "", ""}};
    const int cards = count_cards();
    for (int index = 0; index < std::max(1, cards); ++index) {
        DeviceState state{{true, index}, "", obstacle(index).value_or("")};
        if (index < cards) {
            state.description = describe_card(index);
        }
        devices.push_back(std::move(state));
    }
    return devices;
}

Precision choose_precision(const std::string& requested, const Device& device) {
    if (requested == "fp32") {
        return Precision::fp32;
    }
    if (requested != "fp16") {
        throw Fatal(ExitCode::usage, fmt::format("--precision {}: is none of fp32, fp16", requested));
    }
    if (!device.cuda) {
        throw Fatal(ExitCode::model,
                    "--precision fp16: the CPU computes in fp32 only; use --precision fp32, or "
                    "--device cuda where there is a card");
    }
    if (!has_target(device.index, cv::dnn::DNN_TARGET_CUDA_FP16)) {
        throw Fatal(ExitCode::model,
                    fmt::format("--precision fp16: {} cannot compute in fp16 here; use --precision fp32",
                                device.name()));
    }
    return Precision::fp16;
}

std::string_view to_string(Precision precision) {
    return precision == Precision::fp16 ? "fp16" : "fp32";
}

}  // namespace skincheck
