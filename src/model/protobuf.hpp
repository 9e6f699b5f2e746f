// The wire format of Protocol Buffers, as much of it as ONNX files have.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace skincheck::protobuf {

/// One field of a message. Of `number` and `bytes` the one that `kind` names is set.
struct Field {
    enum class Kind { number, fixed32, fixed64, bytes };
    std::uint64_t key = 0;
    Kind kind = Kind::number;
    std::uint64_t number = 0;
    std::string_view bytes;
};

/// The bytes are not a message. The caller knows what was read.
struct Malformed {};

/// Gives the fields of a message one after another; refers to its bytes.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    /// Nothing at the end. Throws Malformed.
    std::optional<Field> next();
    /// A number as packed lists hold it. Throws Malformed.
    std::uint64_t number();
    bool at_end() const { return rest_.empty(); }

  private:
    std::string_view take(std::uint64_t count);
    std::string_view rest_;
};

}  // namespace skincheck::protobuf
