#include "skincheck/model.hpp"

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace skincheck {
namespace {

namespace fs = boost::filesystem;

bool holds_a_model(const std::string& directory) {
    boost::system::error_code ignored;
    return fs::exists(directory + "/model.json", ignored);
}

// Empty when it cannot be told.
fs::path executable_path() {
    boost::system::error_code unreadable;
    fs::path path = fs::read_symlink("/proc/self/exe", unreadable);
    if (unreadable) {  // a chroot without /proc: as the kernel was asked to start it
        // The kernel hands the pointer over as a number.
        const auto* name =
            reinterpret_cast<const char*>(getauxval(AT_EXECFN));  // NOLINT(performance-no-int-to-ptr)
        path = name == nullptr ? fs::path() : fs::canonical(name, unreadable);
    }
    return unreadable ? fs::path() : path;
}

std::vector<std::string> folders_of_models() {
    std::vector<std::string> folders;
    if (const char* listed = std::getenv("SKINCHECK_MODEL_PATH")) {
        std::istringstream list(listed);
        for (std::string folder; std::getline(list, folder, ':');) {
            if (!folder.empty()) {
                folders.push_back(folder);
            }
        }
    }
    if (const fs::path executable = executable_path(); !executable.empty()) {
        const auto prefix = executable.parent_path().parent_path();
        folders.push_back((prefix / "share/skincheck/models").string());
    }
    const std::string installed = SKINCHECK_MODELS_DIR;
    if (folders.empty() || folders.back() != installed) {
        folders.push_back(installed);
    }
    return folders;
}

// A folder only if it is a package: one of results that happens to have the model's name must not hide it.
std::string find_in(std::vector<std::string> places, const std::string& name) {
    for (std::string& place : places) {
        place += "/" + name;
        if (holds_a_model(place)) {
            return place;
        }
    }
    throw Fatal(
        ExitCode::model,
        fmt::format(
            "model \"{}\" is not found (no model.json in {}); name its folder with --model DIR, or the "
            "folder above it in SKINCHECK_MODEL_PATH",
            name, fmt::join(places, ", ")));
}

}  // namespace

std::string find_model(const std::string& name_or_directory) {
    if (name_or_directory.find('/') != std::string::npos) {
        boost::system::error_code ignored;
        if (!fs::is_directory(name_or_directory, ignored)) {
            throw Fatal(ExitCode::model,
                        fmt::format("{}: no such folder; --model wants the folder of a model, or its name",
                                    name_or_directory));
        }
        // Messages name the files in it: DIR/model.json, with one slash.
        return name_or_directory.substr(
            0, std::max<std::size_t>(name_or_directory.find_last_not_of('/') + 1, 1));
    }
    std::vector<std::string> places = folders_of_models();
    if (name_or_directory.empty()) {
        return find_in(std::move(places), default_model_name);
    }
    places.insert(places.begin(), ".");
    return find_in(std::move(places), name_or_directory);
}

}  // namespace skincheck
