// What CUDA cards there are, and what stands against their use.
#pragma once

#include "skincheck/classify.hpp"

#include <optional>
#include <string>

namespace skincheck {

/// Cards that answer: 0 without a driver, and with an OpenCV without CUDA.
int count_cards();

/// Why a card cannot compute in this precision, and what to do; nothing if it can. Asks OpenCV, whose setters
/// accept a card that is not there.
std::optional<std::string> card_obstacle(int index, Precision precision);

/// Name, memory and compute capability.
std::string describe_card(int index);

}  // namespace skincheck
