// The bytes of a table, from a file or from memory, in blocks.
#pragma once

#include "result/descriptor.hpp"
#include "result/sha256.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace skincheck {

inline constexpr const char* standard_input_name = "standard input";

/// A UTF-8 byte order mark at the start is left out. Pipes do: nothing is read twice.
class TextInput {
  public:
    /// "-" is standard input. Fatal (usage) when the file cannot be opened; at_end() and read_block() throw
    /// it when it cannot be read.
    explicit TextInput(const std::string& file);
    /// `bytes` must outlive this. They are given out `block_size` at a time.
    TextInput(std::string name, std::string_view bytes, std::size_t block_size = std::string_view::npos);

    const std::string& name() const { return name_; }

    /// True when all was read; else current() is the next byte, and advance() goes past it.
    bool at_end() { return position_ == block_.size() && !refill(); }
    char current() const { return block_[position_]; }
    void advance() { ++position_; }

    /// What is there without another read; nothing is left after skip_block().
    std::string_view rest_of_block() const { return block_.substr(position_); }
    void skip_block() { position_ = block_.size(); }

    std::size_t offset() const { return offset_ + position_; }  ///< bytes before current()
    std::size_t line() const;                                   ///< of current(), from 1

    /// Of a file's bytes, lower-case hexadecimal digits; reads what is left of it. To be called once.
    std::string sha256();

  private:
    bool refill();
    std::string_view read_block();

    std::string name_;
    Descriptor file_{-1};
    std::string buffer_;       ///< of a file
    Sha256Stream hash_;        ///< of what was read of it
    std::string_view memory_;  ///< what is to come, when there is no file
    std::size_t block_size_;
    bool first_ = true;

    std::string_view block_;
    std::size_t position_ = 0;      ///< in block_
    std::size_t offset_ = 0;        ///< of block_
    std::size_t lines_before_ = 0;  ///< line ends before block_
};

/// One row should not be longer, nor any text in it: what is longer is no table.
inline constexpr std::size_t longest_row = std::size_t{1} << 20;

}  // namespace skincheck
