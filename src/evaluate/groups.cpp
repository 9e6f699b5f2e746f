#include "evaluate/groups.hpp"

#include "evaluate/fields.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace skincheck {
namespace {

constexpr std::size_t most_groups = 50;
constexpr std::size_t most_numbers = 10;  // different ones, above which they are put into bands
const std::string unknown = "(unknown)";

// Which of the groups' values one case has.
class ValueOf {
  public:
    ValueOf(const std::string& column, const Truth& truth)
        : truth_(truth), place_(find_column(truth.columns, column)) {
        for (const TruthCase& known : truth.cases) {
            names_.try_emplace(key_of(as_written(known)), as_written(known));
        }
    }

    /// 50 and 50.0, NV and nv are one, by the name of the first in the truth.
    const std::string& operator()(const TruthCase& known) const {
        return names_.at(key_of(as_written(known)));
    }

  private:
    std::string as_written(const TruthCase& known) const {
        return place_                ? known.values[*place_]
               : known.diagnosis < 0 ? ""
                                     : truth_.classes[static_cast<std::size_t>(known.diagnosis)];
    }

    static std::string key_of(const std::string& value) {
        const auto number = number_or_none(value);
        return number ? fmt::format("{}", *number) : lower_case(value);
    }

    const Truth& truth_;
    const std::optional<std::size_t> place_;
    std::unordered_map<std::string, std::string> names_;
};

std::vector<std::string> values_of(const std::string& column, const Truth& truth, const Joined& joined) {
    const ValueOf value_of(column, truth);
    std::vector<std::string> values;
    for (const TruthCase* known : joined.truth) {
        values.push_back(value_of(*known));
    }
    return values;
}

bool are_numbers(const std::vector<std::string>& values) {
    std::set<double> different;
    for (const std::string& value : values) {
        const auto number = number_or_none(value);
        if (!number) {
            return false;
        }
        if (!std::isnan(*number)) {
            different.insert(*number);
        }
    }
    return different.size() > most_numbers;
}

}  // namespace

void check_group_column(const std::string& column, const Truth& truth) {
    if (find_column(truth.columns, column) || (column == "diagnosis" && !truth.classes.empty())) {
        return;
    }
    std::vector<std::string> there = truth.columns;
    if (!truth.classes.empty()) {
        there.emplace_back("diagnosis");
    }
    throw Fatal(ExitCode::usage,
                fmt::format("--by: {} has no column '{}'; {}", tables_of(truth), column,
                            there.empty() ? "name a table that has it with --metadata"
                                          : fmt::format("there are: {}", fmt::join(there, ", "))));
}

std::vector<Members> members_by(const std::string& column, const Truth& truth, const Joined& joined) {
    const std::vector<std::string> values = values_of(column, truth, joined);
    const bool in_bands = are_numbers(values);
    // By the band's lower end or the text; what is unknown comes last.
    std::map<std::tuple<bool, double, std::string>, std::vector<std::size_t>> cases;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double number = number_or_none(values[i]).value_or(0);  // texts are sorted as such
        if (std::isnan(number)) {
            cases[{true, 0, unknown}].push_back(i);
        } else if (in_bands) {
            const double low = std::floor(number / 10) * 10;
            cases[{false, low, fmt::format("{}-{}", low, low + 9)}].push_back(i);
        } else {
            cases[{false, number, values[i]}].push_back(i);
        }
        if (cases.size() > most_groups) {
            throw Fatal(ExitCode::usage, fmt::format("--by: column '{}' has more than {} different values",
                                                     column, most_groups));
        }
    }
    std::vector<Members> groups;
    groups.reserve(cases.size());
    for (auto& [key, members] : cases) {
        groups.push_back({column, std::get<2>(key), std::move(members)});
    }
    return groups;
}

Group measured(const Members& members, const Joined& joined, double threshold, const FigureOptions& options) {
    Group group;
    group.column = members.column;
    group.value = members.value;
    group.figures = figures(part_of(joined.sample, members.cases), threshold, options);
    const auto few = [](std::size_t count) { return count > 0 && count < small_group; };
    group.small = few(group.figures.malignant) || few(group.figures.benign);
    return group;
}

}  // namespace skincheck
