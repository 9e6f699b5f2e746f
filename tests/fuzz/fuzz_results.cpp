// libFuzzer's target for results: CSV, JSON, JSON Lines. A first byte below 0x20 that is no blank chooses the
// options; the rest, or else all, is the file.
#include "skincheck/result.hpp"

#include "evaluate/readers.hpp"
#include "fuzz.hpp"

#include <optional>
#include <set>

using namespace skincheck;

namespace {

struct Outcome {
    std::optional<Results> results;
    std::string error;
};

Outcome read(std::string_view file, const ResultsOptions& options, std::size_t block) {
    Outcome outcome;
    try {
        TextInput text("r", file, block);
        outcome.results = read_results(text, options);
    } catch (const Fatal& fatal) {
        outcome.error = fatal.what();
    }
    return outcome;
}

bool is_probability(double value) {
    return value >= 0 && value <= 1;
}

void check(const Results& results) {
    std::set<std::string_view> ids;
    for (const ResultCase& one : results.cases) {
        fuzz::require(!one.id.empty() && ids.insert(one.id).second, "an id is empty or stands twice");
        fuzz::require(is_probability(one.score), "a score outside [0,1]");
        fuzz::require(one.probabilities.empty() || one.probabilities.size() == results.classes.size(),
                      "not a probability for each class");
        for (const double probability : one.probabilities) {
            fuzz::require(is_probability(probability), "a probability outside [0,1]");
        }
    }
    fuzz::require(!results.threshold || is_probability(*results.threshold), "a threshold outside [0,1]");
    for (const Fault& fault : results.faults) {
        fuzz::require(fault.count >= fault.names.size() && !fault.names.empty(), "a fault without names");
    }
}

bool same(const Results& one, const Results& other) {
    if (one.model != other.model || one.threshold != other.threshold || one.classes != other.classes ||
        one.cases.size() != other.cases.size()) {
        return false;
    }
    for (std::size_t i = 0; i < one.cases.size(); ++i) {
        const ResultCase &a = one.cases[i], &b = other.cases[i];
        if (a.id != b.id || a.path != b.path || a.score != b.score || a.probabilities != b.probabilities) {
            return false;
        }
    }
    return fuzz::same_faults(one.faults, other.faults);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view file(reinterpret_cast<const char*>(data), size);
    const unsigned choice = fuzz::take_choice(file);
    ResultsOptions options;
    if ((choice & 1U) != 0) {
        options.id_column = "name";
    }
    if ((choice & 2U) != 0) {
        options.score_column = "p_a";
    }
    const Outcome whole = read(file, options, std::string_view::npos);
    const Outcome cut = read(file, options, (choice & 8U) != 0 ? 1 : 13);
    fuzz::require(whole.error == cut.error, "the size of the blocks makes a difference");
    if (whole.results) {
        check(*whole.results);
        fuzz::require(cut.results && same(*whole.results, *cut.results),
                      "the size of the blocks makes a difference");
    }
    return 0;
}
