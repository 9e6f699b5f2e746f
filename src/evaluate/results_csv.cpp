#include "skincheck/result.hpp"

#include "evaluate/fields.hpp"
#include "evaluate/results_collector.hpp"
#include "evaluate/results_formats.hpp"
#include "table/csv_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace skincheck {
namespace {

using Column = std::optional<std::size_t>;

/// Submissions of 2016 (image, score) and 2017 (image, melanoma, seborrheic keratosis) have no header.
bool is_headerless(const std::vector<std::string>& fields, const ResultsOptions& options) {
    if (!options.id_column.empty() || !options.score_column.empty() || fields.size() < 2 ||
        fields.size() > 3 || is_usual_id_name(fields[0])) {
        return false;
    }
    return std::all_of(fields.begin() + 1, fields.end(),
                       [](const std::string& field) { return number_of(field).has_value(); });
}

class ResultsTable {
  public:
    ResultsTable(const std::string& file, const CsvRecord& first, const ResultsOptions& options);
    bool has_header() const { return has_header_; }
    void row(const CsvRecord& record);
    Results finish() { return collector_.finish(std::move(classes_)); }

  private:
    void find_columns(const ResultsOptions& options);
    void find_own_columns();
    void find_class_columns(const std::vector<std::string>& malignant);
    Column usual_score_column() const;
    std::size_t score_of_2017(const std::vector<std::string>& malignant) const;
    double number(const CsvRecord& record, std::size_t column) const;
    double sum_of_malignant(const CsvRecord& record) const;
    void read_threshold(const CsvRecord& record);

    std::string file_;
    std::vector<std::string> columns_;
    bool has_header_ = true;
    std::size_t id_ = 0;
    Column score_;                       ///< nothing: the sum over the malignant classes
    Column status_, model_, threshold_;  ///< skincheck's
    std::vector<std::size_t> class_columns_;
    std::vector<std::string> classes_;
    std::vector<char> malignant_class_;
    std::string last_threshold_;
    ResultRow row_;
    std::string place_;
    ResultsCollector collector_;
};

ResultsTable::ResultsTable(const std::string& file, const CsvRecord& first, const ResultsOptions& options)
    : file_(file), columns_(column_names(first.fields)), collector_(file) {
    if (is_headerless(columns_, options)) {
        has_header_ = false;
        columns_ = {"image", columns_.size() == 3 ? "melanoma" : "score", "seborrheic_keratosis"};
        score_ = first.fields.size() == 3 ? score_of_2017(options.malignant_classes) : 1;
        return;
    }
    find_columns(options);
}

void ResultsTable::find_columns(const ResultsOptions& options) {
    const Column id = options.id_column.empty()
                          ? usual_id_column(columns_)
                          : need_column(file_, columns_, options.id_column, "--results-id-column");
    if (!options.score_column.empty()) {
        score_ = need_column(file_, columns_, options.score_column, "--score-column");
    }
    if (!score_) {
        score_ = usual_score_column();
    }
    if (find_column(columns_, score_names[0])) {
        find_own_columns();
    } else {
        find_class_columns(options.malignant_classes);
    }
    if (!score_ && find_column(columns_, "seborrheic_keratosis") && find_column(columns_, "melanoma")) {
        score_ = score_of_2017(options.malignant_classes);
    }
    const bool scored = score_ || !classes_.empty();
    if (!id || !scored) {
        throw Fatal(
            ExitCode::usage,
            fmt::format("{}: which column holds {}? {}", file_,
                        id       ? "the scores"
                        : scored ? "the ids"
                                 : "the ids, and which the scores",
                        advice_on_columns(columns_, id       ? "--score-column"
                                                    : scored ? "--results-id-column"
                                                             : "--results-id-column and --score-column")));
    }
    id_ = *id;
    std::vector<std::size_t> used = class_columns_;
    used.push_back(id_);
    used.push_back(score_.value_or(id_));
    for (const std::size_t column : used) {
        refuse_twin(file_, columns_, column);
    }
    if (score_ == id_) {
        throw Fatal(ExitCode::usage, fmt::format("{}: the column {} cannot hold both the ids and the scores",
                                                 file_, shown(columns_[id_])));
    }
}

/// The threshold is one of malignancies: of another column of scores it says nothing.
void ResultsTable::find_own_columns() {
    status_ = find_column(columns_, "status");
    model_ = find_column(columns_, "model");
    if (score_ == find_column(columns_, score_names[0])) {
        threshold_ = find_column(columns_, "threshold");
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (columns_[i].starts_with("p_")) {
            class_columns_.push_back(i);
            classes_.push_back(columns_[i].substr(2));
        }
    }
}

/// A table with its own truth beside the scores, as of a cross-validation, may have two: "target" is ISIC's
/// name for either.
Column ResultsTable::usual_score_column() const {
    std::vector<std::string> found;
    for (const std::string_view name : score_names) {
        const Column column = find_column(columns_, name);
        if (column && name == score_names[0]) {
            return column;  // skincheck's own
        }
        if (column) {
            found.push_back(columns_[*column]);
        }
    }
    if (found.size() > 1) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}: which column holds the scores, {}? Name it with --score-column", file_,
                                listed(found)));
    }
    return found.empty() ? std::nullopt : find_column(columns_, found.front());
}

void ResultsTable::find_class_columns(const std::vector<std::string>& malignant) {
    class_columns_ = isic_class_columns(columns_);
    for (const std::size_t column : class_columns_) {
        const std::string& name = columns_[column];
        const bool named = std::any_of(malignant.begin(), malignant.end(),
                                       [&](const std::string& one) { return same_word(one, name); });
        classes_.push_back(name);
        malignant_class_.push_back((malignant.empty() ? is_isic_malignant(name) : named) ? 1 : 0);
    }
    const auto is_missing = [&](const std::string& name) { return !find_column(classes_, name); };
    const auto missing = std::find_if(malignant.begin(), malignant.end(), is_missing);
    if (!score_ && !classes_.empty() && missing != malignant.end()) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}: no column {}, which --positive calls malignant; name the "
                                "column of the scores with --score-column",
                                file_, shown(*missing)));
    }
}

/// ISIC 2017 has two scores, which are no parts of one whole: no sum of them is one.
std::size_t ResultsTable::score_of_2017(const std::vector<std::string>& malignant) const {
    const std::string wanted = malignant.empty() ? "melanoma" : malignant.front();
    const Column column = find_column(columns_, wanted);
    if (malignant.size() > 1 || !column) {
        throw Fatal(
            ExitCode::usage,
            fmt::format("{}: there are scores of melanoma and of seborrheic_keratosis alone; --positive "
                        "names one of them",
                        file_));
    }
    return *column;
}

double ResultsTable::number(const CsvRecord& record, std::size_t column) const {
    const std::string_view text = trimmed(record.fields[column]);
    const auto number = number_or_none(text);
    if (!number) {
        refuse_line(
            file_, record.line,
            fmt::format("{} in the column {} is no number{}", shown(text), shown(columns_[column]),
                        score_ == column ? "; another column of scores is named with --score-column" : ""));
    }
    return *number;
}

/// NaN when any class has none.
double ResultsTable::sum_of_malignant(const CsvRecord& record) const {
    double sum = 0;
    bool outside = false;
    for (std::size_t i = 0; i < malignant_class_.size(); ++i) {
        const double value = row_.probabilities[i];
        sum += malignant_class_[i] != 0 || std::isnan(value) ? value : 0;
        outside = outside || value < 0 || value > 1;  // then the row is left out, as such
    }
    constexpr double rounded = 0.05;  // probabilities of two digits, up to nine of them
    if (!outside && sum > 1 + rounded) {
        refuse_line(
            file_, record.line,
            fmt::format("the malignant classes add up to {:.4g}: they are no probabilities of one whole, "
                        "and their sum is no score; name a column of scores with --score-column",
                        sum));
    }
    return std::min(sum, 1.0);
}

void ResultsTable::read_threshold(const CsvRecord& record) {
    const std::string_view text = trimmed(record.fields[*threshold_]);
    if (text.empty() || text == last_threshold_) {
        return;
    }
    last_threshold_ = text;
    const auto threshold = number_of(text);
    if (!threshold || !(*threshold >= 0 && *threshold <= 1)) {
        refuse_line(file_, record.line,
                    fmt::format("the threshold {} is no number from 0 to 1", shown(text)));
    }
    collector_.add_threshold(*threshold);
}

void ResultsTable::row(const CsvRecord& record) {
    row_.path = record.fields[id_];
    if (trimmed(row_.path).empty()) {
        place_ = fmt::format("line {}", record.line);
        row_.place = place_;
    }
    if (status_) {
        row_.status = trimmed(record.fields[*status_]);
    }
    if (model_) {
        collector_.add_model(trimmed(record.fields[*model_]));
    }
    if (threshold_) {
        read_threshold(record);
    }
    row_.probabilities.clear();
    row_.score = undefined;
    if (row_.status != "ok") {
        collector_.add(row_);
        return;
    }
    for (const std::size_t column : class_columns_) {
        row_.probabilities.push_back(number(record, column));
    }
    row_.score = score_ ? number(record, *score_) : sum_of_malignant(record);
    collector_.add(row_);
}

}  // namespace

Results read_results_csv(TextInput& text, const ResultsOptions& options) {
    std::optional<ResultsTable> table;
    read_csv(text, [&](const CsvRecord& record) {
        if (!table) {
            table.emplace(text.name(), record, options);
            if (table->has_header()) {
                return;
            }
        }
        table->row(record);
    });
    return table->finish();  // read_results() saw a byte that is no blank, so there was a record
}

}  // namespace skincheck
