#include "skincheck/classify.hpp"

#include "classify/batch.hpp"

#include <fmt/format.h>
#include <opencv2/core/cuda.hpp>
#include <opencv2/dnn.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace skincheck {
namespace {

std::string shape_text(const std::vector<int>& shape) {
    return fmt::format("{}", fmt::join(shape, "x"));
}

// N×K, or that with trailing ones, which older exports of pooling layers leave.
bool is_shape(const std::vector<int>& shape, int images, int classes) {
    const auto one = [](int side) { return side == 1; };
    if (shape.empty() || shape.front() != images) {
        return false;
    }
    if (shape.size() == 1) {
        return classes == 1;
    }
    return shape[1] == classes && std::all_of(shape.begin() + 2, shape.end(), one);
}

// 4 GiB, if none were used again; ResNet-50 at 224x224 has 2^24.
constexpr std::int64_t most_values = 1LL << 30;

// More than `most_values` for what is no size.
std::int64_t values_of(const cv::dnn::MatShape& shape) {
    std::int64_t values = 1;
    for (const int side : shape) {
        if (side < 0 || (side > 0 && values > most_values / side)) {
            return most_values + 1;
        }
        values *= side;
    }
    return values;
}

// CUDA and cuDNN have words for it, and no code of OpenCV's. Of `images` together: OpenCV itself leaves away
// all algorithms that want more memory than there is; where it finds none for a single one, the card has
// none.
bool is_lack_of_memory(const cv::Exception& error, int images) {
    const auto says = [&](const char* words) { return error.err.find(words) != std::string::npos; };
    return error.code == cv::Error::StsNoMem || says("out of memory") || says("ALLOC_FAILED") ||
           says("ALLOCATION_FAILED") || (images > 1 && says("did not return a suitable algorithm"));
}

class DnnClassifier : public Classifier {
  public:
    DnnClassifier(const Model& model, const Target& target)
        : target_(target),
          origin_(model.network),
          input_(model.spec.input),
          output_(model.spec.output.name),
          classes_(static_cast<int>(model.spec.output.classes.size())) {
        read(model.onnx);
        place();
        check_shapes();
        if (target_.device.cuda) {
            check_layers();
        }
    }

    // When a card is lost, giving its memory back throws from within OpenCV's destructors, which would end
    // the process: then its memory is nobody's any more.
    ~DnnClassifier() override {
        if (!target_.device.cuda) {
            return;
        }
        try {
            cv::cuda::setDevice(target_.device.index);
            cv::cuda::DeviceInfo(target_.device.index).freeMemory();
        } catch (const std::exception&) {
            [[maybe_unused]] const cv::dnn::Net* kept = std::make_unique<cv::dnn::Net>(net_).release();
        }
    }
    DnnClassifier(const DnnClassifier&) = delete;
    DnnClassifier& operator=(const DnnClassifier&) = delete;

    cv::Mat classify(const cv::Mat& blob) override {
        const int images = blob.size[0];
        cv::Mat outputs;
        int computed = images;
        try {
            if (target_.device.cuda) {
                // Belongs to the thread, and a thread is free to come with any net.
                cv::cuda::setDevice(target_.device.index);
                computed = std::max(images, placed_for_);
            }
            net_.setInput(computed > images ? filled_up(blob, computed) : blob, input_.name);
            outputs = net_.forward(output_).clone();  // the network writes over its own at the next call
        } catch (const std::exception& error) {
            placed_for_ = 0;
            const auto* of_opencv = dynamic_cast<const cv::Exception*>(&error);
            if (of_opencv != nullptr && computed > images && is_lack_of_memory(*of_opencv, computed)) {
                return classify(blob);  // there may be room for it alone
            }
            fail(fmt::format(R"(OpenCV {} cannot run it on {} for {} images with input "{}" and output "{}")",
                             CV_VERSION, target_.name(), computed, input_.name, output_),
                 error, computed);
        }
        const std::vector<int> shape(outputs.size.p, outputs.size.p + outputs.dims);
        expect_shape(shape, computed);
        placed_for_ = computed;
        return outputs.reshape(1, computed).rowRange(0, images);
    }

  private:
    [[noreturn]] void fail(const std::string& reason) const {
        throw Fatal(ExitCode::model, fmt::format("{}: {}", origin_, reason));
    }

    // What OpenCV throws, or a library beneath it: Protocol Buffers have exceptions of their own. Memory that
    // is short says nothing of the network: the next image may be smaller, or have more room.
    [[noreturn]] void fail(const std::string& what, const std::exception& error, int images = 1) const {
        const auto* of_opencv = dynamic_cast<const cv::Exception*>(&error);
        if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
            (of_opencv != nullptr && is_lack_of_memory(*of_opencv, images))) {
            throw std::bad_alloc();
        }
        const bool with_words = of_opencv != nullptr && !of_opencv->err.empty();
        fail(fmt::format("{}: {}", what, one_line(with_words ? of_opencv->err : error.what())));
    }

    void read(const std::string& onnx) {
        try {
            net_ = cv::dnn::readNetFromONNX(onnx.data(), onnx.size());
        } catch (const std::exception& error) {
            fail(fmt::format("OpenCV {} cannot read it as ONNX", CV_VERSION), error);
        }
        if (net_.empty()) {
            fail("holds no network");
        }
    }

    void place() {
        const bool half = target_.precision == Precision::fp16;
        try {
            if (target_.device.cuda) {
                cv::cuda::setDevice(target_.device.index);
                net_.setPreferableBackend(cv::dnn::DNN_BACKEND_CUDA);
                net_.setPreferableTarget(half ? cv::dnn::DNN_TARGET_CUDA_FP16 : cv::dnn::DNN_TARGET_CUDA);
                return;
            }
            net_.setPreferableBackend(target_.engine == Engine::openvino
                                          ? cv::dnn::DNN_BACKEND_INFERENCE_ENGINE
                                          : cv::dnn::DNN_BACKEND_OPENCV);
            net_.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
        } catch (const std::exception& error) {
            fail(fmt::format("OpenCV {} cannot use {}", CV_VERSION, target_.name()), error);
        }
    }

    // OpenCV computes what a card lacks on the CPU, and says so only in its log.
    void check_layers() {
        std::vector<std::string> lacking;
        for (const std::string& name : net_.getLayerNames()) {
            const cv::Ptr<cv::dnn::Layer> layer = net_.getLayer(net_.getLayerId(name));
            if (!layer->supportBackend(cv::dnn::DNN_BACKEND_CUDA)) {
                lacking.push_back(fmt::format("{} ({})", layer->type, name));
            }
        }
        if (!lacking.empty()) {
            fail(fmt::format(
                "OpenCV {} would compute {} of its layers on the CPU in place of {}, {} first; use "
                "--device cpu, or export the network without them",
                CV_VERSION, lacking.size(), target_.name(), lacking.front()));
        }
    }

    // Works the names and shapes out without computing anything.
    void check_shapes() {
        const std::vector<int> one_image{1, 3, input_.height, input_.width};
        try {
            net_.setInput(cv::Mat(one_image, CV_32F, cv::Scalar(0)), input_.name);
        } catch (const cv::Exception&) {
            fail(fmt::format("has no input named \"{}\", as model.json calls it", input_.name));
        }
        std::vector<cv::dnn::MatShape> inputs;
        std::vector<cv::dnn::MatShape> outputs;
        try {
            const int layer = net_.getLayerId(output_);
            if (layer < 0) {
                fail(fmt::format("has no output named \"{}\", as model.json calls it", output_));
            }
            net_.getLayerShapes(one_image, layer, inputs, outputs);
        } catch (const Fatal&) {
            throw;
        } catch (const std::exception& error) {
            fail(fmt::format("does not take images of {}x{} pixels", input_.width, input_.height), error);
        }
        expect_shape(outputs.empty() ? std::vector<int>{} : outputs.front(), 1);
        check_expense(one_image);
    }

    // So that a network that is made to exhaust a machine is refused before it runs.
    void check_expense(const std::vector<int>& one_image) const {
        std::vector<int> layers;
        std::vector<std::vector<cv::dnn::MatShape>> inputs;
        std::vector<std::vector<cv::dnn::MatShape>> outputs;
        try {
            net_.getLayersShapes(one_image, layers, inputs, outputs);
        } catch (const std::exception& error) {
            fail("has layers whose sizes cannot be told", error);
        }
        std::int64_t values = 0;
        for (const std::vector<cv::dnn::MatShape>& layer : outputs) {
            for (const cv::dnn::MatShape& shape : layer) {
                values += values_of(shape);
                if (values > most_values) {
                    fail(fmt::format("its layers want more than {} values for one image", most_values));
                }
            }
        }
    }

    void expect_shape(const std::vector<int>& shape, int images) const {
        if (!is_shape(shape, images, classes_)) {
            fail(fmt::format("its output \"{}\" has the shape {}, and model.json's classes want {}x{}",
                             output_, shape_text(shape), images, classes_));
        }
    }

    Target target_;
    std::string origin_;
    InputSpec input_;
    std::string output_;
    int classes_;
    cv::dnn::Net net_;
    int placed_for_ = 0;  // images; on a card another number costs more than a whole batch does
};

}  // namespace

std::unique_ptr<Classifier> make_dnn_classifier(const Model& model, const Target& target) {
    return std::make_unique<DnnClassifier>(model, target);
}

}  // namespace skincheck
