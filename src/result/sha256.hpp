// SHA-256, from OpenSSL.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace skincheck {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);

/// HMAC-SHA-256 (RFC 2104).
Sha256 keyed_sha256(std::string_view key, std::string_view bytes);

/// Lower-case digits, two a byte.
std::string hexadecimal(std::span<const unsigned char> bytes);

}  // namespace skincheck
