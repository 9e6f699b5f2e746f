#include "skincheck/output.hpp"
#include "skincheck/result.hpp"

#include "evaluate/readers.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

using namespace skincheck;
using skincheck::test::TemporaryFolder;

namespace {

using Strings = std::vector<std::string>;
using Numbers = std::vector<double>;

Results read(const std::string& bytes, const ResultsOptions& options = {},
             std::size_t block = std::string::npos) {
    TextInput text("r", bytes, block);
    return read_results(text, options);
}

std::string message(const std::string& bytes, const ResultsOptions& options = {}) {
    try {
        read(bytes, options);
    } catch (const Fatal& fatal) {
        CHECK(fatal.code() == ExitCode::usage);
        return fatal.what();
    }
    return "nothing was thrown";
}

/// "a=0.5 b=1"
std::string scores(const Results& results) {
    std::string text;
    for (const ResultCase& one : results.cases) {
        text += fmt::format("{}{}={}", text.empty() ? "" : " ", one.id, one.score);
    }
    return text;
}

Strings faults(const Results& results) {
    Strings texts;
    for (const Fault& fault : results.faults) {
        std::string names;
        for (const std::string& name : fault.names) {
            names += (names.empty() ? "" : ", ") + name;
        }
        texts.push_back(fmt::format("{} {}: {}", fault.what, fault.count, names));
    }
    return texts;
}

struct Memory final : Destination {
    std::string bytes;
    void write(std::string_view more) override { bytes += more; }
    void commit() override {}
};

/// As skincheck writes them.
std::string written(Format format, const Strings& classes, const std::vector<Row>& rows) {
    Provenance provenance;
    provenance.threshold = 0.3;
    provenance.model.name = "drawn";
    provenance.model.sha256 = "0123456789abcdef" + std::string(48, '0');
    provenance.model.output.classes = classes;
    provenance.model.preprocess_json =
        R"({"preprocess":[{"op":"median","size":3}],"normalise":{"scale":0.5}})";
    Memory memory;
    const auto writer = make_writer(format, provenance, memory);
    writer->begin();
    for (const Row& row : rows) {
        writer->row(row);
    }
    writer->end({});
    return memory.bytes;
}

const std::string own_header = "path,status,malignancy,label,threshold,model,error\n";

}  // namespace

TEST_CASE("what skincheck writes is read back, in each format and in blocks of any size") {
    const std::string odd = "x/a, \"b\"\n.jpg", latin = "caf\xE9.png";
    const std::vector<Row> rows{
        {"dir/ISIC_1.jpg", Status::ok, Score{0.25, {0.75, 0.25}}, Label::benign, "", ""},
        {"bad.jpg", Status::corrupt, {}, {}, "is no image, \"x\"", ""},
        {odd, Status::ok, Score{1, {0, 1}}, Label::malignant, "", ""},
        {latin, Status::ok, Score{0, {1, 0}}, Label::benign, "", ""}};
    for (const Format format : {Format::csv, Format::json, Format::jsonl}) {
        const std::string bytes = written(format, {"nevus", "melanoma"}, rows);
        for (const std::size_t block : {std::string::npos, std::size_t{1}, std::size_t{7}}) {
            const Results results = read(bytes, {}, block);
            CAPTURE(bytes);
            CHECK(results.model == "drawn@0123456789ab");
            CHECK(results.threshold == 0.3);
            CHECK(results.classes == Strings{"nevus", "melanoma"});
            REQUIRE(results.cases.size() == 3);
            CHECK(results.cases[0].id == "ISIC_1");
            CHECK(results.cases[0].path == "dir/ISIC_1.jpg");
            CHECK(results.cases[0].score == 0.25);
            CHECK(results.cases[0].probabilities == Numbers{0.75, 0.25});
            CHECK(results.cases[1].path == odd);
            CHECK(results.cases[2].path == latin);
            CHECK(results.cases[2].id == "caf\xE9");
            CHECK(faults(results) == Strings{"status is not ok 1: bad (corrupt)"});
        }
        const Results binary = read(written(format, {"malignant"}, {rows[0]}));
        CHECK(binary.classes.empty());
        CHECK(scores(binary) == "ISIC_1=0.25");
        CHECK(binary.cases[0].probabilities.empty());
    }
}

TEST_CASE("any CSV: the columns by their usual names, or by option") {
    CHECK(scores(read("image,score\na.jpg,0.5\nb.jpg, 1 \n")) == "a=0.5 b=1");
    CHECK(scores(read("\xEF\xBB\xBFIMAGE_NAME,Target\r\na,0.5\r\nb,0")) == "a=0.5 b=0");
    CHECK(scores(read("id,prediction,extra\na,0.5,x\n")) == "a=0.5");
    CHECK(scores(read("probability,isic_id\n1e-3,a\n")) == "a=0.001");
    CHECK(scores(read("name,x,y\na,0.1,0.2\n", {"name", "Y"})) == "a=0.2");
    CHECK(read("image,score\na,0.5\n").model.empty());
    CHECK(!read("image,score\na,0.5\n").threshold);
    // Columns of the same name in tables of others mean something else.
    CHECK(scores(read("id,score,status,threshold,p_value\na,0.5,done,x,y\n")) == "a=0.5");
    CHECK(read("id,score,p_value\na,0.5,0.3\n").classes.empty());

    CHECK(message("name,x\na,b\n") ==
          "r: which column holds the ids, and which the scores? There are \"name\", \"x\"; name it with "
          "--results-id-column and "
          "--score-column");
    CHECK(message("id,x\na,1\n") ==
          "r: which column holds the scores? There are \"id\", \"x\"; name it with --score-column");
    CHECK(message("name,score\na,x\n") ==
          "r: which column holds the ids? There are \"name\", \"score\"; name it with --results-id-column");
    CHECK(message("id,score\na,1\n", {"", "x"}) ==
          "r: --score-column \"x\": no such column; there are \"id\", \"score\"");
    CHECK(message("id,score\na,1\n", {"x", ""}) ==
          "r: --results-id-column \"x\": no such column; there are \"id\", \"score\"");
    CHECK(message("id,score\na,1\n", {"score", "score"}) ==
          "r: the column \"score\" cannot hold both the ids and the scores");
}

TEST_CASE("submissions to ISIC's challenges") {
    CHECK(scores(read("ISIC_1,0.25\nISIC_2,1\n")) == "ISIC_1=0.25 ISIC_2=1");
    CHECK(scores(read("ISIC_1,0.25,0.5\nISIC_2,1,0\n")) == "ISIC_1=0.25 ISIC_2=1");
    CHECK(scores(read("image_id,melanoma,seborrheic_keratosis\na,0.25,0.9\n")) == "a=0.25");
    const std::string header = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n";
    const Results results = read(header + "a,0.5,0.125,0.25,0,0.125,0,0\nb,0.26,0,0.5,0.25,0,0,0\n");
    CHECK(scores(results) == "a=0.75 b=1");
    CHECK(message(header + "a,0.5,0.125,0.25,0,0.125,0,0\nb,0.9,0,0.9,0.9,0,0,0\n")
              .starts_with("r:3: the malignant classes add up to 2.7: "));
    CHECK(results.classes == Strings{"MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"});
    CHECK(results.cases[0].probabilities == Numbers{0.5, 0.125, 0.25, 0, 0.125, 0, 0});
    const Results later = read("image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK\na,0.25,0,0,0.25,0,0,0,0.25,0.25\n");
    CHECK(scores(later) == "a=0.75");
    CHECK(later.classes.size() == 9);
    CHECK(scores(read(header + "a,0.5,0.125,0.25,0,0.125,0,0\n", {"", "NV"})) == "a=0.125");
    CHECK(faults(read(header + "a,0.5,,0.25,0,0,0,0\nb,0.5,1.5,0,0,0,0,0\nc,2,-2,0,0,0,0,0\n")) ==
          Strings{"no score 1: a", "scores outside [0,1] 2: b, c"});
    CHECK(message(header + "a,0.5,x,0,0,0,0,0\n") == "r:2: \"x\" in the column \"NV\" is no number");
}

TEST_CASE("unusable rows are counted and named") {
    const std::string csv =
        "image,malignancy,status\na,0.5,ok\nb,,ok\nc,nan,ok\nd,1.5,ok\ne,-0.1,ok\nf,inf,ok\na.jpg,0.9,ok\n"
        "g,,corrupt\n,0.5,ok\nh,NA,ok\ni,oops,denied\n";
    const Strings expected{"no score 3: b, c, h", "scores outside [0,1] 3: d, e, f",
                           "status is not ok 2: g (corrupt), i (denied)", "no id 1: line 10",
                           "duplicates in the results 1: a"};
    CHECK(faults(read(csv)) == expected);
    CHECK(scores(read(csv)) == "a=0.5");
    const std::string json =
        R"({"path":"a","malignancy":0.5,"status":"ok"}{"path":"b","malignancy":null}{"path":"c","malignancy":"nan"})"
        R"({"path":"d","malignancy":1.5}{"path":"e","malignancy":-0.1}{"path":"f","malignancy":"inf"})"
        R"({"path":"a.jpg","malignancy":0.9}{"path":"g","status":"corrupt","malignancy":null}{"malignancy":0.5,"path":null})"
        R"({"path":"h","malignancy":""}{"path":"i","status":"denied","malignancy":null})";
    Strings as_json = expected;
    as_json[3] = "no id 1: row 9";
    CHECK(faults(read(json)) == as_json);
    CHECK(scores(read(json)) == "a=0.5");
}

TEST_CASE("a score that is no number") {
    CHECK(message("image,score\na,0.5\n\"b\nc\",0.5\nd,abc\n") ==
          "r:5: \"abc\" in the column \"score\" is no number; another column of scores is named with "
          "--score-column");
    CHECK(message("{\"path\":\"a\",\"score\":0.5}\n{\"path\":\"a\",\"score\":\"abc\"}\n") ==
          "r: row 2: \"abc\" in \"score\" is no number; another key of scores is named with --score-column");
    CHECK(message(R"({"results":[{"path":"a","malignancy":true}]})")
              .starts_with("r: row 1: \"true\" in \"malignancy\" is no number"));
    CHECK(message(R"([{"path":"a","score":[1]}])").starts_with("r: row 1: \"score\" is no number"));
    CHECK(message(R"({"path":"a","p_x":"?","malignancy":0.5})") == "r: row 1: \"?\" in \"p_x\" is no number");
    CHECK(message(R"({"path":"a","p_x":"?"})", {"", "p_x"})
              .starts_with("r: row 1: \"?\" in \"p_x\" is no number; another"));
}

TEST_CASE("models and thresholds that differ") {
    std::string csv = own_header;
    for (const char* model : {"m1", "m2", "m1", "m3", "m4", "m5", ""}) {
        csv += fmt::format("{},ok,0.5,benign,0.5,{},\n", csv.size(), model);
    }
    CHECK(read(csv).model == "m1, m2, m3 and 2 more");
    CHECK(read(csv).threshold == 0.5);
    const Results results =
        read(own_header + "a,ok,0.5,benign,0.5,m,\nb,ok,0.5,benign,0.25,m,\nc,ok,0.5,benign,0.50,m,\n");
    CHECK(!results.threshold);
    CHECK(faults(results) == Strings{"several thresholds 2: 0.25, 0.5"});
    CHECK(results.model == "m");
    CHECK(read(own_header + "a,ok,0.5,benign,0.50,m,\nb,ok,0.5,benign,0.5,m,\n").threshold == 0.5);
    CHECK(message(own_header + "a,ok,0.5,benign,high,m,\n") ==
          "r:2: the threshold \"high\" is no number from 0 to 1");
    CHECK(message(R"({"path":"a","malignancy":0.5,"threshold":7})") ==
          "r: row 1: the threshold is no number from 0 to 1");
    CHECK(!read(R"({"path":"a","malignancy":0.5,"threshold":null})").threshold);
}

TEST_CASE("the threshold that is stored belongs to malignancy, and to no other score") {
    const std::string csv =
        "path,status,malignancy,label,threshold,model,error,p_mel,p_nv\na,ok,0.5,malignant,0.25,m,,0.125,0."
        "5\n";
    const std::string row =
        R"({"path":"a","malignancy":0.5,"threshold":0.25,"model":"m","p_mel":0.125,"p_nv":0.5})";
    const std::string list =
        R"({"results":[{"path":"a","malignancy":0.5,"p_mel":0.125,"p_nv":0.5}],"threshold":0.25,"model":{"name":"m"}})";
    for (const std::string& bytes : {csv, row, list}) {
        CAPTURE(bytes);
        CHECK(read(bytes).threshold == 0.25);
        CHECK(read(bytes, {"", "malignancy"}).threshold == 0.25);
        const Results other = read(bytes, {"", "p_mel"});
        CHECK(scores(other) == "a=0.125");
        CHECK(!other.threshold);
        CHECK(other.model == "m");  // what else is told of the row holds for each of its scores
        CHECK(other.cases[0].probabilities == Numbers{0.125, 0.5});
    }
    CHECK(!read(R"({"results":[{"path":"a","score":0.5}],"threshold":0.25})").threshold);
    // What is not used is not looked at either.
    CHECK(scores(read("path,malignancy,threshold,x\na,0.5,high,1\n", {"", "x"})) == "a=1");
    CHECK(scores(read(R"({"path":"a","malignancy":0.5,"threshold":7,"x":1})", {"", "x"})) == "a=1");
}

TEST_CASE("JSON in other shapes") {
    CHECK(scores(read(R"([{"image":"a.jpg","score":0.5},{"image":"b","score":1}])")) == "a=0.5 b=1");
    CHECK(scores(read(R"( {"id":7,"score":0} {"id":8,"score":"0.25"} )")) == "7=0 8=0.25");
    // The rows need not be last, nor the keys in an order; what is nested is not looked into.
    const Results results = read(
        R"({"results":[{"malignancy":0.5,"more":{"path":"no","malignancy":9},"path":"a"}],"threshold":0.125,)"
        R"("model":{"classes":["x"],"sha256":"0123456789abcdef","name":"m","more":{"name":"n"}},"other":[[{"path":"z"}]]})");
    CHECK(scores(results) == "a=0.5");
    CHECK(results.model == "m@0123456789ab");
    CHECK(results.threshold == 0.125);
    // The best of several names counts, wherever it stands; of the same key twice, the last.
    CHECK(scores(read(R"({"score":0.1,"id":"x","malignancy":0.2,"path":"a","target":0.3,"image":"b"})")) ==
          "a=0.2");
    CHECK(scores(read(R"({"path":"a","path":"b","score":0.1,"score":0.2})")) == "b=0.2");
    CHECK(scores(read(R"({"n":"a","s":0.1,"path":"b","score":0.2})", {"n", "s"})) == "a=0.1");
    CHECK(scores(read(R"({"path":"a","malignancy":0.5,"p_x":0.25})", {"", "p_x"})) == "a=0.25");
    // A class that some rows lack: those have no probabilities.
    const Results classes =
        read(R"({"path":"a","malignancy":0.5,"p_x":0.25}{"path":"b","malignancy":0.5,"p_y":1,"p_x":0})");
    CHECK(classes.classes == Strings{"x", "y"});
    CHECK(classes.cases[0].probabilities.empty());
    CHECK(classes.cases[1].probabilities == Numbers{0, 1});
    CHECK(read(R"({"path":"a","score":0.5,"p_value":"?"})").classes.empty());
    CHECK(read(R"({"path":"?","path_base64":"Y2Fm6S5wbmc=","malignancy":0.5})").cases[0].path ==
          "caf\xE9.png");
}

TEST_CASE("what is no JSON, and JSON that is no results") {
    CHECK(message("{\"path\":\"a\",\"score\":0.5}\n\n{\"path\":\"b\",\"score\":0.5\n")
              .starts_with("r:4: is not JSON: "));
    CHECK(message(R"({"path":"a","score":NaN})").starts_with("r:1: is not JSON: "));
    CHECK(message("{\"path\":\"\xE9\",\"score\":1}").starts_with("r:1: is not JSON: "));
    CHECK(message(R"({"path":"a","score":0.5},{"path":"b","score":0.5})").starts_with("r:1: is not JSON: "));
    CHECK(message("{\"a\":\"" + std::string(5000, 'x')).size() < 250);
    CHECK(message("[1]") == "r: row 1: is no object; a row has path and malignancy");
    CHECK(message(R"({"results":[{"path":"a","score":1},[]]})") ==
          "r: row 2: is no object; a row has path and malignancy");
    CHECK(message(R"({"path":"a","score":0.5} 7)") ==
          "r: row 2: is no object; a row has path and malignancy");
    CHECK(message(R"({"results":[]})") == "r: there is no row of results in it");
    CHECK(message(R"({"a":"b","score":0.5})") ==
          "r: no row tells an id (path, image, isic_id ...); name its key with --results-id-column");
    CHECK(message(R"({"path":"b","x":0.5})") ==
          "r: no row tells a score (malignancy, target, score ...); name its key with --score-column");
    CHECK(message(R"({"path":"?","path_base64":"%","malignancy":0.5})") ==
          "r: row 1: \"%\" in \"path_base64\" is no base64");
    CHECK(message("{\"a\":" + std::string(40, '[')) == "r:1: nested more than 32 deep");
    std::string classes = "{\"malignancy\":1";
    for (int i = 0; i < 1001; ++i) {
        classes += fmt::format(",\"p_{}\":0", i);
    }
    CHECK(message(classes + "}") == "r: row 1: more than 1000 classes (keys p_...)");
    CHECK_THROWS_WITH_AS(read("{\"path\":\"" + std::string(longest_row * 2, 'x'), {}, 65536),
                         "r:1: more than 1 MiB in one text; is it JSON, and is every quote closed?", Fatal);
}

TEST_CASE("nothing to read, and files") {
    CHECK(message("") == "r: is empty; a table of results is needed");
    CHECK(message("\n\n") == "r: is empty; a table of results is needed");
    CHECK(message(own_header) == "r: there is no row of results in it");
    const TemporaryFolder folder;
    const std::string file = folder.write("r.jsonl", "\xEF\xBB\xBF\n{\"path\":\"a\",\"score\":0.5}\r\n");
    CHECK(scores(read_results(file, {})) == "a=0.5");
    CHECK(read_results(file, {}).file == file);
    CHECK_THROWS_AS(read_results(folder / "none", {}), Fatal);
}
