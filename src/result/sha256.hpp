// SHA-256, from OpenSSL; Fatal (model) where that cannot compute it.
#pragma once

#include <openssl/types.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace skincheck {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);

/// Of bytes that come one after the other.
class Sha256Stream {
  public:
    Sha256Stream();
    void add(std::string_view bytes);
    Sha256 digest();  ///< of all that was added; nothing can be added afterwards

  private:
    std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

/// HMAC-SHA-256 (RFC 2104).
Sha256 keyed_sha256(std::string_view key, std::string_view bytes);

/// Lower-case digits, two a byte.
std::string hexadecimal(std::span<const unsigned char> bytes);

}  // namespace skincheck
