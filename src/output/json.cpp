#include "skincheck/output.hpp"

#include "result/base64.hpp"
#include "writers.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <opencv2/core/utility.hpp>

#include <utility>

namespace skincheck {
namespace {

using Json = nlohmann::ordered_json;

/// UTF-8 is written as it is; bytes that are none become U+FFFD.
std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Exactly what dump() would not have to replace.
bool is_utf8(const std::string& bytes) {
    try {
        [[maybe_unused]] const std::string text = Json(bytes).dump();
        return true;
    } catch (const Json::type_error&) {
        return false;
    }
}

/// The shortest text that reads as this number, as in CSV; dump() has a few digits more for one number in
/// 700.
std::string number_text(double number) {
    std::string text = fmt::format("{}", number);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

/// An object in one line, member by member.
class ObjectText {
  public:
    void add(std::string_view name, const Json& value) { add_text(name, dump(value)); }
    void add(std::string_view name, double value) { add_text(name, number_text(value)); }
    std::string take() { return std::move(text_) + "}"; }

  private:
    void add_text(std::string_view name, const std::string& value) {
        text_ += text_.empty() ? '{' : ',';
        text_ += dump(Json(name));
        text_ += ':';
        text_ += value;
    }

    std::string text_;
};

std::string row_text(const Row& row, const Provenance& provenance, const std::string& model_id) {
    ObjectText object;
    object.add("path", Json(row.path));
    if (!is_utf8(row.path)) {
        object.add("path_base64", Json(base64(row.path)));
    }
    object.add("status", Json(to_string(row.status)));
    if (row.score) {
        object.add("malignancy", row.score->malignancy);
    } else {
        object.add("malignancy", Json());
    }
    object.add("label", row.label ? Json(to_string(*row.label)) : Json());
    object.add("threshold", provenance.threshold);
    object.add("model", Json(model_id));
    object.add("error", row.error.empty() ? Json() : Json(row.error));
    if (provenance.model.output.multi_class()) {
        const auto& classes = provenance.model.output.classes;
        for (std::size_t i = 0; i < classes.size(); ++i) {
            if (row.score && i < row.score->probabilities.size()) {
                object.add("p_" + classes[i], row.score->probabilities[i]);
            } else {
                object.add("p_" + classes[i], Json());
            }
        }
    }
    if (provenance.shard) {
        object.add(shard_field, Json(to_string(*provenance.shard)));
        object.add(item_field, Json(row.number));
        object.add(inputs_field, Json(fmt::format("{:016x}", row.digest)));
    }
    return object.take();
}

class JsonLinesWriter final : public Writer {
  public:
    JsonLinesWriter(Provenance provenance, Destination& destination)
        : provenance_(std::move(provenance)), model_id_(provenance_.model.id()), destination_(destination) {}

    void begin() override {}
    void row(const Row& row) override { destination_.write(row_text(row, provenance_, model_id_) + '\n'); }
    void end(const Summary&) override {}

  private:
    Provenance provenance_;
    std::string model_id_;
    Destination& destination_;
};

Json summary_object(const Summary& summary) {
    Json by_status = Json::object();
    for (int i = 0; i < status_count; ++i) {
        const auto status = static_cast<Status>(i);
        if (summary.count(status) > 0) {
            by_status[std::string(to_string(status))] = summary.count(status);
        }
    }
    Json object;
    object["rows"] = summary.rows;
    object["by_status"] = std::move(by_status);
    object["by_label"] = {{"benign", summary.benign}, {"malignant", summary.malignant}};
    return object;
}

/// One object, written as the rows come: a member a line and a row a line.
class JsonWriter final : public Writer {
  public:
    JsonWriter(Provenance provenance, Destination& destination)
        : provenance_(std::move(provenance)), model_id_(provenance_.model.id()), destination_(destination) {}

    void begin() override {
        const ModelSpec& model = provenance_.model;
        const Json tool = {{"version", SKINCHECK_VERSION},       {"opencv", cv::getVersionString()},
                           {"device", provenance_.device},       {"engine", provenance_.engine},
                           {"precision", provenance_.precision}, {"views", provenance_.views}};
        const Json network = {{"name", model.name},
                              {"version", model.version},
                              {"sha256", model.sha256},
                              {"classes", model.output.classes}};
        const Json preprocessing = Json::parse(model.preprocess_json, nullptr, false);
        destination_.write(
            "{\n  \"skincheck\": " + dump(tool) + ",\n  \"model\": " + dump(network) +
            ",\n  \"threshold\": " + number_text(provenance_.threshold) + ",\n  \"preprocessing\": " +
            dump(preprocessing.is_discarded() ? Json() : preprocessing) + ",\n  \"results\": [");
    }

    void row(const Row& row) override {
        destination_.write((first_ ? "\n    " : ",\n    ") + row_text(row, provenance_, model_id_));
        first_ = false;
    }

    void end(const Summary& summary) override {
        destination_.write((first_ ? "" : "\n  ") + ("],\n  \"summary\": " + dump(summary_object(summary))) +
                           "\n}\n");
    }

  private:
    Provenance provenance_;
    std::string model_id_;
    Destination& destination_;
    bool first_ = true;
};

}  // namespace

std::unique_ptr<Writer> json_writer(Provenance provenance, Destination& destination) {
    return std::make_unique<JsonWriter>(std::move(provenance), destination);
}

std::unique_ptr<Writer> json_lines_writer(Provenance provenance, Destination& destination) {
    return std::make_unique<JsonLinesWriter>(std::move(provenance), destination);
}

}  // namespace skincheck
