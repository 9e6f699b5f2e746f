#include "merge/part.hpp"

#include "result/base64.hpp"
#include "result/number.hpp"
#include "table/csv_reader.hpp"
#include "table/json_input.hpp"
#include "table/text_input.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace skincheck {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view no_shard = "it names no shard; only what was written with --shard can be merged";

/// The texts of a row by the names of their columns; what is absent is empty.
using Fields = std::vector<std::pair<std::string, std::string>>;

std::optional<double> probability_in(std::string_view text) {
    const auto value = number_in<double>(text);
    return value && *value >= 0 && *value <= 1 ? value : std::nullopt;
}

/// No row has more than a database can number.
std::optional<std::uint64_t> item_in(std::string_view text) {
    const auto value = number_in<std::uint64_t>(text);
    return value && *value <= std::numeric_limits<std::int64_t>::max() ? value : std::nullopt;
}

/// Gathers what the rows of one file say.
class PartReader {
  public:
    PartReader(std::string file, const std::function<void(const Row&)>& on_row) : on_row_(on_row) {
        part_.file = std::move(file);
    }

    Part& part() { return part_; }
    void set_classes(const std::vector<std::string>& names);
    void row(const Fields& fields);
    /// What a JSON document's head says of what its rows have in common.
    void head(std::string_view name, std::string& fact, const std::string& text) const;

    /// `what` is wrong with the row that was counted last.
    [[noreturn]] void refuse(std::string_view what) const {
        throw Fatal(ExitCode::usage, fmt::format("{}: row {}: {}", part_.file, rows_, what));
    }

  private:
    template <typename Value>
    Value need(const std::optional<Value>& value, std::string_view name, const std::string& text) const;
    bool set_fact(std::string_view name, const std::string& text);
    bool set_score(Row& row, std::string_view name, const std::string& text);
    void set(Row& row, std::string_view name, const std::string& text);
    void set_same(std::string& fact, const std::string& text, std::string_view name) const;

    const std::function<void(const Row&)>& on_row_;
    Part part_;
    std::uint64_t rows_ = 0;
    std::string base64_;       // of this row
    bool malignancy_ = false;  // of this row: it has one
};

/// The classes are the columns p_...; known from a header even if there is no row.
void PartReader::set_classes(const std::vector<std::string>& names) {
    std::vector<std::string> classes;
    for (const std::string& name : names) {
        if (name.starts_with("p_")) {
            classes.push_back(name.substr(2));
        }
    }
    if (rows_ > 0 && classes != part_.facts.classes) {
        refuse("it has other classes than the rows before it");
    }
    part_.facts.classes = std::move(classes);
}

void PartReader::set_same(std::string& fact, const std::string& text, std::string_view name) const {
    if (text != fact && !fact.empty()) {
        refuse(fmt::format("its {} is {}, and {} before it", name, text, fact));
    }
    fact = text;
}

void PartReader::head(std::string_view name, std::string& fact, const std::string& text) const {
    if (!fact.empty() && fact != text) {
        throw Fatal(ExitCode::usage, fmt::format("{}: at its head the {} is {}, and {} in its rows",
                                                 part_.file, name, one_line(text), fact));
    }
    fact = text;
}

template <typename Value>
Value PartReader::need(const std::optional<Value>& value, std::string_view name,
                       const std::string& text) const {
    if (!value) {
        refuse(fmt::format("'{}' is no {} that skincheck writes", one_line(text), name));
    }
    return *value;
}

/// What is the same in all rows of a part. False for any other column.
bool PartReader::set_fact(std::string_view name, const std::string& text) {
    if (name == "threshold") {
        need(probability_in(text), name, text);
        set_same(part_.facts.threshold, text, name);
    } else if (name == "model") {
        set_same(part_.facts.model, text, name);
    } else if (name == shard_field) {
        const Shard shard = need(parse_shard(text), name, text);
        if (part_.shard && *part_.shard != shard) {
            refuse(fmt::format("it is of part {}, and those before it of {}", text, to_string(*part_.shard)));
        }
        part_.shard = shard;
    } else {
        return false;
    }
    return true;
}

/// What the network said; empty where it said nothing. False for any other column.
bool PartReader::set_score(Row& row, std::string_view name, const std::string& text) {
    if (name != "malignancy" && name != "label" && !name.starts_with("p_")) {
        return false;
    }
    if (text.empty()) {
        return true;
    }
    if (name == "label") {
        row.label = need(parse_label(text), name, text);
        return true;
    }
    row.score = row.score.value_or(Score{});
    const double value = need(probability_in(text), name, text);
    if (name == "malignancy") {
        row.score->malignancy = value;
        malignancy_ = true;
    } else {
        row.score->probabilities.push_back(value);
    }
    return true;
}

void PartReader::set(Row& row, std::string_view name, const std::string& text) {
    if (name == "path") {
        row.path = text;
    } else if (name == "path_base64") {
        base64_ = need(from_base64(text), name, text);
    } else if (name == "status") {
        row.status = need(parse_status(text), name, text);
    } else if (name == "error") {
        row.error = text;
    } else if (name == item_field) {
        row.number = need(item_in(text), name, text);
    } else if (name == inputs_field) {
        row.digest = need(number_in<std::uint64_t>(text, 16), name, text);
    } else if (!set_fact(name, text) && !set_score(row, name, text)) {
        refuse(fmt::format("'{}' is no column that skincheck writes", one_line(name)));
    }
}

void PartReader::row(const Fields& fields) {
    ++rows_;
    Row row;
    base64_.clear();
    malignancy_ = false;
    for (const auto& [name, text] : fields) {
        set(row, name, text);
    }
    if (!base64_.empty()) {
        row.path = base64_;
    }
    if (!part_.shard || row.number == 0 || row.digest == 0) {
        refuse(no_shard);
    }
    if (shard_index_of(row.number, part_.shard->count) != part_.shard->index) {
        refuse(fmt::format("item {} does not belong to part {}", row.number, to_string(*part_.shard)));
    }
    if (malignancy_ != row.label.has_value()) {
        refuse("it has a malignancy without a label, or a label without a malignancy");
    }
    if (malignancy_ && !part_.facts.threshold.empty() &&
        *row.label != decide(row.score->malignancy, need(probability_in(part_.facts.threshold), "threshold",
                                                         part_.facts.threshold))) {
        refuse("its label is not that of its malignancy and threshold");
    }
    if (malignancy_ ? row.status != Status::ok && row.status != Status::truncated
                    : row.status == Status::ok) {
        refuse("its status and its malignancy do not go together");
    }
    if (row.score && (!malignancy_ || row.score->probabilities.size() != part_.facts.classes.size())) {
        refuse("it has some of the malignancy and the probabilities of the classes, and not all");
    }
    on_row_(row);
}

void read_csv_part(TextInput& text, PartReader& reader) {
    std::vector<std::string> names;
    Fields fields;
    read_csv(text, [&](const CsvRecord& record) {
        if (names.empty()) {
            names.assign(record.fields.begin(), record.fields.end());
            if (std::find(names.begin(), names.end(), shard_field) == names.end()) {
                throw Fatal(ExitCode::usage, fmt::format("{}: {}", text.name(), no_shard));
            }
            reader.set_classes(names);
            for (const std::string& name : names) {
                fields.emplace_back(name, "");
            }
            return;
        }
        for (std::size_t i = 0; i < names.size(); ++i) {
            fields[i].second = record.fields[i];
        }
        reader.row(fields);
    });
    if (names.empty()) {
        throw Fatal(ExitCode::usage, fmt::format("{}: it is empty, without even a header", text.name()));
    }
}

void add_row(const Json& object, PartReader& reader) {
    Fields fields;
    std::vector<std::string> names;
    for (const auto& [name, value] : object.items()) {
        names.push_back(name);
        fields.emplace_back(name, value.is_null()     ? ""
                                  : value.is_string() ? value.get<std::string>()
                                                      : value.dump());
    }
    reader.set_classes(names);
    reader.row(fields);
}

/// A callback that hands all on to `keep`; what follows a parser goes through values by recursion.
template <typename Keep>
auto within_limits(const std::string& file, const Keep& keep) {
    return [&file, keep](int depth, Json::parse_event_t event, const Json& value) {
        if (depth > deepest_json) {
            throw Fatal(ExitCode::usage, fmt::format("{}: nested more than {} deep", file, deepest_json));
        }
        return keep(depth, event, value);
    };
}

std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

void read_json_part(TextInput& text, PartReader& reader) {
    std::string key;
    std::size_t token_start = text.offset();
    // Rows are handed on and dropped as they come: only the head stays.
    const auto keep = [&](int depth, Json::parse_event_t event, const Json& value) {
        token_start = text.offset();
        if (depth == 1 && event == Json::parse_event_t::key) {
            key = value.get<std::string>();
        }
        const bool is_row = depth == 2 && event == Json::parse_event_t::object_end && key == "results";
        if (is_row) {
            add_row(value, reader);
        }
        return !is_row;
    };
    const JsonBytes bytes(text, token_start);
    const Json head = Json::parse(bytes, bytes, within_limits(reader.part().file, keep));
    const Json tool = head.value("skincheck", Json::object());
    const Json model = head.value("model", Json::object());
    PartFacts& facts = reader.part().facts;
    facts.precision = text_of(tool, "precision");
    facts.views = tool.value("views", 1);
    facts.preprocessing = head.value("preprocessing", Json()).dump();
    facts.model_version = text_of(model, "version");
    facts.model_sha256 = text_of(model, "sha256");
    reader.head("model", facts.model,
                fmt::format("{}@{}", text_of(model, "name"), facts.model_sha256.substr(0, 12)));
    reader.head("threshold", facts.threshold, head.value("threshold", Json()).dump());
    std::vector<std::string> classes;
    for (const Json& name : model.value("classes", Json::array())) {
        classes.push_back(name.get<std::string>());
    }
    if (!facts.classes.empty() && facts.classes != classes) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}: its head has other classes than its rows", reader.part().file));
    }
    facts.classes = std::move(classes);
    reader.part().device = text_of(tool, "device");
    reader.part().engine = text_of(tool, "engine");
}

/// The next line, without its end; false behind the last.
bool next_line(TextInput& text, std::string& line) {
    line.clear();
    const bool there = !text.at_end();
    while (!text.at_end() && text.current() != '\n') {
        if (line.size() == longest_row) {
            refuse_line(text.name(), text.line(), "more than 1 MiB in one row; is it of skincheck?");
        }
        line += text.current();
        text.advance();
    }
    if (!text.at_end()) {
        text.advance();
    }
    return there;
}

void read_json_lines_part(TextInput& text, PartReader& reader) {
    for (std::string line; next_line(text, line);) {
        const auto keep = [](int, Json::parse_event_t, const Json&) { return true; };
        add_row(Json::parse(line, within_limits(reader.part().file, keep)), reader);
    }
}

/// By its first line: a header, a row in braces, or the brace that a JSON document begins with.
Format format_of(TextInput& text) {
    if (text.at_end()) {
        return Format::jsonl;  // without a row
    }
    if (text.current() != '{') {
        return Format::csv;
    }
    return text.rest_of_block().starts_with("{\n") ? Format::json : Format::jsonl;
}

}  // namespace

std::optional<std::string> PartFacts::difference(const PartFacts& other) const {
    const std::pair<const char*, bool> comparisons[] = {
        {"format", format == other.format},
        {"model", model.empty() || other.model.empty() || model == other.model},
        {"model", model_sha256 == other.model_sha256 && model_version == other.model_version},
        {"threshold", threshold.empty() || other.threshold.empty() || threshold == other.threshold},
        {"preprocessing", preprocessing == other.preprocessing},
        {"precision", precision == other.precision},
        {"number of views", views == other.views},
        {"classes", classes == other.classes || model.empty() || other.model.empty()},
    };
    for (const auto& [name, same] : comparisons) {
        if (!same) {
            return name;
        }
    }
    return std::nullopt;
}

Part read_part(const std::string& file, const std::function<void(const Row&)>& on_row) {
    PartReader reader(file, on_row);
    struct stat status {};
    if (file == "-" || (stat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode))) {
        // Ctrl-C would not end the wait for a pipe.
        throw Fatal(ExitCode::usage, fmt::format("{}: a part must be a file; write it to one first", file));
    }
    TextInput text(file);
    reader.part().facts.format = format_of(text);
    try {
        switch (reader.part().facts.format) {
            case Format::json:
                read_json_part(text, reader);
                break;
            case Format::jsonl:
                read_json_lines_part(text, reader);
                break;
            default:
                read_csv_part(text, reader);
        }
    } catch (const nlohmann::json::exception& error) {
        throw Fatal(ExitCode::usage, fmt::format("{}: it is no JSON that skincheck writes ({})", file,
                                                 one_line(error.what())));
    }
    return std::move(reader.part());
}

}  // namespace skincheck
