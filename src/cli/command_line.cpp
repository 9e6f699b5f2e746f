#include "cli/command_line.hpp"

#include "skincheck/journal.hpp"
#include "skincheck/output.hpp"

#include "cli/version.hpp"
#include "result/descriptor.hpp"

#include <CLI/CLI.hpp>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/filesystem.hpp>
#include <boost/locale/utf.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <locale>
#include <memory>
#include <string_view>
#include <utility>

namespace skincheck::cli {
namespace {

class HelpFormatter : public CLI::Formatter {
  public:
    explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(30); }
    std::string make_usage(const CLI::App* /*app*/, std::string /*name*/) const override {
        return usage_ + "\n";
    }

  private:
    std::string usage_;
};

// CLI11 gives "--option=" the next argument as its value: with --output= that would be an image; and it takes
// "--flag=no" for a flag that is not set.
void refuse_values(const std::vector<std::string>& arguments, CLI::App& app) {
    constexpr const char* advice = "its value is empty; give one, or leave the option out";
    for (const std::string& argument : arguments) {
        const std::string name = argument.substr(0, argument.find('='));
        if (!argument.starts_with("--") || name.size() == argument.size()) {
            continue;
        }
        const CLI::Option* option = app.get_option_no_throw(name);
        if (option != nullptr && option->get_items_expected_max() == 0) {
            throw Fatal(ExitCode::usage,
                        fmt::format("{}: it takes no value; write {} alone", argument, name));
        }
        if (name.size() == argument.size() - 1) {
            throw Fatal(ExitCode::usage, fmt::format("{}: {}", name, advice));
        }
    }
    for (CLI::Option* option : app.get_options()) {
        option->check([](const std::string& value) { return std::string(value.empty() ? advice : ""); });
    }
}

// An alias with an option, and another value on the command line.
void let_the_last_value_count(CLI::App& app) {
    for (CLI::Option* option : app.get_options()) {
        if (option->get_items_expected_min() > 0 && !option->get_trigger_on_parse()) {
            option->take_last();
        }
    }
}

constexpr std::size_t enough_of_a_file = 4096;

// Whatever its name: DICOM files often have no ending, a photograph may be of a kind that is not read, and a
// key of random bytes may hold no NUL. What skincheck writes is UTF-8, or else its header is ASCII, where no
// spreadsheet has put a byte order mark before it, and bytes of paths come later.
bool is_text(std::string_view start) {
    using Decoder = boost::locale::utf::utf_traits<char>;
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    constexpr std::string_view shortest_header = "isic_id,target\n";
    const auto is_control = [](boost::locale::utf::code_point c) {
        return c < ' ' && c != '\n' && c != '\r' && c != '\t';
    };
    if (start.find('\0') != std::string_view::npos) {
        return false;
    }
    start.remove_prefix(start.starts_with(byte_order_mark) ? byte_order_mark.size() : 0);
    const char* at = start.data();
    const char* const end = at + start.size();
    bool all_ascii = true;
    while (at != end && !(all_ascii && at - start.data() >= std::ssize(shortest_header))) {
        const auto character = Decoder::decode(at, end);
        if (character == boost::locale::utf::incomplete) {
            return start.size() + byte_order_mark.size() >= enough_of_a_file;  // cut here, not in the file
        }
        if (character == boost::locale::utf::illegal || is_control(character)) {
            return false;
        }
        all_ascii = all_ascii && character < 0x80;
    }
    return true;
}

}  // namespace

void refuse_empty_names(const std::vector<std::string>& names) {
    if (std::find(names.begin(), names.end(), "") != names.end()) {
        throw Fatal(ExitCode::usage, "an argument is empty: a variable without a value?");
    }
}

void refuse_output(const char* option, const std::string& file, bool resumed) {
    if (file.empty()) {
        return;
    }
    if (file == "-") {
        throw Fatal(ExitCode::usage,
                    fmt::format("{} -: this does not go to standard output; name a file", option));
    }
    if (file.ends_with(journal_ending) || file.ends_with(rollback_ending) || is_journal(file)) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{} {}: that is a journal of --resume, or the name of one; name another file",
                                option, file));
    }
    const std::string lower = boost::algorithm::to_lower_copy(file, std::locale::classic());
    for (const std::string& extension : image_extensions()) {
        if (lower.ends_with(extension)) {
            throw Fatal(ExitCode::usage,
                        fmt::format("{} {}: text does not go into a file with the name of an image; name "
                                    "another file",
                                    option, file));
        }
    }
    if (!is_text(first_bytes(file, enough_of_a_file))) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{} {}: an image or another file that is no text lies there, which would be "
                                "replaced; name another file",
                                option, file));
    }
    if (!resumed && has_journal(file)) {
        throw Fatal(
            ExitCode::usage,
            fmt::format(
                "{} {}: its rows are those of runs with --resume, whose journal is {}; name another file",
                option, file, journal_path(file)));
    }
}

void refuse_same(const char* option, const std::string& file, const std::vector<std::string>& others) {
    const auto target = [](const std::string& path) {  // also of a link to what is not there yet
        try {
            return resolve_links(path);
        } catch (const CannotWrite&) {  // links in a circle
            return path;
        }
    };
    const auto whole = [&](const std::string& path) {
        boost::system::error_code error;
        auto known = boost::filesystem::system_complete(target(path), error);
        if (!error) {
            known = boost::filesystem::weakly_canonical(known, error);
        }
        return error ? boost::filesystem::path(path) : known;
    };
    struct stat here {};
    const bool exists = stat(file.c_str(), &here) == 0;
    const auto may_be_same = [&](const std::string& other) {  // names take longer, and there may be many
        struct stat there {};
        const bool other_exists = stat(other.c_str(), &there) == 0;
        return exists == other_exists &&
               (!exists || (there.st_dev == here.st_dev && there.st_ino == here.st_ino));
    };
    for (const std::string& other : others) {
        if (!file.empty() && !other.empty() && may_be_same(other) && whole(file) == whole(other)) {
            throw Fatal(ExitCode::usage,
                        fmt::format("{} {} is {}, which this run reads or writes already; name another file",
                                    option, file, other));
        }
    }
}

void refuse_standard_input(const char* option, const std::string& file,
                           const std::vector<std::string>& inputs) {
    struct stat input {};
    struct stat output {};
    if (!file.empty() && std::find(inputs.begin(), inputs.end(), "-") != inputs.end() &&
        fstat(STDIN_FILENO, &input) == 0 && S_ISREG(input.st_mode) && stat(file.c_str(), &output) == 0 &&
        input.st_dev == output.st_dev && input.st_ino == output.st_ino) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{} {} is what is read on standard input; name another file", option, file));
    }
}

void set_usage(CLI::App& app, std::string usage) {
    app.formatter(std::make_shared<HelpFormatter>(std::move(usage)));
}

void add_list_option(CLI::App& app, const char* name, std::vector<std::string>& values,
                     const char* value_name, const char* help) {
    app.add_option_function<std::string>(
           name, [&values](const std::string& value) { values.push_back(value); }, help)
        ->type_name(value_name)
        ->trigger_on_parse();
}

void add_output_option(CLI::App& app, std::string& output, const char* replaced) {
    app.add_option_function<std::string>(
           "-o,--output", [&output](const std::string& file) { output = file == "-" ? "" : file; },
           fmt::format("Write to FILE, which is replaced {}", replaced))
        ->type_name("FILE")
        ->group("Output");
}

void add_quiet_option(CLI::App& app, Verbosity& chosen) {
    app.add_flag_callback(
           "-q,--quiet", [&chosen] { chosen = Verbosity::quiet; }, "Say nothing but errors")
        ->group("Messages");
}

std::string parse(CLI::App& app, std::vector<std::string> arguments, std::vector<std::string>& paths) {
    app.allow_extras();
    app.set_help_flag("-h,--help", "Print this help")->group("Messages");
    app.set_version_flag("-V,--version", version_text, "Print the versions and settings for a bug report")
        ->group("Messages");
    const auto separator = std::find(arguments.begin(), arguments.end(), "--");
    const std::vector<std::string> after(separator == arguments.end() ? separator : separator + 1,
                                         arguments.end());
    arguments.erase(separator, arguments.end());
    refuse_values(arguments, app);
    let_the_last_value_count(app);
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        return app.help();
    } catch (const CLI::CallForVersion& version) {
        return version.what();
    } catch (const CLI::ArgumentMismatch& error) {  // "--model: 1 required DIR|NAME missing"
        const std::string said = error.what();
        throw Fatal(ExitCode::usage, fmt::format("{}: a value is missing", said.substr(0, said.find(':'))));
    } catch (const CLI::ParseError& error) {
        throw Fatal(ExitCode::usage, error.what());
    }
    paths = app.remaining();
    const bool scores = app.get_name().empty();
    for (const std::string& path : paths) {
        if (path.size() > 1 && path.front() == '-') {
            throw Fatal(ExitCode::usage,
                        fmt::format("unknown option '{0}' (a path? put -- before it)", path));
        }
        const bool is_command = std::find(commands.begin(), commands.end(), path) != commands.end();
        if (is_command && scores && access(path.c_str(), F_OK) != 0) {
            throw Fatal(ExitCode::usage,
                        fmt::format("{0} comes first: see skincheck {0} --help (a path? write ./{0})", path));
        }
    }
    if (scores && !paths.empty() && paths.front() == "help" && access("help", F_OK) != 0) {
        throw Fatal(
            ExitCode::usage,
            "for help: skincheck --help, skincheck COMMAND --help or man skincheck (a path? write ./help)");
    }
    paths.insert(paths.end(), after.begin(), after.end());
    return "";
}

}  // namespace skincheck::cli
