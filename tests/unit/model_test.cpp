#include "skincheck/model.hpp"

#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>

using namespace skincheck;
using test::TemporaryFolder;
using Json = nlohmann::ordered_json;

namespace {

const std::string models = std::string(SKINCHECK_SOURCE_DIR) + "/tests/data/models/";

// Every field and every step there is.
const char* const whole = R"({
  "format": 1, "name": "whole", "version": "2", "licence": "Apache-2.0", "description": "für Tests",
  "sha256": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
  "input": {"name": "in", "height": 32, "width": 48, "channels": "RGB", "layout": "NCHW"},
  "preprocess": [
    {"op": "resize", "mode": "shortest_side", "size": 40, "interpolation": "cubic"},
    {"op": "dehair", "kernel": 17, "threshold": 10, "radius": 3.5},
    {"op": "median", "size": 3},
    {"op": "gaussian", "sigma": 0.5},
    {"op": "bilateral", "diameter": 5, "sigma_colour": 20, "sigma_space": 30},
    {"op": "nlmeans", "strength": 3, "template_size": 7, "search_size": 21},
    {"op": "colour_constancy", "power": 6},
    {"op": "center_crop", "width": 40, "height": 30},
    {"op": "pad", "width": 50, "height": 30, "value": 128},
    {"op": "resize", "mode": "squash", "width": 48, "height": 32, "interpolation": "area"}
  ],
  "normalise": {"scale": 0.5, "mean": [0.1, 0.2, 0.3], "std": [1, 2, 3]},
  "output": {"name": "out", "kind": "softmax", "classes": ["a", "b", "c"], "malignant": ["c", "a"]},
  "calibration": {"kind": "platt", "slope": 1.5, "intercept": -0.25},
  "threshold": 0.25,
  "operating_points": [{"name": "sensitive", "threshold": 0.1, "sensitivity": 0.95, "specificity": 0.6}],
  "golden": {"cases": [{"seed": 4294967295, "outputs": [0.2, 0.3, 0.5]}], "tolerance": {"cpu-fp32": 0.0001}},
  "training": {"data": {"images": 3}}
})";

// The message of the Fatal (model) that parsing throws; "" when it throws none.
std::string refusal(const std::string& text) {
    try {
        parse_model_spec(text, "here/model.json");
    } catch (const Fatal& fatal) {
        CHECK(fatal.code() == ExitCode::model);
        return fatal.what();
    }
    return "";
}

// Calls visit(pointer, path, value) for every value below, the objects and lists themselves included.
template <typename Visit>
void walk(const Json& value, const std::string& pointer, const std::string& path, const Visit& visit) {
    if (!pointer.empty()) {
        visit(pointer, path, value);
    }
    if (pointer == "/training" || !value.is_structured()) {
        return;
    }
    for (const auto& entry : value.items()) {
        const std::string& key = entry.key();
        const std::string below =
            value.is_array() ? path + "[" + key + "]" : path + (path.empty() ? "" : ".") + key;
        walk(entry.value(), pointer + "/" + key, below, visit);
    }
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

template <typename Call>
std::string fatal_message(const Call& call) {
    try {
        call();
    } catch (const Fatal& fatal) {
        CHECK(fatal.code() == ExitCode::model);
        return fatal.what();
    }
    return "";
}

ModelSpec sigmoid_spec() {
    ModelSpec spec;
    spec.name = "test";
    spec.output.classes = spec.output.malignant = {"malignant"};
    return spec;
}

ModelSpec softmax_spec() {
    ModelSpec spec;
    spec.output = {"out", OutputKind::softmax, {"nevus", "melanoma", "bcc"}, {"melanoma", "bcc"}};
    return spec;
}

double score_of(float output, const ModelSpec& spec) {
    const auto score = to_score(std::span(&output, 1), spec);
    REQUIRE(score);
    return score->malignancy;
}

// Sets an environment variable until the end of a scope.
class Environment {
  public:
    Environment(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
    ~Environment() { unsetenv(name_); }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

  private:
    const char* name_;
};

}  // namespace

TEST_CASE("shrink_on_load is the first step and has a resize after it") {
    const std::string shrink = R"({"op": "shrink_on_load", "times": 2},)";
    const auto with = [&](std::string_view before, const std::string& step) {
        std::string text = whole;
        return text.insert(text.find(before), step);
    };
    const std::string first = R"({"op": "resize", "mode": "shortest_side")";
    const ModelSpec spec = parse_model_spec(with(first, shrink), "model.json");
    REQUIRE(spec.preprocess.size() == 11);
    CHECK(std::get<step::ShrinkOnLoad>(spec.preprocess[0]).times == 2);
    CHECK(refusal(with(R"({"op": "resize", "mode": "squash")", shrink)) ==
          "here/model.json: preprocess[9]: shrink_on_load can only be the first step");
    const std::string median = R"({"op": "median", "size": 3},)";
    CHECK(
        refusal(with(first, shrink + median)).find("preprocess[1]: shrink_on_load stands before a resize") !=
        std::string::npos);
    for (const char* times : {"1", "9", "2.5"}) {
        const std::string wrong = std::string(R"({"op": "shrink_on_load", "times": )") + times + "},";
        CHECK(refusal(with(first, wrong)).find("preprocess[0].times: ") != std::string::npos);
    }
}

TEST_CASE("a whole model.json is read field by field") {
    const ModelSpec spec = parse_model_spec(whole, "model.json");
    CHECK(spec.name == "whole");
    CHECK(spec.version == "2");
    CHECK(spec.licence == "Apache-2.0");
    CHECK(spec.description == "für Tests");
    CHECK(spec.id() == "whole@0123456789ab");
    CHECK(spec.input.name == "in");
    CHECK(spec.input.height == 32);
    CHECK(spec.input.width == 48);
    REQUIRE(spec.preprocess.size() == 10);
    const auto shortest = std::get<step::ResizeShortestSide>(spec.preprocess[0]);
    CHECK(shortest.size == 40);
    CHECK(shortest.interpolation == Interpolation::cubic);
    const auto dehair = std::get<step::Dehair>(spec.preprocess[1]);
    CHECK(dehair.kernel == 17);
    CHECK(dehair.threshold == 10);
    CHECK(dehair.radius == 3.5);
    CHECK(std::get<step::Median>(spec.preprocess[2]).size == 3);
    CHECK(std::get<step::Gaussian>(spec.preprocess[3]).sigma == 0.5);
    const auto bilateral = std::get<step::Bilateral>(spec.preprocess[4]);
    CHECK(bilateral.diameter == 5);
    CHECK(bilateral.sigma_colour == 20);
    CHECK(bilateral.sigma_space == 30);
    const auto nlmeans = std::get<step::NlMeans>(spec.preprocess[5]);
    CHECK(nlmeans.strength == 3);
    CHECK(nlmeans.template_size == 7);
    CHECK(nlmeans.search_size == 21);
    CHECK(std::get<step::ColourConstancy>(spec.preprocess[6]).power == 6);
    const auto crop = std::get<step::CenterCrop>(spec.preprocess[7]);
    CHECK(crop.width == 40);
    CHECK(crop.height == 30);
    const auto pad = std::get<step::Pad>(spec.preprocess[8]);
    CHECK(pad.width == 50);
    CHECK(pad.height == 30);
    CHECK(pad.value == 128);
    const auto squash = std::get<step::ResizeSquash>(spec.preprocess[9]);
    CHECK(squash.width == 48);
    CHECK(squash.height == 32);
    CHECK(squash.interpolation == Interpolation::area);
    CHECK(spec.normalise.scale == 0.5);
    CHECK(spec.normalise.mean == std::array<double, 3>{0.1, 0.2, 0.3});
    CHECK(spec.normalise.std == std::array<double, 3>{1, 2, 3});
    CHECK(spec.output.name == "out");
    CHECK(spec.output.kind == OutputKind::softmax);
    CHECK(spec.output.classes == std::vector<std::string>{"a", "b", "c"});
    CHECK(spec.output.malignant == std::vector<std::string>{"c", "a"});
    CHECK(spec.calibration.kind == CalibrationKind::platt);
    CHECK(spec.calibration.slope == 1.5);
    CHECK(spec.calibration.intercept == -0.25);
    CHECK(spec.threshold == 0.25);
    REQUIRE(spec.operating_points.size() == 1);
    CHECK(spec.operating_points[0].name == "sensitive");
    CHECK(spec.operating_points[0].threshold == 0.1);
    CHECK(spec.operating_points[0].sensitivity == 0.95);
    CHECK(spec.operating_points[0].specificity == 0.6);
    REQUIRE(spec.golden.cases.size() == 1);
    CHECK(spec.golden.cases[0].seed == 4294967295U);
    CHECK(spec.golden.cases[0].outputs == std::vector<double>{0.2, 0.3, 0.5});
    CHECK(spec.golden.tolerance.at("cpu-fp32") == 0.0001);
    CHECK(spec.training_json == R"({"data":{"images":3}})");
    CHECK(spec.preprocess_json.rfind(R"({"preprocess":[{"op":"resize","mode":"shortest_side","size":40,)",
                                     0) == 0);
    CHECK(
        contains(spec.preprocess_json, R"(],"normalise":{"scale":0.5,"mean":[0.1,0.2,0.3],"std":[1,2,3]}})"));
}

TEST_CASE("every field is required") {
    const Json valid = Json::parse(whole);
    int removed = 0;
    walk(valid, "", "", [&](const std::string& pointer, const std::string& path, const Json&) {
        const Json::json_pointer place(pointer);
        if (valid.at(place.parent_pointer()).is_array()) {
            return;
        }
        Json changed = valid;
        changed.at(place.parent_pointer()).erase(place.back());
        CAPTURE(path);
        CHECK(refusal(changed.dump()) == "here/model.json: " + path + ": this field is missing");
        ++removed;
    });
    CHECK(removed == 73);
}

TEST_CASE("an unknown key is an error in every object") {
    const Json valid = Json::parse(whole);
    int objects = 0;
    const auto add = [&](const std::string& pointer, const std::string& path, const Json& value) {
        if (!value.is_object() || pointer == "/training") {
            return;
        }
        Json changed = valid;
        changed[Json::json_pointer(pointer)]["colour\nof\x1B[1meyes"] = 1;
        const std::string message = refusal(changed.dump());
        CAPTURE(path);
        CAPTURE(message);
        CHECK(message.rfind("here/model.json: " + path + (path.empty() ? "" : ": ") +
                                R"(unknown key "colour\nof\u001b[1meyes")",
                            0) == 0);
        ++objects;
    };
    add("", "", valid);
    walk(valid, "", "", add);
    CHECK(objects == 19);
    CHECK(refusal(R"({"training": {"anything": 1}})") == "here/model.json: format: this field is missing");
}

TEST_CASE("every value of a wrong type is an error that names the field") {
    const Json valid = Json::parse(whole);
    walk(valid, "", "", [&](const std::string& pointer, const std::string& path, const Json& value) {
        for (const Json& wrong : {Json(nullptr), Json(true), Json("text"), Json(0.5), Json(Json::array()),
                                  Json(Json::object())}) {
            const bool same = value.is_number() ? wrong.is_number() : wrong.type() == value.type();
            const bool empty_is_fine = pointer == "/operating_points" && wrong.is_array();
            if (same || empty_is_fine) {
                continue;
            }
            Json changed = valid;
            changed[Json::json_pointer(pointer)] = wrong;
            const std::string message = refusal(changed.dump());
            CAPTURE(message);
            CAPTURE(wrong);
            CHECK(message.rfind("here/model.json: " + path, 0) == 0);
        }
    });
}

TEST_CASE("values out of range are errors that name the field and what it wants") {
    struct Case {
        const char* pointer;
        const char* value;
        const char* message;
    };
    const Case cases[] = {
        {"/format", "2", "format: 2 is not a whole number from 1 to 1"},
        {"/name", R"("a b")", R"(name: "a b" is not made of letters)"},
        {"/name", R"("")", R"(name: "" is not one line of text)"},
        {"/description", R"("ends ")", R"(description: "ends " ends with a blank)"},
        {"/description", "\"\xC2\x9B\"", "is not one line of text"},
        {"/description", R"("two\nlines")", R"(description: "two\nlines" is not one line of text)"},
        {"/sha256", R"("0123")", R"(sha256: "0123" is not 64 lower-case hexadecimal digits)"},
        {"/sha256", R"("0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef")", "sha256: "},
        {"/input/height", "0", "input.height: 0 is not a whole number from 1 to 4096"},
        {"/input/width", "4097", "input.width: 4097 is not a whole number from 1 to 4096"},
        {"/input/width", "48.0", "input.width: 48.0 is not a whole number"},
        {"/input/width", "18446744073709551615", "input.width: 18446744073709551615 is not a whole number"},
        {"/input/channels", R"("BGR")", R"(input.channels: "BGR" is none of RGB)"},
        {"/input/layout", R"("NHWC")", R"(input.layout: "NHWC" is none of NCHW)"},
        {"/preprocess", "[]", "preprocess: the steps end at a size that depends on the image"},
        {"/preprocess/0/mode", R"("squish")",
         R"(preprocess[0].mode: "squish" is none of squash, shortest_side)"},
        {"/preprocess/0/interpolation", R"("best")",
         R"(preprocess[0].interpolation: "best" is none of area, linear, cubic)"},
        {"/preprocess/0/size", "20",
         "preprocess[7]: cuts 40x30 pixels out of images that can be as small as 20x20"},
        {"/preprocess/1/op", R"("sharpen")",
         R"(preprocess[1].op: "sharpen" is none of shrink_on_load, resize, center_crop, pad)"},
        {"/preprocess/1/kernel", "16", "preprocess[1].kernel: 16 is not odd"},
        {"/preprocess/1/threshold", "256",
         "preprocess[1].threshold: 256 is not a whole number from 0 to 255"},
        {"/preprocess/1/radius", "0", "preprocess[1].radius: 0 is not a number above 0"},
        {"/preprocess/2/size", "4", "preprocess[2].size: 4 is not odd"},
        {"/preprocess/2/size", "7", "preprocess[2].size: 7 is not a whole number from 3 to 5"},
        {"/preprocess/3/sigma", "-1", "preprocess[3].sigma: -1 is not a number above 0"},
        {"/preprocess/5/search_size", "20", "preprocess[5].search_size: 20 is not odd"},
        {"/preprocess/6/power", "0.5", "preprocess[6].power: 0.5 is not a number from 1 to 32"},
        {"/preprocess/8/value", "-1", "preprocess[8].value: -1 is not a whole number from 0 to 255"},
        {"/preprocess/9/width", "47", "preprocess: the steps end at 47x32 pixels, and input wants 48x32"},
        {"/normalise/scale", "0", "normalise.scale: 0 is not a number above 0"},
        {"/normalise/mean", "[0, 0]", "normalise.mean: 2 entries; it wants 3"},
        {"/normalise/std/1", "0", "normalise.std[1]: 0 is not a number above 0"},
        {"/output/kind", R"("relu")", R"(output.kind: "relu" is none of sigmoid, softmax)"},
        {"/output/kind", R"("sigmoid")", "output.classes: 3 classes; sigmoid wants exactly one"},
        {"/output/classes", R"(["a"])", "output.classes: 1 classes; softmax wants two or more"},
        {"/output/classes", R"(["a", "b", "a"])", R"(output.classes[2]: "a" stands there twice)"},
        {"/output/classes/1", R"("")", R"(output.classes[1]: "" is not one line of text)"},
        {"/output/malignant", "[]", "output.malignant: the list is empty"},
        {"/output/malignant", R"(["a", "d"])", R"(output.malignant[1]: "d" is none of the classes)"},
        {"/output/malignant", R"(["a", "b", "c"])", "output.malignant: all classes are malignant"},
        {"/calibration/kind", R"("isotonic")",
         R"(calibration.kind: "isotonic" is none of none, temperature, platt)"},
        {"/calibration/slope", "-1", "calibration.slope: -1 is not a number above 0"},
        {"/calibration", R"({"kind": "temperature", "temperature": 0})",
         "calibration.temperature: 0 is not a number above 0"},
        {"/calibration", R"({"kind": "none", "slope": 1})",
         R"(calibration: unknown key "slope"; the keys here are kind)"},
        {"/threshold", "1.5", "threshold: 1.5 is not a number from 0 to 1"},
        {"/threshold", "-0.1", "threshold: -0.1 is not a number from 0 to 1"},
        {"/operating_points/0/sensitivity", "1.1",
         "operating_points[0].sensitivity: 1.1 is not a number from 0 to 1"},
        {"/operating_points/0/name", R"("0.9")",
         R"(operating_points[0].name: "0.9" is a number; a name is needed)"},
        {"/operating_points/1",
         R"({"name": "sensitive", "threshold": 0.2, "sensitivity": 0.9, "specificity": 0.7})",
         R"(operating_points[1].name: "sensitive" is the name of another one too)"},
        {"/golden/cases", "[]", "golden.cases: the list is empty"},
        {"/golden/cases/0/seed", "4294967296", "golden.cases[0].seed: 4294967296 is not a whole number"},
        {"/golden/cases/0/outputs", "[0.5, 0.5]",
         "golden.cases[0].outputs: 2 entries; it wants one for each of the 3"},
        {"/golden/cases/0/outputs/0", "1.5", "golden.cases[0].outputs[0]: 1.5 is not a number from 0 to 1"},
        {"/golden/tolerance/cpu-fp32", "0", "golden.tolerance.cpu-fp32: 0 is not a number above 0"},
    };
    const Json valid = Json::parse(whole);
    for (const Case& one : cases) {
        Json changed = valid;
        changed[Json::json_pointer(one.pointer)] = Json::parse(one.value);
        const std::string message = refusal(changed.dump());
        CAPTURE(one.message);
        CHECK(message.substr(0, std::string("here/model.json: ").size()) == "here/model.json: ");
        CHECK_MESSAGE(contains(message, one.message), message);
    }
}

TEST_CASE("what is no JSON, has a key twice or is too deep is refused in one line") {
    CHECK(contains(refusal(""), "here/model.json: is not JSON: "));
    CHECK(contains(refusal("{\"format\": 1,\n}"), "is not JSON: parse error at line 2"));
    CHECK(contains(refusal("[]"), "here/model.json: [] is not an object"));
    CHECK(refusal(R"({"format": 1, "name": "a", "name": "b"})") ==
          R"(here/model.json: the key "name" stands twice in one object)");
    CHECK(contains(refusal(R"({"training": [{"a": {"b": 1}}, {"a": 1, "b": 2, "a": 3}]})"), "the key \"a\""));
    CHECK(contains(refusal(std::string(100000, '[')), "nested more than 32 deep"));
    CHECK(contains(refusal(R"({"format": 1, "threshold": 1e999})"), "is not JSON: "));
    for (const std::string& text : {std::string("\xff\xfe"), std::string("{\"format\": 1, \"na\nme\": 2}")}) {
        CHECK(refusal(text).find('\n') == std::string::npos);
    }
    // The same key in two objects, one in the other and side by side, is no fault.
    CHECK(contains(refusal(R"({"training": {"training": [{"a": 1}, {"a": 2}]}})"),
                   "format: this field is missing"));
}

TEST_CASE("a package is read with its network, packed or not") {
    const Model plain = load_model(models + "tiny-sigmoid");
    CHECK(plain.spec.name == "tiny-sigmoid");
    CHECK(plain.onnx == test::read_file(models + "tiny-sigmoid/model.onnx"));
    CHECK(plain.directory == models + "tiny-sigmoid");
    CHECK(plain.network == models + "tiny-sigmoid/model.onnx");
    const Model packed = load_model(models + "tiny-packed");
    CHECK(packed.onnx == plain.onnx);
    CHECK(packed.network == models + "tiny-packed/model.onnx.zst");
    CHECK(load_model_spec(models + "tiny-softmax").output.classes.size() == 3);
}

TEST_CASE("a package that is damaged or not whole is refused") {
    const TemporaryFolder folder;
    const auto message = [&] { return fatal_message([&] { load_model(folder.path()); }); };
    const std::string json = test::read_file(models + "tiny-packed/model.json");
    const std::string packed = test::read_file(models + "tiny-packed/model.onnx.zst");
    const std::string plain = test::read_file(models + "tiny-sigmoid/model.onnx");

    CHECK(contains(message(), "/model.json: no such file"));
    folder.write("model.json", json);
    CHECK(contains(message(), "has neither model.onnx nor model.onnx.zst"));
    CHECK(load_model_spec(folder.path()).name == "tiny-packed");

    folder.write("model.onnx.zst", "this was never packed");
    CHECK(contains(message(), "model.onnx.zst: is not packed with zstd"));
    folder.write("model.onnx.zst", "");
    CHECK(contains(message(), "model.onnx.zst: "));
    for (std::size_t length = 1; length < packed.size(); ++length) {
        folder.write("model.onnx.zst", std::string_view(packed).substr(0, length));
        CHECK(contains(message(), "model.onnx.zst: "));
    }
    for (std::size_t place = 0; place < packed.size(); ++place) {
        std::string flipped = packed;
        flipped[place] = static_cast<char>(flipped[place] ^ 0x10);
        folder.write("model.onnx.zst", flipped);
        const std::string why = message();  // a bit may mean nothing: then the content must be the right one
        CHECK((contains(why, "model.onnx.zst: ") || load_model(folder.path()).onnx == plain));
    }
    folder.write("model.onnx.zst", packed);
    CHECK(message() == "");
}

TEST_CASE("a network with another hash is refused") {
    const TemporaryFolder folder;
    const Model tiny = load_model(models + "tiny-sigmoid");
    folder.write("model.json", test::read_file(models + "tiny-sigmoid/model.json"));
    folder.write("model.onnx", "skincheck");
    // Checked with `printf skincheck | sha256sum`.
    CHECK(fatal_message([&] { load_model(folder.path()); }) ==
          folder / "model.onnx" + ": its SHA-256 begins with 9c9da01cf089, and model.json wants " +
              tiny.spec.sha256.substr(0, 12) + "; the package is damaged or was changed: install it again");
}

TEST_CASE("files of a package that cannot be read say why") {
    const TemporaryFolder folder;
    const auto message = [&] { return fatal_message([&] { load_model(folder.path()); }); };
    std::filesystem::create_directory(folder / "model.json");
    CHECK(contains(message(), "model.json: is not a file"));
    std::filesystem::remove(folder / "model.json");
    folder.write("model.json", test::read_file(models + "tiny-sigmoid/model.json"));
    folder.write("model.onnx", "");
    std::filesystem::permissions(folder / "model.onnx", std::filesystem::perms::none);
    if (geteuid() == 0) {
        MESSAGE("root reads every file: not tested");
    } else {
        CHECK(contains(message(), "model.onnx: cannot be read: Permission denied"));
    }
    CHECK(contains(fatal_message([&] { load_model(folder / "model.onnx"); }),
                   "model.onnx/model.json: cannot be read"));
}

TEST_CASE("a model is found by folder and by name") {
    CHECK(find_model(models + "tiny-sigmoid") == models + "tiny-sigmoid");
    CHECK(find_model(models + "tiny-sigmoid//") == models + "tiny-sigmoid");
    CHECK(find_model("/") == "/");
    CHECK(contains(fatal_message([] { find_model("no/such/folder"); }), "no/such/folder: no such folder"));

    const TemporaryFolder one;
    const TemporaryFolder two;
    two.write("mine/model.json", "{}");
    one.write("yours/model.json", "{}");
    two.write("yours/model.json", "{}");
    one.write("mine/readme.txt", "a folder of this name, but no package");
    const Environment path("SKINCHECK_MODEL_PATH", one.path() + "::" + two.path());
    CHECK(find_model("mine") == two / "mine");
    CHECK(find_model("yours") == one / "yours");

    const std::string message = fatal_message([] { find_model("no-such-model"); });
    for (const std::string& place :
         {std::string("./no-such-model"), one / "no-such-model", two / "no-such-model",
          std::string("/share/skincheck/models/no-such-model"), std::string("--model DIR"),
          std::string("SKINCHECK_MODEL_PATH")}) {
        CHECK_MESSAGE(contains(message, place), message);
    }
}

TEST_CASE("a folder here that is a package is found by its bare name") {
    const TemporaryFolder folder;
    folder.write("local/model.json", "{}");
    folder.write(std::string(default_model_name) + "/model.json", "{}");
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    const std::string found = find_model("local");
    const std::string default_one = find_model(default_model_name);
    std::string unnamed;
    const std::string message = fatal_message([&] { unnamed = find_model(""); });  // where none is installed
    std::filesystem::current_path(before);
    CHECK(found == "./local");
    CHECK(default_one == "./" + std::string(default_model_name));
    CHECK_FALSE(unnamed.starts_with("."));
    CHECK_FALSE(contains(message, "./"));
}

TEST_CASE("a sigmoid's output is the malignancy") {
    const ModelSpec spec = sigmoid_spec();
    CHECK(score_of(0.25F, spec) == 0.25);
    CHECK(score_of(0.12345678F, spec) == 0.123457);
    CHECK(score_of(0, spec) == 0);
    CHECK(score_of(1, spec) == 1);
    CHECK(score_of(1.00005F, spec) == 1);
    CHECK_FALSE(std::signbit(score_of(-0.00005F, spec)));
    CHECK_FALSE(std::signbit(score_of(-0.0F, spec)));
    const float output = 0.25F;
    CHECK(to_score(std::span(&output, 1), spec)->probabilities.empty());
}

TEST_CASE("temperature and Platt move the logit") {
    ModelSpec spec = sigmoid_spec();
    spec.calibration = {CalibrationKind::temperature, 2, 1, 0};
    // p = 0.8: odds 4, half of the logit is odds 2.
    CHECK(score_of(0.8F, spec) == doctest::Approx(2.0 / 3).epsilon(1e-6));
    CHECK(score_of(0.5F, spec) == 0.5);
    spec.calibration.temperature = 0.5;
    CHECK(score_of(0.8F, spec) == doctest::Approx(16.0 / 17).epsilon(1e-6));

    spec.calibration = {CalibrationKind::platt, 1, 2, std::log(3)};
    // p = 0.75: odds 3, squared and times 3 gives odds 27.
    CHECK(score_of(0.75F, spec) == doctest::Approx(27.0 / 28).epsilon(1e-6));
    CHECK(score_of(0.5F, spec) == doctest::Approx(0.75).epsilon(1e-6));

    for (const float edge : {0.0F, 1.0F}) {
        for (const double slope : {1e-3, 1.0, 1000.0}) {
            spec.calibration = {CalibrationKind::platt, 1, slope, 1000};
            CHECK(score_of(edge, spec) >= 0);
            CHECK(score_of(edge, spec) <= 1);
            spec.calibration = {CalibrationKind::temperature, slope, 1, 0};
            CHECK((edge == 1.0F ? score_of(edge, spec) > 0.5 : score_of(edge, spec) < 0.5));
        }
    }
}

TEST_CASE("a softmax's malignancy is the sum over the malignant classes") {
    ModelSpec spec = softmax_spec();
    const std::vector<float> outputs{0.5F, 0.2F, 0.3F};
    const auto plain = to_score(outputs, spec);
    REQUIRE(plain);
    CHECK(plain->malignancy == 0.5);
    CHECK(plain->probabilities == std::vector<double>{0.5, 0.2, 0.3});

    // Temperature 1/2 squares: 0.25, 0.04, 0.09 of 0.38.
    spec.calibration = {CalibrationKind::temperature, 0.5, 1, 0};
    const auto warm = to_score(outputs, spec);
    REQUIRE(warm);
    CHECK(warm->malignancy == doctest::Approx(0.13 / 0.38).epsilon(1e-5));
    CHECK(warm->probabilities == std::vector<double>{0.657895, 0.105263, 0.236842});

    // Platt moves the malignancy alone: odds 1 times 3.
    spec.calibration = {CalibrationKind::platt, 1, 1, std::log(3)};
    const auto platt = to_score(outputs, spec);
    REQUIRE(platt);
    CHECK(platt->malignancy == 0.75);
    CHECK(platt->probabilities == std::vector<double>{0.5, 0.2, 0.3});

    spec.calibration = {CalibrationKind::temperature, 0.001, 1, 0};
    const auto cold = to_score(outputs, spec);
    REQUIRE(cold);
    CHECK(cold->malignancy == 0);
    CHECK(cold->probabilities == std::vector<double>{1, 0, 0});

    // Rounding may carry the sum over 1.
    spec.calibration = {};
    const auto over = to_score(std::vector<float>{0, 0.6F, 0.404F}, spec);
    REQUIRE(over);
    CHECK(over->malignancy == 1);
}

TEST_CASE("an output that is not finite gives no score") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    for (const float output : {nan, infinity, -infinity}) {
        CHECK_FALSE(to_score(std::vector<float>{output}, sigmoid_spec()));
        CHECK_FALSE(to_score(std::vector<float>{0.5F, 0.5F, output}, softmax_spec()));
    }
}

TEST_CASE("outputs that are no probabilities are the model's fault") {
    const auto message = [](const std::vector<float>& outputs, const ModelSpec& spec) {
        return fatal_message([&] { to_score(outputs, spec); });
    };
    CHECK(contains(message({1.5F}, sigmoid_spec()), "answered 1.5, which is no probability"));
    CHECK(contains(message({-2}, sigmoid_spec()), "its network lacks the sigmoid at its end"));
    CHECK(contains(message({0.5F, 0.5F}, sigmoid_spec()), "answered 2 numbers for its 1 classes"));
    CHECK(contains(message({}, sigmoid_spec()), "answered 0 numbers"));
    CHECK(contains(message({0.5F, 0.5F, 0.5F}, softmax_spec()), "add up to 1.5, not 1"));
    CHECK(contains(message({1}, softmax_spec()), "answered 1 numbers for its 3 classes"));
}
