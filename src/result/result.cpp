#include "skincheck/result.hpp"

#include "result/number.hpp"

#include <fmt/format.h>

#include <cmath>

namespace skincheck {
namespace {

constexpr std::uint64_t most_shards = 1'000'000;

}  // namespace

std::string_view to_string(Status status) {
    switch (status) {
        case Status::ok:
            return "ok";
        case Status::not_found:
            return "not_found";
        case Status::denied:
            return "denied";
        case Status::not_a_file:
            return "not_a_file";
        case Status::empty:
            return "empty";
        case Status::unsupported:
            return "unsupported";
        case Status::corrupt:
            return "corrupt";
        case Status::truncated:
            return "truncated";
        case Status::too_large:
            return "too_large";
        case Status::io_error:
            return "io_error";
        case Status::model_error:
            return "model_error";
        case Status::changed:
            return "changed";
    }
    return "io_error";
}

std::optional<Status> parse_status(std::string_view text) {
    for (int i = 0; i < status_count; ++i) {
        if (to_string(static_cast<Status>(i)) == text) {
            return static_cast<Status>(i);
        }
    }
    return std::nullopt;
}

std::optional<Shard> parse_shard(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto index = number_in<std::uint64_t>(text.substr(0, slash));
    const auto count = number_in<std::uint64_t>(text.substr(slash + 1));
    const bool sound = index && count && *index >= 1 && *index <= *count && *count <= most_shards;
    return sound ? std::optional(Shard{*index, *count}) : std::nullopt;
}

std::string to_string(const Shard& shard) {
    return fmt::format("{}/{}", shard.index, shard.count);
}

ExitCode exit_code_of_rows(const Summary& summary) {
    return summary.rows > summary.count(Status::ok) ? ExitCode::some_failed : ExitCode::ok;
}

std::string_view to_string(Label label) {
    return label == Label::malignant ? "malignant" : "benign";
}

std::optional<Label> parse_label(std::string_view text) {
    for (const Label label : {Label::malignant, Label::benign}) {
        if (text == to_string(label)) {
            return label;
        }
    }
    return std::nullopt;
}

Failure out_of_memory() {
    return {Status::io_error, "not enough memory for this image; use fewer --jobs"};
}

std::string one_line(std::string_view text) {
    std::string line(text);
    for (std::size_t i = 0; i < line.size(); ++i) {
        const auto byte = [&](std::size_t place) { return static_cast<unsigned char>(line[place]); };
        if (line[i] == '\n' || line[i] == '\r' || line[i] == '\t') {
            line[i] = ' ';
        } else if (byte(i) < ' ' || byte(i) == 0x7F) {
            line[i] = '?';
        } else if (byte(i) == 0xC2 && i + 1 < line.size() && byte(i + 1) >= 0x80 && byte(i + 1) < 0xA0) {
            line[i] = line[i + 1] = '?';  // U+0080 to U+009F in UTF-8: some terminals obey them
        }
    }
    line.erase(line.find_last_not_of(' ') + 1);  // what messages end with
    return line;
}

void Summary::add(const Row& row) {
    ++rows;
    ++by_status.at(static_cast<std::size_t>(row.status));
    if (row.status == Status::ok || row.score || !row.output.empty()) {
        ++used;
    }
    if (row.label) {
        ++(*row.label == Label::malignant ? malignant : benign);
    }
}

double round_probability(double probability) {
    return std::round(probability * 1e6) / 1e6;
}

Label decide(double malignancy, double threshold) {
    return malignancy >= threshold ? Label::malignant : Label::benign;
}

}  // namespace skincheck
