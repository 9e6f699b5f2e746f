#include "filter.hpp"

#include <boost/algorithm/string/case_conv.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <locale>

namespace skincheck {
namespace {

std::size_t name_start(const std::string& relative) {
    const auto slash = relative.rfind('/');
    return slash == std::string::npos ? 0 : slash + 1;
}

bool any_matches(const std::vector<Glob>& globs, const std::string& relative, bool directory) {
    return std::any_of(globs.begin(), globs.end(),
                       [&](const Glob& glob) { return glob.matches(relative, directory); });
}

}  // namespace

Glob::Glob(std::string pattern) : pattern_(std::move(pattern)) {
    if (pattern_.size() > 1 && pattern_.ends_with('/')) {
        pattern_.pop_back();
        directories_only_ = true;
    }
    whole_path_ = pattern_.find('/') != std::string::npos;
    if (pattern_.starts_with("./")) {
        pattern_.erase(0, 2);
    } else if (pattern_.starts_with('/')) {
        pattern_.erase(0, 1);
    }
}

bool Glob::matches(const std::string& relative, bool directory) const {
    if (directories_only_ && !directory) {
        return false;
    }
    const char* subject = relative.c_str() + (whole_path_ ? 0 : name_start(relative));
    return fnmatch(pattern_.c_str(), subject, 0) == 0;
}

Filter::Filter(const InputOptions& options) : extensions_(options.extensions), hidden_(options.hidden) {
    for (const std::string& pattern : options.include) {
        if (pattern.empty() || pattern.ends_with('/')) {
            throw Fatal(
                ExitCode::usage,
                fmt::format("--include '{0}' matches no file; for all of a folder write '{0}*'", pattern));
        }
        include_.emplace_back(pattern);
    }
    for (const std::string& pattern : options.exclude) {
        if (pattern.empty() || pattern == "/" || pattern == "./") {
            throw Fatal(ExitCode::usage,
                        fmt::format("--exclude '{}' matches nothing; give a name or a glob", pattern));
        }
        exclude_.emplace_back(pattern);
    }
    struct stat directory {};
    if (!options.leave_out.empty() && stat(options.leave_out.c_str(), &directory) == 0) {
        left_out_ = directory;
    }
}

bool Filter::has_extension(const std::string& relative) const {
    const auto dot = relative.rfind('.');
    if (dot == std::string::npos || dot < name_start(relative)) {
        return false;
    }
    // The user's locale must not decide which files are scored.
    const std::string extension =
        boost::algorithm::to_lower_copy(relative.substr(dot), std::locale::classic());
    return std::find(extensions_.begin(), extensions_.end(), extension) != extensions_.end();
}

bool Filter::takes_file(const std::string& relative) const {
    return (extensions_.empty() || has_extension(relative)) &&
           (include_.empty() || any_matches(include_, relative, false)) &&
           !any_matches(exclude_, relative, false);
}

bool Filter::enters_directory(const std::string& relative) const {
    return !any_matches(exclude_, relative, true);
}

std::string Filter::description() const {
    if (extensions_.empty()) {
        return "any file";
    }
    constexpr std::size_t shown = 5;
    const auto last = extensions_.begin() + static_cast<std::ptrdiff_t>(std::min(shown, extensions_.size()));
    return fmt::format("{}{}", fmt::join(extensions_.begin(), last, " "),
                       extensions_.size() > shown ? " ..." : "");
}

}  // namespace skincheck
