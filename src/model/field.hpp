#pragma once

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skincheck {

using Json = nlohmann::ordered_json;

/// A JSON text as a value. Duplicate keys, depths over 32 and faults of the syntax throw Fatal (model) that
/// names `origin`.
Json parse_json(const std::string& text, const std::string& origin);

/// One value of model.json together with its path ("preprocess[1].mode"), so that whatever is wrong with it
/// names the field. The accessors throw Fatal (model) when the value is not what they are asked for. Refers
/// to the JSON value and to `origin`, which must outlive it.
class Field {
  public:
    Field(const Json& value, std::string path, const std::string& origin)
        : value_(&value), path_(std::move(path)), origin_(&origin) {}

    /// The value of `key` in this object.
    Field member(const std::string& key) const;
    /// That this is an object with no other keys than these.
    void allow_keys(std::initializer_list<std::string_view> keys) const;
    /// That this is an object with exactly these keys.
    void expect_keys(std::initializer_list<std::string_view> keys) const;
    /// The names of this object's keys, whatever they are.
    std::vector<std::string> keys() const;
    std::vector<Field> elements() const;

    /// One line that is not empty.
    std::string text() const;
    std::vector<std::string> texts() const;
    double number(double low, double high) const;
    /// Greater than zero.
    double positive(double high) const;
    std::int64_t integer(std::int64_t low, std::int64_t high) const;
    int size() const { return static_cast<int>(integer(1, 4096)); }
    int odd(int low, int high) const;

    /// The value that belongs to this word.
    template <typename T>
    T one_of(std::initializer_list<std::pair<std::string_view, T>> choices) const {
        std::string words;
        for (const auto& [word, value] : choices) {
            if (value_->is_string() && value_->get_ref<const std::string&>() == word) {
                return value;
            }
            words += fmt::format("{}{}", words.empty() ? "" : ", ", word);
        }
        fail(fmt::format("{} is none of {}", found(), words));
    }

    /// Throws "ORIGIN: PATH: REASON".
    [[noreturn]] void fail(std::string_view reason) const;
    /// The value for a message: as JSON, cut when it is long.
    std::string found() const;

  private:
    const Json* value_;
    std::string path_;
    const std::string* origin_;
};

}  // namespace skincheck
