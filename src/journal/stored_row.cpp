#include "journal/stored_row.hpp"

#include "journal/database.hpp"
#include "result/sha256.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace skincheck {
namespace {

/// Of numbers from 0 to 1, with commas between them; nullopt: it is something else.
std::optional<std::vector<double>> parse_probabilities(const std::string& text) {
    std::vector<double> found;
    const char* end = text.data() + text.size();
    for (const char* next = text.data(); next < end;) {
        double value = 0;
        const auto [rest, error] = std::from_chars(next, end, value);
        if (error != std::errc() || !(value >= 0 && value <= 1) || (rest != end && *rest != ',')) {
            return std::nullopt;
        }
        found.push_back(value);
        next = rest + 1;
    }
    return found;
}

/// Of all of a row that reaches the output. SQLite itself does not notice a bit of a value that a disk has
/// changed.
std::int64_t checksum_of(const Row& row) {
    std::string content = fmt::format("{} {} {} {} ", row.number, row.digest, to_string(row.status),
                                      row.label ? to_string(*row.label) : "");
    if (row.score) {
        content += fmt::format("{} {}", row.score->malignancy, fmt::join(row.score->probabilities, ","));
    }
    content.append(1, '\0').append(row.path).append(1, '\0').append(row.error);
    const Sha256 hash = sha256(content);
    std::uint64_t first = 0;
    std::memcpy(&first, hash.data(), sizeof first);
    return to_database(first);
}

}  // namespace

std::int64_t to_database(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

std::uint64_t from_database(std::int64_t value) {
    return static_cast<std::uint64_t>(value);
}

void bind_path(SQLite::Statement& statement, int place, const std::string& path) {
    statement.bind(place, path.data(), static_cast<int>(path.size()));
}

void bind_row(SQLite::Statement& statement, const Row& row) {
    statement.clearBindings();
    statement.bind(1, to_database(row.number));
    statement.bind(2, to_database(row.digest));
    bind_path(statement, 3, row.path);
    statement.bind(4, std::string(to_string(row.status)));
    if (row.score) {
        statement.bind(5, row.score->malignancy);
    }
    statement.bind(6, row.score ? fmt::format("{}", fmt::join(row.score->probabilities, ",")) : "");
    if (row.label) {
        statement.bind(7, std::string(to_string(*row.label)));
    }
    statement.bind(8, row.error);
    if (row.stamp) {
        statement.bind(9, to_database(row.stamp->size));
        statement.bind(10, row.stamp->modified);
    }
    statement.bind(11, checksum_of(row));
}

Row read_row(SQLite::Statement& statement, const std::string& file) {
    Row row;
    row.number = from_database(statement.getColumn(0).getInt64());
    row.digest = from_database(statement.getColumn(1).getInt64());
    row.path = statement.getColumn(2).getString();
    row.error = statement.getColumn(7).getString();
    const auto status = parse_status(statement.getColumn(3).getString());
    const bool scored = !statement.getColumn(4).isNull();
    const std::string label = statement.getColumn(6).getString();
    bool sound = status && statement.getColumn(0).getInt64() >= 1 && scored != label.empty();
    if (sound && scored) {
        const double malignancy = statement.getColumn(4).getDouble();
        auto probabilities = parse_probabilities(statement.getColumn(5).getString());
        row.label = parse_label(label);
        sound = malignancy >= 0 && malignancy <= 1 && probabilities && row.label;
        if (sound) {
            row.score.emplace();
            row.score->malignancy = malignancy;
            row.score->probabilities = std::move(*probabilities);
        }
    }
    if (!sound) {
        throw DamagedJournal(file, fmt::format("row {} cannot be", row.number));
    }
    row.status = *status;
    if (statement.getColumn(8).getInt64() != checksum_of(row)) {
        throw DamagedJournal(file, fmt::format("row {} is not as it was written", row.number));
    }
    return row;
}

}  // namespace skincheck
