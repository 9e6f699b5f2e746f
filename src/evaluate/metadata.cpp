#include "evaluate/readers.hpp"
#include "table/csv_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace skincheck {
namespace {

class Metadata {
  public:
    Metadata(Truth& truth, const std::string& file, const CsvRecord& header, const TruthOptions& options);
    void row(const CsvRecord& record);
    void finish();
    bool found_any() const { return std::find(found_.begin(), found_.end(), 1) != found_.end(); }
    const std::string& first_id() const { return first_id_; }

  private:
    Truth& truth_;
    std::size_t id_ = 0;
    std::vector<std::size_t> columns_;                         ///< those that the truth did not have
    std::vector<std::pair<std::size_t, std::size_t>> shared_;  ///< with a column of the truth: here, there
    std::unordered_map<std::string_view, std::size_t> cases_;
    std::vector<char> found_;
    std::string first_id_;
    FaultList faults_;
};

std::size_t id_column(const std::string& file, const std::vector<std::string>& names,
                      const TruthOptions& options) {
    if (!options.metadata_id_column.empty()) {
        return need_column(file, names, options.metadata_id_column, "--metadata-id-column");
    }
    const auto as_in_truth = options.id_column.empty() ? std::nullopt : find_column(names, options.id_column);
    const auto id = as_in_truth ? as_in_truth : usual_id_column(names);
    if (!id) {
        throw Fatal(ExitCode::usage, fmt::format("{}: which column of the metadata holds the ids? {}", file,
                                                 advice_on_columns(names, "--metadata-id-column")));
    }
    return *id;
}

Metadata::Metadata(Truth& truth, const std::string& file, const CsvRecord& header,
                   const TruthOptions& options)
    : truth_(truth), found_(truth.cases.size(), 0) {
    const std::vector<std::string> names = column_names(header.fields);
    id_ = id_column(file, names, options);
    const std::size_t of_truth = truth_.columns.size();
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto known = find_column(truth_.columns, names[i]);
        if (i != id_ && !known) {
            columns_.push_back(i);
            truth_.columns.push_back(names[i]);
        } else if (i != id_ && *known < of_truth) {
            shared_.emplace_back(i, *known);
        }
    }
    cases_.reserve(truth_.cases.size());
    for (std::size_t i = 0; i < truth_.cases.size(); ++i) {
        cases_.emplace(truth_.cases[i].id, i);
    }
}

void Metadata::row(const CsvRecord& record) {
    const std::string id = image_id(trimmed(record.fields[id_]));
    if (first_id_.empty()) {
        first_id_ = id;
    }
    const auto entry = cases_.find(id);
    if (entry == cases_.end()) {
        return;
    }
    if (found_[entry->second] != 0) {
        faults_.add("duplicates in the metadata", id, false);
        return;
    }
    found_[entry->second] = 1;
    auto& values = truth_.cases[entry->second].values;
    for (const auto& [here, there] : shared_) {
        if (is_unknown(values[there])) {
            values[there] = trimmed(record.fields[here]);
        }
    }
    for (const std::size_t column : columns_) {
        values.emplace_back(trimmed(record.fields[column]));
    }
}

void Metadata::finish() {
    for (std::size_t i = 0; i < truth_.cases.size(); ++i) {
        if (found_[i] == 0) {
            faults_.add("no metadata", truth_.cases[i].id, false);
            truth_.cases[i].values.resize(truth_.columns.size());
        }
    }
    for (Fault& fault : faults_.take()) {
        truth_.faults.push_back(std::move(fault));
    }
}

}  // namespace

void add_metadata(Truth& truth, TextInput& text, const TruthOptions& options) {
    std::optional<Metadata> metadata;
    bool rows = false;
    read_csv(text, [&](const CsvRecord& record) {
        if (!metadata) {
            metadata.emplace(truth, text.name(), record, options);
        } else {
            rows = true;
            metadata->row(record);
        }
    });
    if (!rows) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}: {}", text.name(),
                                metadata ? "a header and no rows; a table of metadata is needed"
                                         : "is empty; a table of metadata is needed"));
    }
    if (!metadata->found_any()) {
        throw Fatal(
            ExitCode::usage,
            fmt::format(
                "{}: none of its ids (first id '{}') is in {} (first id '{}'); name the column of the "
                "ids with --metadata-id-column, or leave --metadata out",
                text.name(), metadata->first_id(), truth.file,
                truth.cases.empty() ? "" : truth.cases.front().id));
    }
    metadata->finish();
}

}  // namespace skincheck
