#include "skincheck/pipeline.hpp"

#include "skincheck/prepare.hpp"

#include "drawn_images.hpp"
#include "fake_classifier.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <opencv2/core.hpp>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

using namespace skincheck;

namespace {

// Gives out `count` items at once, as a directory does.
class CountedSource : public Source {
  public:
    explicit CountedSource(std::uint64_t count) : count_(count) {}
    std::optional<Item> next() override {
        if (given_ == count_) {
            return std::nullopt;
        }
        return Item{std::to_string(given_++), std::nullopt};
    }
    bool ready() override { return true; }
    std::uint64_t given() const { return given_; }

  private:
    std::uint64_t count_;
    std::atomic<std::uint64_t> given_{0};
};

// Gives out what is fed to it, as a pipe does.
class FedSource : public Source {
  public:
    explicit FedSource(const Cancellation& cancellation) : cancellation_(cancellation) {}
    void feed(const std::string& path) {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(path);
        changed_.notify_all();
    }
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        changed_.notify_all();
    }
    std::optional<Item> next() override {
        std::unique_lock lock(mutex_);
        while (waiting_.empty() && !closed_ && !cancellation_.requested()) {
            changed_.wait_for(lock, std::chrono::milliseconds(5));
        }
        if (waiting_.empty() || cancellation_.requested()) {
            return std::nullopt;
        }
        Item item{waiting_.front(), std::nullopt};
        waiting_.pop_front();
        return item;
    }
    bool ready() override {
        const std::lock_guard lock(mutex_);
        return !waiting_.empty() || closed_;
    }

  private:
    const Cancellation& cancellation_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> waiting_;
    bool closed_ = false;
};

std::vector<Row> echo(const std::vector<Item>& items) {
    std::vector<Row> rows;
    for (const Item& item : items) {
        rows.push_back({item.path, Status::ok, std::nullopt, std::nullopt, "", ""});
    }
    return rows;
}

// Later items overtake earlier ones, were they allowed to.
std::vector<Row> uneven_work(const std::vector<Item>& items) {
    if (std::stoi(items.front().path) % 7 == 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
    return echo(items);
}

ModelSpec tiny_spec() {
    ModelSpec spec;
    spec.name = "fake";
    spec.input = {"input", 16, 16};
    spec.preprocess = {step::ResizeSquash{16, 16, Interpolation::area}};
    spec.output = {"probability", OutputKind::sigmoid, {"malignant"}, {"malignant"}};
    return spec;
}

// A network gone wrong.
class NanClassifier : public Classifier {
  public:
    cv::Mat classify(const cv::Mat& blob) override {
        return cv::Mat(blob.size[0], 1, CV_32F, cv::Scalar(std::numeric_limits<double>::quiet_NaN()));
    }
};

}  // namespace

TEST_CASE("every item becomes one row, in order, for every number of jobs and batch size") {
    for (const int jobs : {1, 2, 5}) {
        for (const int batch_size : {1, 3, 64}) {
            CAPTURE(jobs);
            CAPTURE(batch_size);
            CountedSource source(500);
            Cancellation cancellation;
            std::uint64_t rows = 0;
            bool ordered = true;
            std::atomic<bool> batches_fit{true};
            run_pipeline(
                source,
                [&](const std::vector<Item>& items) {
                    batches_fit = batches_fit && std::ssize(items) <= batch_size;
                    return uneven_work(items);
                },
                [&](const Row& row) { ordered = ordered && row.path == std::to_string(rows++); },
                {jobs, batch_size}, cancellation);
            CHECK(rows == 500);
            CHECK(ordered);
            CHECK(batches_fit);
            CHECK_FALSE(cancellation.requested());
        }
    }
}

TEST_CASE("no input, no row") {
    CountedSource source(0);
    Cancellation cancellation;
    run_pipeline(
        source, echo, [](const Row&) { FAIL("there is nothing to write"); }, {2, 4}, cancellation);
}

TEST_CASE("no more items are in flight than jobs and batch size allow") {
    CountedSource source(2000);
    Cancellation cancellation;
    std::uint64_t written = 0;
    std::uint64_t most = 0;
    run_pipeline(
        source, echo,
        [&](const Row&) {
            most = std::max(most, source.given() - written);
            ++written;
        },
        {2, 3}, cancellation);
    CHECK(written == 2000);
    CHECK(most <= 2 * 2 * 3);
}

TEST_CASE("a row comes out before the next path is fed, whatever the batch size") {
    for (const int jobs : {1, 2, 4}) {
        CAPTURE(jobs);
        Cancellation cancellation;
        FedSource source(cancellation);
        std::mutex mutex;
        std::condition_variable changed;
        std::vector<std::string> rows;
        std::thread pipeline([&] {
            run_pipeline(
                source, echo,
                [&](const Row& row) {
                    const std::lock_guard lock(mutex);
                    rows.push_back(row.path);
                    changed.notify_all();
                },
                {jobs, 16}, cancellation);
        });
        bool in_time = true;
        for (std::size_t i = 0; i < 50; ++i) {
            source.feed(std::to_string(i));
            std::unique_lock lock(mutex);
            in_time = in_time &&
                      changed.wait_for(lock, std::chrono::seconds(20), [&] { return rows.size() == i + 1; });
        }
        source.close();
        pipeline.join();
        CHECK(in_time);
        CHECK(rows.size() == 50);
    }
}

TEST_CASE("after a cancellation what was begun is written, in order, and nothing new is begun") {
    CountedSource source(1'000'000);
    Cancellation cancellation;
    std::uint64_t rows = 0;
    bool ordered = true;
    run_pipeline(
        source, uneven_work,
        [&](const Row& row) {
            ordered = ordered && row.path == std::to_string(rows++);
            if (rows == 100) {
                cancellation.request();
            }
        },
        {3, 2}, cancellation);
    CHECK(ordered);
    CHECK(rows >= 100);
    CHECK(rows <= 100 + 2 * 3 * 2);
    CHECK(rows == source.given());
}

TEST_CASE("a cancellation ends a wait for input") {
    Cancellation cancellation;
    FedSource source(cancellation);
    source.feed("a");
    std::atomic<int> rows{0};
    std::thread pipeline([&] {
        run_pipeline(
            source, echo, [&](const Row&) { ++rows; }, {2, 1}, cancellation);
    });
    while (rows == 0) {
        std::this_thread::yield();
    }
    cancellation.request();
    pipeline.join();
    CHECK(rows == 1);
}

TEST_CASE("what the sink throws comes out, even while the source waits for input") {
    Cancellation cancellation;
    FedSource source(cancellation);
    source.feed("a");
    CHECK_THROWS_AS(
        run_pipeline(
            source, echo, [](const Row&) { throw Fatal(ExitCode::output, "full"); }, {2, 1}, cancellation),
        Fatal);
}

TEST_CASE("what the work throws comes out") {
    Cancellation cancellation;
    CountedSource source(1000);
    const Work work = [](const std::vector<Item>& items) -> std::vector<Row> {
        if (items.front().path == "30") {
            throw Fatal(ExitCode::model, "gone");
        }
        return echo(items);
    };
    CHECK_THROWS_AS(run_pipeline(
                        source, work, [](const Row&) {}, {2, 1}, cancellation),
                    Fatal);
}

namespace {

// A list that turns out to be none after some paths.
class FailingSource : public Source {
  public:
    std::optional<Item> next() override {
        if (given_ == 3) {
            throw Fatal(ExitCode::usage, "no list");
        }
        return Item{std::to_string(given_++), std::nullopt};
    }
    bool ready() override { return true; }

  private:
    int given_ = 0;
};

}  // namespace

TEST_CASE("what the source throws comes out after the rows of the items before it") {
    for (const int batch_size : {1, 2, 8}) {
        CAPTURE(batch_size);
        FailingSource source;
        Cancellation cancellation;
        std::vector<std::string> rows;
        CHECK_THROWS_AS(run_pipeline(
                            source, echo, [&](const Row& row) { rows.push_back(row.path); }, {2, batch_size},
                            cancellation),
                        Fatal);
        CHECK(rows == std::vector<std::string>{"0", "1", "2"});
    }
}

TEST_CASE("without a thread to be had the caller's does the work") {
    // Stacks of that size fit into no machine's address space, so that no thread can be made.
    pthread_attr_t before;
    REQUIRE(pthread_getattr_default_np(&before) == 0);
    pthread_attr_t attributes;
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstacksize(&attributes, std::size_t{1} << 47U) == 0);
    REQUIRE(pthread_setattr_default_np(&attributes) == 0);
    CHECK_THROWS_AS(std::thread([] {}).join(), std::system_error);
    CountedSource source(50);
    Cancellation cancellation;
    int rows = 0;
    run_pipeline(
        source, echo, [&](const Row&) { ++rows; }, {4, 1}, cancellation);
    CHECK(pthread_setattr_default_np(&before) == 0);
    CHECK(rows == 50);
}

TEST_CASE("scoring mixes good and bad inputs without letting names and scores slip") {
    const test::TemporaryFolder folder;
    std::vector<Item> items;
    const auto add = [&](const std::string& path) { items.push_back({path, std::nullopt}); };
    add(folder.write("dark.png", test::encode(test::draw_flat(20, 20, {30, 30, 30}), ".png")));
    add(folder / "missing.png");
    add(folder.write("bright.png", test::encode(test::draw_flat(20, 20, {220, 220, 220}), ".png")));
    add(folder.write("text.jpg", "this is no image"));
    add(folder.write("middle.png", test::encode(test::draw_flat(20, 20, {120, 120, 120}), ".png")));
    items.push_back({folder / "locked", Failure{Status::denied, "may not be read"}});

    const ModelSpec spec = tiny_spec();
    const Work work = scoring_work(spec, [] { return std::make_unique<test::FakeClassifier>(); }, {});
    const std::vector<Row> together = work(items);
    REQUIRE(together.size() == 6);
    const Status expected[] = {Status::ok,          Status::not_found, Status::ok,
                               Status::unsupported, Status::ok,        Status::denied};
    for (std::size_t i = 0; i < 6; ++i) {
        CHECK(together[i].path == items[i].path);
        CHECK(together[i].status == expected[i]);
        CHECK(together[i].score.has_value() == (expected[i] == Status::ok));
        CHECK(together[i].label.has_value() == (expected[i] == Status::ok));
        CHECK(together[i].error.empty() == (expected[i] == Status::ok));
        const Row alone = work({items[i]}).front();
        CHECK(alone.status == together[i].status);
        CHECK((alone.score ? alone.score->malignancy : -1) ==
              (together[i].score ? together[i].score->malignancy : -1));
    }
    CHECK(together[0].score->malignancy != together[2].score->malignancy);
    CHECK(together[4].score->malignancy != together[2].score->malignancy);
}

TEST_CASE("an output that is no number becomes model_error, never a score") {
    const test::TemporaryFolder folder;
    const std::string path =
        folder.write("a.png", test::encode(test::draw_flat(20, 20, {30, 30, 30}), ".png"));
    const ModelSpec spec = tiny_spec();
    const Work work = scoring_work(spec, [] { return std::make_unique<NanClassifier>(); }, {});
    const Row row = work({{path, std::nullopt}}).front();
    CHECK(row.status == Status::model_error);
    CHECK_FALSE(row.score);
    CHECK_FALSE(row.label);
}

namespace {

// As a network on a card with room for so many images.
class Tight : public test::FakeClassifier {
  public:
    explicit Tight(int room) : room_(room) {}
    cv::Mat classify(const cv::Mat& blob) override {
        if (blob.size[0] > room_) {
            throw std::bad_alloc();
        }
        return FakeClassifier::classify(blob);
    }

  private:
    int room_;
};

}  // namespace

TEST_CASE("a batch for which memory does not suffice is halved until it does, and that is said once") {
    const test::TemporaryFolder folder;
    const std::string path = folder.write("a.png", test::encode(test::draw_lesion(20, 20), ".png"));
    const ModelSpec spec = tiny_spec();
    int made = 0;
    int told = 0;
    ScoringOptions options;
    options.batch_size = 8;
    options.on_smaller_batches = [&] { ++told; };
    const Work work = scoring_work(
        spec,
        [&] {
            ++made;
            return std::make_unique<Tight>(2);
        },
        options);
    std::vector<Item> items(9, Item{path, std::nullopt});
    items[4].path = folder / "gone.png";
    for (int round = 0; round < 2; ++round) {
        const std::vector<Row> rows = work(items);
        REQUIRE(rows.size() == 9);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            CHECK(rows[i].status == (i == 4 ? Status::not_found : Status::ok));
            CHECK(rows[i].score.has_value() == (i != 4));
        }
    }
    CHECK(told == 1);
    CHECK(made == 1);
}

TEST_CASE("where memory does not suffice for one more classifier, the others go on, and that is said once") {
    std::atomic<int> left = 2;
    class BusyUntilOneMoreIsWanted : public test::FakeClassifier {
      public:
        explicit BusyUntilOneMoreIsWanted(const std::atomic<int>& left) : left_(left) {}
        cv::Mat classify(const cv::Mat& blob) override {
            while (left_ >= 0) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            return FakeClassifier::classify(blob);
        }

      private:
        const std::atomic<int>& left_;
    };
    const test::TemporaryFolder folder;
    const std::string path = folder.write("a.png", test::encode(test::draw_lesion(20, 20), ".png"));
    const ModelSpec spec = tiny_spec();
    int told = 0;
    ScoringOptions options;
    options.on_fewer_classifiers = [&] { ++told; };
    const Work work = scoring_work(
        spec,
        [&] {
            if (--left < 0) {
                throw std::bad_alloc();
            }
            return std::make_unique<BusyUntilOneMoreIsWanted>(left);
        },
        options);
    std::vector<std::jthread> workers;
    std::atomic<int> scored = 0;
    for (int worker = 0; worker < 6; ++worker) {
        workers.emplace_back([&] {
            for (int round = 0; round < 5; ++round) {
                scored += work({{path, std::nullopt}}).front().score ? 1 : 0;
            }
        });
    }
    workers.clear();
    CHECK(scored == 30);
    CHECK(told == 1);
}

TEST_CASE("where memory does not suffice for a single classifier, the run ends") {
    const test::TemporaryFolder folder;
    const std::string path = folder.write("a.png", test::encode(test::draw_lesion(20, 20), ".png"));
    const ModelSpec spec = tiny_spec();
    const Work work = scoring_work(spec, []() -> std::unique_ptr<Classifier> { throw std::bad_alloc(); }, {});
    CHECK_THROWS_AS(work({{path, std::nullopt}}), std::bad_alloc);
}

TEST_CASE("the others of a batch keep their scores when memory is short for one image, whatever the views") {
    class ShortOnce : public test::FakeClassifier {
      public:
        cv::Mat classify(const cv::Mat& blob) override {
            if (blob.size[0] > 1 || ++single_ == 3) {
                throw std::bad_alloc();
            }
            return FakeClassifier::classify(blob);
        }

      private:
        int single_ = 0;
    };
    const test::TemporaryFolder folder;
    const std::string path = folder.write("a.png", test::encode(test::draw_lesion(20, 20), ".png"));
    const ModelSpec spec = tiny_spec();
    for (const int views : {1, 2}) {
        ScoringOptions options;
        options.batch_size = 4;
        options.views = views;
        const Work work = scoring_work(
            spec, [] { return std::make_unique<ShortOnce>(); }, options);
        const std::vector<Row> rows = work(std::vector<Item>(4, Item{path, std::nullopt}));
        REQUIRE(rows.size() == 4);
        const std::size_t failed = 2 / static_cast<std::size_t>(views);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            CHECK(rows[i].score.has_value() == (i != failed));
            CHECK(rows[i].status == (i == failed ? out_of_memory().status : Status::ok));
        }
    }
}

TEST_CASE("an image for which memory does not suffice becomes a row, and the classifier is used again") {
    const test::TemporaryFolder folder;
    const std::string path = folder.write("a.png", test::encode(test::draw_lesion(20, 20), ".png"));
    const ModelSpec spec = tiny_spec();
    int room = 0;
    int made = 0;
    class Varying : public test::FakeClassifier {
      public:
        explicit Varying(int& room) : room_(room) {}
        cv::Mat classify(const cv::Mat& blob) override { return Tight(room_).classify(blob); }

      private:
        int& room_;
    };
    const Work work = scoring_work(spec,
                                   [&] {
                                       ++made;
                                       return std::make_unique<Varying>(room);
                                   },
                                   {{}, 0.5, 1, 2});
    for (const Row& row : work({{path, std::nullopt}, {path, std::nullopt}})) {
        CHECK(row.status == out_of_memory().status);
        CHECK(row.error == out_of_memory().message);
        CHECK_FALSE(row.score);
    }
    room = 1;
    CHECK(work({{path, std::nullopt}}).front().status == Status::ok);
    CHECK(made == 1);
}

TEST_CASE("no more classifiers are made than are asked for, and workers wait for them") {
    const test::TemporaryFolder folder;
    const std::string path = folder.write("a.png", test::encode(test::draw_lesion(20, 20), ".png"));
    const ModelSpec spec = tiny_spec();
    std::atomic<int> made{0};
    ScoringOptions options;
    options.classifiers = 2;
    const Work work = scoring_work(
        spec,
        [&] {
            ++made;
            return std::make_unique<test::FakeClassifier>();
        },
        options);
    std::atomic<int> scored{0};
    {
        std::vector<std::jthread> workers;
        for (int i = 0; i < 6; ++i) {
            workers.emplace_back([&] {
                for (int round = 0; round < 20; ++round) {
                    scored += work({{path, std::nullopt}}).front().status == Status::ok ? 1 : 0;
                }
            });
        }
    }
    CHECK(scored == 120);
    CHECK(made >= 1);
    CHECK(made <= 2);
}

TEST_CASE("the views of an image are averaged, whatever goes through the network together") {
    // Answers with the blue of the pixel in the upper left corner.
    class Corner : public Classifier {
      public:
        explicit Corner(int& most) : largest(most) {}
        cv::Mat classify(const cv::Mat& blob) override {
            largest = std::max(largest, blob.size[0]);
            cv::Mat outputs(blob.size[0], 1, CV_32F);
            for (int i = 0; i < outputs.rows; ++i) {
                const int blue[] = {i, 2, 0, 0};
                outputs.at<float>(i) = blob.at<float>(blue);
            }
            return outputs;
        }
        int& largest;
    };
    const test::TemporaryFolder folder;
    ModelSpec spec = tiny_spec();
    spec.normalise = {1.0 / 255, {0, 0, 0}, {1, 1, 1}};
    const int side = spec.input.width;
    cv::Mat quarters = test::draw_flat(side, side, {0, 0, 0});
    quarters(cv::Rect(side / 2, 0, side / 2, side / 2)) = cv::Scalar(51, 0, 0);          // 0.2
    quarters(cv::Rect(0, side / 2, side / 2, side / 2)) = cv::Scalar(102, 0, 0);         // 0.4
    quarters(cv::Rect(side / 2, side / 2, side / 2, side / 2)) = cv::Scalar(255, 0, 0);  // 1
    const Item item{folder.write("a.png", test::encode(quarters, ".png")), std::nullopt};
    const Item gone{folder / "gone.png", std::nullopt};
    for (const int batch_size : {1, 3, 16}) {
        int largest = 0;
        const auto malignancy = [&](int views) {
            const Work work = scoring_work(spec, [&] { return std::make_unique<Corner>(largest); },
                                           {{}, 0.5, views, batch_size});
            const std::vector<Row> rows = work({item, gone, item});
            REQUIRE(rows.size() == 3);
            CHECK(rows[1].status == Status::not_found);
            REQUIRE(rows[0].score);
            REQUIRE(rows[2].score);
            CHECK(rows[0].score->malignancy == rows[2].score->malignancy);
            return rows[0].score->malignancy;
        };
        CHECK(malignancy(1) == doctest::Approx(0));
        CHECK(malignancy(2) == doctest::Approx(0.1));
        CHECK(malignancy(4) == doctest::Approx(0.4));
        CHECK(malignancy(8) == doctest::Approx(0.4));
        CHECK(largest == batch_size);
    }
}

TEST_CASE("what saving throws becomes the image's row, but for a Fatal") {
    const test::TemporaryFolder folder;
    const std::string path = folder.write("a.png", test::encode(test::draw_lesion(20, 20), ".png"));
    const ModelSpec spec = tiny_spec();
    const auto row = [&](const Save& save) {
        return preprocessing_work(spec, {}, save)({{path, std::nullopt}}).front();
    };
    using Saved = tl::expected<std::string, Failure>;
    CHECK(row([](const Item&, const cv::Mat&) -> Saved { throw std::bad_alloc(); }).error ==
          out_of_memory().message);
    const Row broken = row([](const Item&, const cv::Mat&) -> Saved {
        throw cv::Exception(cv::Error::StsError, "two\nlines\n", "", "", 0);
    });
    CHECK(broken.status == Status::unsupported);
    CHECK(broken.error.find("two") != std::string::npos);  // OpenCV puts marks between them
    CHECK(broken.error.find("lines") != std::string::npos);
    CHECK(broken.error.find('\n') == std::string::npos);
    CHECK_THROWS_AS(row([](const Item&, const cv::Mat&) -> Saved { throw Fatal(ExitCode::output, "full"); }),
                    Fatal);
}

TEST_CASE("a large JPEG is decoded whole, and smaller where the model's first step says so") {
    const test::TemporaryFolder folder;
    const std::string path = folder.write("large.jpg", test::encode(test::draw_lesion(1600, 1200), ".jpg"));
    ModelSpec spec = tiny_spec();
    const auto seen = [&] {
        cv::Mat prepared;
        const Save save = [&](const Item&, const cv::Mat& pixels) -> tl::expected<std::string, Failure> {
            prepared = pixels.clone();
            return "saved";
        };
        CHECK(preprocessing_work(spec, {}, save)({{path, std::nullopt}}).front().status == Status::ok);
        return prepared;
    };
    const auto made_of = [&](int sufficient) {
        LoadOptions options;
        options.sufficient_side = sufficient;
        return apply_steps(load_image(path, options)->pixels, spec);
    };
    const auto differ = [](const cv::Mat& a, const cv::Mat& b) { return cv::norm(a, b, cv::NORM_L1) > 0; };
    REQUIRE(differ(made_of(0), made_of(2 * 16)));
    CHECK_FALSE(differ(seen(), made_of(0)));
    spec.preprocess.insert(spec.preprocess.begin(), step::ShrinkOnLoad{2});
    CHECK_FALSE(differ(seen(), made_of(2 * 16)));
}

TEST_CASE("no more classifiers are made than threads work at once") {
    const test::TemporaryFolder folder;
    const std::string path = folder.write("a.png", test::encode(test::draw_lesion(20, 20), ".png"));
    std::atomic<int> made{0};
    const ModelSpec spec = tiny_spec();
    const Work score = scoring_work(spec,
                                    [&] {
                                        ++made;
                                        return std::make_unique<test::FakeClassifier>();
                                    },
                                    {});
    CountedSource source(300);
    Cancellation cancellation;
    std::uint64_t rows = 0;
    run_pipeline(
        source,
        [&](const std::vector<Item>& items) {
            std::vector<Item> real = items;
            for (Item& item : real) {
                item.path = path;
            }
            return score(real);
        },
        [&](const Row& row) { rows += row.status == Status::ok ? 1U : 0U; }, {3, 1}, cancellation);
    CHECK(rows == 300);
    CHECK(made >= 1);
    CHECK(made <= 3);
}
