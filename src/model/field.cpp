#include "field.hpp"

#include "skincheck/result.hpp"

#include <algorithm>
#include <set>

namespace skincheck {
namespace {

constexpr std::size_t longest_found = 60;
constexpr int deepest = 32;  // dumping is recursive: a limit here is one for the stack

std::string shortened(std::string text) {
    if (text.size() > longest_found) {
        text.replace(longest_found, std::string::npos, "…");
    }
    return text;
}

// In ASCII, so that it can be cut anywhere.
std::string in_ascii(const Json& value) {
    return value.dump(-1, ' ', true);
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: …" without the library's own number.
std::string reason_of(const Json::exception& error) {
    std::string reason = error.what();
    const auto end = reason.find("] ");
    if (!reason.empty() && reason.front() == '[' && end != std::string::npos) {
        reason.erase(0, end + 2);
    }
    return one_line(reason);
}

}  // namespace

Json parse_json(const std::string& text, const std::string& origin) {
    std::vector<std::set<std::string>> keys;  // of the objects that are open
    const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth > deepest) {
            throw Fatal(ExitCode::model, fmt::format("{}: nested more than {} deep", origin, deepest));
        }
        if (event == Json::parse_event_t::object_start) {
            keys.emplace_back();
        } else if (event == Json::parse_event_t::object_end) {
            keys.pop_back();
        } else if (event == Json::parse_event_t::key &&
                   !keys.back().insert(parsed.get<std::string>()).second) {
            throw Fatal(ExitCode::model, fmt::format("{}: the key {} stands twice in one object", origin,
                                                     shortened(in_ascii(parsed))));
        }
        return true;
    };
    try {
        return Json::parse(text, check);
    } catch (const Json::exception& error) {
        throw Fatal(ExitCode::model, fmt::format("{}: is not JSON: {}", origin, reason_of(error)));
    }
}

void Field::fail(std::string_view reason) const {
    throw Fatal(ExitCode::model,
                fmt::format("{}: {}{}{}", *origin_, path_, path_.empty() ? "" : ": ", reason));
}

std::string Field::found() const {
    return shortened(in_ascii(*value_));
}

Field Field::member(const std::string& key) const {
    if (!value_->is_object()) {
        fail(fmt::format("{} is not an object", found()));
    }
    const std::string path = path_.empty() ? key : path_ + "." + key;
    const auto entry = value_->find(key);
    if (entry == value_->end()) {
        Field(*value_, path, *origin_).fail("this field is missing");
    }
    return {*entry, path, *origin_};
}

void Field::allow_keys(std::initializer_list<std::string_view> keys) const {
    for (const std::string& key : this->keys()) {
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
            fail(fmt::format("unknown key {}; the keys here are {}", shortened(in_ascii(key)),
                             fmt::join(keys, ", ")));
        }
    }
}

void Field::expect_keys(std::initializer_list<std::string_view> keys) const {
    allow_keys(keys);
    for (const std::string_view key : keys) {
        member(std::string(key));
    }
}

std::vector<std::string> Field::keys() const {
    if (!value_->is_object()) {
        fail(fmt::format("{} is not an object", found()));
    }
    std::vector<std::string> keys;
    for (const auto& entry : value_->items()) {
        keys.push_back(entry.key());
    }
    return keys;
}

std::vector<Field> Field::elements() const {
    if (!value_->is_array()) {
        fail(fmt::format("{} is not a list", found()));
    }
    std::vector<Field> fields;
    for (const Json& element : *value_) {
        fields.emplace_back(element, fmt::format("{}[{}]", path_, fields.size()), *origin_);
    }
    return fields;
}

std::string Field::text() const {
    if (!value_->is_string()) {
        fail(fmt::format("{} is not a text in quotes", found()));
    }
    auto text = value_->get<std::string>();
    if (text.ends_with(' ')) {
        fail(fmt::format("{} ends with a blank", found()));
    }
    if (text.empty() || one_line(text) != text) {
        fail(fmt::format("{} is not one line of text", found()));
    }
    return text;
}

std::vector<std::string> Field::texts() const {
    std::vector<std::string> texts;
    for (const Field& element : elements()) {
        std::string text = element.text();
        if (std::find(texts.begin(), texts.end(), text) != texts.end()) {
            element.fail(fmt::format("{} stands there twice", element.found()));
        }
        texts.push_back(std::move(text));
    }
    if (texts.empty()) {
        fail("the list is empty; it wants one entry at least");
    }
    return texts;
}

double Field::number(double low, double high) const {
    if (!value_->is_number() || value_->get<double>() < low || value_->get<double>() > high) {
        fail(fmt::format("{} is not a number from {} to {}", found(), low, high));
    }
    return value_->get<double>();
}

double Field::positive(double high) const {
    if (!value_->is_number() || value_->get<double>() <= 0 || value_->get<double>() > high) {
        fail(fmt::format("{} is not a number above 0 and up to {}", found(), high));
    }
    return value_->get<double>();
}

std::int64_t Field::integer(std::int64_t low, std::int64_t high) const {
    // Compared as double, for a number that no integer type holds.
    if (!value_->is_number_integer() || value_->get<double>() < static_cast<double>(low) ||
        value_->get<double>() > static_cast<double>(high)) {
        fail(fmt::format("{} is not a whole number from {} to {}", found(), low, high));
    }
    return value_->get<std::int64_t>();
}

int Field::odd(int low, int high) const {
    const std::int64_t value = integer(low, high);
    if (value % 2 == 0) {
        fail(fmt::format("{} is not odd", value));
    }
    return static_cast<int>(value);
}

}  // namespace skincheck
