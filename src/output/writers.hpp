// The writers of the formats; make_writer() chooses.
#pragma once

#include "skincheck/output.hpp"

#include <memory>

namespace skincheck {

std::unique_ptr<Writer> csv_writer(Provenance provenance, Destination& destination);
std::unique_ptr<Writer> isic_writer(const Provenance& provenance, Destination& destination);
std::unique_ptr<Writer> json_writer(Provenance provenance, Destination& destination);
std::unique_ptr<Writer> json_lines_writer(Provenance provenance, Destination& destination);

}  // namespace skincheck
