#include "skincheck/merge.hpp"

#include "merge/part.hpp"
#include "result/number.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace skincheck {
namespace {

[[noreturn]] void refuse(const std::string& reason) {
    throw Fatal(ExitCode::usage, reason);
}

using PartsByIndex = std::map<std::uint64_t, const Part*>;

/// The parts that have rows; the others are those that no item was left for.
PartsByIndex check_parts(const std::vector<Part>& parts) {
    PartsByIndex found;
    const Part* known = &parts.front();
    for (const Part& part : parts) {
        if (const auto difference = known->facts.difference(part.facts)) {
            refuse(fmt::format("{} and {} differ in their {}: they are not parts of one run", known->file,
                               part.file, *difference));
        }
        if (!known->shard) {  // without a row it may tell neither model nor threshold
            known = &part;
        }
        if (!part.shard) {
            continue;
        }
        const std::uint64_t count = part.shard->count;
        if (!found.empty() && found.begin()->second->shard->count != count) {
            refuse(fmt::format("{} is one of {} parts, and {} one of {}", found.begin()->second->file,
                               found.begin()->second->shard->count, part.file, count));
        }
        const auto [other, is_new] = found.emplace(part.shard->index, &part);
        if (!is_new) {
            refuse(fmt::format("{} and {} are both part {}", other->second->file, part.file,
                               to_string(*part.shard)));
        }
    }
    return found;
}

/// All items, one after the other, each with the digest of those up to it; the last of each part with that of
/// all.
void check_rows(Journal& rows, const PartsByIndex& parts, std::size_t files) {
    if (parts.empty()) {
        return;
    }
    const std::uint64_t count = parts.begin()->second->shard->count;
    const auto missing = [&](std::uint64_t number) {
        const std::uint64_t index = shard_index_of(number, count);
        const auto part = parts.find(index);
        refuse(part == parts.end()
                   ? fmt::format("part {}/{} is missing: nobody has item {}", index, count, number)
                   : fmt::format("item {} is missing: part {}/{} ({}) is not whole", number, index, count,
                                 part->second->file));
    };
    const auto of_other_inputs = [&](std::uint64_t number) {
        refuse(fmt::format(
            "the parts were not made from the same inputs: item {}, or one before it, was "
            "another for part {}/{} than for the others; all need the same paths, written in the same way",
            number, shard_index_of(number, count), count));
    };
    std::uint64_t number = 0, digest = 0;
    std::map<std::uint64_t, std::uint64_t> last;  // digests by number, of rows that must be their part's last
    rows.for_each([&](const Row& row) {
        if (row.number != ++number) {
            missing(number);
        }
        if (!last.empty() && number - last.begin()->first >= count) {
            of_other_inputs(last.begin()->first);
        }
        digest = extend_digest(digest, row.path);
        if (row.digest != digest) {
            last.emplace(number, row.digest);
        }
    });
    for (std::uint64_t item = number - std::min(number, count) + 1; item <= number; ++item) {
        const auto found = last.find(item);
        const std::uint64_t index = shard_index_of(item, count);
        if (found == last.end()) {
            refuse(fmt::format("part {}/{} ({}) is not whole: rows behind item {} are missing", index, count,
                               parts.at(index)->file, item));
        }
        if (found->second != digest_of_all(digest)) {
            refuse(
                fmt::format("part {}/{} ({}) was not made from the inputs that are here: it is of other "
                            "inputs than the others, or one of them has lost its last rows",
                            index, count, parts.at(index)->file));
        }
    }
    for (std::uint64_t index = 1; index <= count; ++index) {
        if (!parts.contains(index) && (index <= number || files < count)) {
            refuse(fmt::format("part {}/{} is missing", index, count));
        }
    }
    if (files > count) {
        refuse(fmt::format("{} files are more than the {} parts of this run", files, count));
    }
}

Provenance provenance_of(const std::vector<Part>& parts) {
    Provenance provenance;
    std::vector<std::string> devices;
    std::vector<std::string> engines;
    for (const Part& part : parts) {
        if (!part.device.empty()) {
            devices.push_back(part.device);
            engines.push_back(part.engine);
        }
        const PartFacts& facts = part.facts;
        if (facts.model.empty()) {
            continue;
        }
        ModelSpec& model = provenance.model;
        const auto at = facts.model.rfind('@');
        model.name = facts.model.substr(0, at);
        model.sha256 = !facts.model_sha256.empty() ? facts.model_sha256
                       : at == std::string::npos   ? ""
                                                   : facts.model.substr(at + 1);
        model.version = facts.model_version;
        model.preprocess_json = facts.preprocessing;
        model.output.classes = facts.classes;
        provenance.precision = facts.precision;
        provenance.views = facts.views;
        provenance.threshold = number_in<double>(facts.threshold).value_or(provenance.threshold);
    }
    if (provenance.model.output.classes.empty()) {
        provenance.model.output.classes = parts.front().facts.classes;
    }
    provenance.device = joined_names(devices);
    provenance.engine = joined_names(engines);
    return provenance;
}

}  // namespace

Merged merge(const std::vector<std::string>& files, const Cancellation& cancellation) {
    Merged merged;
    merged.rows = temporary_journal();
    std::vector<Part> parts;
    parts.reserve(files.size());
    std::string twice;
    for (const std::string& file : files) {
        parts.push_back(read_part(file, [&](const Row& row) {
            if (cancellation.requested()) {
                throw Fatal(ExitCode::interrupted, "interrupted");
            }
            if (!merged.rows->put(row, false) && twice.empty()) {
                twice = fmt::format("{}: item {} is there twice", file, row.number);
            }
        }));
    }
    if (parts.empty()) {
        refuse("there are no parts");
    }
    const PartsByIndex by_index = check_parts(parts);
    if (!twice.empty()) {  // told only now: two files that are the same part say more
        refuse(twice);
    }
    check_rows(*merged.rows, by_index, files.size());
    merged.format = parts.front().facts.format;
    merged.provenance = provenance_of(parts);
    return merged;
}

}  // namespace skincheck
