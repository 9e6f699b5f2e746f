#include "skincheck/classify.hpp"

#include "skincheck/prepare.hpp"

#include "classify/batch.hpp"
#include "fake_classifier.hpp"

#include <doctest/doctest.h>
#include <opencv2/core.hpp>
#include <opencv2/core/cuda.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

using namespace skincheck;

namespace {

Model tiny(const std::string& name) {
    return load_model(std::string(SKINCHECK_SOURCE_DIR) + "/tests/data/models/" + name);
}

std::unique_ptr<Classifier> on_cpu(const Model& model) {
    return make_dnn_classifier(model, {});
}

cv::Mat flat(int red, int green, int blue) {
    return {16, 16, CV_8UC3, cv::Scalar(blue, green, red)};
}

double sigmoid(double z) {
    return 1 / (1 + std::exp(-z));
}

// What tests/data/make_models.py says of tiny-sigmoid, for a flat colour: mean 0.5 and deviation 0.25 first.
double tiny_sigmoid(int red, int green, int blue) {
    const auto normal = [](int value) { return (value / 255.0 - 0.5) / 0.25; };
    return sigmoid(normal(red) - 0.5 * normal(green) + 0.25 * normal(blue) - 0.25);
}

template <typename Call>
std::string fatal_message(const Call& call, ExitCode code = ExitCode::model) {
    try {
        call();
    } catch (const Fatal& fatal) {
        CHECK(fatal.code() == code);
        return fatal.what();
    }
    return "";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

int cards() {
    try {
        return std::max(0, cv::cuda::getCudaEnabledDeviceCount());
    } catch (const cv::Exception&) {
        return 0;
    }
}

std::uint64_t fnv1a(const cv::Mat& image) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (int y = 0; y < image.rows; ++y) {
        for (int x = 0; x < image.cols; ++x) {
            const auto& bgr = image.at<cv::Vec3b>(y, x);
            for (const int channel : {2, 1, 0}) {
                hash = (hash ^ bgr[channel]) * 1099511628211ULL;
            }
        }
    }
    return hash;
}

class Fixed : public Classifier {
  public:
    explicit Fixed(float output) : output_(output) {}
    cv::Mat classify(const cv::Mat& blob) override { return {blob.size[0], 1, CV_32F, cv::Scalar(output_)}; }

  private:
    float output_;
};

}  // namespace

TEST_CASE("the drawn inputs are those of the training recipe") {
    // From models/training/skincheck_training/golden.py: FNV-1a over the RGB bytes.
    CHECK(fnv1a(draw_golden_input(1, 16, 16)) == 14551449220366796856ULL);
    CHECK(fnv1a(draw_golden_input(2, 30, 50)) == 7851843451573618223ULL);
    CHECK(fnv1a(draw_golden_input(4294967295U, 224, 224)) == 13876339336743606892ULL);
}

TEST_CASE("a sigmoid network gives the scores worked out by hand") {
    const Model model = tiny("tiny-sigmoid");
    const auto classifier = on_cpu(model);
    const int colours[][3] = {{0, 0, 0},   {255, 255, 255}, {255, 0, 0},
                              {0, 255, 0}, {0, 0, 255},     {200, 120, 90}};
    for (const auto& [red, green, blue] : colours) {
        const cv::Mat outputs = classifier->classify(to_blob({flat(red, green, blue)}, model.spec));
        CAPTURE(red);
        CAPTURE(green);
        CAPTURE(blue);
        REQUIRE(outputs.dims == 2);
        REQUIRE(outputs.size() == cv::Size(1, 1));
        REQUIRE(outputs.type() == CV_32F);
        CHECK(std::abs(outputs.at<float>(0) - tiny_sigmoid(red, green, blue)) < 1e-5);
    }
}

TEST_CASE("a softmax network gives a row of class probabilities for each image") {
    const Model model = tiny("tiny-softmax");
    const cv::Mat outputs = on_cpu(model)->classify(to_blob({flat(255, 0, 0), flat(0, 255, 0)}, model.spec));
    REQUIRE(outputs.size() == cv::Size(3, 2));
    const double red[] = {std::exp(2), std::exp(0.5), 1};
    const double green[] = {1, std::exp(2.5), 1};
    for (int i = 0; i < 3; ++i) {
        CHECK(std::abs(outputs.at<float>(0, i) - red[i] / (red[0] + red[1] + red[2])) < 1e-5);
        CHECK(std::abs(outputs.at<float>(1, i) - green[i] / (green[0] + green[1] + green[2])) < 1e-5);
    }
    const auto score = to_score(std::span(outputs.ptr<float>(0), 3), model.spec);
    REQUIRE(score);
    CHECK(std::abs(score->malignancy - (1 - red[0] / (red[0] + red[1] + red[2]))) < 1e-5);
}

TEST_CASE("batches of any size give the scores of single images, in order") {
    for (const char* name : {"tiny-sigmoid", "tiny-softmax"}) {
        const Model model = tiny(name);
        const auto classifier = on_cpu(model);
        std::vector<cv::Mat> images;
        std::vector<cv::Mat> singles;
        for (std::uint32_t seed = 0; seed < 4; ++seed) {
            images.push_back(draw_golden_input(seed, 16, 16));
            singles.push_back(classifier->classify(to_blob({images.back()}, model.spec)));
        }
        CHECK(cv::norm(singles[0], singles[1]) > 1e-3);
        for (const int size : {4, 1, 3}) {  // one net, sizes up and down, as the end of an input brings them
            const std::vector<cv::Mat> some(images.begin(), images.begin() + size);
            const cv::Mat outputs = classifier->classify(to_blob(some, model.spec));
            REQUIRE(outputs.rows == size);
            for (int n = 0; n < size; ++n) {
                CHECK(cv::norm(outputs.row(n), singles[static_cast<std::size_t>(n)], cv::NORM_INF) < 1e-6);
            }
        }
    }
}

TEST_CASE("a blob is filled up by its last image") {
    cv::Mat blob(std::vector<int>{2, 3, 4, 5}, CV_32F);
    for (int i = 0; i < 120; ++i) {
        blob.ptr<float>()[i] = static_cast<float>(i);
    }
    for (const int count : {2, 3, 7}) {
        const cv::Mat filled = filled_up(blob, count);
        REQUIRE(std::vector<int>(filled.size.p, filled.size.p + filled.dims) ==
                std::vector<int>{count, 3, 4, 5});
        for (int image = 0; image < count; ++image) {
            const float* given = blob.ptr<float>(std::min(image, 1));
            CHECK(std::equal(given, given + 60, filled.ptr<float>(image)));
        }
    }
}

TEST_CASE("an answer stays when the network is used again") {
    const Model model = tiny("tiny-sigmoid");
    const auto classifier = on_cpu(model);
    const cv::Mat first = classifier->classify(to_blob({flat(255, 0, 0)}, model.spec));
    const cv::Mat copy = first.clone();
    classifier->classify(to_blob({flat(0, 255, 0)}, model.spec));
    CHECK(cv::norm(first, copy) == 0);
}

TEST_CASE("a packed network computes as its plain twin") {
    const Model packed = tiny("tiny-packed");
    const Model plain = tiny("tiny-sigmoid");
    const cv::Mat blob = to_blob({flat(200, 120, 90)}, plain.spec);
    CHECK(cv::norm(on_cpu(packed)->classify(blob), on_cpu(plain)->classify(blob)) == 0);
}

TEST_CASE("an output that is not finite comes through as such") {
    const Model model = tiny("tiny-nan");
    const auto classifier = on_cpu(model);
    self_test(*classifier, model.spec, {});
    const cv::Mat outputs = classifier->classify(to_blob({flat(120, 90, 80), flat(250, 90, 80)}, model.spec));
    CHECK(to_score(std::span(outputs.ptr<float>(0), 1), model.spec));
    CHECK_FALSE(to_score(std::span(outputs.ptr<float>(1), 1), model.spec));
}

TEST_CASE("a network that is not what model.json says is refused when it is made") {
    const auto message = [](const Model& model) { return fatal_message([&] { on_cpu(model); }); };
    Model model = tiny("tiny-sigmoid");
    CHECK(message(model) == "");
    model.spec.output.classes = {"benign", "malignant"};
    CHECK(contains(message(model),
                   "its output \"output\" has the shape 1x1, and model.json's classes want 1x2"));

    model = tiny("tiny-softmax");
    model.spec.output.classes.pop_back();
    CHECK(contains(message(model), "has the shape 1x3, and model.json's classes want 1x2"));

    model = tiny("tiny-sigmoid");
    model.spec.output.name = "answer";
    CHECK(contains(message(model), "tiny-sigmoid/model.onnx: has no output named \"answer\""));

    model = tiny("tiny-sigmoid");
    model.spec.input.name = "picture";
    CHECK(contains(message(model), "has no input named \"picture\""));
}

TEST_CASE("what is no ONNX is refused in one line") {
    Model model = tiny("tiny-sigmoid");
    const std::string network = model.onnx;
    for (const std::string& bytes : {std::string("this is a text and no network\n"), std::string(),
                                     network.substr(0, network.size() / 2)}) {
        model.onnx = bytes;
        const std::string message = fatal_message([&] { on_cpu(model); });
        CHECK_MESSAGE(contains(message, "tiny-sigmoid/model.onnx: "), message);
        CHECK(message.find('\n') == std::string::npos);
    }
}

TEST_CASE("the self-test passes for the models as they were made") {
    for (const char* name : {"tiny-sigmoid", "tiny-softmax", "tiny-packed"}) {
        const Model model = tiny(name);
        CHECK_NOTHROW(self_test(*on_cpu(model), model.spec, {}));
    }
}

TEST_CASE("the self-test says what differs") {
    Model model = tiny("tiny-softmax");
    const auto classifier = on_cpu(model);
    const auto message = [&] { return fatal_message([&] { self_test(*classifier, model.spec, {}); }); };
    model.spec.golden.cases.at(1).outputs.at(2) += 0.00009;
    CHECK(message() == "");
    model.spec.golden.cases.at(1).outputs.at(2) += 0.00003;
    CHECK(contains(message(), "tiny-softmax@"));
    CHECK(contains(message(),
                   "the self-test failed on cpu opencv fp32: for seed 2 the output \"bcc\" is 0.2338"));
    CHECK(contains(message(), "in place of 0.2339"));
    CHECK(contains(message(), "off by more than 0.0001"));

    const ModelSpec spec = tiny("tiny-sigmoid").spec;
    Fixed nan(std::nanf(""));
    CHECK(contains(fatal_message([&] { self_test(nan, spec, {}); }), "is nan in place of"));
}

TEST_CASE("the self-test takes the tolerance of the device and precision") {
    ModelSpec spec = tiny("tiny-sigmoid").spec;
    spec.golden.cases = {{1, {0.5}}};
    Fixed near(0.503F);
    const Target half{{true, 0}, Engine::opencv, Precision::fp16};
    const Target single{{true, 0}, Engine::opencv, Precision::fp32};
    CHECK_NOTHROW(self_test(near, spec, half));
    CHECK_NOTHROW(self_test(near, spec, {{}, Engine::openvino, Precision::bf16}));
    CHECK(contains(fatal_message([&] { self_test(near, spec, single); }), "failed on cuda:0 fp32"));
    CHECK(contains(fatal_message([&] { self_test(near, spec, {}); }), "failed on cpu opencv fp32"));
    spec.golden.tolerance.erase("cuda-fp16");
    CHECK(contains(fatal_message([&] { self_test(near, spec, half); }), "no golden.tolerance for cuda-fp16"));
}

TEST_CASE("the self-test runs a batch where batches are to come") {
    // As a network that was exported for one image: whatever comes behind the first is left out.
    class Frozen : public Classifier {
      public:
        int most = 0;
        cv::Mat classify(const cv::Mat& blob) override {
            most = std::max(most, blob.size[0]);
            cv::Mat outputs(blob.size[0], 1, CV_32F, cv::Scalar(0));
            outputs.at<float>(0) = 0.5F;
            return outputs;
        }
    };
    ModelSpec spec = tiny("tiny-sigmoid").spec;
    const auto message = [&](Classifier& classifier, int batch_size) {
        return fatal_message([&] { self_test(classifier, spec, {}, batch_size); });
    };
    for (const std::vector<Golden::Case>& cases :
         {std::vector<Golden::Case>{{1, {0.5}}}, {{1, {0.5}}, {2, {0.5}}, {3, {0.5}}}}) {
        CAPTURE(cases.size());
        spec.golden.cases = cases;
        Frozen frozen;
        CHECK(message(frozen, 1) == "");
        CHECK(frozen.most == 1);
        CHECK(contains(message(frozen, 2), "is 0.000000 in place of 0.500000"));
        CHECK(contains(message(frozen, 2), "use --batch-size 1"));
        CHECK(frozen.most == 2);
        Fixed whole(0.5F);
        CHECK(message(whole, 2) == "");
        CHECK(message(whole, 100) == "");
    }
    const Model model = tiny("tiny-softmax");
    CHECK_NOTHROW(self_test(*on_cpu(model), model.spec, {}, 8));
}

TEST_CASE("targets are chosen by what is there") {
    const auto names = [](const TargetRequest& request) {
        std::vector<std::string> names;
        for (const Target& target : choose_targets(request)) {
            names.push_back(target.name());
        }
        return names;
    };
    CHECK(names({"cpu", "opencv", "fp32"}) == std::vector<std::string>{"cpu opencv fp32"});
    CHECK(names({"cpu", "auto", "fp32"}).back() == "cpu opencv fp32");
    CHECK(names({"auto", "auto", "fp32"}).back() == "cpu opencv fp32");
    for (const char* wrong :
         {"", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda: 1", "cuda:99999999999"}) {
        CAPTURE(wrong);
        CHECK(contains(fatal_message(
                           [&] {
                               choose_targets({wrong, "auto", "fp32"});
                           },
                           ExitCode::usage),
                       "none of auto, cpu, cuda, cuda:N"));
    }
    CHECK(contains(fatal_message(
                       [] {
                           choose_targets({"cpu", "OpenCV", "fp32"});
                       },
                       ExitCode::usage),
                   "--engine OpenCV: is none of auto, opencv, openvino"));
    CHECK(contains(fatal_message(
                       [] {
                           choose_targets({"cpu", "auto", "half"});
                       },
                       ExitCode::usage),
                   "--precision half: is none of fp32, fp16, bf16"));
    CHECK(contains(fatal_message(
                       [] {
                           choose_targets({"cuda", "openvino", "fp32"});
                       },
                       ExitCode::usage),
                   "--engine openvino: is for the CPU"));
}

TEST_CASE("a precision that a device lacks is refused, and nothing takes its place") {
    const auto refused = [](const TargetRequest& request) {
        return fatal_message([&] { choose_targets(request); });
    };
    CHECK(contains(refused({"cpu", "auto", "fp16"}), "--precision fp16: the CPU computes in fp32 or bf16"));
    CHECK(contains(refused({"cpu", "opencv", "bf16"}),
                   "--precision bf16: OpenCV's own engine computes in fp32"));
    CHECK(contains(refused({"cuda", "auto", "bf16"}),
                   "--device cuda: OpenCV computes in fp32 or fp16 on a card"));
}

TEST_CASE("a card that is not there is told") {
    if (cards() > 0) {
        MESSAGE("skipped: there is a CUDA card");
        return;
    }
    for (const char* requested : {"cuda", "cuda:0", "cuda:7"}) {
        const std::string message = fatal_message([&] { choose_targets({requested, "auto", "fp32"}); });
        CHECK(message.rfind("--device " + std::string(requested) + ": ", 0) == 0);
        CHECK(contains(message, "use --device cpu"));
    }
    const std::vector<TargetState> states = list_targets();
    CHECK(states.front().obstacle.empty());
    CHECK(states.back().target.device.cuda);
    CHECK(contains(states.back().obstacle, "use --device cpu"));
}

TEST_CASE("OpenVINO computes in fp32, or says why it cannot") {
    // In a run of its own process, since the precision is settled once.
    const TargetRequest request{"cpu", "openvino", "fp32"};
    const std::vector<TargetState> states = list_targets();
    const auto openvino = std::find_if(states.begin(), states.end(), [](const TargetState& state) {
        return state.target.engine == Engine::openvino;
    });
    REQUIRE(openvino != states.end());
    if (!openvino->obstacle.empty()) {
        const std::string message = fatal_message([&] { choose_targets(request); });
        CHECK(contains(message, "--engine openvino: "));
        CHECK(contains(message, "use --engine opencv"));
        CHECK(choose_targets({"cpu", "auto", "fp32"}).size() == 1);
        return;
    }
    CHECK(choose_targets({"cpu", "auto", "fp32"}).front().engine == Engine::openvino);
    CHECK(contains(fatal_message([] { choose_targets({"cpu", "openvino", "bf16"}); }), "bf16"));
    const Model model = tiny("tiny-sigmoid");
    const auto classifier = make_dnn_classifier(model, choose_targets(request).front());
    const cv::Mat outputs = classifier->classify(to_blob({flat(200, 120, 90), flat(7, 9, 250)}, model.spec));
    // bf16 has three digits: it would be off by far more.
    CHECK(std::abs(outputs.at<float>(0) - tiny_sigmoid(200, 120, 90)) < 1e-5);
    CHECK(std::abs(outputs.at<float>(1) - tiny_sigmoid(7, 9, 250)) < 1e-5);
}

TEST_CASE("the fake classifier answers the brightness") {
    ModelSpec spec = tiny("tiny-sigmoid").spec;
    spec.normalise = {};
    test::FakeClassifier classifier;
    const cv::Mat outputs =
        classifier.classify(to_blob({flat(0, 0, 0), flat(255, 255, 255), flat(51, 102, 153)}, spec));
    REQUIRE(outputs.size() == cv::Size(1, 3));
    CHECK(outputs.at<float>(0) == 0);
    CHECK(outputs.at<float>(1) == doctest::Approx(1));
    CHECK(outputs.at<float>(2) == doctest::Approx(0.4));
}
