#include "skincheck/result.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace skincheck;

TEST_CASE("statuses have the strings that scripts rely on") {
    const char* expected[] = {"ok",      "not_found", "denied",    "not_a_file", "empty",       "unsupported",
                              "corrupt", "truncated", "too_large", "io_error",   "model_error", "changed"};
    static_assert(std::size(expected) == status_count);
    for (int status = 0; status < status_count; ++status) {
        CHECK(to_string(static_cast<Status>(status)) == expected[status]);
        CHECK(parse_status(expected[status]) == static_cast<Status>(status));
    }
    CHECK(parse_status("") == std::nullopt);
    CHECK(parse_status("OK") == std::nullopt);
}

TEST_CASE("a shard is I/N with I from 1 to N") {
    CHECK(parse_shard("1/1") == Shard{1, 1});
    CHECK(parse_shard("2/40") == Shard{2, 40});
    CHECK(to_string(Shard{2, 40}) == "2/40");
    for (const char* text : {"", "/", "1", "1/", "/2", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "1/2 ", " 1/2",
                             "a/b", "1.0/2", "1/99999999999999999999", "1/1000001"}) {
        CAPTURE(text);
        CHECK(parse_shard(text) == std::nullopt);
    }
}

TEST_CASE("labels have the strings that scripts rely on") {
    CHECK(to_string(Label::benign) == "benign");
    CHECK(to_string(Label::malignant) == "malignant");
}

TEST_CASE("the label is decided on the rounded value, and the threshold itself is malignant") {
    CHECK(decide(0.3, 0.3) == Label::malignant);
    CHECK(decide(0.299999, 0.3) == Label::benign);
    CHECK(decide(0.300001, 0.3) == Label::malignant);
    CHECK(decide(round_probability(0.2999995), 0.3) == Label::malignant);
    CHECK(decide(round_probability(0.2999994), 0.3) == Label::benign);
    CHECK(decide(0, 0) == Label::malignant);
    CHECK(decide(1, 1) == Label::malignant);
    CHECK(decide(0.999999, 1) == Label::benign);
}

TEST_CASE("a rounded probability is the very number that its six decimals are read as") {
    for (int k = 0; k <= 1000000; k += 37) {
        const std::string text =
            std::to_string(k / 1000000) + "." + std::to_string(1000000 + k % 1000000).substr(1);
        REQUIRE(round_probability(k / 1e6 + 3e-7) == std::stod(text));
        REQUIRE(round_probability(k / 1e6 - 3e-7) == std::stod(text));
    }
}

TEST_CASE("somebody else's text becomes one line") {
    CHECK(one_line("error: a\n  b\r\n") == "error: a   b");
    CHECK(one_line("a\x1b[31m\x7f\tb") == "a?[31m? b");
    CHECK(one_line("caf\xc3\xa9, \xe9") == "caf\xc3\xa9, \xe9");
    CHECK(one_line("\n \n") == "");
}

TEST_CASE("a summary counts by status and label, and what was used") {
    Summary summary;
    summary.add({"a", Status::ok, Score{0.7, {}}, Label::malignant, "", ""});
    summary.add({"b", Status::ok, Score{0.1, {}}, Label::benign, "", ""});
    summary.add({"c", Status::corrupt, std::nullopt, std::nullopt, "broken", ""});
    CHECK(summary.rows == 3);
    CHECK(summary.count(Status::ok) == 2);
    CHECK(summary.count(Status::corrupt) == 1);
    CHECK(summary.failed() == 1);
    CHECK(summary.malignant == 1);
    CHECK(summary.benign == 1);

    summary.add({"d", Status::truncated, Score{0.7, {}}, Label::malignant, "cut", ""});
    summary.add({"e", Status::truncated, std::nullopt, std::nullopt, "cut", "out/e.png"});
    summary.add({"f", Status::truncated, std::nullopt, std::nullopt, "cut", ""});
    CHECK(summary.count(Status::truncated) == 3);
    CHECK(summary.used == 4);
    CHECK(summary.failed() == 2);
    CHECK(summary.malignant == 2);
}
