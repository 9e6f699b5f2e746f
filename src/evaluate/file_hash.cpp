#include "evaluate/file_hash.hpp"

#include "result/descriptor.hpp"
#include "result/sha256.hpp"
#include "table/text_input.hpp"

#include <fcntl.h>

#include <array>

namespace skincheck {

std::string file_hash(const std::string& file) {
    const Descriptor opened(
        file == standard_input_name ? -1 : open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (opened.get() < 0 || fstat(opened.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return "";
    }
    Sha256Stream hash;
    std::array<char, 1U << 16U> block{};
    std::size_t got = 0;
    do {
        if (read_all(opened, block.data(), block.size(), got) != 0) {
            return "";
        }
        hash.add({block.data(), got});
    } while (got == block.size());
    return hexadecimal(hash.digest());
}

}  // namespace skincheck
