#include "evaluate/json_row.hpp"

#include "skincheck/result.hpp"

#include "result/base64.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace skincheck {
namespace {

// A row may name new ones; their product with the rows must fit in memory.
constexpr std::size_t most_classes = 1000;

std::optional<double> number_in(const JsonScalar& scalar) {
    return scalar.number ? scalar.number : number_or_none(trimmed(scalar.text));
}

}  // namespace

void JsonRow::clear() {
    path.clear();
    path_base64.clear();
    model.clear();
    status = "ok";
    id_rank = score_rank = none;
    two_scores = false;
    score = undefined;
    threshold.reset();
    probabilities.clear();
    own = false;
    bad_probability.clear();
}

JsonRows::JsonRows(const std::string& file, const ResultsOptions& options)
    : file_(file), options_(options), collector_(file) {}

void JsonRows::refuse(const std::string& reason) const {
    throw Fatal(ExitCode::usage, fmt::format("{}: row {}: {}", file_, rows_ + 1, reason));
}

void JsonRows::key(const std::string& name, JsonRow& row) {
    if (name == score_names[0]) {
        row.own = any_own_ = true;
    }
    key_ = key_of(name, row);
    also_score_ = key_ == Key::probability && name == options_.score_column;
    if (key_ == Key::score || key_ == Key::probability) {
        key_name_ = name;
    }
    any_score_ = any_score_ || key_ == Key::score || also_score_;
    any_id_ = any_id_ || key_ == Key::id || key_ == Key::path_base64;
}

JsonRows::Key JsonRows::key_of(std::string_view name, JsonRow& row) {
    if (!options_.id_column.empty() && name == options_.id_column) {
        return Key::id;
    }
    if (name.starts_with("p_")) {
        return probability_key(name.substr(2));
    }
    if (const auto rank = usual_id_rank(name); rank && options_.id_column.empty()) {
        if (*rank <= row.id_rank) {  // the same key twice: the last counts, as everywhere in JSON
            row.id_rank = *rank;
            return Key::id;
        }
        return Key::other;
    }
    if (is_score_key(name, row)) {
        return Key::score;
    }
    if (name == "path_base64" && (options_.id_column.empty() || options_.id_column == "path")) {
        return Key::path_base64;
    }
    return name == "status"      ? Key::status
           : name == "model"     ? Key::model
           : name == "threshold" ? Key::threshold
                                 : Key::other;
}

bool JsonRows::is_score_key(std::string_view name, JsonRow& row) const {
    if (!options_.score_column.empty()) {
        return name == options_.score_column;
    }
    const auto* const known = std::find_if(score_names.begin(), score_names.end(),
                                           [&](std::string_view usual) { return same_word(name, usual); });
    const auto rank = static_cast<std::size_t>(known - score_names.begin());
    if (known == score_names.end()) {
        return false;
    }
    row.two_scores = row.two_scores || (row.score_rank != JsonRow::none && rank != row.score_rank);
    if (rank > row.score_rank) {
        return false;
    }
    row.score_rank = rank;
    return true;
}

/// Rows have their classes in one order: the class after the last one is looked at first.
JsonRows::Key JsonRows::probability_key(std::string_view class_name) {
    if (++class_ >= classes_.size() || classes_[class_] != class_name) {
        const auto known = std::find(classes_.begin(), classes_.end(), class_name);
        class_ = static_cast<std::size_t>(known - classes_.begin());
        if (known == classes_.end()) {
            if (classes_.size() == most_classes) {
                refuse(fmt::format("more than {} classes (keys p_...)", most_classes));
            }
            classes_.emplace_back(class_name);
        }
    }
    return Key::probability;
}

std::string JsonRows::no_number(std::string_view text) const {
    return fmt::format(
        "{} in {} is no number{}", shown(text), shown(key_name_),
        key_ == Key::score || also_score_ ? "; another key of scores is named with --score-column" : "");
}

void JsonRows::value(const JsonScalar& scalar, JsonRow& row) {
    switch (key_) {
        case Key::id:
            row.path = scalar.text;
            break;
        case Key::path_base64:
            row.path_base64 = scalar.text;
            break;
        case Key::status:
            row.status = scalar.text;
            break;
        case Key::model:
            row.model = scalar.text;
            break;
        case Key::threshold:
            row.threshold = scalar.number ? *scalar.number : number_of(scalar.text).value_or(undefined);
            if (scalar.number && std::isnan(*scalar.number)) {
                row.threshold.reset();  // null
            }
            break;
        case Key::score:
            if (const auto score = number_in(scalar)) {
                row.score = *score;
            } else {
                refuse(no_number(scalar.text));
            }
            break;
        case Key::probability:
            set_probability(scalar, row);
            break;
        case Key::other:
            break;
    }
}

void JsonRows::set_probability(const JsonScalar& scalar, JsonRow& row) const {
    const auto probability = number_in(scalar);
    if (!probability && also_score_) {
        refuse(no_number(scalar.text));
    }
    if (!probability) {
        row.bad_probability = no_number(scalar.text);
        return;
    }
    if (row.probabilities.size() <= class_) {
        row.probabilities.resize(class_ + 1, undefined);
    }
    row.probabilities[class_] = *probability;
    if (also_score_) {
        row.score = *probability;
    }
}

void JsonRows::nested() const {
    if (key_ == Key::score) {
        refuse(fmt::format("{} is no number; another key of scores is named with --score-column",
                           shown(key_name_)));
    }
}

void JsonRows::add(const JsonRow& row) {
    ResultRow plain;
    plain.path = row.path;
    if (!row.path_base64.empty()) {
        auto path = from_base64(row.path_base64);
        if (!path) {
            refuse(fmt::format("{} in \"path_base64\" is no base64", shown(row.path_base64)));
        }
        path_ = std::move(*path);
        plain.path = path_;
    }
    if (trimmed(plain.path).empty()) {
        place_ = fmt::format("row {}", rows_ + 1);
        plain.place = place_;
    }
    plain.score = row.score;
    if (row.two_scores && !row.own) {
        refuse(
            "more than one key may be the score (target, score, probability, prediction); name it with "
            "--score-column");
    }
    if (row.own) {
        if (!row.bad_probability.empty()) {
            refuse(row.bad_probability);
        }
        if (row.threshold && malignancy_is_score()) {
            if (!(*row.threshold >= 0 && *row.threshold <= 1)) {
                refuse("the threshold is no number from 0 to 1");
            }
            collector_.add_threshold(*row.threshold);
        }
        collector_.add_model(row.model);
        plain.status = row.status;
        plain.probabilities = row.probabilities;
    }
    collector_.add(plain);
    ++rows_;
}

Results JsonRows::finish() {
    const auto missing = [&](std::string_view what, std::string_view option) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}: no row tells {}; name its key with {}", file_, what, option));
    };
    if (rows_ > 0 && !any_id_) {
        missing("an id (path, image, isic_id ...)", "--results-id-column");
    }
    if (rows_ > 0 && !any_score_) {
        missing("a score (malignancy, target, score ...)", "--score-column");
    }
    return collector_.finish(any_own_ ? std::move(classes_) : std::vector<std::string>());
}

}  // namespace skincheck
