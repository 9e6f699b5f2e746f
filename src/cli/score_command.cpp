#include "skincheck/classify.hpp"
#include "skincheck/journal.hpp"
#include "skincheck/output.hpp"

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/path_map.hpp"
#include "cli/resources.hpp"
#include "cli/rows.hpp"
#include "cli/tested_classifier.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skincheck::cli {
namespace {

// Decoding and filters take their share; on the CPU each worker has a network, which keeps its weights and
// their unpacked copies for the kernels.
std::uint64_t memory_of_a_worker(const Model& model, const Target& target) {
    constexpr std::uint64_t of_images = 256U << 20U;
    return of_images + (target.device.cuda ? 0 : 3 * model.onnx.size());
}

// Makes a classifier whenever one is asked for: the first is the one that was tested before the run, and with
// the last the network's bytes are no longer needed.
class ClassifierMaker {
  public:
    ClassifierMaker(Model& model, const Target& target, int most, std::unique_ptr<Classifier> tested)
        : model_(model), target_(target), still_to_make_(most), ready_(std::move(tested)) {
        made_one();
    }

    // One at a time, because OpenCV's reader of ONNX needs several times the network's size while it reads.
    std::unique_ptr<Classifier> next() {
        const std::lock_guard lock(mutex_);
        return ready_ ? std::move(ready_) : make();
    }

  private:
    std::unique_ptr<Classifier> make() {
        std::unique_ptr<Classifier> classifier = make_dnn_classifier(model_, target_);
        made_one();
        return classifier;
    }

    void made_one() {
        if (--still_to_make_ == 0) {
            std::string().swap(model_.onnx);
        }
    }

    Model& model_;
    const Target target_;
    int still_to_make_;
    std::mutex mutex_;
    std::unique_ptr<Classifier> ready_;
};

int batch_size_of(const ScoreOptions& options, const Target& target) {
    constexpr int on_card = 32;
    return options.batch_size > 0 ? options.batch_size : target.device.cuda ? on_card : 1;
}

// One network copies its batch to the card while another computes. More would only take its memory; on the
// CPU each worker computes by itself.
int classifiers_of(const Target& target, int jobs) {
    constexpr int on_card = 2;
    return target.device.cuda ? std::min(on_card, jobs) : jobs;
}

struct Tested {
    Target target;
    std::unique_ptr<Classifier> classifier;
};

// The first of the targets on which the model passes its self-test. There is more than one only where `auto`
// leaves the choice, and then those that fail are told.
Tested first_that_passes(const Model& model, const std::vector<Target>& targets, const ScoreOptions& options,
                         Console& console) {
    std::vector<std::string> failed;
    for (const Target& target : targets) {
        try {
            Tested tested{target,
                          make_tested_classifier(model, target, batch_size_of(options, target)).classifier};
            for (const std::string& reason : failed) {  // not before: where all fail, the model is at fault
                console.warn(fmt::format("{}, so {} takes its place", reason, target.name()));
            }
            return tested;
        } catch (const Fatal& fatal) {
            if (&target == &targets.back() || fatal.code() != ExitCode::model) {
                throw;
            }
            failed.push_back(fmt::format("{} cannot be used: {}", target.name(), fatal.what()));
        }
    }
    throw Fatal(ExitCode::model, "there is no device to compute on");
}

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
std::optional<JournalLock> lock_for(const ScoreOptions& options, const Cancellation& cancellation) {
    const std::string file = resolve_links(options.output);
    struct stat status {};
    if (lstat(file.c_str(), &status) == 0 &&
        !S_ISREG(status.st_mode)) {  // what is still a link is /dev/stdout
        throw Fatal(ExitCode::usage,
                    fmt::format("--resume: {} is no file that can be gone on with", options.output));
    }
    constexpr std::size_t longest_name = 255 - rollback_ending.size();  // no name has more bytes
    if (file.size() - (file.rfind('/') + 1) > longest_name) {
        throw Fatal(
            ExitCode::usage,
            fmt::format("--resume: the name of {} is too long for a journal beside it; {} bytes are the most",
                        file, longest_name));
    }
    return lock_journal(options.output, options.wait_for_lock, cancellation);
}

std::unique_ptr<Journal> journal_to_go_on_with(JournalLock lock, const std::string& output) {
    auto journal = open_journal(std::move(lock), false);
    struct stat status {};
    if (journal->fresh() && stat(output.c_str(), &status) == 0 && status.st_size > 0) {
        throw Fatal(
            ExitCode::usage,
            fmt::format("--resume: {} has no journal, or an empty one, so nobody knows which content of the "
                        "files its rows are of; name another --output, or replace it with --force",
                        output));
    }
    return journal;
}

// Without a journal the rows go out to the destination as they come.
std::unique_ptr<Rows> rows_for(const ScoreOptions& options, const Provenance& provenance, HeldJournal held,
                               std::unique_ptr<Destination> destination, std::unique_ptr<PathMap> map) {
    const Format format = options.format.value_or(Format::csv);
    const bool whole_only = provenance.shard && !options.output.empty();
    std::unique_ptr<Rows> rows;
    if (!options.resume) {
        auto writer = make_writer(format, provenance, *destination);
        rows = std::make_unique<StreamedRows>(std::move(destination), std::move(writer), whole_only);
    } else {
        rows = std::make_unique<JournaledRows>(std::move(held), settings_of(options, provenance),
                                               options.output, format, provenance, whole_only);
    }
    if (map) {
        rows = std::make_unique<MappedRows>(std::move(rows), std::move(map));
    }
    return rows;
}

// Before the model is loaded, for there may be nothing to do: nothing when another run writes this output.
std::optional<HeldJournal> hold_output(const ScoreOptions& options, Console& console,
                                       const Cancellation& cancellation) {
    if (!options.resume) {
        return HeldJournal{};
    }
    std::optional<JournalLock> lock = lock_for(options, cancellation);
    if (cancellation.requested()) {
        throw Fatal(ExitCode::interrupted, "interrupted before the first image");
    }
    if (!lock) {
        console.note(fmt::format("another run is writing {}: this one leaves it the work", options.output));
        return std::nullopt;
    }
    if (options.start_over) {
        return HeldJournal{std::move(lock), nullptr};
    }
    return HeldJournal{std::nullopt, journal_to_go_on_with(std::move(*lock), options.output)};
}

double threshold_of(const ScoreOptions& options, const ModelSpec& spec) {
    if (options.operating_point.empty()) {
        return options.threshold.value_or(spec.threshold);
    }
    std::vector<std::string_view> names;
    for (const OperatingPointSpec& point : spec.operating_points) {
        if (point.name == options.operating_point) {
            return point.threshold;
        }
        names.push_back(point.name);
    }
    throw Fatal(
        ExitCode::usage,
        fmt::format("--threshold: '{}' is not a number from 0 to 1, and no operating point of {}, {}",
                    options.operating_point, spec.id(),
                    names.empty() ? "which has none" : fmt::format("which has {}", fmt::join(names, ", "))));
}

Parallelism parallelism_of(const ScoreOptions& options, const Model& model, const Target& target) {
    const int jobs = options.common.jobs;
    return {jobs > 0 ? jobs : default_jobs(memory_of_a_worker(model, target)),
            batch_size_of(options, target)};
}

}  // namespace

ExitCode run_score(const ScoreOptions& options, Console& console, Cancellation& cancellation) {
    std::optional<HeldJournal> held = hold_output(options, console, cancellation);
    if (!held) {
        return ExitCode::ok;
    }
    const std::vector<Target> targets = choose_targets(options.target);
    Model model = load_model(find_model(options.common.model));
    if (options.views == 8 && model.spec.input.width != model.spec.input.height) {
        throw Fatal(ExitCode::usage,
                    fmt::format("--tta 8 turns images by a quarter, and {} takes {}x{} pixels; use --tta 4",
                                model.spec.id(), model.spec.input.width, model.spec.input.height));
    }
    refuse_same("--output", options.output, {model.directory + "/model.json"});
    const double threshold = threshold_of(options, model.spec);
    Tested tested = first_that_passes(model, targets, options, console);
    const Target target = tested.target;
    const Parallelism parallelism = parallelism_of(options, model, target);
    const int classifiers = classifiers_of(target, parallelism.jobs);
    ClassifierMaker maker(model, target, classifiers, std::move(tested.classifier));

    if (cancellation.requested()) {  // while it was loaded; a FIFO would be waited for all the same
        throw Fatal(ExitCode::interrupted, "interrupted before the first image");
    }
    // Told now if it cannot be written, and not after a night.
    std::unique_ptr<Destination> destination;
    if (options.resume) {
        check_writable(options.output);
    } else {
        destination = options.output.empty()
                          ? standard_output()
                          : atomic_file(options.output, [&options]() -> std::string {
                                return has_journal(options.output)
                                           ? "a run with --resume has begun on it meanwhile"
                                           : "";
                            });
    }
    auto map = options.path_map.empty() ? nullptr : std::make_unique<PathMap>(options.path_map);
    const auto rows = rows_for(options,
                               {target.device.name(), std::string(to_string(target.engine)),
                                std::string(to_string(target.precision)), model.spec, threshold,
                                options.views, options.common.input.shard},
                               *std::move(held), std::move(destination), std::move(map));
    console.detail(
        fmt::format("model {} from {}, {}, threshold {}, views {}, jobs {}, networks {}, batch size {}",
                    model.spec.id(), model.directory, target.name(), threshold, options.views,
                    parallelism.jobs, classifiers, parallelism.batch_size));
    const ScoringOptions scoring{
        options.common.load,
        threshold,
        options.views,
        parallelism.batch_size,
        classifiers,
        [&console] {
            console.warn("memory does not suffice for the whole batch: smaller ones are used from here on");
        },
        [&console] {
            console.warn("memory does not suffice for one more network: those that there are go on alone");
        }};
    const Work work = scoring_work(
        model.spec, [&maker] { return maker.next(); }, scoring);
    return run(*rows, work, "scored", options.common, parallelism, console, cancellation);
}

}  // namespace skincheck::cli
