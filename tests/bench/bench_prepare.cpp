// How many images a second can be read, decoded and prepared on this machine: the other ceiling for
// skincheck.
//
//     bench_prepare MODEL_FOLDER THREADS FILE...
//
// THREADS threads go through the files once, each image from the disk to the network's pixels. Prints the
// images a second.
#include "skincheck/image.hpp"
#include "skincheck/model.hpp"
#include "skincheck/prepare.hpp"

#include <fmt/format.h>
#include <opencv2/core.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
    if (argc < 4) {
        fmt::print(stderr, "usage: bench_prepare MODEL_FOLDER THREADS FILE...\n");
        return 2;
    }
    const skincheck::Model model = skincheck::load_model(argv[1]);
    cv::setNumThreads(1);
    std::atomic<int> next{3};
    std::atomic<int> failed{0};
    skincheck::LoadOptions options;
    options.sufficient_side = skincheck::sufficient_side(model.spec);
    const auto work = [&] {
        for (int index = next++; index < argc; index = next++) {
            const auto image = skincheck::load_image(argv[index], options);
            if (!image || skincheck::apply_steps(image->pixels, model.spec).empty()) {
                ++failed;
            }
        }
    };
    const auto begin = std::chrono::steady_clock::now();
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < std::atoi(argv[2]); ++i) {
            threads.emplace_back(work);
        }
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    if (failed > 0) {
        fmt::print(stderr, "{} files cannot be used\n", failed.load());
        return 1;
    }
    fmt::print("{:.3f}\n", (argc - 3) / spent.count());
}
