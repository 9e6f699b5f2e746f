#include "cli/tested_classifier.hpp"

#include "cli/load_guard.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <new>
#include <optional>
#include <string>

namespace skincheck::cli {
namespace {

// What OpenCV may take to read and test it; some four times the network's size is usual.
std::uint64_t memory_to_load(const Model& model) {
    return 8 * model.onnx.size() + (2ULL << 30U);
}

}  // namespace

TestedClassifier make_tested_classifier(const Model& model, const Target& target, int batch_size) {
    // Drivers of cards reserve more address space than there is memory.
    const LoadGuard guard(model.network,
                          target.device.cuda ? std::nullopt : std::optional(memory_to_load(model)));
    try {
        TestedClassifier tested{make_dnn_classifier(model, target)};
        tested.difference = self_test(*tested.classifier, model.spec, target, batch_size);
        return tested;
    } catch (const std::bad_alloc&) {
        const std::string limit =
            target.device.cuda ? ""
                               : fmt::format(", or it wants more than {} MiB", memory_to_load(model) >> 20U);
        throw Fatal(ExitCode::model, fmt::format("{}: there is not enough memory to load it on {}{}",
                                                 model.network, target.name(), limit));
    }
}

}  // namespace skincheck::cli
