#include "image/dicom_header.hpp"

#include "image/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace skincheck {

namespace {

constexpr std::uint64_t preamble = 132;
constexpr std::uint32_t item_end = 0xFFFEE00D, sequence_end = 0xFFFEE0DD, pixel_data = 0x7FE00010;

struct Element {
    std::uint32_t tag = 0;
    std::string_view kind;  ///< the value representation, where the file says it
    std::uint32_t length = 0;
    std::uint64_t value = 0;  ///< offset
};

bool has_long_length(std::string_view kind) {
    constexpr std::array<std::string_view, 13> kinds{"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                                     "SV", "UC", "UN", "UR", "UT", "UV"};
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

/// Nothing when the file ends within the element's own header.
std::optional<Element> read_element(Bytes bytes, std::uint64_t at, bool is_explicit) {
    if (!holds(bytes, at, 8)) {
        return std::nullopt;
    }
    Element element;
    element.tag = dicom::tag_at(bytes, at);
    const bool delimiter = (element.tag >> 16) == 0xFFFE;
    if (!is_explicit || delimiter) {
        element.length = number_at(bytes, at + 4, 4);
        element.value = at + 8;
        return element;
    }
    element.kind = text_at(bytes, at + 4, 2);
    if (!has_long_length(element.kind)) {
        element.length = number_at(bytes, at + 6, 2);
        element.value = at + 8;
        return element;
    }
    if (!holds(bytes, at, 12)) {
        return std::nullopt;
    }
    element.length = number_at(bytes, at + 8, 4);
    element.value = at + 12;
    return element;
}

/// Identifiers and code words, which are ASCII of at most 64 characters (PS3.5, 6.2); anything else is cut
/// and marked, for it gets into messages.
std::string text_of(Bytes bytes, const Element& element) {
    std::string text(text_at(bytes, element.value, std::min<std::size_t>(element.length, 64)));
    while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) {
        text.pop_back();
    }
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return text;
}

void take(DicomHeader& header, Bytes bytes, const Element& element) {
    const std::uint32_t number = number_at(bytes, element.value, 2);
    switch (element.tag) {
        case 0x00020010:
            header.transfer_syntax = text_of(bytes, element);
            break;
        case 0x00280002:
            header.samples = number;
            break;
        case 0x00280004:
            header.photometric = text_of(bytes, element);
            break;
        case 0x00280006:
            header.planar = number;
            break;
        case 0x00280010:
            header.rows = number;
            break;
        case 0x00280011:
            header.columns = number;
            break;
        case 0x00280100:
            header.bits_allocated = number;
            break;
        case 0x00280101:
            header.bits_stored = number;
            break;
        case 0x00280103:
            header.is_signed = number;
            break;
        default:
            break;
    }
}

/// The elements of the data set may have another form than those of group 2, which says so.
class Walk {
  public:
    explicit Walk(Bytes bytes) : bytes_(bytes) {}

    tl::expected<DicomHeader, Failure> run() {
        while (true) {
            const bool meta = number_at(bytes_, at_, 2) == 2 && depth_ == 0;
            const bool is_explicit =
                meta || (header_.transfer_syntax != implicit_syntax && unknown_depth_ == 0);
            const auto element = read_element(bytes_, at_, is_explicit);
            if (!element) {
                return image_failure(Status::truncated, "the DICOM ends before its picture begins");
            }
            if (!meta && !known_form()) {
                return image_failure(Status::unsupported,
                                     fmt::format("a DICOM of transfer syntax {}", header_.transfer_syntax));
            }
            if (depth_ == 0 && element->tag == pixel_data) {
                header_.pixels = element->value;
                header_.length = element->length;
                header_.encapsulated = element->length == dicom::undefined_length;
                return header_;
            }
            step(*element);
        }
    }

  private:
    static constexpr std::string_view implicit_syntax = "1.2.840.10008.1.2";

    /// All but these two are little endian with the kinds of values said.
    bool known_form() const {
        return header_.transfer_syntax != "1.2.840.10008.1.2.2" &&   // big endian
               header_.transfer_syntax != "1.2.840.10008.1.2.1.99";  // deflated
    }

    void step(const Element& element) {
        const bool opens = element.length == dicom::undefined_length;
        at_ = element.value;
        if (element.tag == item_end || element.tag == sequence_end) {
            if (unknown_depth_ == depth_) {
                unknown_depth_ = 0;
            }
            depth_ -= depth_ > 0 ? 1 : 0;
        } else if (opens) {
            ++depth_;
            if (element.kind == "UN" && unknown_depth_ == 0) {
                unknown_depth_ = depth_;  // PS3.5, 6.2.2: what is within has no kinds
            }
        } else {
            if (depth_ == 0) {
                take(header_, bytes_, element);
            }
            at_ += element.length;
        }
    }

    Bytes bytes_;
    std::uint64_t at_ = preamble;
    std::uint64_t depth_ = 0;          ///< sequences and items of undefined length that are open
    std::uint64_t unknown_depth_ = 0;  ///< the depth at which a sequence of unknown kind was opened
    DicomHeader header_;
};

}  // namespace

tl::expected<DicomHeader, Failure> read_dicom_header(Bytes bytes) {
    return Walk(bytes).run();
}

}  // namespace skincheck
