#include "evaluate/readers.hpp"
#include "evaluate/truth_layout.hpp"
#include "table/csv_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

namespace skincheck {
namespace {

constexpr std::string_view unknown_truth = "unknown truth";
constexpr std::size_t most_classes = 100;  // more are not diagnoses; a confusion matrix has the square of it

/// What a row says. `unknown` rows are not cases.
enum class Verdict { benign, malignant, unknown };

/// The values of a label column, numbered as they come; upper and lower case are one, by the first's name.
class Values {
  public:
    Values(const std::string& file, const TruthLayout& layout)
        : file_(file), layout_(layout), matched_(layout.malignant.size(), false) {}

    int number(std::string_view value, std::size_t line);
    bool malignant(int number) const { return malignant_[static_cast<std::size_t>(number)] != 0; }
    /// That each value of --positive occurs.
    void check() const;
    /// Sorted, with what becomes of each number; nothing when the values are no diagnoses.
    std::vector<std::string> classes(std::vector<int>& renumbered) const;

  private:
    const std::string& file_;
    const TruthLayout& layout_;
    std::unordered_map<std::string, int> numbers_;
    std::vector<std::string> names_;
    std::vector<char> malignant_;
    std::vector<bool> matched_;
};

int Values::number(std::string_view value, std::size_t line) {
    const auto [entry, added] = numbers_.try_emplace(lower_case(value), static_cast<int>(names_.size()));
    if (!added) {
        return entry->second;
    }
    const auto& known = layout_.known_values;
    if (!known.empty() && std::find(known.begin(), known.end(), lower_case(value)) == known.end()) {
        refuse_line(file_, line,
                    fmt::format("{} is not a known value of {} ({}); say what is malignant with --positive",
                                shown(value), layout_.columns[layout_.label], fmt::join(known, ", ")));
    }
    bool malignant = false;
    for (std::size_t i = 0; i < layout_.malignant.size(); ++i) {
        const std::string_view wanted = trimmed(layout_.malignant[i]);
        const auto as_number = number_of(wanted);
        if (same_word(value, wanted) || (as_number && as_number == number_of(value))) {
            matched_[i] = true;
            malignant = true;
        }
    }
    names_.emplace_back(value);
    malignant_.push_back(malignant ? 1 : 0);
    return entry->second;
}

void Values::check() const {
    if (!layout_.known_values.empty()) {
        return;  // the layout's own list, not the user's
    }
    for (std::size_t i = 0; i < matched_.size(); ++i) {
        if (!matched_[i]) {
            auto names = names_;
            std::sort(names.begin(), names.end());
            throw Fatal(ExitCode::usage, fmt::format("{}: --positive {}: no such value in {}; there are {}",
                                                     file_, shown(layout_.malignant[i]),
                                                     shown(layout_.columns[layout_.label]), listed(names)));
        }
    }
}

std::vector<std::string> Values::classes(std::vector<int>& renumbered) const {
    renumbered.assign(names_.size(), -1);
    const bool two_kinds = layout_.known_values.empty() && names_.size() <= 2;
    if (two_kinds || names_.size() > most_classes) {
        return {};
    }
    std::vector<std::size_t> order(names_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return names_[a] < names_[b]; });
    std::vector<std::string> sorted;
    for (const std::size_t number : order) {
        renumbered[number] = static_cast<int>(sorted.size());
        sorted.push_back(names_[number]);
    }
    return sorted;
}

class TruthTable {
  public:
    TruthTable(const std::string& file, const CsvRecord& first, const TruthOptions& options);
    void row(const CsvRecord& record);
    Truth finish();
    bool has_header() const { return layout_.has_header; }

  private:
    void drop_contradictions();
    Verdict by_label(const CsvRecord& record, TruthCase& made);
    Verdict by_class(const CsvRecord& record, TruthCase& made) const;
    bool is_one(std::string_view cell, std::size_t column, std::size_t line) const;

    std::string file_;
    TruthLayout layout_;
    Values values_;
    std::vector<char> malignant_class_;  ///< of layout_.classes, and of the rest
    std::string malignant_word_ = "1";   ///< as the table writes it
    bool malignant_seen_ = false;
    Truth truth_;
    FaultList faults_;
};

TruthTable::TruthTable(const std::string& file, const CsvRecord& first, const TruthOptions& options)
    : file_(file), layout_(truth_layout(file, first, options)), values_(file_, layout_) {
    truth_.file = file;
    const auto is_malignant = [&](const std::string& name) {
        const auto& names = layout_.malignant;
        return static_cast<char>(std::find(names.begin(), names.end(), name) != names.end());
    };
    if (!layout_.classes.empty()) {
        truth_.malignant_classes = layout_.malignant;
    }
    for (const std::size_t column : layout_.classes) {
        malignant_class_.push_back(is_malignant(layout_.columns[column]));
        if (layout_.rest.empty()) {
            truth_.classes.push_back(layout_.columns[column]);
        }
    }
    if (!layout_.rest.empty()) {
        malignant_class_.push_back(is_malignant(layout_.rest));
        truth_.columns.emplace_back("diagnosis");
    }
    for (const std::size_t column : layout_.further) {
        truth_.columns.push_back(layout_.columns[column]);
    }
}

/// Where rows of one image say different things, nobody knows its truth.
void TruthTable::drop_contradictions() {
    std::vector<TruthCase>& cases = truth_.cases;
    if (in_order_of_ids(cases)) {
        return;
    }
    std::unordered_map<std::string_view, const TruthCase*> first;
    std::unordered_set<std::string> contradicted;
    for (const TruthCase& one : cases) {
        const TruthCase& known = *first.emplace(one.id, &one).first->second;
        const bool same = one.malignant == known.malignant && one.diagnosis == known.diagnosis;
        if (!same && contradicted.insert(one.id).second) {
            faults_.add("contradicting rows in the truth", one.id);
        }
    }
    std::erase_if(cases, [&](const TruthCase& one) { return contradicted.contains(one.id); });
    truth_.left_out.merge(contradicted);
}

void TruthTable::row(const CsvRecord& record) {
    TruthCase made;
    made.id = image_id(trimmed(record.fields[layout_.id]));
    if (made.id.empty()) {
        faults_.add("no id", fmt::format("line {}", record.line));
        return;
    }
    const Verdict verdict = layout_.classes.empty() ? by_label(record, made) : by_class(record, made);
    if (verdict == Verdict::unknown) {
        faults_.add(unknown_truth, made.id);
        truth_.left_out.insert(made.id);
        return;
    }
    made.malignant = verdict == Verdict::malignant;
    made.values.reserve(truth_.columns.size());
    for (const std::size_t column : layout_.further) {
        made.values.emplace_back(trimmed(record.fields[column]));
    }
    truth_.cases.push_back(std::move(made));
}

Verdict TruthTable::by_label(const CsvRecord& record, TruthCase& made) {
    const std::string_view label = trimmed(record.fields[layout_.label]);
    const auto is_named = [&] {
        return std::any_of(layout_.malignant.begin(), layout_.malignant.end(),
                           [&](const std::string& name) { return same_word(label, trimmed(name)); });
    };
    if (label.empty() || ((is_unknown(label) || is_indeterminate(label)) && !is_named())) {
        return Verdict::unknown;
    }
    if (!layout_.binary_words) {
        made.diagnosis = values_.number(label, record.line);
        return values_.malignant(made.diagnosis) ? Verdict::malignant : Verdict::benign;
    }
    const auto word = read_binary(label);
    if (!word) {
        refuse_line(
            file_, record.line,
            fmt::format("{} in the column {} is neither malignant nor benign (nor 1 or 0, true or false, yes "
                        "or no); say what is malignant with --positive",
                        shown(label), shown(layout_.columns[layout_.label])));
    }
    if (*word == BinaryWord::malignant && !malignant_seen_) {
        malignant_seen_ = true;
        malignant_word_ = label;
    }
    return *word == BinaryWord::indeterminate ? Verdict::unknown
           : *word == BinaryWord::malignant   ? Verdict::malignant
                                              : Verdict::benign;
}

Verdict TruthTable::by_class(const CsvRecord& record, TruthCase& made) const {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < layout_.classes.size(); ++i) {
        const std::size_t column = layout_.classes[i];
        if (!is_one(record.fields[column], column, record.line)) {
            continue;
        }
        if (found) {
            refuse_line(file_, record.line,
                        fmt::format("{} is of two classes, {} and {}; a row needs one", shown(made.id),
                                    layout_.columns[layout_.classes[*found]], layout_.columns[column]));
        }
        found = i;
    }
    if (layout_.unknown && is_one(record.fields[*layout_.unknown], *layout_.unknown, record.line)) {
        return Verdict::unknown;
    }
    if (!found && layout_.rest.empty()) {
        return Verdict::unknown;
    }
    const std::size_t which = found.value_or(layout_.classes.size());
    if (layout_.rest.empty()) {
        made.diagnosis = static_cast<int>(which);
    } else {
        made.values.push_back(found ? layout_.columns[layout_.classes[which]] : layout_.rest);
    }
    return malignant_class_[which] != 0 ? Verdict::malignant : Verdict::benign;
}

bool TruthTable::is_one(std::string_view cell, std::size_t column, std::size_t line) const {
    const std::string_view text = trimmed(cell);
    if (text == "0.0" || text == "0" || text.empty()) {
        return false;
    }
    const auto number = number_of(text);
    if (number != 0.0 && number != 1.0) {
        refuse_line(file_, line,
                    fmt::format("{} in the column {} is neither 0 nor 1", shown(text),
                                shown(layout_.columns[column])));
    }
    return number == 1.0;
}

Truth TruthTable::finish() {
    if (!layout_.classes.empty()) {
        truth_.layout = fmt::format("{}, malignant: {}", layout_.title, fmt::join(layout_.malignant, ", "));
    } else if (layout_.binary_words) {
        truth_.layout = fmt::format("{}, malignant: {} = {}", layout_.title, layout_.columns[layout_.label],
                                    malignant_word_);
    } else {
        values_.check();
        truth_.layout = fmt::format("{}, malignant: {} = {}", layout_.title, layout_.columns[layout_.label],
                                    fmt::join(layout_.malignant, ", "));
        std::vector<int> renumbered;
        truth_.classes = values_.classes(renumbered);
        for (TruthCase& made : truth_.cases) {
            made.diagnosis = renumbered[static_cast<std::size_t>(made.diagnosis)];
        }
    }
    drop_contradictions();
    drop_duplicates(truth_.cases, "duplicates in the truth", faults_);
    truth_.faults = faults_.take();
    return std::move(truth_);
}

}  // namespace

Truth read_truth(TextInput& text, const TruthOptions& options) {
    std::optional<TruthTable> table;
    bool rows = false;
    read_csv(text, [&](const CsvRecord& record) {
        if (!table) {
            table.emplace(text.name(), record, options);
            if (table->has_header()) {
                return;
            }
        }
        rows = true;
        table->row(record);
    });
    if (!rows) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}: {}", text.name(),
                                table ? "a header and no rows; a table of ground truth is needed"
                                      : "is empty; a table of ground truth is needed"));
    }
    return table->finish();
}

Truth read_truth(const std::string& file, const TruthOptions& options) {
    TextInput text(file);
    Truth truth = read_truth(text, options);
    truth.sha256 = text.sha256();
    if (!options.metadata.empty()) {
        TextInput metadata(options.metadata);
        truth.metadata_file = metadata.name();
        add_metadata(truth, metadata, options);
        truth.metadata_sha256 = metadata.sha256();
    }
    return truth;
}

}  // namespace skincheck
