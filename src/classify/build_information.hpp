#pragma once

#include <string_view>

namespace skincheck {

/// Whether OpenCV's build information has YES on the line that begins with `part`: "NVIDIA CUDA:",
/// "OpenVINO:".
bool opencv_built_with(std::string_view part);

}  // namespace skincheck
