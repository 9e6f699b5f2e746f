// Which of the items are given out: by age, by shard; and under which name and number.
#pragma once

#include "skincheck/input.hpp"

#include <memory>

namespace skincheck {

/// `source` without what `options` leaves to others or to a later run; numbered, and named as it is written.
std::unique_ptr<Source> select(std::unique_ptr<Source> source, const InputOptions& options,
                               const Cancellation& cancellation);

}  // namespace skincheck
