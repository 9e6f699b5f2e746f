#include "cli/rows.hpp"

#include <fmt/format.h>

#include <utility>

namespace skincheck::cli {

Summary write_rows(Journal& rows, Format format, Provenance provenance, Destination& destination,
                   const Cancellation* cancellation) {
    const auto writer = make_writer(format, std::move(provenance), destination);
    writer->begin();
    Summary summary;
    rows.for_each([&](const Row& row) {
        if (cancellation != nullptr && cancellation->requested()) {
            throw Fatal(ExitCode::interrupted, "interrupted");
        }
        writer->row(row);
        summary.add(row);
    });
    writer->end(summary);
    destination.commit();
    return summary;
}

std::unique_ptr<Source> StreamedRows::begin(std::unique_ptr<Source> source) {
    writer_->begin();
    return source;
}

void StreamedRows::end(const Summary& summary, bool complete) {
    if (!complete && whole_only_) {
        return;
    }
    writer_->end(summary);
    if (complete || summary.rows > 0) {  // no rows must not take the place of what was there before
        destination_->commit();
    }
}

std::string_view StreamedRows::interrupted(const Summary& summary) const {
    return summary.rows == 0 ? "interrupted before the first row"
           : whole_only_ ? "interrupted: nothing was written, for a part must be whole; --resume keeps what "
                           "is done"
                         : "interrupted: only the first inputs have their rows";
}

std::unique_ptr<Source> JournaledRows::begin(std::unique_ptr<Source> source) {
    const bool starts_over = held_.to_start_over.has_value();
    if (starts_over) {
        held_.journal = open_journal(*std::exchange(held_.to_start_over, std::nullopt), true);
    }
    if (const auto difference = held_.journal->agree(settings_)) {
        throw Fatal(
            ExitCode::usage,
            fmt::format("cannot resume {}: {}; use the same, another --output, or --force to start over",
                        output_, *difference));
    }
    if (starts_over) {  // the output of before stays, and would be refused beside a journal that is not kept
        held_.journal->commit();
    }
    return resume_from(std::move(source), *held_.journal, kept_);
}

void JournaledRows::write(const Row& row) {
    if (!std::exchange(device_added_, true)) {
        held_.journal->add_device({provenance_.device, provenance_.engine});
    }
    held_.journal->put(row, true);
}

void JournaledRows::end(const Summary& /*of this run*/, bool complete) {
    Journal& journal = *held_.journal;
    if (complete) {
        journal.forget_directories();
    } else if (journal.empty()) {
        return;
    }
    journal.commit();
    if (!complete && whole_only_) {
        return;
    }
    Provenance provenance = provenance_;
    if (const auto devices = journal.devices(); !devices.empty()) {
        std::vector<std::string> names, engines;
        for (const Journal::Device& device : devices) {
            names.push_back(device.name);
            engines.push_back(device.engine);
        }
        provenance.device = joined_names(names);
        provenance.engine = joined_names(engines);
    }
    write_rows(journal, format_, std::move(provenance), *atomic_file(output_));
}

std::string_view JournaledRows::interrupted(const Summary& /*summary*/) const {
    return "interrupted: what is done is kept, and the same command goes on from there";
}

}  // namespace skincheck::cli
