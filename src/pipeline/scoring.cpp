#include "skincheck/pipeline.hpp"
#include "skincheck/prepare.hpp"

#include <fmt/format.h>
#include <opencv2/core.hpp>
#include <tl/expected.hpp>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <new>
#include <utility>

namespace skincheck {
namespace {

// Lends each worker a classifier of its own; makes one when all are lent out, so that the first row does not
// wait for the last network to be built.
class ClassifierPool {
  public:
    explicit ClassifierPool(ClassifierFactory factory) : factory_(std::move(factory)) {}

    std::unique_ptr<Classifier> take() {
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                std::unique_ptr<Classifier> classifier = std::move(idle_.back());
                idle_.pop_back();
                return classifier;
            }
        }
        return factory_();
    }

    void give_back(std::unique_ptr<Classifier> classifier) {
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(classifier));
    }

  private:
    ClassifierFactory factory_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Classifier>> idle_;
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

tl::expected<Prepared, Failure> prepare(const Item& item, const ModelSpec& spec, const LoadOptions& options) {
    if (item.failure) {
        return tl::unexpected(*item.failure);
    }
    return failing_alone([&]() -> tl::expected<Prepared, Failure> {
        tl::expected<Image, Failure> image = load_image(item.path, options);
        if (!image) {
            return tl::unexpected(std::move(image.error()));
        }
        return Prepared{apply_steps(image->pixels, spec), image->truncated, image->stamp};
    });
}

// N×K outputs for N images, `batch_size` of them at a time; nothing when memory does not suffice.
std::optional<cv::Mat> classify(Classifier& classifier, const std::vector<cv::Mat>& images,
                                const ModelSpec& spec, int batch_size) {
    try {
        cv::Mat outputs;
        for (auto rest = images.begin(); rest != images.end();) {
            const auto end = rest + std::min<std::ptrdiff_t>(batch_size, images.end() - rest);
            outputs.push_back(classifier.classify(to_blob({rest, end}, spec)));
            rest = end;
        }
        return outputs;
    } catch (const std::bad_alloc&) {
        return std::nullopt;
    } catch (const cv::Exception& error) {
        if (is_lack_of_memory(error)) {
            return std::nullopt;
        }
        throw;
    }
}

// M×K means of the outputs for M images, of which each had `views` rows.
cv::Mat mean_of_views(const cv::Mat& outputs, int views) {
    if (views == 1 || outputs.empty()) {
        return outputs;
    }
    cv::Mat means(outputs.rows / views, outputs.cols, CV_32F);
    for (int i = 0; i < means.rows; ++i) {
        cv::reduce(outputs.rowRange(i * views, (i + 1) * views), means.row(i), 0, cv::REDUCE_AVG);
    }
    return means;
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
    auto pool = std::make_shared<ClassifierPool>(std::move(factory));
    return [&spec, pool, options](const std::vector<Item>& items) {
        // Taken before the images are loaded, so that who came first has the one that is ready, whose row is
        // due first.
        std::unique_ptr<Classifier> classifier = pool->take();
        std::vector<tl::expected<Prepared, Failure>> prepared;
        std::vector<cv::Mat> images;
        for (const Item& item : items) {
            prepared.push_back(prepare(item, spec, options.load));
            if (prepared.back()) {
                std::ranges::copy(views_of(prepared.back()->pixels, options.views),
                                  std::back_inserter(images));
            }
        }
        std::optional<cv::Mat> outputs = classify(*classifier, images, spec, options.batch_size);
        pool->give_back(std::move(classifier));
        if (outputs) {
            outputs = mean_of_views(*outputs, options.views);
        }
        std::vector<Row> rows;
        int scored = 0;
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (!prepared[i]) {
                rows.push_back(unscored_row(items[i], prepared[i].error()));
                continue;
            }
            if (!outputs) {
                rows.push_back(unscored_row(items[i], out_of_memory()));
                continue;
            }
            const std::span<const float> one(outputs->ptr<float>(scored++),
                                             static_cast<std::size_t>(outputs->cols));
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
