#pragma once

#include "skincheck/input.hpp"
#include "skincheck/result.hpp"

#include <optional>

namespace skincheck::cli {

/// From now on SIGHUP, SIGINT and SIGTERM request `cancellation`, which must live on to the end of the
/// program. Another signal, whichever of them it is, ends the program at once if it comes a second or more
/// after the first.
void cancel_on_signals(Cancellation& cancellation);

/// The exit code that belongs to the signal that came; nothing when none came.
std::optional<ExitCode> caught_signal();

/// A file that may not grow any more (ulimit -f) is an error of writing to it, and no end of the process.
void survive_file_limits();

/// The reader of the messages may go away: what is in a file's rows does not depend on it. For runs whose
/// rows do not go to standard output.
void survive_closed_messages();

}  // namespace skincheck::cli
