#include "result/sha256.hpp"

#include "skincheck/result.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <iterator>

namespace skincheck {
namespace {

[[noreturn]] void refuse() {
    throw Fatal(ExitCode::model,
                "OpenSSL cannot compute a SHA-256: memory is short, or it was built without it");
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
    Sha256 digest{};
    unsigned int length = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) {
        refuse();
    }
    return digest;
}

Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
        refuse();
    }
}

void Sha256Stream::add(std::string_view bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) {
        refuse();
    }
}

Sha256 Sha256Stream::digest() {
    Sha256 digest{};
    if (EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) != 1) {
        refuse();
    }
    return digest;
}

Sha256 keyed_sha256(std::string_view key, std::string_view bytes) {
    Sha256 digest{};
    unsigned int length = 0;
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data(),
             &length) == nullptr) {
        refuse();
    }
    return digest;
}

std::string hexadecimal(std::span<const unsigned char> bytes) {
    std::string digits;
    for (const unsigned char byte : bytes) {
        fmt::format_to(std::back_inserter(digits), "{:02x}", byte);
    }
    return digits;
}

}  // namespace skincheck
