#include "table/text_input.hpp"

#include "skincheck/result.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace skincheck {
namespace {

constexpr std::size_t file_block = std::size_t{1} << 17;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

[[noreturn]] void refuse(const std::string& name, const std::string& reason) {
    throw Fatal(ExitCode::usage, fmt::format("cannot read {}: {}", name, reason));
}

struct OtherFormat {
    std::string_view begins;
    const char* reason;
};

using namespace std::string_view_literals;

/// What people name by mistake where a table is needed.
constexpr std::array other_formats{
    OtherFormat{"\x1F\x8B"sv, "it is compressed by gzip; unpack it first"},
    OtherFormat{"PK\x03\x04"sv, "it is a ZIP archive or a spreadsheet; unpack it, or save it as CSV"},
    OtherFormat{"SQLite format 3\0"sv,
                "it is a database, as a journal of --resume is; name the results beside it"},
    OtherFormat{"\xFF\xFE"sv, "it is in UTF-16; save it in UTF-8"},
    OtherFormat{"\xFE\xFF"sv, "it is in UTF-16; save it in UTF-8"},
};

std::size_t line_ends(std::string_view bytes) {
    return static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
}

}  // namespace

TextInput::TextInput(const std::string& file)
    : name_(file == "-" ? standard_input_name : file),
      file_(file == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                        : open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)),
      block_size_(file_block) {
    if (file_.get() < 0) {
        refuse(name_, std::generic_category().message(errno));
    }
    struct stat status {};
    if (fstat(file_.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
        refuse(name_, "it is a folder");
    }
    buffer_.resize(block_size_);
}

TextInput::TextInput(std::string name, std::string_view bytes, std::size_t block_size)
    : name_(std::move(name)), memory_(bytes), block_size_(std::max<std::size_t>(block_size, 1)) {
    if (memory_.starts_with(byte_order_mark)) {
        memory_.remove_prefix(byte_order_mark.size());
    }
}

std::size_t TextInput::line() const {
    return lines_before_ + line_ends(block_.substr(0, position_)) + 1;
}

bool TextInput::refill() {
    offset_ += block_.size();
    lines_before_ += line_ends(block_);
    position_ = 0;
    block_ = read_block();
    if (first_ && file_.get() >= 0) {
        for (const OtherFormat& format : other_formats) {
            if (block_.starts_with(format.begins)) {
                refuse(name_, format.reason);
            }
        }
        if (block_.starts_with(byte_order_mark)) {
            block_.remove_prefix(byte_order_mark.size());
        }
    }
    first_ = false;
    return !block_.empty();
}

/// Fills a block to the brim, so that a pipe's small pieces do not cut the byte order mark.
std::string_view TextInput::read_block() {
    if (file_.get() < 0) {
        const std::string_view block = memory_.substr(0, block_size_);
        memory_.remove_prefix(block.size());
        return block;
    }
    std::size_t size = 0;
    if (const int error = read_all(file_, buffer_.data(), buffer_.size(), size); error != 0) {
        refuse(name_, std::generic_category().message(error));
    }
    const std::string_view block(buffer_.data(), size);
    hash_.add(block);
    return block;
}

std::string TextInput::sha256() {
    while (!at_end()) {
        skip_block();
    }
    return hexadecimal(hash_.digest());
}

}  // namespace skincheck
