// How many images a second OpenCV's DNN module alone gets through the network: the ceiling for skincheck on
// this machine.
//
//     bench_forward MODEL_FOLDER NETS THREADS BATCH SECONDS [opencv|openvino|cuda|cuda-fp16]
//
// NETS nets, each on a thread of its own, with OpenCV's threads set to THREADS, go through noise in batches
// of BATCH for SECONDS. Prints the images a second, copies to a card and back included.
#include "skincheck/model.hpp"

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Engine {
    int backend;
    int target;
};

const std::map<std::string, Engine> engines = {
    {"opencv", {cv::dnn::DNN_BACKEND_OPENCV, cv::dnn::DNN_TARGET_CPU}},
    {"openvino", {cv::dnn::DNN_BACKEND_INFERENCE_ENGINE, cv::dnn::DNN_TARGET_CPU}},
    {"cuda", {cv::dnn::DNN_BACKEND_CUDA, cv::dnn::DNN_TARGET_CUDA}},
    {"cuda-fp16", {cv::dnn::DNN_BACKEND_CUDA, cv::dnn::DNN_TARGET_CUDA_FP16}},
};

}  // namespace

int main(int argc, char** argv) {
    const auto engine = engines.find(argc == 7 ? argv[6] : "opencv");
    if (argc < 6 || argc > 7 || engine == engines.end()) {
        fmt::print(stderr, "usage: bench_forward MODEL_FOLDER NETS THREADS BATCH SECONDS [ENGINE]\n");
        return 2;
    }
    const skincheck::Model model = skincheck::load_model(argv[1]);
    const int nets = std::atoi(argv[2]);
    const int batch = std::atoi(argv[4]);
    const std::chrono::duration<double> duration(std::atof(argv[5]));
    cv::setNumThreads(std::atoi(argv[3]));

    using Clock = std::chrono::steady_clock;
    std::atomic<int> images{0};
    Clock::time_point begin;
    std::barrier start(nets, [&]() noexcept { begin = Clock::now(); });
    std::vector<std::jthread> threads;
    for (int i = 0; i < nets; ++i) {
        threads.emplace_back([&] {
            cv::dnn::Net net = cv::dnn::readNetFromONNX(model.onnx.data(), model.onnx.size());
            net.setPreferableBackend(engine->second.backend);
            net.setPreferableTarget(engine->second.target);
            cv::Mat blob(std::vector<int>{batch, 3, model.spec.input.height, model.spec.input.width}, CV_32F);
            cv::randn(blob, 0, 1);
            const auto forward = [&] {
                net.setInput(blob);
                net.forward();
            };
            forward();  // the first pass allocates
            start.arrive_and_wait();
            while (Clock::now() - begin < duration) {
                forward();
                images += batch;
            }
        });
    }
    threads.clear();
    fmt::print("{:.3f}\n", images / std::chrono::duration<double>(Clock::now() - begin).count());
}
