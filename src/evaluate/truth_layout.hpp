// Which column of a table of truth tells what.
#pragma once

#include "skincheck/evaluate.hpp"

#include "table/csv_reader.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skincheck {

struct TruthLayout {
    std::string title;                 ///< "ISIC 2018"; "CSV" for a table of no known kind
    bool has_header = true;            ///< ISIC 2016 has none
    std::vector<std::string> columns;  ///< names, trimmed
    std::size_t id = 0;

    /// One column: of words for two kinds (see read_binary), or of values of which some are malignant.
    std::size_t label = 0;
    bool binary_words = false;
    std::vector<std::string> malignant;     ///< values, or classes
    std::vector<std::string> known_values;  ///< lower case; any other is an error. Empty: all are fine

    /// Or a column for each class, that holds 1 in the class of the row.
    std::vector<std::size_t> classes;
    std::optional<std::size_t> unknown;  ///< the column that says that the class is not known
    std::string rest;                    ///< the class of rows without a 1; empty: their truth is unknown

    std::vector<std::size_t> further;  ///< columns that are kept
};

/// From the first record. Fatal (usage) when the columns cannot be told.
TruthLayout truth_layout(const std::string& file, const CsvRecord& first, const TruthOptions& options);

enum class BinaryWord { benign, malignant, indeterminate };

/// What ISIC's archive calls neither: "indeterminate", "indeterminate/benign", "indeterminate/malignant".
bool is_indeterminate(std::string_view word);

/// 0/1, 0.0/1.0, false/true, no/yes, benign/malignant in any case, and is_indeterminate(); nothing for
/// another word.
std::optional<BinaryWord> read_binary(std::string_view word);

}  // namespace skincheck
