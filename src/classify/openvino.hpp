// OpenVINO, a second engine of OpenCV's DNN module on the CPU.
#pragma once

#include "skincheck/classify.hpp"

#include <optional>
#include <string>

namespace skincheck {

/// Whether this CPU computes in bf16.
bool cpu_has_bf16();

/// Why OpenVINO cannot compute in this precision here, and what to do; nothing if it can. Left alone OpenVINO
/// takes bf16 wherever the CPU has it, and scores would depend on the machine: so this settles the precision,
/// once for the process. To be called before other threads are started.
std::optional<std::string> openvino_obstacle(Precision precision);

}  // namespace skincheck
