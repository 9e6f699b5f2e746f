#include "table/json_input.hpp"

#include "skincheck/result.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skincheck {
namespace {

using Json = nlohmann::json;

constexpr std::size_t longest_reason = 160;

/// "parse error at line 1, column 2: syntax error while …" without the place, which counts from the value's
/// start.
std::string reason_of(const Json::exception& error) {
    std::string reason = error.what();
    const auto column = reason.find("column ");
    const auto end = column == std::string::npos ? column : reason.find(": ", column);
    if (end != std::string::npos) {
        reason.erase(0, end + 2);
    }
    std::replace_if(
        reason.begin(), reason.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    if (reason.size() > longest_reason) {
        reason.resize(longest_reason);
        while (!reason.empty() && static_cast<unsigned char>(reason.back()) >= 0x80) {
            reason.pop_back();  // it may be a part of a character
        }
        reason += "…";
    }
    return reason;
}

/// Past the blanks between values. False at the end.
bool find_value(TextInput& text) {
    while (!text.at_end()) {
        const char c = text.current();
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            return true;
        }
        text.advance();
    }
    return false;
}

}  // namespace

bool JsonBytes::at_end() const {
    if (!text_->rest_of_block().empty()) {
        return false;
    }
    if (text_->offset() > *token_start_ + longest_row) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}:{}: more than 1 MiB in one text; is it JSON, and is every quote closed?",
                                text_->name(), text_->line()));
    }
    return text_->at_end();
}

void JsonEvents::parse() {
    while (find_value(text_)) {
        token_start_ = text_.offset();
        const JsonBytes start(text_, token_start_);
        Json::sax_parse(start, start, static_cast<Json::json_sax_t*>(this), Json::input_format_t::json,
                        false);
    }
}

bool JsonEvents::parse_error(std::size_t, const std::string&, const Json::exception& error) {
    throw Fatal(ExitCode::usage,
                fmt::format("{}:{}: is not JSON: {}", text_.name(), text_.line(), reason_of(error)));
}

bool JsonEvents::null() {
    token_start_ = text_.offset();
    on_null();
    return true;
}

bool JsonEvents::boolean(bool value) {
    token_start_ = text_.offset();
    on_text(value ? "true" : "false");
    return true;
}

bool JsonEvents::number_integer(std::int64_t value) {
    token_start_ = text_.offset();
    on_number(static_cast<double>(value), fmt::format_int(value).str());
    return true;
}

bool JsonEvents::number_unsigned(std::uint64_t value) {
    token_start_ = text_.offset();
    on_number(static_cast<double>(value), fmt::format_int(value).str());
    return true;
}

bool JsonEvents::number_float(double value, const std::string& digits) {
    token_start_ = text_.offset();
    on_number(value, digits);
    return true;
}

bool JsonEvents::string(std::string& value) {
    token_start_ = text_.offset();
    on_text(value);
    return true;
}

bool JsonEvents::key(std::string& name) {
    token_start_ = text_.offset();
    on_key(name);
    return true;
}

bool JsonEvents::open(bool object) {
    token_start_ = text_.offset();
    if (++depth_ > deepest_json) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{}:{}: nested more than {} deep", text_.name(), text_.line(), deepest_json));
    }
    on_open(object);
    return true;
}

bool JsonEvents::close(bool object) {
    token_start_ = text_.offset();
    on_close(object);
    --depth_;
    return true;
}

}  // namespace skincheck
