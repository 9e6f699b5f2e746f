// Network input → network outputs. One Classifier interface; its implementation with OpenCV's DNN module;
// devices.
#pragma once

#include "skincheck/model.hpp"

#include <opencv2/core/mat.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skincheck {

/// Used by one thread at a time.
class Classifier {
  public:
    virtual ~Classifier() = default;

    /// CV_32F N×3×H×W → CV_32F N×K raw network outputs, K the number of classes, which stay as they are when
    /// it is used again. Throws Fatal (model), or std::bad_alloc, after which it can be used again.
    virtual cv::Mat classify(const cv::Mat& blob) = 0;
};

/// What computes: OpenCV's DNN module by itself, on the CPU and on cards, or OpenVINO through it, on the CPU.
enum class Engine { opencv, openvino };
enum class Precision { fp32, fp16, bf16 };

/// `cuda` says that it is a card, `index` which.
struct Device {
    bool cuda = false;
    int index = 0;
    std::string name() const;  ///< "cpu", "cuda:0"
};

/// Where and how the network is computed.
struct Target {
    Device device;
    Engine engine = Engine::opencv;
    Precision precision = Precision::fp32;
    std::string name() const;  ///< "cpu openvino fp32", "cuda:0 fp16"
};

std::string_view to_string(Engine engine);
std::string_view to_string(Precision precision);

/// In the words of the options: device auto, cpu, cuda, cuda:N; engine auto, opencv, openvino; precision
/// fp32, fp16, bf16.
struct TargetRequest {
    std::string device = "auto";
    std::string engine = "auto";
    std::string precision = "fp32";
};

/// What can compute as requested, the fastest first, one at least; more than one only where `auto` leaves a
/// choice. Something that is named and cannot be used throws Fatal (model) with what to do, and nothing takes
/// its place. Throws Fatal (usage) for other words. To be called before other threads are started: OpenVINO's
/// precision is settled here, once for the process.
std::vector<Target> choose_targets(const TargetRequest& request);

/// A target as it is found on this machine.
struct TargetState {
    Target target;
    std::string description;  ///< of a card: its name, memory and compute capability
    std::string obstacle;     ///< why it cannot be used, and what to do; empty if it can
};

/// The CPU with each engine, then each card in each precision; where there is no card, one entry that says
/// why. As choose_targets(), to be called before other threads are started.
std::vector<TargetState> list_targets();

/// Builds an OpenCV DNN network from model.onnx. Throws Fatal (model) when OpenCV cannot read it, when its
/// input or output does not have the shape that the spec says, or when the card lacks one of its layers,
/// which OpenCV would compute on the CPU.
std::unique_ptr<Classifier> make_dnn_classifier(const Model& model, const Target& target);

/// By how much an output of the golden cases may differ there; nothing where model.json does not say.
std::optional<double> tolerance_of(const ModelSpec& spec, const Target& target);

/// Runs the golden vectors of `spec` and compares; for a batch size above 1 also several of them in one
/// batch. Throws Fatal (model) with the seed, the expected and the actual output when one differs by more
/// than the tolerance for the device and precision, or is not finite, and when there is no such tolerance.
/// Answers the largest difference.
double self_test(Classifier& classifier, const ModelSpec& spec, const Target& target, int batch_size = 1);

}  // namespace skincheck
