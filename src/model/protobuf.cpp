#include "protobuf.hpp"

namespace skincheck::protobuf {

std::uint64_t Reader::number() {
    std::uint64_t value = 0;
    for (unsigned int shift = 0; shift < 64; shift += 7) {
        const auto byte = static_cast<unsigned char>(take(1).front());
        value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
        if (byte < 0x80U) {
            return value;
        }
    }
    throw Malformed{};
}

std::optional<Field> Reader::next() {
    if (at_end()) {
        return std::nullopt;
    }
    const std::uint64_t tag = number();
    Field field;
    field.key = tag >> 3U;
    if (field.key == 0) {
        throw Malformed{};
    }
    switch (tag & 7U) {
        case 0:
            field.number = number();
            break;
        case 1:
            field.kind = Field::Kind::fixed64;
            field.bytes = take(8);
            break;
        case 2:
            field.kind = Field::Kind::bytes;
            field.bytes = take(number());
            break;
        case 5:
            field.kind = Field::Kind::fixed32;
            field.bytes = take(4);
            break;
        default:  // groups, which ONNX does not have
            throw Malformed{};
    }
    return field;
}

std::string_view Reader::take(std::uint64_t count) {
    if (count > rest_.size()) {
        throw Malformed{};
    }
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(count));
    rest_.remove_prefix(taken.size());
    return taken;
}

}  // namespace skincheck::protobuf
