#include "skincheck/pipeline.hpp"
#include "skincheck/prepare.hpp"

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <tl/expected.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace skincheck {
namespace {

// Lends classifiers to the workers. Makes one when all are lent out, up to `most`, so that the first row does
// not wait for the last network to be built.
class ClassifierPool {
  public:
    ClassifierPool(ClassifierFactory factory, int most, std::function<void()> on_fewer)
        : factory_(std::move(factory)), most_(most), on_fewer_(std::move(on_fewer)) {}

    // Comes back to the pool by itself, whatever is thrown while it is lent.
    using Lent = std::unique_ptr<Classifier, std::function<void(Classifier*)>>;

    Lent take() {
        std::unique_lock lock(mutex_);
        std::unique_ptr<Classifier> classifier;
        while (!classifier) {
            changed_.wait(lock, [this] { return !idle_.empty() || made_ < most_; });
            if (idle_.empty()) {
                classifier = make(lock);
            } else {
                classifier = std::move(idle_.back());
                idle_.pop_back();
            }
        }
        return {classifier.release(),
                [this](Classifier* back) { give_back(std::unique_ptr<Classifier>(back)); }};
    }

  private:
    // Nothing when memory does not suffice for one more than there are: these go on alone.
    std::unique_ptr<Classifier> make(std::unique_lock<std::mutex>& lock) {
        idle_.reserve(static_cast<std::size_t>(made_) + 1);  // so that no classifier fails to come back
        ++made_;
        lock.unlock();
        try {
            auto classifier = factory_();
            lock.lock();
            return classifier;
        } catch (const std::bad_alloc&) {
            lock.lock();
            give_up_one();
            if (made_ == 0) {
                throw;
            }
            most_ = made_;
            if (on_fewer_) {
                std::call_once(told_, on_fewer_);
            }
            return nullptr;
        } catch (...) {
            lock.lock();
            give_up_one();
            throw;
        }
    }

    // Who waits must not wait for ever.
    void give_up_one() {
        --made_;
        changed_.notify_all();
    }

    void give_back(std::unique_ptr<Classifier> classifier) {
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(classifier));
        changed_.notify_one();
    }

    ClassifierFactory factory_;
    int most_;
    std::function<void()> on_fewer_;
    std::once_flag told_;
    std::mutex mutex_;
    std::condition_variable changed_;
    int made_ = 0;
    std::vector<std::unique_ptr<Classifier>> idle_;
};

// How many images go through the network together, for all workers: less when memory has shown not to
// suffice.
class BatchSize {
  public:
    BatchSize(int size, std::function<void()> on_smaller) : size_(size), on_smaller_(std::move(on_smaller)) {}

    int now() const { return size_; }

    // False when `failed` was a single image, for which there is no remedy.
    bool halve(int failed) {
        if (failed <= 1) {
            return false;
        }
        int size = size_;
        while (size >= failed && !size_.compare_exchange_weak(size, failed / 2)) {
        }
        if (on_smaller_) {
            std::call_once(told_, on_smaller_);
        }
        return true;
    }

  private:
    std::atomic<int> size_;
    std::function<void()> on_smaller_;
    std::once_flag told_;
};

Row row_of(const Item& item) {
    Row row;
    row.path = item.written();
    row.number = item.number;
    row.digest = item.digest;
    return row;
}

Row unscored_row(const Item& item, const Failure& failure) {
    Row row = row_of(item);
    row.status = failure.status;
    row.error = failure.message;
    return row;
}

struct Prepared {
    cv::Mat pixels;  // CV_8UC3, BGR, of the network's size
    bool truncated = false;
    FileStamp stamp{};
};

bool is_lack_of_memory(const cv::Exception& error) {
    return error.code == cv::Error::StsNoMem;
}

// Whatever a decoder, a filter or an encoder throws becomes this image's failure; a Fatal is about the model
// or the output and goes on up.
template <typename Call>
auto failing_alone(const Call& call) -> decltype(call()) {
    try {
        return call();
    } catch (const std::bad_alloc&) {
        return tl::unexpected(out_of_memory());
    } catch (const cv::Exception& error) {
        return tl::unexpected(
            is_lack_of_memory(error)
                ? out_of_memory()
                : Failure{Status::unsupported, fmt::format("cannot be prepared: {}", one_line(error.err))});
    }
}

tl::expected<Prepared, Failure> prepare(const Item& item, const ModelSpec& spec, LoadOptions options) {
    if (item.failure) {
        return tl::unexpected(*item.failure);
    }
    return failing_alone([&]() -> tl::expected<Prepared, Failure> {
        options.sufficient_side = sufficient_side(spec);
        tl::expected<Image, Failure> image = load_image(item.path, options);
        if (!image) {
            return tl::unexpected(std::move(image.error()));
        }
        return Prepared{apply_steps(image->pixels, spec), image->truncated, image->stamp};
    });
}

// What `call` gives; nothing when memory does not suffice.
template <typename Call>
std::optional<cv::Mat> if_memory_suffices(const Call& call) {
    try {
        return call();
    } catch (const std::bad_alloc&) {
        return std::nullopt;
    } catch (const cv::Exception& error) {
        if (is_lack_of_memory(error)) {
            return std::nullopt;
        }
        throw;
    }
}

// Outputs for some images; nothing when memory does not suffice. On a card networks are few: one is taken
// only when its input is ready.
std::optional<cv::Mat> classify_together(ClassifierPool& pool, const std::vector<cv::Mat>& images,
                                         const ModelSpec& spec) {
    const std::optional<cv::Mat> blob = if_memory_suffices([&] { return to_blob(images, spec); });
    if (!blob) {
        return std::nullopt;
    }
    const auto classifier = pool.take();
    return if_memory_suffices([&] { return classifier->classify(*blob); });
}

// 1×K outputs for each image, as many at a time as memory has room for; an empty one where it has none.
std::vector<cv::Mat> classify(ClassifierPool& pool, const std::vector<cv::Mat>& images, const ModelSpec& spec,
                              BatchSize& batch_size) {
    std::vector<cv::Mat> outputs;
    outputs.reserve(images.size());
    for (auto rest = images.begin(); rest != images.end();) {
        const auto size = std::min<std::ptrdiff_t>(batch_size.now(), images.end() - rest);
        if (const auto some = classify_together(pool, {rest, rest + size}, spec)) {
            for (int row = 0; row < some->rows; ++row) {
                outputs.push_back(some->row(row));
            }
            rest += size;
        } else if (!batch_size.halve(static_cast<int>(size))) {
            outputs.emplace_back();
            ++rest;
        }
    }
    return outputs;
}

// 1×K, of the outputs of an image's views; nothing when one of them is missing.
std::optional<cv::Mat> mean_of(std::span<const cv::Mat> views) {
    if (std::ranges::any_of(views, &cv::Mat::empty)) {
        return std::nullopt;
    }
    if (views.size() == 1) {
        return views.front();
    }
    return if_memory_suffices([&] {
        cv::Mat all;
        cv::Mat mean;
        cv::vconcat(views.data(), views.size(), all);
        cv::reduce(all, mean, 0, cv::REDUCE_AVG);
        return mean;
    });
}

// A cut image that the user wants all the same keeps its status.
Row usable_row(const Item& item, const Prepared& prepared) {
    Row row = row_of(item);
    row.stamp = prepared.stamp;
    row.status = prepared.truncated ? Status::truncated : Status::ok;
    row.error = prepared.truncated ? "the file ends early; what is missing was taken for grey" : "";
    return row;
}

Row scored_row(const Item& item, const Prepared& prepared, std::span<const float> outputs,
               const ModelSpec& spec, double threshold) {
    std::optional<Score> score = to_score(outputs, spec);
    if (!score) {
        return unscored_row(
            item, {Status::model_error, "the network's output for this image is not a finite number"});
    }
    Row row = usable_row(item, prepared);
    row.label = decide(score->malignancy, threshold);
    row.score = std::move(score);
    return row;
}

}  // namespace

Work scoring_work(const ModelSpec& spec, ClassifierFactory factory, const ScoringOptions& options) {
    auto pool = std::make_shared<ClassifierPool>(std::move(factory), options.classifiers,
                                                 options.on_fewer_classifiers);
    auto batch_size = std::make_shared<BatchSize>(options.batch_size, options.on_smaller_batches);
    return [&spec, pool, batch_size, options](const std::vector<Item>& items) {
        std::vector<tl::expected<Prepared, Failure>> prepared;
        std::vector<cv::Mat> images;
        for (const Item& item : items) {
            prepared.push_back(prepare(item, spec, options.load));
            if (!prepared.back()) {
                continue;
            }
            const auto views = failing_alone([&]() -> tl::expected<std::vector<cv::Mat>, Failure> {
                return views_of(prepared.back()->pixels, options.views);
            });
            if (views) {
                images.insert(images.end(), views->begin(), views->end());
            } else {
                prepared.back() = tl::unexpected(views.error());
            }
        }
        const std::vector<cv::Mat> outputs = classify(*pool, images, spec, *batch_size);
        std::span<const cv::Mat> rest(outputs);
        const auto views = static_cast<std::size_t>(options.views);
        std::vector<Row> rows;
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (!prepared[i]) {
                rows.push_back(unscored_row(items[i], prepared[i].error()));
                continue;
            }
            const std::optional<cv::Mat> output = mean_of(rest.first(views));
            rest = rest.subspan(views);
            if (!output) {
                rows.push_back(unscored_row(items[i], out_of_memory()));
                continue;
            }
            const std::span<const float> one(output->ptr<float>(), static_cast<std::size_t>(output->cols));
            rows.push_back(scored_row(items[i], *prepared[i], one, spec, options.threshold));
        }
        return rows;
    };
}

Work preprocessing_work(const ModelSpec& spec, const LoadOptions& options, Save save) {
    return [&spec, options, save = std::move(save)](const std::vector<Item>& items) {
        std::vector<Row> rows;
        for (const Item& item : items) {
            const tl::expected<Prepared, Failure> prepared = prepare(item, spec, options);
            if (!prepared) {
                rows.push_back(unscored_row(item, prepared.error()));
                continue;
            }
            tl::expected<std::string, Failure> saved =
                failing_alone([&] { return save(item, prepared->pixels); });
            if (!saved) {
                rows.push_back(unscored_row(item, saved.error()));
                continue;
            }
            rows.push_back(usable_row(item, *prepared));
            rows.back().output = std::move(*saved);
        }
        return rows;
    };
}

}  // namespace skincheck
