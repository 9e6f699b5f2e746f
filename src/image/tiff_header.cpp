#include "image/tiff_header.hpp"

#include <array>

namespace skincheck {

namespace {

constexpr std::uint16_t type_byte = 1, type_short = 3, type_long = 4;
constexpr std::uint64_t entry_size = 12;

/// Bytes of one value of TIFF's types 1 (BYTE) to 13 (IFD); 0 for others.
unsigned size_of(std::uint16_t type) {
    constexpr std::array<unsigned char, 14> sizes{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
    return type < sizes.size() ? sizes[type] : 0;
}

}  // namespace

std::optional<TiffDirectory> TiffDirectory::first(Bytes bytes) {
    const auto mark = text_at(bytes, 0, 2);
    if (mark != "II" && mark != "MM") {
        return std::nullopt;
    }
    const ByteOrder order = mark == "MM" ? ByteOrder::big : ByteOrder::little;
    const std::uint64_t start = number_at(bytes, 4, 4, order);
    if (number_at(bytes, 2, 2, order) != 42 || start < 8 || !holds(bytes, start, 2)) {
        return std::nullopt;
    }
    const std::uint32_t count = number_at(bytes, start, 2, order);
    if (!holds(bytes, start + 2, count * entry_size)) {
        return std::nullopt;
    }
    return TiffDirectory(bytes, order, start + 2, count);
}

TiffDirectory::Entry TiffDirectory::entry_at(std::uint32_t index) const {
    const std::uint64_t at = entries_ + index * entry_size;
    Entry entry;
    entry.type = static_cast<std::uint16_t>(number_at(bytes_, at + 2, 2, order_));
    entry.count = number_at(bytes_, at + 4, 4, order_);
    const std::uint64_t size = std::uint64_t{size_of(entry.type)} * entry.count;
    entry.offset = size <= 4 ? at + 8 : number_at(bytes_, at + 8, 4, order_);
    return entry;
}

std::optional<TiffDirectory::Entry> TiffDirectory::find(std::uint16_t tag) const {
    for (std::uint32_t i = 0; i < count_; ++i) {
        if (number_at(bytes_, entries_ + i * entry_size, 2, order_) == tag) {
            return entry_at(i);
        }
    }
    return std::nullopt;
}

bool TiffDirectory::holds_all_values() const {
    for (std::uint32_t i = 0; i < count_; ++i) {
        const Entry entry = entry_at(i);
        if (!holds(bytes_, entry.offset, std::uint64_t{size_of(entry.type)} * entry.count)) {
            return false;
        }
    }
    return true;
}

std::optional<std::uint32_t> TiffDirectory::value(const Entry& entry, std::uint32_t index) const {
    const bool whole_number = entry.type == type_byte || entry.type == type_short || entry.type == type_long;
    const unsigned size = size_of(entry.type);
    const std::uint64_t at = entry.offset + std::uint64_t{index} * size;
    if (!whole_number || index >= entry.count || !holds(bytes_, at, size)) {
        return std::nullopt;
    }
    return number_at(bytes_, at, size, order_);
}

std::optional<std::uint32_t> TiffDirectory::value(std::uint16_t tag) const {
    const auto entry = find(tag);
    return entry ? value(*entry) : std::nullopt;
}

int exif_orientation(Bytes exif) {
    using namespace std::string_view_literals;
    if (text_at(exif, 0, 6) == "Exif\0\0"sv) {
        exif = exif.subspan(6);
    }
    const auto directory = TiffDirectory::first(exif);
    const auto value = directory ? directory->value(tiff_tag::orientation) : std::nullopt;
    return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : 1;
}

}  // namespace skincheck
