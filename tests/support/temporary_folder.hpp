#pragma once

#include <string>
#include <string_view>

namespace skincheck::test {

/// A new folder of its own, removed with all that is in it.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::string& path() const { return path_; }
    std::string operator/(std::string_view name) const;  ///< the path of `name` in the folder

    /// Writes a file, makes the folders above it, returns its path.
    std::string write(std::string_view name, std::string_view bytes) const;

  private:
    std::string path_;
};

std::string read_file(const std::string& path);

}  // namespace skincheck::test
