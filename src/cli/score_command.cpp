#include "skincheck/classify.hpp"
#include "skincheck/output.hpp"

#include "cli/commands.hpp"
#include "cli/resources.hpp"
#include "cli/run.hpp"

#include <fmt/format.h>

#include <memory>
#include <mutex>
#include <string>

namespace skincheck::cli {
namespace {

// A network keeps its weights and their unpacked copies for the kernels; decoding and filters take their
// share.
std::uint64_t memory_of_a_worker(const Model& model) {
    return 3 * model.onnx.size() + (256U << 20U);
}

// Makes a classifier for each worker that asks: the first is the one that was tested before the run, and with
// the last the network's bytes are no longer needed.
class ClassifierMaker {
  public:
    ClassifierMaker(Model& model, const Device& device, Precision precision, const Parallelism& parallelism)
        : model_(model), device_(device), precision_(precision), still_to_make_(parallelism.jobs) {
        ready_ = make();
        self_test(*ready_, model_.spec, device_, precision_, parallelism.batch_size);
    }

    // One worker at a time, because OpenCV's reader of ONNX needs several times the network's size while it
    // reads.
    std::unique_ptr<Classifier> next() {
        const std::lock_guard lock(mutex_);
        return ready_ ? std::move(ready_) : make();
    }

  private:
    std::unique_ptr<Classifier> make() {
        std::unique_ptr<Classifier> classifier = make_dnn_classifier(model_, device_, precision_);
        if (--still_to_make_ == 0) {
            std::string().swap(model_.onnx);
        }
        return classifier;
    }

    Model& model_;
    const Device device_;
    const Precision precision_;
    int still_to_make_;
    std::mutex mutex_;
    std::unique_ptr<Classifier> ready_;
};

}  // namespace

ExitCode run_score(const ScoreOptions& options, Console& console, Cancellation& cancellation) {
    Device device = choose_device(options.device);
    Precision precision = choose_precision(options.precision, device);
    Model model = load_model(find_model(options.common.model));
    if (options.device == "auto" && !can_be_tested(model.spec, device, precision)) {
        console.warn(fmt::format("model.json of {} has no golden.tolerance for {}, so the CPU is used",
                                 model.spec.id(), device.name()));
        device = {};
        precision = choose_precision(options.precision, device);
    }
    const double threshold = options.threshold.value_or(model.spec.threshold);
    Parallelism parallelism;
    parallelism.jobs =
        options.common.jobs > 0 ? options.common.jobs : default_jobs(memory_of_a_worker(model));
    parallelism.batch_size = std::max(1, options.batch_size);

    ClassifierMaker maker(model, device, precision, parallelism);

    if (cancellation.requested()) {  // while it was loaded; a FIFO would be waited for all the same
        throw Fatal(ExitCode::interrupted, "interrupted before the first image");
    }
    const auto destination = options.output.empty() ? standard_output() : atomic_file(options.output);
    const auto writer =
        make_writer(options.format.value_or(Format::csv),
                    {device.name(), std::string(to_string(precision)), model.spec, threshold}, *destination);
    console.detail(
        fmt::format("model {} from {}, device {}, precision {}, threshold {}, jobs {}, batch size {}",
                    model.spec.id(), model.directory, device.name(), to_string(precision), threshold,
                    parallelism.jobs, parallelism.batch_size));
    return run(
        {[&] { writer->begin(); },
         scoring_work(
             model.spec, [&maker] { return maker.next(); }, options.common.load, threshold),
         [&](const Row& row) { writer->row(row); }, [&](const Summary& summary) { writer->end(summary); },
         [&] { destination->commit(); }, "scored"},
        options.common, parallelism, console, cancellation);
}

}  // namespace skincheck::cli
