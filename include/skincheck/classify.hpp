// Network input → network outputs. One Classifier interface; its implementation with OpenCV's DNN module;
// devices.
#pragma once

#include "skincheck/model.hpp"

#include <opencv2/core/mat.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skincheck {

/// Used by one thread at a time; a pipeline makes one for each worker.
class Classifier {
  public:
    virtual ~Classifier() = default;

    /// CV_32F N×3×H×W → CV_32F N×K raw network outputs, K the number of classes. Throws Fatal (model), or
    /// std::bad_alloc, after which it can be used again.
    virtual cv::Mat classify(const cv::Mat& blob) = 0;
};

enum class Precision { fp32, fp16 };

/// Where the network runs. `cuda` says that it is a card, `index` which.
struct Device {
    bool cuda = false;
    int index = 0;
    std::string name() const;  ///< "cpu", "cuda:0"
};

/// `requested` is auto, cpu, cuda or cuda:N. `auto` takes a card if this OpenCV and this machine have one,
/// else the CPU. A card that is asked for and cannot be used throws Fatal (model) with what to do; the CPU
/// never takes its place. Throws Fatal (usage) when `requested` is none of these.
Device choose_device(const std::string& requested);

/// A device as it is found on this machine.
struct DeviceState {
    Device device;
    std::string description;  ///< of a card: its name, memory and compute capability
    std::string obstacle;     ///< why it cannot be used, and what to do; empty if it can
};

/// The CPU, then each card; where there is no card, one entry for it that says why.
std::vector<DeviceState> list_devices();

/// `requested` is fp32 or fp16; Fatal (usage) for anything else. fp16 where the device cannot compute in it
/// throws Fatal (model).
Precision choose_precision(const std::string& requested, const Device& device);

std::string_view to_string(Precision precision);

/// Builds an OpenCV DNN network from model.onnx. Throws Fatal (model) when OpenCV cannot read it, or when its
/// input or output does not have the shape that the spec says.
std::unique_ptr<Classifier> make_dnn_classifier(const Model& model, const Device& device,
                                                Precision precision);

/// Whether the package has golden vectors' tolerance for this device and precision.
bool can_be_tested(const ModelSpec& spec, const Device& device, Precision precision);

/// Runs the golden vectors of `spec` and compares; for a batch size above 1 also several of them in one
/// batch. Throws Fatal (model) with the seed, the expected and the actual output when one differs by more
/// than the tolerance for the device and precision, or is not finite, and when there is no such tolerance.
/// Answers the largest difference.
double self_test(Classifier& classifier, const ModelSpec& spec, const Device& device, Precision precision,
                 int batch_size = 1);

}  // namespace skincheck
