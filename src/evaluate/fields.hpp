// What truth and results read alike: ids, numbers, columns, ISIC's classes, faults.
#pragma once

#include "skincheck/evaluate.hpp"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace skincheck {

std::string_view trimmed(std::string_view text);               ///< without spaces and tabs at either end
std::string lower_case(std::string_view text);                 ///< of ASCII
bool same_word(std::string_view one, std::string_view other);  ///< but for the case of ASCII
bool is_word_of(std::string_view text, std::initializer_list<std::string_view> words);

/// Nothing for what is no number; NaN and infinities are.
std::optional<double> number_of(std::string_view text);

/// NaN for an empty text and what stands for none (NA, null ...); nothing for what is no number.
std::optional<double> number_or_none(std::string_view text);

/// An empty text, or what stands for none: NA, null, NaN ...
bool is_unknown(std::string_view text);

/// The names of a header, trimmed.
std::vector<std::string> column_names(const std::vector<std::string_view>& fields);

/// The first column with the name, as it is written or else in another case.
std::optional<std::size_t> find_column(const std::vector<std::string>& columns, std::string_view name);

/// As find_column(); Fatal (usage) that names `option` and the columns when there is none.
std::size_t need_column(const std::string& file, const std::vector<std::string>& columns,
                        const std::string& name, std::string_view option);

/// The files that Truth::columns are of, for a message.
std::string tables_of(const Truth& truth);

/// Fatal (usage) when another column has the same name: which of the two is meant?
void refuse_twin(const std::string& file, const std::vector<std::string>& columns, std::size_t column);

/// The first of these names that is a column.
std::optional<std::size_t> first_column(const std::vector<std::string>& columns,
                                        std::initializer_list<std::string_view> names);

/// The column that usually holds the images' names.
std::optional<std::size_t> usual_id_column(const std::vector<std::string>& columns);
bool is_usual_id_name(std::string_view name);
/// Its rank among the usual names, 0 first; nothing for another name.
std::optional<std::size_t> usual_id_rank(std::string_view name);

/// A value of the file for a message: in quotes, cut when it is long, without control characters.
std::string shown(std::string_view value);

/// "a, b, c", each as shown(), cut after twenty.
std::string listed(const std::vector<std::string>& words);

/// After "which column holds the ids?": the columns, and the option that names one; or that this file has
/// something else than commas between its columns.
std::string advice_on_columns(const std::vector<std::string>& columns, std::string_view option);

/// The columns that ISIC 2018 and 2019 have, one for each class, in the table's order; empty when these are
/// not they.
std::vector<std::size_t> isic_class_columns(const std::vector<std::string>& columns);
bool is_isic_malignant(std::string_view class_name);  ///< MEL, BCC, AKIEC, AK, SCC

/// Faults by kind, in the order of their first rows.
class FaultList {
  public:
    void add(std::string_view what, const std::string& name, bool left_out = true);
    std::vector<Fault> take() { return std::move(faults_); }

  private:
    std::vector<Fault> faults_;
};

/// As most tables are; then no id is there twice.
template <typename Case>
bool in_order_of_ids(const std::vector<Case>& cases) {
    const auto unordered = [](const Case& one, const Case& next) { return !(one.id < next.id); };
    return std::adjacent_find(cases.begin(), cases.end(), unordered) == cases.end();
}

/// Keeps the first case of each id.
template <typename Case>
void drop_duplicates(std::vector<Case>& cases, std::string_view what, FaultList& faults) {
    if (in_order_of_ids(cases)) {
        return;
    }
    std::vector<char> again(cases.size(), 0);
    {
        std::unordered_set<std::string_view> ids;  // of `cases`, which does not move meanwhile
        ids.reserve(cases.size());
        for (std::size_t i = 0; i < cases.size(); ++i) {
            if (!ids.insert(cases[i].id).second) {
                again[i] = 1;
                faults.add(what, cases[i].id);
            }
        }
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        if (again[i] == 0) {
            if (kept != i) {
                cases[kept] = std::move(cases[i]);
            }
            ++kept;
        }
    }
    cases.erase(cases.begin() + static_cast<std::ptrdiff_t>(kept), cases.end());
}

}  // namespace skincheck
