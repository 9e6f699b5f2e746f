// JSON from a TextInput: nlohmann's parser, value after value, without a document in memory.
#pragma once

#include "table/text_input.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

namespace skincheck {

inline constexpr int deepest_json = 32;  ///< values within values: parsers and printers of them recurse

/// The bytes of a TextInput for nlohmann's parsers: begin and end alike. Copies read the same input, as those
/// of an input iterator may. Fatal (usage) for more than longest_row bytes behind `token_start`, which the
/// parser's callbacks move on.
class JsonBytes {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = char;

    JsonBytes(TextInput& text, const std::size_t& token_start) : text_(&text), token_start_(&token_start) {}
    char operator*() const { return text_->current(); }
    JsonBytes& operator++() {
        text_->advance();
        return *this;
    }
    JsonBytes operator++(int) { return ++*this; }
    /// Compared with the end only.
    bool operator!=(const JsonBytes&) const { return !at_end(); }
    bool operator==(const JsonBytes&) const { return at_end(); }

  private:
    bool at_end() const;

    TextInput* text_;
    const std::size_t* token_start_;
};

/// nlohmann's callbacks, as far as tables need them: a scalar is a number, a text or null; nesting has a
/// limit.
class JsonEvents : public nlohmann::json::json_sax_t {
  public:
    explicit JsonEvents(TextInput& text) : text_(text) {}

    /// Parses one value after another to the end. Fatal (usage) with file and line for what is no JSON, a
    /// text of more than longest_row bytes and nesting of more than deepest_json.
    void parse();

  protected:
    virtual void on_number(double value, const std::string& digits) = 0;
    virtual void on_text(const std::string& text) = 0;
    virtual void on_null() = 0;
    virtual void on_key(const std::string& name) = 0;
    virtual void on_open(bool object) = 0;   ///< depth() is that of what is inside
    virtual void on_close(bool object) = 0;  ///< depth() as in on_open
    int depth() const { return depth_; }
    const std::string& name() const { return text_.name(); }

  private:
    bool null() final;
    bool boolean(bool value) final;
    bool number_integer(std::int64_t value) final;
    bool number_unsigned(std::uint64_t value) final;
    bool number_float(double value, const std::string& digits) final;
    bool string(std::string& value) final;
    bool binary(nlohmann::json::binary_t&) final { return true; }
    bool start_object(std::size_t) final { return open(true); }
    bool end_object() final { return close(true); }
    bool start_array(std::size_t) final { return open(false); }
    bool end_array() final { return close(false); }
    bool key(std::string& name) final;
    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) final;
    bool open(bool object);
    bool close(bool object);

    TextInput& text_;
    std::size_t token_start_ = 0;
    int depth_ = 0;
};

}  // namespace skincheck
