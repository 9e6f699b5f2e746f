#include "evaluate/file_hash.hpp"

#include "result/sha256.hpp"
#include "table/text_input.hpp"

#include <boost/filesystem.hpp>
#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <memory>
#include <span>

namespace skincheck {

std::string file_hash(const std::string& file) {
    boost::system::error_code error;
    if (file == standard_input_name || !boost::filesystem::is_regular_file(file, error)) {
        return "";
    }
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::ifstream in(file, std::ios::binary);
    std::array<char, 1U << 16U> block{};
    EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
    while (in.read(block.data(), block.size()) || in.gcount() > 0) {
        EVP_DigestUpdate(context.get(), block.data(), static_cast<std::size_t>(in.gcount()));
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    EVP_DigestFinal_ex(context.get(), digest.data(), &length);
    return hexadecimal(std::span(digest).first(length));
}

}  // namespace skincheck
