#include "cli/command_line.hpp"

#include "skincheck/journal.hpp"

#include "cli/version.hpp"

#include <boost/algorithm/string/case_conv.hpp>
#include <boost/filesystem.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <locale>

namespace skincheck::cli {
namespace {

// CLI11 gives "--option=" the next argument as its value: with --output= that would be an image.
void refuse_empty_values(const std::vector<std::string>& arguments, CLI::App& app) {
    constexpr const char* advice = "its value is empty; give one, or leave the option out";
    for (const std::string& argument : arguments) {
        if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
            throw Fatal(ExitCode::usage, fmt::format("{} {}", argument, advice));
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

}  // namespace

void refuse_image_or_journal(const char* option, const std::string& file) {
    if (file.empty()) {
        return;
    }
    if (file.ends_with(journal_ending) || is_journal(file)) {
        throw Fatal(ExitCode::usage,
                    fmt::format("{} {}: that is a journal of --resume, or the name of one; name another file",
                                option, file));
    }
    const std::string lower = boost::algorithm::to_lower_copy(file, std::locale::classic());
    for (const std::string& extension : image_extensions()) {
        if (lower.ends_with(extension)) {
            throw Fatal(ExitCode::usage,
                        fmt::format("{} {}: text does not go into a file with the name of an image; name "
                                    "another one (.csv, .json, .jsonl, .html)",
                                    option, file));
        }
    }
    if (is_image_file(file)) {  // DICOM files often have no ending
        throw Fatal(ExitCode::usage,
                    fmt::format("{} {}: an image lies there, which would be replaced; name another file",
                                option, file));
    }
}

void refuse_file_with_journal(const char* option, const std::string& file) {
    struct stat status {};
    if (!file.empty() && stat(journal_path(file).c_str(), &status) == 0) {
        throw Fatal(
            ExitCode::usage,
            fmt::format("{} {}: there is a journal of it, {}, and only --resume goes on with that (or "
                        "starts over, with --force); name another file",
                        option, file, journal_path(file)));
    }
}

void refuse_same(const char* option, const std::string& file, const std::vector<std::string>& others) {
    const auto whole = [](const std::string& path) {
        boost::system::error_code error;
        auto known = boost::filesystem::system_complete(path, error);
        if (!error) {
            known = boost::filesystem::weakly_canonical(known, error);
        }
        return error ? boost::filesystem::path(path) : known;
    };
    for (const std::string& other : others) {
        if (!file.empty() && !other.empty() && whole(file) == whole(other)) {
            throw Fatal(
                ExitCode::usage,
                fmt::format("{} {} is {}, which takes part already; name another file", option, file, other));
        }
    }
}

void add_list_option(CLI::App& app, const char* name, std::vector<std::string>& values,
                     const char* value_name, const char* help) {
    app.add_option_function<std::string>(
           name, [&values](const std::string& value) { values.push_back(value); }, help)
        ->type_name(value_name)
        ->trigger_on_parse();
}

void add_output_option(CLI::App& app, std::string& output) {
    app.add_option_function<std::string>(
           "-o,--output", [&output](const std::string& file) { output = file == "-" ? "" : file; },
           "Write to FILE, which is replaced at the end or when interrupted")
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
    refuse_empty_values(arguments, app);
    let_the_last_value_count(app);
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        return app.help();
    } catch (const CLI::CallForVersion& version) {
        return version.what();
    } catch (const CLI::ParseError& error) {
        throw Fatal(ExitCode::usage, error.what());
    }
    paths = app.remaining();
    for (const std::string& path : paths) {
        if (path.size() > 1 && path.front() == '-') {
            throw Fatal(ExitCode::usage,
                        fmt::format("unknown option '{0}' (a path? put -- before it)", path));
        }
        const bool is_command = std::find(commands.begin(), commands.end(), path) != commands.end();
        if (is_command && app.get_name().empty() && access(path.c_str(), F_OK) != 0) {
            throw Fatal(ExitCode::usage,
                        fmt::format("{0} comes first: see skincheck {0} --help (a path? write ./{0})", path));
        }
    }
    paths.insert(paths.end(), after.begin(), after.end());
    return "";
}

}  // namespace skincheck::cli
