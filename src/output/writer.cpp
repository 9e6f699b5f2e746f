#include "skincheck/output.hpp"

#include "writers.hpp"

#include <boost/algorithm/string/case_conv.hpp>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <locale>
#include <set>
#include <utility>

namespace skincheck {

std::optional<Format> parse_format(std::string_view name) {
    if (name == "csv") {
        return Format::csv;
    }
    if (name == "json") {
        return Format::json;
    }
    if (name == "jsonl") {
        return Format::jsonl;
    }
    if (name == "isic") {
        return Format::isic;
    }
    return std::nullopt;
}

std::optional<Format> format_of_path(std::string_view path) {
    const auto dot = path.rfind('.');
    if (dot == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string ending =
        boost::algorithm::to_lower_copy(std::string(path.substr(dot + 1)), std::locale::classic());
    if (ending == "ndjson") {
        return Format::jsonl;
    }
    return ending == "isic" ? std::nullopt : parse_format(ending);
}

std::string joined_names(const std::vector<std::string>& of_runs) {
    std::set<std::string> names;
    for (const std::string& joined : of_runs) {
        std::vector<std::string> parts;
        boost::algorithm::split(parts, joined, boost::algorithm::is_any_of(", "),
                                boost::algorithm::token_compress_on);
        names.insert(parts.begin(), parts.end());
    }
    return fmt::format("{}", fmt::join(names, ", "));
}

std::unique_ptr<Writer> make_writer(Format format, Provenance provenance, Destination& destination) {
    switch (format) {
        case Format::json:
            return json_writer(std::move(provenance), destination);
        case Format::jsonl:
            return json_lines_writer(std::move(provenance), destination);
        case Format::isic:
            return isic_writer(provenance, destination);
        case Format::csv:
            break;
    }
    return csv_writer(std::move(provenance), destination);
}

}  // namespace skincheck
