#include "classify/cards.hpp"

#include "classify/build_information.hpp"

#include <fmt/format.h>
#include <opencv2/core/cuda.hpp>
#include <opencv2/dnn.hpp>

#include <algorithm>

namespace skincheck {
namespace {

bool has_target(int index, cv::dnn::Target target) {
    try {
        cv::cuda::setDevice(index);
        const auto targets = cv::dnn::getAvailableTargets(cv::dnn::DNN_BACKEND_CUDA);
        return std::find(targets.begin(), targets.end(), target) != targets.end();
    } catch (const std::exception&) {
        return false;
    }
}

}  // namespace

// OpenCV answers -1 without a driver, and may throw with a broken one: all of it means that no card can be
// used.
int count_cards() {
    try {
        return std::max(0, cv::cuda::getCudaEnabledDeviceCount());
    } catch (const std::exception&) {
        return 0;
    }
}

std::optional<std::string> card_obstacle(int index, Precision precision) {
    if (precision == Precision::bf16) {
        return "OpenCV computes in fp32 or fp16 on a card; use one of these";
    }
    const int cards = count_cards();
    if (cards == 0) {
        return opencv_built_with("NVIDIA CUDA:")
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
               "--device cpu, or build OpenCV with OPENCV_DNN_CUDA and with this card in CUDA_ARCH_BIN";
    }
    if (precision == Precision::fp16 && !has_target(index, cv::dnn::DNN_TARGET_CUDA_FP16)) {
        return "this card cannot compute in fp16 here; use --precision fp32";
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

}  // namespace skincheck
