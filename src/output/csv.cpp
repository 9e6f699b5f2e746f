#include "skincheck/output.hpp"

#include "writers.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace skincheck {
namespace {

class CsvWriter final : public Writer {
  public:
    CsvWriter(Provenance provenance, Destination& destination)
        : provenance_(std::move(provenance)),
          // The same in every row, between the label and the error.
          constants_(fmt::format("{},{}", provenance_.threshold, csv_field(provenance_.model.id()))),
          destination_(destination) {}

    void begin() override {
        std::string line = "path,status,malignancy,label,threshold,model,error";
        if (provenance_.model.output.multi_class()) {
            for (const std::string& name : provenance_.model.output.classes) {
                line += ',' + csv_field("p_" + name);
            }
        }
        if (provenance_.shard) {
            line += fmt::format(",{},{},{}", shard_field, item_field, inputs_field);
        }
        destination_.write(line + '\n');
    }

    void row(const Row& row) override {
        fmt::memory_buffer line;
        const auto out = std::back_inserter(line);
        fmt::format_to(out, "{},{},", csv_field(row.path), to_string(row.status));
        if (row.score) {
            fmt::format_to(out, "{:.6f}", row.score->malignancy);
        }
        fmt::format_to(out, ",{},{},{}", row.label ? to_string(*row.label) : "", constants_,
                       csv_field(row.error));
        if (provenance_.model.output.multi_class()) {
            write_probabilities(row, line);
        }
        if (provenance_.shard) {
            fmt::format_to(out, ",{},{},{:016x}", to_string(*provenance_.shard), row.number, row.digest);
        }
        line.push_back('\n');
        destination_.write({line.data(), line.size()});
    }

    void end(const Summary&) override {}

  private:
    void write_probabilities(const Row& row, fmt::memory_buffer& line) const {
        for (std::size_t i = 0; i < provenance_.model.output.classes.size(); ++i) {
            line.push_back(',');
            if (row.score && i < row.score->probabilities.size()) {
                fmt::format_to(std::back_inserter(line), "{:.6f}", row.score->probabilities[i]);
            }
        }
    }

    Provenance provenance_;
    std::string constants_;
    Destination& destination_;
};

}  // namespace

std::string csv_field(std::string_view value) {
    if (value.find_first_of(",\"\r\n") == std::string_view::npos) {
        return std::string(value);
    }
    std::string quoted = "\"";
    for (const char c : value) {
        if (c == '"') {
            quoted += '"';
        }
        quoted += c;
    }
    return quoted + '"';
}

std::unique_ptr<Writer> csv_writer(Provenance provenance, Destination& destination) {
    return std::make_unique<CsvWriter>(std::move(provenance), destination);
}

}  // namespace skincheck
