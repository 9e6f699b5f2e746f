// One run at a time.
#pragma once

#include <string>

namespace skincheck {

/// Opens `file`, makes it if it is not there (readable for its owner alone), and locks it with flock(2) for
/// as long as the descriptor that is answered is open; -1 when another run has it. Throws CannotWrite.
int lock_file(const std::string& file);

}  // namespace skincheck
