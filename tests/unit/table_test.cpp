#include "skincheck/result.hpp"

#include "evaluate/fields.hpp"
#include "table/csv_reader.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace skincheck;
using skincheck::test::TemporaryFolder;

namespace {

using Strings = std::vector<std::string>;

struct Read {
    std::vector<Strings> records;
    std::vector<std::size_t> lines;
};

Read read(const std::string& bytes, std::size_t block = std::string::npos) {
    TextInput text("t.csv", bytes, block);
    Read read;
    read_csv(text, [&](const CsvRecord& record) {
        read.records.emplace_back(record.fields.begin(), record.fields.end());
        read.lines.push_back(record.line);
    });
    return read;
}

std::string message(const std::string& bytes) {
    try {
        read(bytes);
    } catch (const Fatal& fatal) {
        CHECK(fatal.code() == ExitCode::usage);
        return fatal.what();
    }
    return "nothing was thrown";
}

}  // namespace

TEST_CASE("fields: quotes, commas, doubled quotes, line ends and blanks within") {
    const Read table =
        read("a,b,c\n\"x,y\",\"he said \"\"no\"\"\",\"two\nlines\"\n 1 ,\t2\t,  \n\"\",,\"\"\"\"\n");
    REQUIRE(table.records.size() == 4);
    CHECK(table.records[1] == Strings{"x,y", "he said \"no\"", "two\nlines"});
    CHECK(table.records[2] == Strings{" 1 ", "\t2\t", "  "});
    CHECK(table.records[3] == Strings{"", "", "\""});
}

TEST_CASE("line ends: LF, CRLF and CR, mixed, and none at the end") {
    for (const std::string bytes : {"a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4\r\n", "a,b\r1,2\r3,4",
                                    "a,b\n1,2\r\n3,4", "\n\r\na,b\n\n\r\n1,2\r\n\r\n\n3,4\n\n\n",
                                    "\xEF\xBB\xBF"
                                    "a,b\n1,2\n3,4"}) {
        CAPTURE(bytes);
        for (const std::size_t block : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::string::npos}) {
            CHECK(read(bytes, block).records == std::vector<Strings>{{"a", "b"}, {"1", "2"}, {"3", "4"}});
        }
    }
    CHECK(read("a,b\n1,").records == std::vector<Strings>{{"a", "b"}, {"1", ""}});
    CHECK(read("a,b\n1,\"2\"").records == std::vector<Strings>{{"a", "b"}, {"1", "2"}});
    CHECK(read("").records.empty());
    CHECK(read("\r\n\n").records.empty());
}

TEST_CASE("a byte order mark before a quote, and one alone") {
    CHECK(read("\xEF\xBB\xBF\"a\",b\n").records == std::vector<Strings>{{"a", "b"}});
    CHECK(read("\xEF\xBB\xBF").records.empty());
}

TEST_CASE("line numbers are those of an editor, past empty lines, CRLF and quoted line ends") {
    const Read table = read("a,b\r\n\r\n1,\"x\r\ny\nz\"\r\n2,3\n\n\n4,5");
    CHECK(table.lines == std::vector<std::size_t>{1, 3, 6, 9});
    CHECK(read("a\r\rb\rc").lines == std::vector<std::size_t>{1, 3, 4});
}

TEST_CASE("the size of the blocks makes no difference") {
    const std::string bytes = "a,b\r\n\"x\"\"y\",\"1\r\n2\"\r\n\r\n\"\",z\r\n\"é\", ü";
    const Read whole = read(bytes);
    for (std::size_t block = 1; block <= bytes.size(); ++block) {
        const Read cut = read(bytes, block);
        CHECK(cut.records == whole.records);
        CHECK(cut.lines == whole.lines);
    }
}

TEST_CASE("what is no CSV ends with file and line") {
    CHECK(message("a,b\n1,2\n3\n") == "t.csv:3: a row of 1 field where the first line has 2");
    CHECK(message("a,b\n\"x\ny\",2\n3,4,5\n") == "t.csv:4: a row of 3 fields where the first line has 2");
    CHECK(message("a,b\n1,x\"y\"\n") ==
          "t.csv:2: a quote within a field; quotes enclose a whole field and are doubled inside it");
    CHECK(message("a,b\n\"x\"y,2\n") ==
          "t.csv:2: a quote within a field; quotes enclose a whole field and are doubled inside it");
    CHECK(message("a,b\n1,2\n3,\"x\n4,5\n") == "t.csv:3: a quote that opens in this row is never closed");
    CHECK(message(std::string("a,b\n1,2\n\0,4\n", 12)) ==
          "t.csv:3: a NUL byte; a CSV in UTF-8 or ASCII is needed");
    CHECK(message("a,b\n\"" + std::string(longest_row * 2, 'x')) ==
          "t.csv:2: a quote that opens in this row is never closed");
}

TEST_CASE("garbage without an end is given up after 1 MiB") {
    const std::string bytes = "a,b\n\"" + std::string(longest_row * 2, 'x');
    CHECK_THROWS_WITH_AS(read(bytes, 65536),
                         "t.csv:2: more than 1 MiB without the end of the row; is a quote left open?", Fatal);
    // Rows, however many, are no such thing.
    std::string rows;
    while (rows.size() < 3 * longest_row) {
        rows += "123456789,123456789\n";
    }
    CHECK(read(rows, 65536).records.size() == rows.size() / 20);
}

TEST_CASE("an exception of the caller comes through the C library") {
    TextInput text("t.csv", "a\nb\nc\n");
    int seen = 0;
    CHECK_THROWS_WITH_AS(read_csv(text,
                                  [&](const CsvRecord&) {
                                      if (++seen == 2) {
                                          throw std::runtime_error("enough");
                                      }
                                  }),
                         "enough", std::runtime_error);
    CHECK(seen == 2);
}

TEST_CASE("files: read in blocks, missing, a folder, not allowed") {
    const TemporaryFolder folder;
    std::string bytes = "\xEF\xBB\xBFid,text\n";
    for (int i = 0; i < 20000; ++i) {
        bytes += std::to_string(i) + ",\"a, \"\"b\"\"\"\r\n";
    }
    TextInput text(folder.write("t.csv", bytes));
    std::size_t records = 0;
    read_csv(text, [&](const CsvRecord& record) {
        CHECK(record.line == records + 1);
        CHECK(record.fields[0] == (records == 0 ? "id" : std::to_string(records - 1)));
        CHECK(record.fields[1] == (records == 0 ? "text" : "a, \"b\""));
        ++records;
    });
    CHECK(records == 20001);

    const std::string missing = folder / "none.csv";
    CHECK_THROWS_WITH_AS(TextInput{missing},
                         ("cannot read " + missing + ": No such file or directory").c_str(), Fatal);
    CHECK_THROWS_WITH_AS(TextInput{folder.path()},
                         ("cannot read " + folder.path() + ": it is a folder").c_str(), Fatal);
}

TEST_CASE("an id is the stem of a path") {
    CHECK(image_id("ISIC_0024306") == "ISIC_0024306");
    CHECK(image_id("a/b.c/ISIC_0024306.JPG") == "ISIC_0024306");
    CHECK(image_id("ISIC_0024306.jpeg") == "ISIC_0024306");
    CHECK(image_id("x.dcm") == "x");
    CHECK(image_id("x.webp") == "x");
    CHECK(image_id("lesion.v2") == "lesion.v2");
    CHECK(image_id("lesion.v2.png") == "lesion.v2");
    CHECK(image_id("x.jpg.tif") == "x.jpg");
    CHECK(image_id("ISIC_0010000_downsampled.jpg") == "ISIC_0010000_downsampled");
    CHECK(image_id(".jpg") == ".jpg");
    CHECK(image_id("x/folder//") == "folder");
    CHECK(image_id("/").empty());
    CHECK(image_id("").empty());
}

TEST_CASE("numbers") {
    CHECK(number_of("0.25") == 0.25);
    CHECK(number_of("+1") == 1.0);
    CHECK(number_of("1e-3") == 1e-3);
    CHECK(number_of("-0.5") == -0.5);
    CHECK(number_of("1e-400") == 0.0);
    CHECK(number_of("0." + std::string(400, '0') + "1") == 0.0);
    CHECK(number_of("1e400") == std::numeric_limits<double>::infinity());
    CHECK(number_of(std::string(400, '9')) == std::numeric_limits<double>::infinity());
    CHECK(std::isnan(number_of("NaN").value()));
    for (const char* text : {"", "abc", "0.5x", "0,5", "+-1", "++1", "0x10", " 1", "1 "}) {
        CAPTURE(text);
        CHECK(!number_of(text));
    }
    for (const char* text : {"", "NA", "n/a", "null", "None", "nan"}) {
        CAPTURE(text);
        CHECK(std::isnan(number_or_none(text).value()));
    }
    CHECK(!number_or_none("abc"));
}

TEST_CASE("values in messages are one short line") {
    CHECK(shown("abc") == "\"abc\"");
    CHECK(shown("a\nb\x1b[2J") == "\"a?b?[2J\"");
    CHECK(shown(std::string(61, 'x')) == '"' + std::string(60, 'x') + "…\"");
    CHECK(shown(std::string(59, 'x') + "éé") == '"' + std::string(59, 'x') + "…\"");
    CHECK(listed({"a", "b"}) == "\"a\", \"b\"");
    CHECK(listed(Strings(23, "x")).ends_with("\"x\" and 3 more"));
}
