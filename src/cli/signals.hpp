#pragma once

#include "skincheck/input.hpp"

namespace skincheck::cli {

/// From now on SIGINT and SIGTERM request `cancellation`, which must live on to the end of the program. A
/// second signal ends the program at once.
void cancel_on_signals(Cancellation& cancellation);

/// The signal that came, or 0.
int caught_signal();

}  // namespace skincheck::cli
