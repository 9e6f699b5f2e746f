#include "evaluate/truth_layout.hpp"

#include "evaluate/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace skincheck {
namespace {

[[noreturn]] void refuse(const std::string& file, const std::string& reason) {
    throw Fatal(ExitCode::usage, fmt::format("{}: {}", file, reason));
}

/// Two fields, of which the second is a truth. "isic_id,malignant" is a header all the same: names of columns
/// have no digits, and the names of images do.
bool is_isic_2016(const std::vector<std::string>& fields, const TruthOptions& options) {
    if (fields.size() != 2 || !options.id_column.empty() || !options.label_column.empty() ||
        is_usual_id_name(fields[0]) || !read_binary(fields[1])) {
        return false;
    }
    const bool digits = fields[0].find_first_of("0123456789") != std::string::npos;
    return digits || number_of(fields[1]).has_value();
}

std::optional<std::size_t> usual_label_column(const std::vector<std::string>& columns) {
    return first_column(columns, {"malignant", "target", "benign_malignant", "label", "diagnosis_1", "dx",
                                  "class", "diagnosis", "truth", "ground_truth"});
}

std::size_t find_id(const std::string& file, const std::vector<std::string>& columns,
                    const TruthOptions& options, bool label_known) {
    if (!options.id_column.empty()) {
        return need_column(file, columns, options.id_column, "--id-column");
    }
    if (const auto column = usual_id_column(columns)) {
        return *column;
    }
    refuse(file, fmt::format("which column holds the ids{}? {}", label_known ? "" : ", and which the truth",
                             advice_on_columns(
                                 columns, label_known ? "--id-column" : "--id-column and --label-column")));
}

bool has(const std::vector<std::string>& columns, std::string_view name) {
    return find_column(columns, name).has_value();
}

// Whoever swaps the two files would be told that the scores are perfect.
void refuse_results(const std::string& file, const std::vector<std::string>& columns) {
    constexpr std::array<std::string_view, 2> ours{"malignancy", "label"};
    const bool all =
        std::all_of(ours.begin(), ours.end(), [&](std::string_view name) { return has(columns, name); });
    if (all) {
        refuse(file, "these are results of skincheck, not the truth; --truth names the ground truth");
    }
}

/// The options' classes, as the table writes them.
void choose_classes(const std::string& file, TruthLayout& layout, const TruthOptions& options) {
    std::vector<std::string> names;
    for (const std::size_t column : layout.classes) {
        names.push_back(layout.columns[column]);
    }
    if (!layout.rest.empty()) {
        names.push_back(layout.rest);
    }
    for (const std::string& wanted : options.positive) {
        const auto found = find_column(names, trimmed(wanted));
        if (!found) {
            refuse(file,
                   fmt::format("--positive {}: no such class; there are {}", shown(wanted), listed(names)));
        }
        layout.malignant.push_back(names[*found]);
    }
}

/// ISIC 2017, 2018 and 2019. False when the table is of another kind.
bool one_column_a_class(const std::string& file, TruthLayout& layout, const TruthOptions& options) {
    if (!options.label_column.empty()) {
        return false;
    }
    const auto melanoma = find_column(layout.columns, "melanoma");
    const auto keratosis = find_column(layout.columns, "seborrheic_keratosis");
    if (melanoma && keratosis) {
        layout.title = "ISIC 2017";
        layout.classes = {*melanoma, *keratosis};
        layout.rest = "other";
        if (options.positive.empty()) {
            layout.malignant = {layout.columns[*melanoma]};
        }
    } else {
        layout.classes = isic_class_columns(layout.columns);
        if (layout.classes.empty()) {
            return false;
        }
        layout.title = has(layout.columns, "AKIEC") ? "ISIC 2018"
                       : has(layout.columns, "AK")  ? "ISIC 2019"
                                                    : "ISIC's classes";
        std::erase_if(layout.classes, [&](std::size_t column) {
            const bool unknown = same_word(layout.columns[column], "UNK");
            if (unknown) {
                layout.unknown = column;
            } else if (options.positive.empty() && is_isic_malignant(layout.columns[column])) {
                layout.malignant.push_back(layout.columns[column]);
            }
            return unknown;
        });
    }
    layout.id = find_id(file, layout.columns, options, true);
    choose_classes(file, layout, options);
    return true;
}

std::string title_of(const TruthLayout& layout, const TruthOptions& options) {
    if (!options.label_column.empty()) {
        return "CSV";
    }
    const auto label_is = [&](std::string_view name) {
        return same_word(layout.columns[layout.label], name);
    };
    const auto id_is = [&](std::string_view name) { return same_word(layout.columns[layout.id], name); };
    if (label_is("dx") && id_is("image_id")) {
        return "HAM10000";
    }
    if (label_is("diagnosis_1") && id_is("isic_id")) {
        return "ISIC archive";
    }
    if (label_is("target") && id_is("image_name")) {
        return "ISIC 2020";
    }
    if ((label_is("malignant") || label_is("target")) && id_is("isic_id")) {
        return "ISIC 2024";
    }
    return "CSV";
}

void one_label_column(const std::string& file, TruthLayout& layout, const TruthOptions& options) {
    const bool named = !options.label_column.empty();
    const auto label =
        named ? std::optional(need_column(file, layout.columns, options.label_column, "--label-column"))
              : usual_label_column(layout.columns);
    layout.id = find_id(file, layout.columns, options, label.has_value());
    if (!label) {
        refuse(file, fmt::format("which column holds the truth? {}",
                                 advice_on_columns(layout.columns, "--label-column")));
    }
    layout.label = *label;
    if (layout.label == layout.id) {
        refuse(file, fmt::format("the column {} cannot hold both the ids and the truth",
                                 shown(layout.columns[layout.id])));
    }
    layout.title = title_of(layout, options);
    layout.malignant = options.positive;
    if (options.positive.empty()) {
        if (same_word(layout.columns[layout.label], "dx")) {
            layout.malignant = {"mel", "bcc", "akiec"};
            layout.known_values = {"akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"};
        } else {
            layout.binary_words = true;
        }
    }
}

/// A label that is more than one of two words is also kept as a column, for --by.
void choose_further(TruthLayout& layout) {
    for (std::size_t i = 0; i < layout.columns.size(); ++i) {
        const bool of_a_class =
            std::find(layout.classes.begin(), layout.classes.end(), i) != layout.classes.end() ||
            layout.unknown == i;
        const bool plain_label = layout.classes.empty() && i == layout.label && layout.binary_words &&
                                 !same_word(layout.columns[i], "diagnosis_1");
        if (i != layout.id && !of_a_class && !plain_label) {
            layout.further.push_back(i);
        }
    }
}

}  // namespace

bool is_indeterminate(std::string_view word) {
    return is_word_of(word, {"indeterminate", "indeterminate/benign", "indeterminate/malignant"});
}

std::optional<BinaryWord> read_binary(std::string_view word) {
    if (is_word_of(word, {"0", "0.0", "benign", "false", "no"})) {
        return BinaryWord::benign;
    }
    if (is_word_of(word, {"1", "1.0", "malignant", "true", "yes"})) {
        return BinaryWord::malignant;
    }
    if (is_indeterminate(word)) {
        return BinaryWord::indeterminate;
    }
    const auto number = number_of(word);  // 1.000, 1e0
    if (number == 0.0 || number == 1.0) {
        return number == 1.0 ? BinaryWord::malignant : BinaryWord::benign;
    }
    return std::nullopt;
}

TruthLayout truth_layout(const std::string& file, const CsvRecord& first, const TruthOptions& options) {
    TruthLayout layout;
    layout.columns = column_names(first.fields);
    if (options.label_column.empty()) {
        refuse_results(file, layout.columns);
    }
    if (is_isic_2016(layout.columns, options)) {
        layout.title = "ISIC 2016";
        layout.has_header = false;
        layout.columns = {"image", "label"};
        layout.label = 1;
        layout.malignant = options.positive;
        layout.binary_words = options.positive.empty();
    } else if (!one_column_a_class(file, layout, options)) {
        one_label_column(file, layout, options);
    }
    std::vector<std::size_t> used = layout.classes.empty() ? std::vector{layout.label} : layout.classes;
    used.push_back(layout.id);
    for (const std::size_t column : used) {
        refuse_twin(file, layout.columns, column);
    }
    choose_further(layout);
    return layout;
}

}  // namespace skincheck
