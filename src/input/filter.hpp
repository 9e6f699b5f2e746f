// Which names of a directory are taken: extensions, globs, hidden names.
#pragma once

#include "skincheck/input.hpp"

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

namespace skincheck {

/// A shell pattern (fnmatch(3)). Without a slash it is matched against the name, with one against the path
/// relative to the directory that was given; there `*` matches slashes too. A leading "/" or "./" only says
/// that the pattern is relative to that directory, a trailing slash that it means directories only.
class Glob {
  public:
    explicit Glob(std::string pattern);
    bool matches(const std::string& relative, bool directory) const;

  private:
    std::string pattern_;
    bool whole_path_ = false;
    bool directories_only_ = false;
};

/// All paths are relative to the directory that was given, with "/" between the names.
class Filter {
  public:
    /// Throws Fatal (usage) for a glob that can match nothing.
    explicit Filter(const InputOptions& options);

    bool takes_file(const std::string& relative) const;
    bool enters_directory(const std::string& relative) const;
    bool leaves_out(const struct stat& directory) const {
        return left_out_ && left_out_->st_dev == directory.st_dev && left_out_->st_ino == directory.st_ino;
    }
    bool hides(const char* name) const { return !hidden_ && name[0] == '.'; }

    /// What a directory is searched for, short enough for a message.
    std::string description() const;

  private:
    bool has_extension(const std::string& relative) const;

    std::vector<std::string> extensions_;
    std::vector<Glob> include_;
    std::vector<Glob> exclude_;
    bool hidden_ = false;
    std::optional<struct stat> left_out_;
};

}  // namespace skincheck
