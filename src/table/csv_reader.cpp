#include "table/csv_reader.hpp"

#include "skincheck/result.hpp"

#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>

namespace skincheck {
namespace {

constexpr std::size_t buffer_step = 4096;

/// Blanks belong to their field (RFC 4180); libcsv on its own would cut them off.
int no_blank(unsigned char) {
    return 0;
}

/// What libcsv calls back. It is C: an exception must not pass through it, so it waits in `error`.
class Records {
  public:
    Records(const TextInput& text, const std::function<void(const CsvRecord&)>& on_record)
        : file_(text.name()), on_record_(on_record), line_(text.line()) {}

    static void on_field(void* bytes, std::size_t size, void* self) {
        static_cast<Records*>(self)->guarded(
            [&](Records& records) { records.field(static_cast<const char*>(bytes), size); });
    }
    static void on_end(int terminator, void* self) {
        static_cast<Records*>(self)->guarded([&](Records& records) { records.end(terminator); });
    }

    void rethrow() const {
        if (error_) {
            std::rethrow_exception(error_);
        }
    }
    std::size_t line() const { return line_ + line_ends(); }
    std::size_t start_line() const { return line_; }
    std::size_t ended() const { return ended_; }

  private:
    template <typename Step>
    void guarded(const Step& step) {
        if (error_) {
            return;
        }
        try {
            step(*this);
        } catch (...) {
            error_ = std::current_exception();
        }
    }

    void field(const char* bytes, std::size_t size) {
        bytes_.append(bytes, size);
        ends_.push_back(bytes_.size());
    }

    void end(int terminator);
    std::size_t line_ends() const;

    const std::string& file_;
    const std::function<void(const CsvRecord&)>& on_record_;
    std::string bytes_;              ///< of the record's fields, end to end
    std::vector<std::size_t> ends_;  ///< of the fields in bytes_
    CsvRecord record_;
    std::size_t line_;       ///< of the next record
    std::size_t width_ = 0;  ///< of the first record, in fields
    std::size_t ended_ = 0;  ///< records and empty lines
    bool after_carriage_return_ = false;
    std::exception_ptr error_;
};

void Records::end(int terminator) {
    ++ended_;
    if (ends_.empty()) {
        if (!(terminator == '\n' && after_carriage_return_)) {
            ++line_;
        }
        after_carriage_return_ = terminator == '\r';
        return;
    }
    if (width_ == 0) {
        width_ = ends_.size();
    } else if (ends_.size() != width_) {
        refuse_line(file_, line_,
                    fmt::format("a row of {} field{} where the first line has {}", ends_.size(),
                                ends_.size() == 1 ? "" : "s", width_));
    }
    record_.line = line_;
    record_.fields.clear();
    std::size_t start = 0;
    for (const std::size_t end : ends_) {
        record_.fields.push_back(std::string_view(bytes_).substr(start, end - start));
        start = end;
    }
    on_record_(record_);
    line_ += line_ends() + 1;
    after_carriage_return_ = terminator == '\r';
    bytes_.clear();
    ends_.clear();
}

/// Line ends within quotes.
std::size_t Records::line_ends() const {
    std::size_t count = 0;
    for (std::size_t at = bytes_.find('\n'); at != std::string::npos; at = bytes_.find('\n', at + 1)) {
        ++count;
    }
    return count;
}

class Parser {
  public:
    Parser() {
        // Empty lines are reported for the sake of the line numbers.
        csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL);
        csv_set_space_func(&parser_, no_blank);
        csv_set_blk_size(&parser_, buffer_step);
    }
    ~Parser() { csv_free(&parser_); }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;

    /// False when a quote stands where none may.
    bool parse(std::string_view bytes, Records& records) {
        const std::size_t done =
            csv_parse(&parser_, bytes.data(), bytes.size(), Records::on_field, Records::on_end, &records);
        records.rethrow();
        if (done < bytes.size() && csv_error(&parser_) != CSV_EPARSE) {
            throw std::bad_alloc();
        }
        return done == bytes.size();
    }

    /// False when a quote is left open.
    bool finish(Records& records) {
        const bool whole = csv_fini(&parser_, Records::on_field, Records::on_end, &records) == 0;
        records.rethrow();
        return whole;
    }

  private:
    csv_parser parser_;
};

}  // namespace

void refuse_line(const std::string& file, std::size_t line, const std::string& reason) {
    throw Fatal(ExitCode::usage, fmt::format("{}:{}: {}", file, line, reason));
}

void read_csv(TextInput& text, const std::function<void(const CsvRecord&)>& on_record) {
    Records records(text, on_record);
    Parser parser;
    std::size_t unfinished = 0;  // bytes since a block in which a record ended
    while (!text.at_end()) {
        const std::string_view block = text.rest_of_block();
        const std::string_view clean = block.substr(0, block.find('\0'));
        const std::size_t ended = records.ended();
        if (!parser.parse(clean, records)) {
            refuse_line(text.name(), records.line(),
                        "a quote within a field; quotes enclose a whole field and are doubled inside it");
        }
        if (clean.size() < block.size()) {
            refuse_line(text.name(), records.line(), "a NUL byte; a CSV in UTF-8 or ASCII is needed");
        }
        unfinished = records.ended() == ended ? unfinished + block.size() : 0;
        if (unfinished > longest_row) {
            refuse_line(text.name(), records.start_line(),
                        "more than 1 MiB without the end of the row; is a quote left open?");
        }
        text.skip_block();
    }
    if (!parser.finish(records)) {
        refuse_line(text.name(), records.start_line(), "a quote that opens in this row is never closed");
    }
}

}  // namespace skincheck
