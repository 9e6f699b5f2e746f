// The shipped model from file to row, against the numbers that PyTorch gave when it was trained (model.json's
// golden cases).
#include "skincheck/classify.hpp"
#include "skincheck/pipeline.hpp"
#include "skincheck/prepare.hpp"

#include "drawn_images.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace skincheck;

namespace {

constexpr const char* folder = SKINCHECK_SOURCE_DIR "/models/skincheck-resnet50";

const Model& shipped() {
    static const Model model = load_model(folder);
    return model;
}

std::unique_ptr<Classifier> on_the_cpu() {
    return make_dnn_classifier(shipped(), {});
}

}  // namespace

TEST_CASE("it passes its own self-test, which a wrong answer fails") {
    const auto classifier = on_the_cpu();
    ModelSpec spec = shipped().spec;
    CHECK(spec.golden.cases.size() >= 2);
    CHECK_NOTHROW(self_test(*classifier, spec, {}));
    spec.golden.cases.back().outputs.front() += 0.01;
    CHECK_THROWS_AS(self_test(*classifier, spec, {}), Fatal);
}

TEST_CASE("rows have PyTorch's scores, alone and in a batch") {
    const ModelSpec& spec = shipped().spec;
    const test::TemporaryFolder files;
    std::vector<Item> items;
    for (const Golden::Case& golden : spec.golden.cases) {
        const cv::Mat drawn = draw_golden_input(golden.seed, spec.input.height, spec.input.width);
        const std::string path =
            files.write(std::to_string(golden.seed) + ".png", test::encode(drawn, ".png"));
        items.push_back({path, std::nullopt});
    }
    const Work work = scoring_work(spec, on_the_cpu, {{}, spec.threshold, 1, 2});
    const std::vector<Row> batch = work(items);
    REQUIRE(batch.size() == items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::vector<float> output(1, static_cast<float>(spec.golden.cases[i].outputs.front()));
        const auto expected = to_score(output, spec);
        REQUIRE(expected);
        REQUIRE(batch[i].score);
        CHECK(std::abs(batch[i].score->malignancy - expected->malignancy) < 0.002);
        CHECK(batch[i].label == decide(batch[i].score->malignancy, spec.threshold));
        const Row alone = work({items[i]}).front();
        REQUIRE(alone.score);
        CHECK(std::abs(alone.score->malignancy - batch[i].score->malignancy) <= 1e-5);
    }
}

TEST_CASE("it says what it is and carries its licence") {
    const ModelSpec& spec = shipped().spec;
    CHECK(spec.name == default_model_name);
    CHECK(spec.licence.find("non-commercial") != std::string::npos);
    CHECK_FALSE(test::read_file(std::string(folder) + "/LICENSE.uber-noncommercial").empty());
    CHECK_FALSE(test::read_file(std::string(folder) + "/NOTICE").empty());
    CHECK(spec.operating_points.size() >= 3);
}
