#include "skincheck/result.hpp"

#include "evaluate/readers.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

using namespace skincheck;
using skincheck::test::TemporaryFolder;

namespace {

using Strings = std::vector<std::string>;

Truth read(const std::string& bytes, const TruthOptions& options = {}) {
    TextInput text("t.csv", bytes);
    return read_truth(text, options);
}

TruthOptions named(const std::string& id, const std::string& label, const Strings& positive = {}) {
    return {id, label, positive, ""};
}

std::string message(const std::string& bytes, const TruthOptions& options = {}) {
    try {
        read(bytes, options);
    } catch (const Fatal& fatal) {
        CHECK(fatal.code() == ExitCode::usage);
        return fatal.what();
    }
    return "nothing was thrown";
}

std::size_t malignant(const Truth& truth) {
    return static_cast<std::size_t>(std::count_if(truth.cases.begin(), truth.cases.end(),
                                                  [](const TruthCase& one) { return one.malignant; }));
}

/// "a+ b- c-": ids with their truth.
std::string verdicts(const Truth& truth) {
    std::string text;
    for (const TruthCase& one : truth.cases) {
        text += (text.empty() ? "" : " ") + one.id + (one.malignant ? '+' : '-');
    }
    return text;
}

/// "what 2 (a b)" of each.
Strings faults(const Truth& truth) {
    Strings texts;
    for (const Fault& fault : truth.faults) {
        std::string names;
        for (const std::string& name : fault.names) {
            names += (names.empty() ? "" : " ") + name;
        }
        texts.push_back(fault.what + ' ' + std::to_string(fault.count) + " (" + names + ')');
    }
    return texts;
}

}  // namespace

TEST_CASE("ISIC 2016: no header, words or numbers") {
    const Truth words = read("ISIC_1,benign\nISIC_2,malignant\n");
    CHECK(words.layout == "ISIC 2016, malignant: label = malignant");
    CHECK(verdicts(words) == "ISIC_1- ISIC_2+");
    CHECK(words.classes.empty());
    CHECK(words.columns.empty());
    CHECK(words.cases[0].diagnosis == -1);
    CHECK(verdicts(read("a,0\nb,1\n")) == "a- b+");
    CHECK(verdicts(read("a.jpg,0.0\nb.jpg,1.0")) == "a- b+");
    CHECK(verdicts(read("ISIC_1,benign\nISIC_2,malignant\n", {"", "", {"benign"}, ""})) == "ISIC_1+ ISIC_2-");
    CHECK(message("ISIC_1,benign\nISIC_2,maybe\n") ==
          "t.csv:2: \"maybe\" in the column \"label\" is neither malignant nor benign (nor 1 or 0, true or "
          "false, yes or "
          "no); say what is malignant with --positive");
}

TEST_CASE("ISIC 2017: two columns; the diagnosis is a column to group by") {
    const std::string table =
        "image_id,melanoma,seborrheic_keratosis\r\na,1.0,0.0\r\nb,0.0,1.0\r\nc,0.0,0.0\r\n";
    const Truth truth = read(table);
    CHECK(truth.layout == "ISIC 2017, malignant: melanoma");
    CHECK(verdicts(truth) == "a+ b- c-");
    CHECK(truth.classes.empty());
    CHECK(truth.columns == Strings{"diagnosis"});
    CHECK(truth.cases[0].values == Strings{"melanoma"});
    CHECK(truth.cases[1].values == Strings{"seborrheic_keratosis"});
    CHECK(truth.cases[2].values == Strings{"other"});
    CHECK(verdicts(read(table, {"", "", {"Other", "melanoma"}, ""})) == "a+ b- c+");
    CHECK(message(table, {"", "", {"nevus"}, ""}) ==
          "t.csv: --positive \"nevus\": no such class; there are \"melanoma\", \"seborrheic_keratosis\", "
          "\"other\"");
}

TEST_CASE("ISIC 2018 and 2019: a column for each class") {
    const Truth truth = read(
        "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\na,1.0,0.0,0.0,0.0,0.0,0.0,0.0\nb,0,1,0,0,0,0,0\n"
        "c,0,0,0,1,0,0,0\nd,0,0,0,0,0,0,1\ne,0,0,1,0,0,0,0\n");
    CHECK(truth.layout == "ISIC 2018, malignant: MEL, BCC, AKIEC");
    CHECK(truth.classes == Strings{"MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"});
    CHECK(verdicts(truth) == "a+ b- c+ d- e+");
    CHECK(truth.cases[2].diagnosis == 3);
    CHECK(truth.columns.empty());

    const std::string header = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK,score_weight\n";
    const Truth later =
        read(header + "a,0,0,0,0,0,0,0,1,0,1.0\nb,0,0,0,0,0,0,0,0,1,0.5\nc,0,0,0,0,0,0,0,0,0,1\n");
    CHECK(later.layout == "ISIC 2019, malignant: MEL, BCC, AK, SCC");
    CHECK(later.classes.size() == 8);  // UNK is no diagnosis
    CHECK(verdicts(later) == "a+");
    CHECK(later.cases[0].diagnosis == 7);
    CHECK(later.columns == Strings{"score_weight"});
    CHECK(later.cases[0].values == Strings{"1.0"});
    CHECK(faults(later) == Strings{"unknown truth 2 (b c)"});

    CHECK(message(header + "a,0,0,0,0,0,0,0,1,0,1\nb,1,0,0,1,0,0,0,0,0,1\n") ==
          "t.csv:3: \"b\" is of two classes, MEL and AK; a row needs one");
    CHECK(message(header + "a,0.7,0.3,0,0,0,0,0,0,0,1\n") ==
          "t.csv:2: \"0.7\" in the column \"MEL\" is neither 0 nor 1");
    CHECK(verdicts(read(header + "a,1,0,0,0,0,0,0,0,0,1\nb,0,1,0,0,0,0,0,0,0,1\n", {"", "", {"nv"}, ""})) ==
          "a- b+");
    CHECK(message(header + "a,1,0,0,0,0,0,0,0,0,1\n", {"", "", {"MEL", "XYZ"}, ""})
              .starts_with("t.csv: --positive \"XYZ\": no such class; there are \"MEL\", \"NV\""));
    CHECK(verdicts(read(header + "a,1,0,0,0,0,0,0,0,0,1\nb,0,1,0,0,0,0,0,0,0,1\n", named("", "MEL"))) ==
          "a+ b-");
}

TEST_CASE("ISIC 2020 and 2024: further columns are kept") {
    const Truth truth = read(
        "image_name,patient_id,sex,diagnosis,benign_malignant,target\na,IP_1,male,nevus,benign,0\n"
        "b,IP_2,,melanoma,malignant,1\n");
    CHECK(truth.layout == "ISIC 2020, malignant: target = 1");
    CHECK(verdicts(truth) == "a- b+");
    CHECK(truth.columns == Strings{"patient_id", "sex", "diagnosis", "benign_malignant"});
    CHECK(truth.cases[1].values == Strings{"IP_2", "", "melanoma", "malignant"});
    CHECK(truth.classes.empty());

    const Truth later = read("isic_id,malignant\r\nISIC_1,0.0\r\nISIC_2,1.0\r\n");
    CHECK(later.layout == "ISIC 2024, malignant: malignant = 1.0");
    CHECK(verdicts(later) == "ISIC_1- ISIC_2+");
    CHECK(read("isic_id,target,age_approx\na,1,35\n").columns == Strings{"age_approx"});
}

TEST_CASE("HAM10000: classes from dx") {
    const Truth truth = read(
        "lesion_id,image_id,dx,dx_type,age\nL1,a,nv,histo,80.0\nL1,b,nv,histo,80.0\nL2,c,akiec,histo,70.0\n"
        "L3,d,mel,histo,\n");
    CHECK(truth.layout == "HAM10000, malignant: dx = mel, bcc, akiec");
    CHECK(verdicts(truth) == "a- b- c+ d+");
    CHECK(truth.classes == Strings{"akiec", "mel", "nv"});
    CHECK(truth.cases[0].diagnosis == 2);
    CHECK(truth.cases[2].diagnosis == 0);
    CHECK(truth.columns == Strings{"lesion_id", "dx", "dx_type", "age"});
    CHECK(truth.cases[3].values == Strings{"L3", "mel", "histo", ""});
    CHECK(message("image_id,dx\na,nv\nb,scar\n") ==
          "t.csv:3: \"scar\" is not a known value of dx (akiec, bcc, bkl, df, mel, nv, vasc); say what is "
          "malignant with "
          "--positive");
    CHECK(verdicts(read("image_id,dx\na,nv\nb,scar\n", {"", "", {"scar"}, ""})) == "a- b+");
}

TEST_CASE("ISIC archive: Indeterminate is no truth") {
    const Truth truth = read(
        "isic_id,age_approx,diagnosis_1,diagnosis_3\na,45,Benign,Nevus\nb,,Malignant,Melanoma\n"
        "c,,Indeterminate,\nd,,,\n");
    CHECK(truth.layout == "ISIC archive, malignant: diagnosis_1 = Malignant");
    CHECK(verdicts(truth) == "a- b+");
    CHECK(truth.columns == Strings{"age_approx", "diagnosis_1", "diagnosis_3"});
    CHECK(faults(truth) == Strings{"unknown truth 2 (c d)"});
}

TEST_CASE("any table: columns by name, in any case, and --positive") {
    CHECK(verdicts(read("Filename , Label\n x/a.PNG , Yes \nb.png,no\n")) == "a+ b-");
    CHECK(verdicts(read("path,class\na,TRUE\nb,false\n")) == "a+ b-");
    CHECK(verdicts(read("id,malignant\n7,1\n8,0\n")) == "7+ 8-");
    CHECK(verdicts(read("patient,malignant,picture\np,1,a\n", named("picture", "Malignant"))) == "a+");
    const std::string table = "picture,finding\na,melanoma\nb,nevus\nc,scar\nd,\n";
    const Truth truth = read(table, named("picture", "finding", {"Melanoma", "scar"}));
    CHECK(truth.layout == "CSV, malignant: finding = Melanoma, scar");
    CHECK(verdicts(truth) == "a+ b- c+");
    CHECK(truth.classes == Strings{"melanoma", "nevus", "scar"});
    CHECK(truth.columns == Strings{"finding"});
    CHECK(faults(truth) == Strings{"unknown truth 1 (d)"});
    CHECK(verdicts(read("id,grade\na,1\nb,2.0\nc,3\n", named("", "grade", {"2", "3"}))) == "a- b+ c+");
    CHECK(read("id,label\na,x\nb,y\n", {"", "", {"x"}, ""}).classes.empty());  // two values are two kinds
    const Truth cases = read("id,dx2\na,MEL\nb,nv\nc,NV\nd,bkl\na,mel\n", named("", "dx2", {"mel"}));
    CHECK(cases.classes == Strings{"MEL", "bkl", "nv"});
    CHECK(faults(cases) == Strings{"duplicates in the truth 1 (a)"});

    CHECK(message(table) ==
          "t.csv: which column holds the ids, and which the truth? There are \"picture\", \"finding\"; "
          "name it with --id-column and --label-column");
    CHECK(message("id,finding\na,1\n") ==
          "t.csv: which column holds the truth? There are \"id\", \"finding\"; name it with --label-column");
    CHECK(message("image;label\na;1\n") ==
          "t.csv: which column holds the ids, and which the truth? There are semicolons between the columns; "
          "write the table with commas");
    CHECK(message("image\tlabel\na\t1\n") ==
          "t.csv: which column holds the ids, and which the truth? There are tabs between the columns; "
          "write the table with commas");
    CHECK(message("picture,label\na,1\n") ==
          "t.csv: which column holds the ids? There are \"picture\", \"label\"; name it with --id-column");
    CHECK(message(table, named("picture", "diagnosis")) ==
          "t.csv: --label-column \"diagnosis\": no such column; there are \"picture\", \"finding\"");
    CHECK(message(table, named("image", "finding")) ==
          "t.csv: --id-column \"image\": no such column; there are \"picture\", \"finding\"");
    CHECK(message(table, named("finding", "finding")) ==
          "t.csv: the column \"finding\" cannot hold both the ids and the truth");
    CHECK(message(table, named("picture", "finding", {"melanoma", "bcc"})) ==
          "t.csv: --positive \"bcc\": no such value in \"finding\"; there are \"melanoma\", \"nevus\", "
          "\"scar\"");
    CHECK(message(table, named("picture", "finding"))
              .starts_with("t.csv:2: \"melanoma\" in the column \"finding\""));
}

TEST_CASE("rows of one image that say different things are left out, all of them") {
    const Truth truth = read("image,target\na.jpg,1\nb,0\nc,1\nx/a.png,0\nc,1\n");
    CHECK(verdicts(truth) == "b- c+");
    CHECK(faults(truth) == Strings{"contradicting rows in the truth 1 (a)", "duplicates in the truth 1 (c)"});
    CHECK(truth.left_out.contains("a"));
    const Truth classes =
        read("image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\nb,1,0,0,0,0,0,0\na,1,0,0,0,0,0,0\na,0,0,1,0,0,0,0\n");
    CHECK(verdicts(classes) == "b+");
}

TEST_CASE("duplicates: the first counts; rows without an id") {
    const Truth truth = read("image,target\na.jpg,1\nb,0\nx/a.png,1\n,1\na,1\n");
    CHECK(verdicts(truth) == "a+ b-");
    CHECK(faults(truth) == Strings{"no id 1 (line 5)", "duplicates in the truth 2 (a a)"});
    std::string many = "id,target\n";
    for (int i = 0; i < 30; ++i) {
        many += "x" + std::to_string(i) + ",\n";
    }
    const Truth unknown = read(many);
    REQUIRE(unknown.faults.size() == 1);
    CHECK(unknown.faults[0].count == 30);
    CHECK(unknown.faults[0].names.size() == 10);
}

TEST_CASE("nothing to read") {
    CHECK(message("") == "t.csv: is empty; a table of ground truth is needed");
    CHECK(message("\xEF\xBB\xBF\n\n") == "t.csv: is empty; a table of ground truth is needed");
    CHECK(message("image,MEL,NV,BCC\n") == "t.csv: a header and no rows; a table of ground truth is needed");
    CHECK(message("image,target\na\n") == "t.csv:2: a row of 1 field where the first line has 2");
}

TEST_CASE("metadata joins by id") {
    const TemporaryFolder folder;
    TruthOptions options;
    const std::string file = folder.write("truth.csv", "image,target,sex\na,1,female\nb,0,male\nc,0,\n");
    options.metadata = folder.write(
        "meta.csv",
        "\xEF\xBB\xBFisic_id,age,Sex,site\r\nc.jpg,55,male,\"a, b\"\r\na.jpg,40,x,arm\r\na,9,,\r\nz,1,,\r\n");
    const Truth truth = read_truth(file, options);
    CHECK(truth.file == file);
    CHECK(truth.columns == Strings{"sex", "age", "site"});
    CHECK(truth.cases[0].values == Strings{"female", "40", "arm"});
    CHECK(truth.cases[1].values == Strings{"male", "", ""});
    CHECK(truth.cases[2].values == Strings{"male", "55", "a, b"});  // what the truth knows, it knows better
    CHECK(faults(truth) == Strings{"duplicates in the metadata 1 (a)", "no metadata 1 (b)"});

    options.metadata = folder.write("meta.csv", "lesion,age\na,1\n");
    CHECK_THROWS_WITH_AS(
        read_truth(file, options),
        (options.metadata + ": which column of the metadata holds the ids? There are \"lesion\", "
                            "\"age\"; name it with --metadata-id-column")
            .c_str(),
        Fatal);
    options.metadata = folder.write("meta.csv", "id,age\n");
    CHECK_THROWS_WITH_AS(read_truth(file, options),
                         (options.metadata + ": a header and no rows; a table of metadata is needed").c_str(),
                         Fatal);
    options.metadata = folder / "none.csv";
    CHECK_THROWS_AS(read_truth(file, options), Fatal);
}

namespace {

struct Official {
    const char* name;
    const char* layout;
    std::size_t cases, malignant, unknown;
};

// Counted with Python's csv module.
constexpr std::initializer_list<Official> official{
    {"ISBI2016_ISIC_Part3_Test_GroundTruth.csv", "ISIC 2016, malignant: label = 1", 379, 75, 0},
    {"ISBI2016_ISIC_Part3_Training_GroundTruth.csv", "ISIC 2016, malignant: label = malignant", 900, 173, 0},
    {"ISIC-2017_Training_Part3_GroundTruth.csv", "ISIC 2017, malignant: melanoma", 2000, 374, 0},
    {"ISIC-2017_Validation_Part3_GroundTruth.csv", "ISIC 2017, malignant: melanoma", 150, 30, 0},
    {"ISIC2018_Task3_Test_GroundTruth.csv", "ISIC 2018, malignant: MEL, BCC, AKIEC", 1512, 307, 0},
    {"ISIC2018_Task3_Training_GroundTruth.csv", "ISIC 2018, malignant: MEL, BCC, AKIEC", 10015, 1954, 0},
    {"ISIC_2019_Training_GroundTruth.csv.gz", "ISIC 2019, malignant: MEL, BCC, AK, SCC", 25331, 9340, 0},
    {"ISIC_2020_Training_GroundTruth.csv.gz", "ISIC 2020, malignant: target = 1", 33126, 584, 0},
    {"ISIC_2020_Training_GroundTruth_v2.csv.gz", "ISIC 2020, malignant: target = 1", 33126, 584, 0},
    {"ISIC_2024_Permissive_Training_GroundTruth.csv.gz", "ISIC 2024, malignant: malignant = 1.0", 60000, 76,
     0},
    {"HAM10000_metadata.csv", "HAM10000, malignant: dx = mel, bcc, akiec", 10015, 1954, 0},
    {"isic_archive_ham10000_collection_metadata.csv.gz", "ISIC archive, malignant: diagnosis_1 = Malignant",
     11571, 2156, 149},
};

const std::filesystem::path labels = std::filesystem::path(SKINCHECK_SHARED_DATA) / "labels";

/// The path of a table, unpacked into the folder where it has to be.
std::string unpacked(const std::string& name, const TemporaryFolder& folder) {
    const std::string path = labels / name;
    if (!name.ends_with(".gz")) {
        return path;
    }
    const std::string to = folder / name.substr(0, name.size() - 3);
    REQUIRE(std::system(("gzip -dc '" + path + "' > '" + to + "'").c_str()) == 0);
    return to;
}

}  // namespace

TEST_CASE("the official tables") {
    if (!std::filesystem::exists(labels)) {
        MESSAGE("skipped: no " << labels);
        return;
    }
    const TemporaryFolder folder;
    for (const Official& table : official) {
        CAPTURE(table.name);
        if (!std::filesystem::exists(labels / table.name)) {
            MESSAGE("skipped: no " << table.name);
            continue;
        }
        const Truth truth = read_truth(unpacked(table.name, folder), {});
        CHECK(truth.layout == table.layout);
        CHECK(truth.cases.size() == table.cases);
        CHECK(malignant(truth) == table.malignant);
        std::size_t faulty = 0;
        for (const Fault& fault : truth.faults) {
            CHECK(fault.what == "unknown truth");
            faulty += fault.count;
        }
        CHECK(faulty == table.unknown);
    }
}

TEST_CASE("the official tables: classes and metadata of 2019") {
    const std::string truth_name = "ISIC_2019_Training_GroundTruth.csv.gz";
    const std::string metadata_name = "ISIC_2019_Training_Metadata.csv.gz";
    if (!std::filesystem::exists(labels / truth_name) || !std::filesystem::exists(labels / metadata_name)) {
        MESSAGE("skipped: no " << truth_name);
        return;
    }
    const TemporaryFolder folder;
    const Truth truth =
        read_truth(unpacked(truth_name, folder), {"", "", {}, unpacked(metadata_name, folder)});
    CHECK(truth.columns == Strings{"age_approx", "anatom_site_general", "lesion_id", "sex"});
    CHECK(truth.faults.empty());
    std::map<std::string, int> count;
    for (const TruthCase& one : truth.cases) {
        ++count[truth.classes.at(static_cast<std::size_t>(one.diagnosis))];
    }
    CHECK(count == std::map<std::string, int>{{"MEL", 4522},
                                              {"NV", 12875},
                                              {"BCC", 3323},
                                              {"AK", 867},
                                              {"BKL", 2624},
                                              {"DF", 239},
                                              {"VASC", 253},
                                              {"SCC", 628}});
    CHECK(truth.cases.back().values == Strings{"50", "upper extremity", "BCN_0001079", "male"});
}
