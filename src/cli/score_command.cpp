#include "skincheck/classify.hpp"
#include "skincheck/journal.hpp"
#include "skincheck/output.hpp"

#include "cli/commands.hpp"
#include "cli/path_map.hpp"
#include "cli/resources.hpp"
#include "cli/rows.hpp"
#include "cli/tested_classifier.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

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
        : model_(model),
          device_(device),
          precision_(precision),
          still_to_make_(parallelism.jobs),
          ready_(make_tested_classifier(model, device, precision, parallelism.batch_size).classifier) {
        made_one();
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
        made_one();
        return classifier;
    }

    void made_one() {
        if (--still_to_make_ == 0) {
            std::string().swap(model_.onnx);
        }
    }

    Model& model_;
    const Device device_;
    const Precision precision_;
    int still_to_make_;
    std::mutex mutex_;
    std::unique_ptr<Classifier> ready_;
};

// What the rows in a journal have in common with those of this run, or else it cannot go on.
Settings settings_of(const ScoreOptions& options, const Provenance& provenance) {
    const ModelSpec& spec = provenance.model;
    const Calibration& calibration = spec.calibration;
    return {
        {"model", spec.id()},
        {"preprocessing", spec.preprocess_json},
        {"calibration", fmt::format("{} {} {} {}", static_cast<int>(calibration.kind),
                                    calibration.temperature, calibration.slope, calibration.intercept)},
        {"classes",
         fmt::format("{} of {}", fmt::join(spec.output.malignant, "+"), fmt::join(spec.output.classes, ","))},
        {"threshold", fmt::format("{}", provenance.threshold)},
        {"precision", provenance.precision},
        {"views of each image", fmt::format("{}", provenance.views)},
        {"truncated images", options.common.load.allow_truncated ? "used" : "left out"},
        {"shard", provenance.shard ? to_string(*provenance.shard) : "none"},
        // The name of the empty path tells one key from another, and not the key.
        {"names", options.common.input.anonymise
                      ? "of the key " + options.common.input.anonymise("").substr(0, 8)
                      : "as given"},
    };
}

// Nothing when another run writes this output.
std::unique_ptr<Journal> journal_for(const ScoreOptions& options, const Cancellation& cancellation) {
    struct stat status {};
    const bool exists = stat(options.output.c_str(), &status) == 0;
    if (exists && !S_ISREG(status.st_mode)) {
        throw Fatal(ExitCode::usage,
                    fmt::format("--resume: {} is no file that can be gone on with", options.output));
    }
    auto journal = open_journal(options.output, {options.start_over, options.wait_for_lock}, cancellation);
    if (journal && exists && status.st_size > 0 && journal->fresh() && !options.start_over) {
        throw Fatal(
            ExitCode::usage,
            fmt::format("--resume: {} was not written with --resume, so nobody knows which content of the "
                        "files its rows are of; name another --output, or replace it with --force",
                        options.output));
    }
    return journal;
}

// Path names go into their map when their turn comes: those that were done before are in it.
class MappedRows final : public Rows {
  public:
    MappedRows(std::unique_ptr<Rows> rows, const std::string& file) : rows_(std::move(rows)), map_(file) {}
    std::unique_ptr<Source> begin(std::unique_ptr<Source> source) override {
        return mapped_into(map_, rows_->begin(std::move(source)));
    }
    void write(const Row& row) override { rows_->write(row); }
    void end(const Summary& summary, bool complete) override { rows_->end(summary, complete); }
    std::string_view interrupted(const Summary& summary) const override {
        return rows_->interrupted(summary);
    }
    std::uint64_t kept() const override { return rows_->kept(); }

  private:
    std::unique_ptr<Rows> rows_;
    const PathMap map_;
};

// Without a journal the rows go out as they come.
std::unique_ptr<Rows> rows_for(const ScoreOptions& options, const Provenance& provenance, Journal* journal) {
    const Format format = options.format.value_or(Format::csv);
    const bool whole_only = provenance.shard && !options.output.empty();
    std::unique_ptr<Rows> rows;
    if (journal == nullptr) {
        auto destination = options.output.empty() ? standard_output() : atomic_file(options.output);
        auto writer = make_writer(format, provenance, *destination);
        rows = std::make_unique<StreamedRows>(std::move(destination), std::move(writer), whole_only);
    } else {
        if (const auto difference = journal->agree(settings_of(options, provenance))) {
            throw Fatal(
                ExitCode::usage,
                fmt::format("cannot resume {}: {}; use the same, another --output, or --force to start over",
                            options.output, *difference));
        }
        atomic_file(options.output);  // told now if it cannot be written, and not after a night
        rows = std::make_unique<JournaledRows>(*journal, options.output, format, provenance, whole_only);
    }
    if (!options.path_map.empty()) {
        rows = std::make_unique<MappedRows>(std::move(rows), options.path_map);
    }
    return rows;
}

}  // namespace

ExitCode run_score(const ScoreOptions& options, Console& console, Cancellation& cancellation) {
    std::unique_ptr<Journal> journal;
    if (options.resume) {  // before the model is loaded: there may be nothing to do
        journal = journal_for(options, cancellation);
        if (cancellation.requested()) {
            throw Fatal(ExitCode::interrupted, "interrupted before the first image");
        }
        if (!journal) {
            console.note(
                fmt::format("another run is writing {}: this one leaves it the work", options.output));
            return ExitCode::ok;
        }
    }
    Device device = choose_device(options.device);
    Precision precision = choose_precision(options.precision, device);
    Model model = load_model(find_model(options.common.model));
    if (options.device == "auto" && !can_be_tested(model.spec, device, precision)) {
        console.warn(fmt::format("model.json of {} has no golden.tolerance for {}, so the CPU is used",
                                 model.spec.id(), device.name()));
        device = {};
        precision = choose_precision(options.precision, device);
    }
    if (options.views == 8 && model.spec.input.width != model.spec.input.height) {
        throw Fatal(ExitCode::usage,
                    fmt::format("--tta 8 turns images by a quarter, and {} takes {}x{} pixels; use --tta 4",
                                model.spec.id(), model.spec.input.width, model.spec.input.height));
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
    const auto rows = rows_for(options,
                               {device.name(), std::string(to_string(precision)), model.spec, threshold,
                                options.views, options.common.input.shard},
                               journal.get());
    console.detail(fmt::format(
        "model {} from {}, device {}, precision {}, threshold {}, views {}, jobs {}, batch size {}",
        model.spec.id(), model.directory, device.name(), to_string(precision), threshold, options.views,
        parallelism.jobs, parallelism.batch_size));
    const Work work = scoring_work(model.spec, [&maker] { return maker.next(); },
                                   {options.common.load, threshold, options.views, parallelism.batch_size});
    return run(*rows, work, "scored", options.common, parallelism, console, cancellation);
}

}  // namespace skincheck::cli
