#include "skincheck/result.hpp"

#include "evaluate/readers.hpp"
#include "evaluate/results_formats.hpp"

#include <fmt/format.h>

namespace skincheck {

/// No CSV begins as JSON does.
Results read_results(TextInput& text, const ResultsOptions& options) {
    constexpr std::string_view blanks = " \t\r\n";
    while (!text.at_end() && blanks.find(text.current()) != std::string_view::npos) {
        text.advance();
    }
    if (text.at_end()) {
        throw Fatal(ExitCode::usage, fmt::format("{}: is empty; a table of results is needed", text.name()));
    }
    const bool json = text.current() == '{' || text.current() == '[';
    return json ? read_results_json(text, options) : read_results_csv(text, options);
}

Results read_results(const std::string& file, const ResultsOptions& options) {
    TextInput text(file);
    Results results = read_results(text, options);
    results.sha256 = text.sha256();
    return results;
}

}  // namespace skincheck
