#include "evaluate/fields.hpp"

#include "skincheck/result.hpp"

#include "result/ascii.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace skincheck {
namespace {

constexpr std::array<std::string_view, 8> id_names{"path",     "file",       "filename", "image",
                                                   "image_id", "image_name", "isic_id",  "id"};

constexpr std::array<std::string_view, 10> isic_classes{"MEL", "NV", "BCC",  "AKIEC", "AK",
                                                        "BKL", "DF", "VASC", "SCC",   "UNK"};

constexpr std::size_t most_listed = 20;
constexpr std::size_t longest_shown = 60;

}  // namespace

std::string_view trimmed(std::string_view text) {
    const std::size_t start = text.find_first_not_of(" \t");
    if (start == std::string_view::npos) {
        return {};
    }
    return text.substr(start, text.find_last_not_of(" \t") - start + 1);
}

std::string lower_case(std::string_view text) {
    std::string word(text);
    std::transform(word.begin(), word.end(), word.begin(), lower);
    return word;
}

bool same_word(std::string_view one, std::string_view other) {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

bool is_word_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return same_word(text, word); });
}

std::optional<double> number_of(std::string_view text) {
    if (text.starts_with('+') && !text.starts_with("+-")) {
        text.remove_prefix(1);
    }
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (stop != end || text.empty()) {
        return std::nullopt;
    }
    if (error == std::errc::result_out_of_range) {
        // 1e-400 is a number that nobody tells from 0; 1e400 is outside of every interval.
        const std::size_t exponent = text.find_first_of("eE");
        const bool tiny = exponent == std::string_view::npos
                              ? text.find_first_of("123456789") > text.find('.')
                              : text.substr(exponent + 1).starts_with('-');
        return tiny ? 0 : std::numeric_limits<double>::infinity();
    }
    return error == std::errc() ? std::optional(number) : std::nullopt;
}

std::optional<double> number_or_none(std::string_view text) {
    if (const auto number = number_of(text)) {
        return number;
    }
    if (text.empty() || is_word_of(text, {"na", "n/a", "null", "none", "<na>"})) {
        return undefined;
    }
    return std::nullopt;
}

bool is_unknown(std::string_view text) {
    const auto number = number_or_none(text);
    return number && std::isnan(*number);
}

std::vector<std::string> column_names(const std::vector<std::string_view>& fields) {
    std::vector<std::string> names;
    names.reserve(fields.size());
    for (const std::string_view field : fields) {
        names.emplace_back(trimmed(field));
    }
    return names;
}

std::optional<std::size_t> find_column(const std::vector<std::string>& columns, std::string_view name) {
    auto found = std::find(columns.begin(), columns.end(), name);
    if (found == columns.end()) {
        found = std::find_if(columns.begin(), columns.end(),
                             [&](const std::string& column) { return same_word(column, name); });
    }
    if (found == columns.end()) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(found - columns.begin());
}

std::size_t need_column(const std::string& file, const std::vector<std::string>& columns,
                        const std::string& name, std::string_view option) {
    const auto column = find_column(columns, name);
    if (!column) {
        throw Fatal(ExitCode::usage, fmt::format("{}: {} {}: no such column; there are {}", file, option,
                                                 shown(name), listed(columns)));
    }
    return *column;
}

std::string tables_of(const Truth& truth) {
    return truth.metadata_file.empty() ? truth.file
                                       : fmt::format("{} with {}", truth.file, truth.metadata_file);
}

void refuse_twin(const std::string& file, const std::vector<std::string>& columns, std::size_t column) {
    if (std::count(columns.begin(), columns.end(), columns[column]) > 1) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}: the column {} is there twice; leave one of the two away", file,
                                shown(columns[column])));
    }
}

std::optional<std::size_t> first_column(const std::vector<std::string>& columns,
                                        std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        if (const auto column = find_column(columns, name)) {
            return column;
        }
    }
    return std::nullopt;
}

std::optional<std::size_t> usual_id_column(const std::vector<std::string>& columns) {
    for (const std::string_view name : id_names) {
        if (const auto column = find_column(columns, name)) {
            return column;
        }
    }
    return std::nullopt;
}

std::optional<std::size_t> usual_id_rank(std::string_view name) {
    for (std::size_t rank = 0; rank < id_names.size(); ++rank) {
        if (same_word(name, id_names[rank])) {
            return rank;
        }
    }
    return std::nullopt;
}

bool is_usual_id_name(std::string_view name) {
    return usual_id_rank(name).has_value();
}

std::string shown(std::string_view value) {
    std::string text;
    for (const char c : value.substr(0, longest_shown)) {
        const auto byte = static_cast<unsigned char>(c);
        text += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    if (value.size() > longest_shown) {
        // Not within a character of several bytes.
        while (!text.empty() && (static_cast<unsigned char>(value[text.size()]) & 0xC0U) == 0x80) {
            text.pop_back();
        }
        text += "…";
    }
    return '"' + text + '"';
}

std::string listed(const std::vector<std::string>& words) {
    std::vector<std::string> first;
    for (std::size_t i = 0; i < std::min(words.size(), most_listed); ++i) {
        first.push_back(shown(words[i]));
    }
    return fmt::format(
        "{}{}", fmt::join(first, ", "),
        words.size() > most_listed ? fmt::format(" and {} more", words.size() - most_listed) : "");
}

std::string advice_on_columns(const std::vector<std::string>& columns, std::string_view option) {
    for (const auto& [separator, name] : {std::pair(';', "semicolons"), {'\t', "tabs"}}) {
        if (columns.size() == 1 && columns[0].find(separator) != std::string::npos) {
            return fmt::format("There are {} between the columns; write the table with commas", name);
        }
    }
    return fmt::format("There are {}; name it with {}", listed(columns), option);
}

std::vector<std::size_t> isic_class_columns(const std::vector<std::string>& columns) {
    for (const std::string_view name : {"MEL", "NV", "BCC"}) {
        if (!find_column(columns, name)) {
            return {};
        }
    }
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (std::any_of(isic_classes.begin(), isic_classes.end(),
                        [&](std::string_view name) { return same_word(columns[i], name); })) {
            found.push_back(i);
        }
    }
    return found;
}

bool is_isic_malignant(std::string_view class_name) {
    return is_word_of(class_name, {"MEL", "BCC", "AKIEC", "AK", "SCC"});
}

void Fault::add(const std::string& name) {
    constexpr std::size_t named = 10;
    ++count;
    if (names.size() < named) {
        names.push_back(name);
    }
}

void FaultList::add(std::string_view what, const std::string& name, bool left_out) {
    auto fault =
        std::find_if(faults_.begin(), faults_.end(), [&](const Fault& known) { return known.what == what; });
    if (fault == faults_.end()) {
        faults_.push_back({std::string(what), 0, {}, left_out});
        fault = faults_.end() - 1;
    }
    fault->add(name);
}

}  // namespace skincheck
