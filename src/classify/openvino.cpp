#include "classify/openvino.hpp"

#include "classify/build_information.hpp"

#include <fmt/format.h>
#include <opencv2/dnn.hpp>

#include <algorithm>
#include <cstdlib>

namespace skincheck {
namespace {

// OpenCV hands OpenVINO the number of threads and nothing else; OpenVINO's own variable, read at its first
// use, hides from it the instructions for bf16.
void settle(Precision precision) {
    constexpr const char* variable = "OV_CPU_MAX_ISA";
    if (precision == Precision::bf16) {
        unsetenv(variable);  // NOLINT(concurrency-mt-unsafe): before other threads
    } else {
        setenv(variable, "AVX512_CORE_VNNI", 1);  // NOLINT(concurrency-mt-unsafe)
    }
}

bool answers() {
    try {
        const auto targets = cv::dnn::getAvailableTargets(cv::dnn::DNN_BACKEND_INFERENCE_ENGINE);
        return std::find(targets.begin(), targets.end(), cv::dnn::DNN_TARGET_CPU) != targets.end();
    } catch (const std::exception&) {
        return false;
    }
}

}  // namespace

bool cpu_has_bf16() {
#if defined(__x86_64__)
    return static_cast<int>(__builtin_cpu_supports("avx512bf16")) != 0;  // those with AMX have it too
#else
    return false;
#endif
}

std::optional<std::string> openvino_obstacle(Precision precision) {
    static std::optional<Precision> settled;
    if (!opencv_built_with("OpenVINO:")) {
        return "this skincheck was built with an OpenCV without OpenVINO; use --engine opencv, or build "
               "OpenCV with scripts/build-opencv --with openvino";
    }
    if (precision == Precision::fp16) {
        return "OpenVINO computes in fp32 or bf16 on the CPU; use one of these";
    }
    if (precision == Precision::bf16 && !cpu_has_bf16()) {
        return "this CPU does not compute in bf16; use --precision fp32";
    }
    if (!settled) {
        settle(precision);
        settled = precision;
    }
    if (*settled != precision) {
        return fmt::format("OpenVINO computes in {} in this process, and cannot change to {}",
                           to_string(*settled), to_string(precision));
    }
    if (!answers()) {
        return "OpenVINO has no CPU plugin here; build OpenCV again with scripts/build-opencv --with "
               "openvino, or use --engine opencv";
    }
    return std::nullopt;
}

}  // namespace skincheck
