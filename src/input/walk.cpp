#include "walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

namespace skincheck {
namespace {

/// `file` is anything that is neither a directory nor a link: what cannot be decoded becomes a row that says
/// so.
enum class Kind { file, directory, link, unknown };

struct Entry {
    std::string name;
    Kind kind;
};

/// A directory on the way from the root to where the walk is.
struct Level {
    std::string prefix;  ///< its path with a slash at the end
    dev_t device;
    ino_t inode;
    std::vector<Entry> entries;
    std::size_t next = 0;
};

struct CloseDirectory {
    void operator()(DIR* directory) const { closedir(directory); }
};
using DirectoryHandle = std::unique_ptr<DIR, CloseDirectory>;

DirectoryHandle open_directory(const std::string& path, bool through_link) {
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | (through_link ? 0 : O_NOFOLLOW));
    if (fd < 0) {
        return nullptr;
    }
    DIR* directory = fdopendir(fd);
    if (directory == nullptr) {
        const int error = errno;
        close(fd);
        errno = error;
    }
    return DirectoryHandle(directory);
}

Kind kind_of(const dirent& entry) {
    switch (entry.d_type) {
        case DT_DIR:
            return Kind::directory;
        case DT_LNK:
            return Kind::link;
        case DT_UNKNOWN:
            return Kind::unknown;
        default:
            return Kind::file;
    }
}

Failure unreadable(int error) {
    switch (error) {
        case EACCES:
        case EPERM:
            return {Status::denied, "this folder may not be read; check its permissions"};
        case ENOENT:
        case ENOTDIR:
            return {Status::not_found, "this folder went away before it was read"};
        default:
            return {Status::io_error,
                    "this folder cannot be read: " + std::generic_category().message(error)};
    }
}

class Walk final : public Source {
  public:
    Walk(std::string root, const InputOptions& options, const Filter& filter, const Warn& warn,
         const Cancellation& cancellation)
        : root_(std::move(root)),
          options_(options),
          filter_(filter),
          warn_(warn),
          cancellation_(cancellation) {}

    std::optional<Item> next() override;
    bool ready() override { return true; }

  private:
    std::optional<Item> step();
    std::optional<Item> visit(const Entry& entry);
    std::optional<Item> enter(std::string path);
    int read_entries(DIR& directory, Level& level) const;
    Kind resolve(const Entry& entry, const std::string& path) const;
    bool on_the_way(const struct stat& status) const;
    std::string relative(const std::string& path) const { return path.substr(levels_.front().prefix.size()); }

    std::string root_;
    const InputOptions& options_;
    const Filter& filter_;
    const Warn& warn_;
    const Cancellation& cancellation_;
    std::vector<Level> levels_;
    bool started_ = false;
    bool found_ = false;
};

std::optional<Item> Walk::next() {
    while (!cancellation_.requested() && (!started_ || !levels_.empty())) {
        if (auto item = step()) {
            found_ = true;
            return item;
        }
    }
    if (!found_ && !cancellation_.requested()) {
        found_ = true;
        warn_(
            fmt::format(
                "no images in a folder that was named (searched for {}; see --include, --exclude, --hidden)",
                filter_.description()),
            root_);
    }
    return std::nullopt;
}

/// One move: into the root, on to the next entry, or up.
std::optional<Item> Walk::step() {
    if (!started_) {
        started_ = true;
        return enter(root_);
    }
    Level& level = levels_.back();
    if (level.next < level.entries.size()) {
        const Entry entry =
            std::move(level.entries[level.next++]);  // its level moves when another is entered
        return visit(entry);
    }
    levels_.pop_back();
    return std::nullopt;
}

std::optional<Item> Walk::visit(const Entry& entry) {
    std::string path = levels_.back().prefix + entry.name;
    if (entry.kind == Kind::file) {
        return Item{std::move(path), {}};  // filtered when its name was read
    }
    const Kind kind = resolve(entry, path);
    if (kind == Kind::directory) {
        return filter_.enters_directory(relative(path)) ? enter(std::move(path)) : std::nullopt;
    }
    if (kind == Kind::file && filter_.takes_file(relative(path))) {
        return Item{std::move(path), {}};
    }
    return std::nullopt;
}

/// What an entry is in the end: `file`, `directory`, or `link` for a link to a directory that is not
/// followed.
Kind Walk::resolve(const Entry& entry, const std::string& path) const {
    struct stat status {};
    Kind kind = entry.kind;
    if (kind == Kind::unknown) {
        if (lstat(path.c_str(), &status) != 0) {
            return Kind::file;  // it is gone, or may not be looked at: whoever opens it says why
        }
        kind = S_ISDIR(status.st_mode) ? Kind::directory : S_ISLNK(status.st_mode) ? Kind::link : Kind::file;
    }
    if (kind != Kind::link) {
        return kind;
    }
    const bool to_directory = stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    if (!to_directory) {
        return Kind::file;  // a broken link too: it was meant to be an image, so it gets a row
    }
    return options_.follow ? Kind::directory : Kind::link;
}

/// Reads a directory's names and makes it the last level. An item when it cannot be read.
std::optional<Item> Walk::enter(std::string path) {
    const DirectoryHandle directory = open_directory(path, options_.follow || levels_.empty());
    struct stat status {};
    if (!directory || fstat(dirfd(directory.get()), &status) != 0) {
        const int error = errno;
        return Item{std::move(path), unreadable(error)};
    }
    if (filter_.leaves_out(status)) {
        warn_("the folder of the output is left out", path);
        found_ = found_ || levels_.empty();  // that is all there is to say
        return std::nullopt;
    }
    if (on_the_way(status)) {
        warn_("link loop: a folder leads back to one above it; left out", path);
        return std::nullopt;
    }
    levels_.push_back({path.ends_with('/') ? path : path + '/', status.st_dev, status.st_ino, {}, 0});
    if (const int error = read_entries(*directory, levels_.back()); error != 0) {
        return Item{std::move(path), unreadable(error)};
    }
    if (options_.searched && !cancellation_.requested()) {
        options_.searched(path);
    }
    return std::nullopt;
}

/// All names that may be taken, sorted by bytes; nothing is looked at on the disk. Returns 0 or errno.
int Walk::read_entries(DIR& directory, Level& level) const {
    std::string path = relative(level.prefix);
    const std::size_t length = path.size();
    int error = 0;
    while (!cancellation_.requested()) {
        errno = 0;
        const dirent* found = readdir(&directory);
        if (found == nullptr) {
            error = errno;
            break;
        }
        const std::string_view name = found->d_name;
        if (name == "." || name == ".." || filter_.hides(found->d_name)) {
            continue;
        }
        const Kind kind = kind_of(*found);
        path.resize(length);
        path += name;
        if (kind != Kind::file || filter_.takes_file(path)) {
            level.entries.push_back({std::string(name), kind});
        }
    }
    std::sort(level.entries.begin(), level.entries.end(),
              [](const Entry& a, const Entry& b) { return a.name < b.name; });
    return error;
}

bool Walk::on_the_way(const struct stat& status) const {
    return std::any_of(levels_.begin(), levels_.end(), [&](const Level& level) {
        return level.device == status.st_dev && level.inode == status.st_ino;
    });
}

}  // namespace

std::unique_ptr<Source> walk_directory(std::string directory, const InputOptions& options,
                                       const Filter& filter, const Warn& warn,
                                       const Cancellation& cancellation) {
    return std::make_unique<Walk>(std::move(directory), options, filter, warn, cancellation);
}

}  // namespace skincheck
