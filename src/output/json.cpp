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

Json row_object(const Row& row, const Provenance& provenance, const std::string& model_id) {
    Json object;
    object["path"] = row.path;
    if (!is_utf8(row.path)) {
        object["path_base64"] = base64(row.path);
    }
    object["status"] = to_string(row.status);
    object["malignancy"] = row.score ? Json(row.score->malignancy) : Json();
    object["label"] = row.label ? Json(to_string(*row.label)) : Json();
    object["threshold"] = provenance.threshold;
    object["model"] = model_id;
    object["error"] = row.error.empty() ? Json() : Json(row.error);
    if (provenance.model.output.multi_class()) {
        const auto& classes = provenance.model.output.classes;
        for (std::size_t i = 0; i < classes.size(); ++i) {
            const bool known = row.score && i < row.score->probabilities.size();
            object["p_" + classes[i]] = known ? Json(row.score->probabilities[i]) : Json();
        }
    }
    if (provenance.shard) {
        object[shard_field] = to_string(*provenance.shard);
        object[item_field] = row.number;
        object[inputs_field] = fmt::format("{:016x}", row.digest);
    }
    return object;
}

class JsonLinesWriter final : public Writer {
  public:
    JsonLinesWriter(Provenance provenance, Destination& destination)
        : provenance_(std::move(provenance)), model_id_(provenance_.model.id()), destination_(destination) {}

    void begin() override {}
    void row(const Row& row) override {
        destination_.write(dump(row_object(row, provenance_, model_id_)) + '\n');
    }
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
        destination_.write("{\n  \"skincheck\": " + dump(tool) + ",\n  \"model\": " + dump(network) +
                           ",\n  \"threshold\": " + dump(provenance_.threshold) + ",\n  \"preprocessing\": " +
                           dump(preprocessing.is_discarded() ? Json() : preprocessing) +
                           ",\n  \"results\": [");
    }

    void row(const Row& row) override {
        destination_.write((first_ ? "\n    " : ",\n    ") + dump(row_object(row, provenance_, model_id_)));
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
