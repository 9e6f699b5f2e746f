// Numbers out of a file's bytes, never beyond their end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace skincheck {

using Bytes = std::span<const std::uint8_t>;

enum class ByteOrder { little, big };

/// Whether `count` bytes stand at `offset`; true for none at the end.
constexpr bool holds(Bytes bytes, std::uint64_t offset, std::uint64_t count) {
    return offset <= bytes.size() && count <= bytes.size() - offset;
}

/// The unsigned number of `size` (1 to 4) bytes at `offset`. Zero where the bytes end before it: ask holds()
/// first where that makes a difference.
constexpr std::uint32_t number_at(Bytes bytes, std::uint64_t offset, unsigned size,
                                  ByteOrder order = ByteOrder::little) {
    if (!holds(bytes, offset, size)) {
        return 0;
    }
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size; ++i) {
        const unsigned place = order == ByteOrder::big ? i : size - 1 - i;
        value = (value << 8) | bytes[static_cast<std::size_t>(offset) + place];
    }
    return value;
}

inline std::string_view text_at(Bytes bytes, std::uint64_t offset, std::size_t size) {
    if (!holds(bytes, offset, size)) {
        return {};
    }
    return {reinterpret_cast<const char*>(bytes.data()) + offset, size};
}

}  // namespace skincheck
