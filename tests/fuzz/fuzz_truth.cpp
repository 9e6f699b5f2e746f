// libFuzzer's target for tables of ground truth and metadata. A first byte below 0x20 that is no blank
// chooses the options; the rest, or else all, is the table.
#include "skincheck/result.hpp"

#include "evaluate/readers.hpp"
#include "fuzz.hpp"

#include <optional>
#include <set>

using namespace skincheck;

namespace {

struct Outcome {
    std::optional<Truth> truth;
    std::string error;
};

Outcome read(std::string_view table, const TruthOptions& options, std::size_t block) {
    Outcome outcome;
    try {
        TextInput text("t.csv", table, block);
        outcome.truth = read_truth(text, options);
        TextInput metadata("m.csv", table, block);
        add_metadata(*outcome.truth, metadata, options);
    } catch (const Fatal& fatal) {
        outcome.error = fatal.what();
    }
    return outcome;
}

void check(const Truth& truth) {
    std::set<std::string_view> ids;
    for (const TruthCase& one : truth.cases) {
        fuzz::require(!one.id.empty() && ids.insert(one.id).second, "an id is empty or stands twice");
        fuzz::require(one.diagnosis >= -1 && one.diagnosis < static_cast<int>(truth.classes.size()),
                      "a diagnosis is no class");
        fuzz::require((one.diagnosis >= 0) == !truth.classes.empty(),
                      "a case without a class, or a class too many");
    }
    for (const Fault& fault : truth.faults) {
        fuzz::require(fault.count >= fault.names.size() && !fault.names.empty(), "a fault without names");
    }
}

bool same(const Truth& one, const Truth& other) {
    if (one.layout != other.layout || one.classes != other.classes || one.columns != other.columns ||
        one.cases.size() != other.cases.size()) {
        return false;
    }
    for (std::size_t i = 0; i < one.cases.size(); ++i) {
        const TruthCase &a = one.cases[i], &b = other.cases[i];
        if (a.id != b.id || a.malignant != b.malignant || a.diagnosis != b.diagnosis ||
            a.values != b.values) {
            return false;
        }
    }
    return fuzz::same_faults(one.faults, other.faults);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view table(reinterpret_cast<const char*>(data), size);
    const unsigned choice = fuzz::take_choice(table);
    TruthOptions options;
    if ((choice & 1U) != 0) {
        options.id_column = "name";
    }
    if ((choice & 2U) != 0) {
        options.label_column = "finding";
    }
    if ((choice & 4U) != 0) {
        options.positive = {"mel", "1"};
    }
    const Outcome whole = read(table, options, std::string_view::npos);
    const Outcome cut = read(table, options, (choice & 8U) != 0 ? 1 : 13);
    fuzz::require(whole.error == cut.error, "the size of the blocks makes a difference");
    fuzz::require(whole.truth.has_value() == cut.truth.has_value(),
                  "the size of the blocks makes a difference");
    if (whole.truth && whole.error.empty()) {
        check(*whole.truth);
        for (const TruthCase& one : whole.truth->cases) {
            fuzz::require(one.values.size() == whole.truth->columns.size(), "a case lacks a value");
        }
        fuzz::require(same(*whole.truth, *cut.truth), "the size of the blocks makes a difference");
    }
    return 0;
}
