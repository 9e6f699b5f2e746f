// Connects the rooms: bounded, ordered, parallel, cancellable. Knows interfaces only, no OpenCV DNN.
#pragma once

#include "skincheck/classify.hpp"
#include "skincheck/image.hpp"
#include "skincheck/input.hpp"
#include "skincheck/model.hpp"
#include "skincheck/result.hpp"

#include <opencv2/core/mat.hpp>
#include <tl/expected.hpp>

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skincheck {

/// Turns some items into as many rows, in the same order. Called from several threads at once.
using Work = std::function<std::vector<Row>(const std::vector<Item>&)>;

/// Receives rows in the order of the items, from one thread at a time. May throw Fatal, which ends the run.
using Sink = std::function<void(const Row&)>;

struct Parallelism {
    int jobs = 1;        ///< batches in work at the same time, at most; 1 or more
    int batch_size = 1;  ///< items handed to Work together, at most; 1 or more, fewer when no more is at hand
};

/// Every item of `source` goes through `work` and its row to `sink`, in the order of the source. Memory is
/// bounded by jobs and batch size, whatever the number of items. After a cancellation nothing new is begun,
/// and what was begun is finished and written. An exception of source, work or sink ends the run and comes
/// out here; it requests the cancellation, so that a source that waits for input comes back.
void run_pipeline(Source& source, const Work& work, const Sink& sink, const Parallelism& parallelism,
                  Cancellation& cancellation);

/// Makes a classifier; called from the worker that needs it. What it throws ends the run, but for
/// std::bad_alloc where there are others: then the run goes on with these.
using ClassifierFactory = std::function<std::unique_ptr<Classifier>()>;

struct ScoringOptions {
    LoadOptions load;
    double threshold = 0.5;
    int views = 1;       ///< of each image, see views_of(); the network's outputs for them are averaged
    int batch_size = 1;  ///< images, or views of them, that go through the network together, at most
    int classifiers = std::numeric_limits<int>::max();  ///< at the same time; workers wait for one
    std::function<void()> on_smaller_batches{};    ///< called once, when memory is short for a whole batch
    std::function<void()> on_fewer_classifiers{};  ///< called once, when memory is short for one more
};

/// The work of scoring: load, prepare, classify, decide. Whatever happens to an image becomes its row. `spec`
/// must outlive it.
Work scoring_work(const ModelSpec& spec, ClassifierFactory factory, const ScoringOptions& options);

/// Load and prepare as scoring does, then `save` in place of classifying: it is given the item and its
/// prepared pixels (CV_8UC3, BGR, the network's size) and answers where it put them. Called from several
/// threads.
using Save = std::function<tl::expected<std::string, Failure>(const Item& item, const cv::Mat& prepared)>;
Work preprocessing_work(const ModelSpec& spec, const LoadOptions& options, Save save);

}  // namespace skincheck
