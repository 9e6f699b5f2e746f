#include "skincheck/input.hpp"

#include "result/descriptor.hpp"
#include "result/sha256.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <span>
#include <system_error>

namespace skincheck {
namespace {

constexpr std::size_t shortest_key = 16, longest_key = 4096;  // bytes

[[noreturn]] void refuse_key(const std::string& file, const std::string& reason) {
    throw Fatal(ExitCode::usage, fmt::format("the key in {}: {}; a file of {} to {} random bytes is needed",
                                             file, reason, shortest_key, longest_key));
}

std::string read_key(const std::string& file) {
    const Descriptor descriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    std::string key(longest_key + 1, '\0');
    std::size_t size = 0;
    if (descriptor.get() < 0 && errno == ENOENT) {
        refuse_key(file, fmt::format("no such file (`head -c 32 /dev/urandom > {}` makes one)", file));
    }
    if (descriptor.get() < 0) {
        refuse_key(file, std::generic_category().message(errno));
    }
    if (const int error = read_all(descriptor, key.data(), key.size(), size); error != 0) {
        refuse_key(file, std::generic_category().message(error));
    }
    if (size > longest_key) {
        refuse_key(file, fmt::format("it has more than {} bytes", longest_key));
    }
    key.resize(size);
    key.erase(key.find_last_not_of("\r\n") + 1);  // an editor adds them, `echo -n` does not
    if (key.size() < shortest_key) {
        refuse_key(file, fmt::format("{} bytes can be guessed, it needs {}", key.size(), shortest_key));
    }
    return key;
}

}  // namespace

Anonymise anonymise_with(const std::string& key_file) {
    return [key = read_key(key_file)](const std::string& path) {
        const Sha256 hash = keyed_sha256(key, path);
        return hexadecimal(std::span(hash).first<16>());
    };
}

std::uint64_t extend_digest(std::uint64_t digest, std::string_view path) {
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) {
        bytes += static_cast<char>(digest >> static_cast<unsigned>(shift));
    }
    bytes += path;
    const Sha256 hash = sha256(bytes);
    std::uint64_t extended = 0;
    for (const unsigned char byte : std::span(hash).first<8>()) {
        extended = extended << 8U | byte;
    }
    return extended;
}

}  // namespace skincheck
