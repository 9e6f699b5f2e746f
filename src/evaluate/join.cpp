#include "evaluate/join.hpp"

#include "evaluate/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>

namespace skincheck {
namespace {

[[noreturn]] void refuse_nothing_in_common(const Truth& truth, const Results& results) {
    if (results.cases.empty() && !results.faults.empty()) {
        const Fault& fault = results.faults.front();
        throw Fatal(ExitCode::usage, fmt::format("{}: no row has a usable score ({} {})", results.file,
                                                 fault.count, fault.what));
    }
    const auto first = [](const auto& cases) { return cases.empty() ? "" : cases.front().id; };
    throw Fatal(
        ExitCode::usage,
        fmt::format(
            "no image is both in {} ({} cases, first id '{}') and in {} ({} usable scores, first id '{}')",
            truth.file, truth.cases.size(), first(truth.cases), results.file, results.cases.size(),
            first(results.cases)));
}

}  // namespace

Joined join(const Truth& truth, const Results& results) {
    std::unordered_map<std::string_view, const ResultCase*> by_id;
    by_id.reserve(results.cases.size());
    for (const ResultCase& result : results.cases) {
        by_id.emplace(result.id, &result);
    }
    // What stays out for another reason, which was told, is not "without a partner" too.
    Joined joined;
    Fault without_result{"in the truth, not in the results", 0, {}};
    Fault without_truth{"in the results, not in the truth", 0, {}};
    for (const TruthCase& known : truth.cases) {
        const auto found = by_id.find(known.id);
        if (found == by_id.end()) {
            if (!results.left_out.contains(known.id)) {
                without_result.add(known.id);
            }
            continue;
        }
        joined.truth.push_back(&known);
        joined.result.push_back(found->second);
        joined.sample.score.push_back(found->second->score);
        joined.sample.malignant.push_back(known.malignant ? 1 : 0);
        found->second = nullptr;
    }
    for (const ResultCase& result : results.cases) {
        if (by_id.at(result.id) != nullptr && !truth.left_out.contains(result.id)) {
            without_truth.add(result.id);
        }
    }
    if (joined.truth.empty()) {
        refuse_nothing_in_common(truth, results);
    }
    const auto malignant = std::count(joined.sample.malignant.begin(), joined.sample.malignant.end(), 1);
    if (malignant == 0 || static_cast<std::size_t>(malignant) == joined.truth.size()) {
        throw Fatal(ExitCode::usage,
                    fmt::format("all {} images that are both in {} and in {} are {}: both kinds are needed",
                                joined.truth.size(), truth.file, results.file,
                                malignant == 0 ? "benign" : "malignant"));
    }
    for (Fault* fault : {&without_result, &without_truth}) {
        if (fault->count > 0) {
            joined.faults.push_back(std::move(*fault));
        }
    }
    return joined;
}

std::size_t set_clusters(Joined& joined, const std::vector<std::size_t>& columns) {
    std::map<std::size_t, std::unordered_map<std::string_view, int>> numbers;  // by column
    int next = 0;
    joined.sample.cluster.clear();
    for (const TruthCase* known : joined.truth) {
        const auto column = std::find_if(columns.begin(), columns.end(),
                                         [&](std::size_t i) { return !is_unknown(known->values[i]); });
        if (column == columns.end()) {
            joined.sample.cluster.push_back(next++);
            continue;
        }
        const auto [place, is_new] = numbers[*column].try_emplace(known->values[*column], next);
        next += is_new ? 1 : 0;
        joined.sample.cluster.push_back(place->second);
    }
    return static_cast<std::size_t>(next);
}

Sample part_of(const Sample& sample, const std::vector<std::size_t>& cases) {
    Sample part;
    std::unordered_map<int, int> numbers;
    for (const std::size_t i : cases) {
        part.score.push_back(sample.score[i]);
        part.malignant.push_back(sample.malignant[i]);
        if (!sample.cluster.empty()) {
            const auto number = numbers.try_emplace(sample.cluster[i], static_cast<int>(numbers.size()));
            part.cluster.push_back(number.first->second);
        }
    }
    return part;
}

}  // namespace skincheck
