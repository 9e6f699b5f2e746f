#include "skincheck/merge.hpp"

#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace skincheck;
using skincheck::test::read_file;
using skincheck::test::TemporaryFolder;

namespace {

using Strings = std::vector<std::string>;

constexpr std::uint64_t items = 7;

std::string path_of(std::uint64_t number) {
    return fmt::format("drop/{}.jpg", number);
}

std::uint64_t digest_up_to(std::uint64_t number) {
    std::uint64_t digest = 0;
    for (std::uint64_t i = 1; i <= number; ++i) {
        digest = extend_digest(digest, path_of(i));
    }
    return digest;
}

Provenance provenance(Shard shard) {
    Provenance provenance;
    provenance.device = "cpu";
    provenance.engine = "opencv";
    provenance.precision = "fp32";
    provenance.threshold = 0.3;
    provenance.shard = shard;
    provenance.model.name = "drawn";
    provenance.model.version = "1";
    provenance.model.sha256 = std::string(64, 'a');
    provenance.model.output.classes = {"malignant"};
    provenance.model.preprocess_json = R"({"preprocess":[]})";
    return provenance;
}

/// What a run with --shard writes of seven items, of which the fourth is not found.
std::string write_part(const TemporaryFolder& folder, Shard shard, Format format, const Provenance& from) {
    std::string file = folder / fmt::format("{}-{}", shard.index, shard.count);
    const auto destination = atomic_file(file);
    const auto writer = make_writer(format, from, *destination);
    Summary summary;
    writer->begin();
    for (std::uint64_t number = 1; number <= items; ++number) {
        if (shard_index_of(number, shard.count) != shard.index) {
            continue;
        }
        Row row{path_of(number), Status::ok, Score{0.1 * static_cast<double>(number), {}}, {}, ""};
        if (number == 4) {
            row = {path_of(number), Status::not_found, {}, {}, "gone"};
        } else {
            row.label = decide(row.score->malignancy, from.threshold);
        }
        row.number = number;
        // Its last row has the digest of all items.
        row.digest = number + shard.count > items ? digest_of_all(digest_up_to(items)) : digest_up_to(number);
        writer->row(row);
        summary.add(row);
    }
    writer->end(summary);
    destination->commit();
    return file;
}

Strings write_parts(const TemporaryFolder& folder, std::uint64_t count, Format format) {
    Strings files;
    for (std::uint64_t index = 1; index <= count; ++index) {
        files.push_back(write_part(folder, {index, count}, format, provenance({index, count})));
    }
    return files;
}

Strings paths_of(Merged& merged) {
    Strings paths;
    merged.rows->for_each([&](const Row& row) { paths.push_back(row.path); });
    return paths;
}

std::string message(const Strings& files) {
    try {
        merge(files, Cancellation());
    } catch (const Fatal& fatal) {
        CHECK(fatal.code() == ExitCode::usage);
        return fatal.what();
    }
    return "";
}

Strings all_paths() {
    Strings paths;
    for (std::uint64_t number = 1; number <= items; ++number) {
        paths.push_back(path_of(number));
    }
    return paths;
}

/// `device` is what a part of this format tells.
void check_whole(Format format, std::uint64_t count, const std::string& device) {
    CAPTURE(count);
    const TemporaryFolder folder;
    const Strings files = write_parts(folder, count, format);
    Merged merged = merge({files.rbegin(), files.rend()}, Cancellation());
    CHECK(paths_of(merged) == all_paths());
    CHECK(merged.format == format);
    CHECK(merged.provenance.threshold == 0.3);
    CHECK(merged.provenance.model.id() == "drawn@aaaaaaaaaaaa");
    CHECK(merged.provenance.device == device);
}

}  // namespace

TEST_CASE("parts in any order are the rows of the whole in theirs") {
    for (const std::uint64_t count : {1, 2, 3, 9}) {
        check_whole(Format::csv, count, "");
        check_whole(Format::json, count, "cpu");
        check_whole(Format::jsonl, count, "");
    }
}

TEST_CASE("parts that are missing, double or of another run are told") {
    const TemporaryFolder folder;
    const Strings files = write_parts(folder, 3, Format::csv);
    CHECK(message({}) == "there are no parts");
    CHECK(message({files[0], files[2]}) == "part 2/3 is missing: nobody has item 2");
    CHECK(message({files[0], files[1], files[0], files[2]}).find("part 1/3") != std::string::npos);
    Provenance other = provenance({2, 3});
    other.threshold = 0.5;
    const TemporaryFolder elsewhere;
    const std::string part = write_part(elsewhere, {2, 3}, Format::csv, other);
    CHECK(message({files[0], part, files[2]}).find("threshold") != std::string::npos);
}

TEST_CASE("a part that lost its last row is not whole") {
    const TemporaryFolder folder;
    const Strings files = write_parts(folder, 3, Format::csv);
    const std::string whole = read_file(files[1]);
    const std::string cut = whole.substr(0, whole.rfind('\n', whole.size() - 2) + 1);
    CHECK(message({files[0], folder.write("cut", cut), files[2]}).find("item 5 is missing: part 2/3") == 0);
}

TEST_CASE("a cancellation ends it") {
    const TemporaryFolder folder;
    const Strings files = write_parts(folder, 2, Format::csv);
    Cancellation cancellation;
    cancellation.request();
    try {
        merge(files, cancellation);
        FAIL("nothing was thrown");
    } catch (const Fatal& fatal) {
        CHECK(fatal.code() == ExitCode::interrupted);
    }
}
