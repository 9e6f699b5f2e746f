// How many images a second OpenCV's DNN module alone gets through the network: the ceiling for skincheck on
// this machine.
//
//     bench_forward MODEL_FOLDER NETS THREADS BATCH[,BATCH...] SECONDS [opencv|openvino|cuda|cuda-fp16]
//
// NETS nets, each on a thread of its own, with OpenCV's threads set to THREADS, go through noise in batches
// of BATCH for SECONDS. Prints the images a second, copies to a card and back included, a line for each
// BATCH.
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
#include <sstream>
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

using Clock = std::chrono::steady_clock;

std::vector<cv::dnn::Net> read_nets(const skincheck::Model& model, int count, const Engine& engine) {
    std::vector<cv::dnn::Net> nets;
    for (int i = 0; i < count; ++i) {
        nets.push_back(cv::dnn::readNetFromONNX(model.onnx.data(), model.onnx.size()));
        nets.back().setPreferableBackend(engine.backend);
        nets.back().setPreferableTarget(engine.target);
    }
    return nets;
}

double images_per_second(std::vector<cv::dnn::Net>& nets, int batch, const skincheck::InputSpec& input,
                         std::chrono::duration<double> duration) {
    std::atomic<int> images{0};
    Clock::time_point begin;
    std::barrier start(static_cast<std::ptrdiff_t>(nets.size()), [&]() noexcept { begin = Clock::now(); });
    std::vector<std::jthread> threads;
    for (cv::dnn::Net& net : nets) {
        threads.emplace_back([&] {
            cv::Mat blob(std::vector<int>{batch, 3, input.height, input.width}, CV_32F);
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
    return images / std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
    const auto engine = engines.find(argc == 7 ? argv[6] : "opencv");
    if (argc < 6 || argc > 7 || engine == engines.end()) {
        fmt::print(stderr, "usage: bench_forward MODEL_FOLDER NETS THREADS BATCH SECONDS [ENGINE]\n");
        return 2;
    }
    const skincheck::Model model = skincheck::load_model(argv[1]);
    const std::chrono::duration<double> duration(std::atof(argv[5]));
    cv::setNumThreads(std::atoi(argv[3]));
    std::vector<cv::dnn::Net> nets = read_nets(model, std::atoi(argv[2]), engine->second);
    std::istringstream batches(argv[4]);
    for (std::string batch; std::getline(batches, batch, ',');) {
        fmt::print("{:.3f}\n", images_per_second(nets, std::stoi(batch), model.spec.input, duration));
        std::fflush(stdout);  // the next batch may be too much for a card
    }
}
