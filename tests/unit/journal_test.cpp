#include "skincheck/journal.hpp"

#include "skincheck/output.hpp"

#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

using namespace skincheck;
using skincheck::test::TemporaryFolder;

namespace {

const Settings settings{{"model", "m@1"}, {"threshold", "0.3"}};

Row scored(std::uint64_t number, const std::string& path, FileStamp stamp) {
    Row row;
    row.path = path;
    row.score = Score{0.25, {0.25, 0.75}};
    row.label = Label::benign;
    row.stamp = stamp;
    row.number = number;
    return row;
}

Row failed(std::uint64_t number, const std::string& path) {
    Row row;
    row.path = path;
    row.status = Status::corrupt;
    row.error = "broken, \"really\"\n";
    row.number = number;
    return row;
}

std::vector<Row> rows_of(Journal& journal) {
    std::vector<Row> rows;
    journal.for_each([&](const Row& row) { rows.push_back(row); });
    return rows;
}

struct Opener {
    Cancellation cancellation;
    std::unique_ptr<Journal> operator()(const std::string& output, bool start_over = false) {
        auto lock = lock_journal(output, false, cancellation);
        return lock ? open_journal(std::move(*lock), start_over) : nullptr;
    }
};

}  // namespace

TEST_CASE("a journal gives back what was put in, in the order of the numbers, by another run too") {
    const TemporaryFolder folder;
    Opener open;
    const std::string name = "caf\xe9, \"x\"\n.jpg";
    {
        const auto journal = open(folder / "o.csv");
        CHECK(journal->fresh());
        CHECK(journal->agree(settings) == std::nullopt);
        CHECK(journal->empty());
        CHECK(journal->put(failed(2, "b"), true));
        Row first = scored(1, name, {10, -20});
        first.digest = 0xfedcba9876543210U;
        CHECK(journal->put(first, true));
        journal->add_device({"cuda:0", "opencv"});
        journal->add_device({"cpu", "openvino"});
        journal->add_device({"cpu", "opencv"});
        journal->add_device({"cpu", "opencv"});
    }
    const auto journal = open(folder / "o.csv");
    CHECK_FALSE(journal->fresh());
    CHECK_FALSE(journal->empty());
    std::string devices;
    for (const Journal::Device& device : journal->devices()) {
        devices += device.name + " " + device.engine + ";";
    }
    CHECK(devices == "cpu opencv;cpu openvino;cuda:0 opencv;");
    const std::vector<Row> rows = rows_of(*journal);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].path == name);
    CHECK(rows[0].digest == 0xfedcba9876543210U);
    REQUIRE(rows[0].score);
    CHECK(rows[0].score->malignancy == 0.25);
    CHECK(rows[0].score->probabilities == std::vector<double>{0.25, 0.75});
    CHECK(rows[0].label == Label::benign);
    CHECK(rows[1].status == Status::corrupt);
    CHECK(rows[1].error == failed(2, "").error);
    CHECK_FALSE(rows[1].score);
    CHECK_FALSE(rows[1].label);
}

TEST_CASE("a row is done while its file is the same, and what failed is not") {
    const TemporaryFolder folder;
    Opener open;
    {
        const auto journal = open(folder / "o.csv");
        journal->put(scored(1, "a", {10, 20}), true);
        journal->put(failed(2, "b"), true);
    }
    const auto place = [&](const std::string& path, std::optional<FileStamp> stamp) {
        return open(folder / "o.csv")->place(Item{path, {}, stamp});
    };
    CHECK(place("a", FileStamp{10, 20}).done);
    CHECK(place("a", FileStamp{10, 20}).number == 1);
    for (const auto& other : {FileStamp{11, 20}, FileStamp{10, 21}}) {
        CHECK_FALSE(place("a", other).done);
        CHECK(place("a", other).number == 1);
    }
    CHECK(place("a", std::nullopt).done);  // it went away: what is known of it stays
    CHECK_FALSE(place("b", std::nullopt).done);
    CHECK_FALSE(place("b", FileStamp{10, 20}).done);
    CHECK(place("b", FileStamp{10, 20}).number == 2);
    CHECK_FALSE(place("c", FileStamp{10, 20}).done);
    CHECK(place("c", FileStamp{10, 20}).number == 3);
}

TEST_CASE("the n-th time that a path comes meets its n-th row") {
    const TemporaryFolder folder;
    Opener open;
    {
        const auto journal = open(folder / "o.csv");
        for (std::uint64_t number = 1; number <= 3; ++number) {
            journal->put(scored(number, "a", {1, 1}), true);
        }
    }
    const auto journal = open(folder / "o.csv");
    for (std::uint64_t number = 1; number <= 5; ++number) {
        const Journal::Place place = journal->place(Item{"a", {}, FileStamp{1, 1}});
        CHECK(place.done == (number <= 3));
        CHECK(place.number == number);
    }
}

TEST_CASE("items of a shard keep their numbers, and other inputs are refused") {
    const auto journal = temporary_journal();
    Item item{"a", {}, FileStamp{1, 1}};
    item.number = 7;
    item.digest = 99;
    CHECK_FALSE(journal->place(item).done);
    Row row = scored(7, "a", {1, 1});
    row.digest = 99;
    journal->put(row, true);
    CHECK(journal->place(item).done);
    item.stamp = FileStamp{1, 2};
    CHECK_FALSE(journal->place(item).done);
    item.digest = 98;
    CHECK_THROWS_AS(journal->place(item), Fatal);
}

TEST_CASE("put() replaces a row only where it may") {
    const auto journal = temporary_journal();
    CHECK(journal->put(scored(1, "a", {1, 1}), false));
    CHECK_FALSE(journal->put(failed(1, "b"), false));
    CHECK(rows_of(*journal)[0].path == "a");
    CHECK(journal->put(failed(1, "b"), true));
    CHECK(rows_of(*journal)[0].path == "b");
    CHECK_FALSE(rows_of(*journal)[0].score);
}

TEST_CASE("a file that went away leaves its score") {
    const TemporaryFolder folder;
    Opener open;
    const auto journal = open(folder / "o.csv");
    Row gone = failed(1, "a");
    gone.status = Status::not_found;
    CHECK(journal->put(gone, true));
    CHECK(journal->put(scored(1, "a", {1, 1}), true));
    CHECK_FALSE(journal->put(gone, true));
    CHECK(rows_of(*journal)[0].score);
    CHECK(journal->put(failed(1, "a"), true));  // it is there, and its score would be of another content
    CHECK_FALSE(rows_of(*journal)[0].score);
}

TEST_CASE("other settings are told, with both values") {
    const TemporaryFolder folder;
    Opener open;
    const Settings other{{"model", "m@1"}, {"threshold", "0.4"}};
    {
        const auto journal = open(folder / "o.csv");
        CHECK(journal->agree(other) == std::nullopt);
        CHECK(journal->agree(settings) == std::nullopt);  // there is no row yet
        journal->put(scored(1, "a", {1, 1}), true);
    }
    CHECK(open(folder / "o.csv")->agree(settings) == std::nullopt);
    CHECK(open(folder / "o.csv")->agree(other) == "its rows differ in threshold: 0.3 there, 0.4 in this run");
    const Settings lengthy{{"model", std::string(100, 'x')}, {"threshold", "0.3"}};
    CHECK(open(folder / "o.csv")->agree(lengthy) == "its rows were made with another model");
    const Settings more{{"model", "m@1"}, {"precision", "fp32"}, {"threshold", "0.3"}};
    CHECK(open(folder / "o.csv")->agree(more) == "it was written by another version of skincheck");
    CHECK(open(folder / "o.csv")->agree({settings[0]}) == "it was written by another version of skincheck");
}

TEST_CASE("starting over drops what is there, and a journal that SQLite was not done with") {
    const TemporaryFolder folder;
    Opener open;
    open(folder / "o.csv")->put(scored(1, "a", {1, 1}), true);
    folder.write("o.csv.skincheck-journal", "left by a kill");
    const auto journal = open(folder / "o.csv", true);
    CHECK(journal->empty());
    CHECK(journal->fresh());
}

TEST_CASE("one run has a journal, and another is told") {
    const TemporaryFolder folder;
    Opener open;
    auto journal = open(folder / "o.csv");
    CHECK(open(folder / "o.csv") == nullptr);
    CHECK(open(folder / "other.csv") != nullptr);

    Cancellation cancellation;
    std::unique_ptr<Journal> waited;
    std::thread waiting(
        [&] { waited = open_journal(lock_journal(folder / "o.csv", true, cancellation).value(), false); });
    journal.reset();
    waiting.join();
    CHECK(waited != nullptr);
    cancellation.request();
    CHECK_FALSE(lock_journal(folder / "o.csv", true, cancellation));
}

TEST_CASE("a journal is private, and leaves nothing else behind") {
    const TemporaryFolder folder;
    Opener open;
    open(folder / "o.csv")->put(scored(1, "a", {1, 1}), true);
    struct stat status {};
    REQUIRE(stat((folder / "o.csv.skincheck").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(stat((folder / "o.csv.skincheck-journal").c_str(), &status) != 0);
}

TEST_CASE("what is no journal is told as damage, and can be started over") {
    const TemporaryFolder folder;
    Opener open;
    const std::string file = folder.write("o.csv.skincheck", std::string(5000, 'x'));
    const auto refuses = [&] {
        try {
            open(folder / "o.csv");
        } catch (const Fatal& fatal) {
            return fatal.code() == ExitCode::output &&
                   std::string(fatal.what()).find("damaged") != std::string::npos;
        }
        return false;
    };
    CHECK(refuses());
    CHECK(open(folder / "o.csv", true)->empty());

    // A page in the middle of a real one.
    {
        const auto journal = open(folder / "o.csv");
        for (std::uint64_t number = 1; number <= 2000; ++number) {
            journal->put(scored(number, "a" + std::to_string(number), {1, 1}), true);
        }
    }
    std::string bytes = skincheck::test::read_file(file);
    REQUIRE(bytes.size() > 100'000);
    for (std::size_t i = 20'000; i < 60'000; ++i) {
        bytes[i] = 'x';
    }
    folder.write("o.csv.skincheck", bytes);
    CHECK(refuses());
}

TEST_CASE(
    "the seed that the fuzzer starts from is a journal of this version") {  // tests/fuzz/draw_journal_seeds
    const TemporaryFolder folder;
    Opener open;
    folder.write("o.csv.skincheck",
                 skincheck::test::read_file(SKINCHECK_SOURCE_DIR "/tests/fuzz/corpus/journal/rows.sqlite"));
    CHECK(rows_of(*open(folder / "o.csv")).size() == 3);
}

TEST_CASE("a journal that nothing was written to is not left behind") {
    const TemporaryFolder folder;
    Opener open;
    struct stat status {};
    CHECK(open(folder / "o.csv")->agree(settings) == std::nullopt);
    CHECK(stat((folder / "o.csv.skincheck").c_str(), &status) != 0);
    {
        const auto journal = open(folder / "o.csv");
        CHECK(journal->agree(settings) == std::nullopt);
        journal->commit();  // of a run that is complete, without an input
    }
    CHECK_FALSE(open(folder / "o.csv")->fresh());
    CHECK(open(folder / "o.csv", true)->fresh());
    CHECK(stat((folder / "o.csv.skincheck").c_str(), &status) != 0);
}

TEST_CASE("a journal that cannot be made is told") {
    Opener open;
    CHECK_THROWS_AS(open("/no/such/folder/o.csv"), CannotWrite);
    const TemporaryFolder folder;
    CHECK_THROWS_AS(open(folder / std::string(250, 'n')), CannotWrite);
}

TEST_CASE("a journal is locked with the last descriptor that there is") {
    const TemporaryFolder folder;
    const Cancellation cancellation;
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const int next = open("/dev/null", O_RDONLY | O_CLOEXEC);  // the lowest that is free
    REQUIRE(next >= 0);
    close(next);
    const rlimit one_more{static_cast<rlim_t>(next) + 1, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &one_more) == 0);
    const bool locked = lock_journal(folder / "o.csv", false, cancellation).has_value();
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(locked);
}
