#pragma once

#include <string>

namespace skincheck::cli {

/// What --version prints: the version on a line of its own, then what a bug report needs to know of this
/// build and this machine. Fails for nothing that is not there.
std::string version_text();

}  // namespace skincheck::cli
