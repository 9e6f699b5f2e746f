// What of a DICOM file's elements says where its picture is and of what kind.
#pragma once

#include "skincheck/result.hpp"

#include "image/bytes.hpp"

#include <tl/expected.hpp>

#include <string>

namespace skincheck {

struct DicomHeader {
    std::string transfer_syntax;
    std::string photometric;
    std::uint32_t rows = 0, columns = 0;
    std::uint32_t samples = 1;
    std::uint32_t bits_allocated = 0, bits_stored = 0;
    std::uint32_t is_signed = 0;
    std::uint32_t planar = 0;   ///< 1: all of the red, then all of the green, then all of the blue
    std::uint64_t pixels = 0;   ///< offset of the pixel data's value
    std::uint32_t length = 0;   ///< of that value
    bool encapsulated = false;  ///< the value is a row of items, of undefined length
};

/// Reads the elements up to the pixel data (PS3.5, little endian). The message of a failure names what is
/// missing.
tl::expected<DicomHeader, Failure> read_dicom_header(Bytes bytes);

namespace dicom {
inline constexpr std::uint32_t undefined_length = 0xFFFFFFFF;
inline constexpr std::uint32_t item = 0xFFFEE000;
/// A tag's group and element as one number.
constexpr std::uint32_t tag_at(Bytes bytes, std::uint64_t at) {
    return (number_at(bytes, at, 2) << 16) | number_at(bytes, at + 2, 2);
}
}  // namespace dicom

}  // namespace skincheck
