#include "skincheck/output.hpp"

#include "destination.hpp"
#include "result/descriptor.hpp"

#include <boost/filesystem.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <functional>
#include <optional>
#include <random>
#include <string_view>
#include <system_error>
#include <utility>

namespace skincheck {
namespace {

namespace fs = boost::filesystem;

[[noreturn]] void refuse(const std::string& path, std::string_view reason, int error) {
    throw CannotWrite(fmt::format("cannot write {}: {}", path.empty() ? "''" : path, reason), error);
}

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

std::string resolve_links(const std::string& path) {
    std::string resolved = path;
    for (int links = 0; links < 40; ++links) {
        boost::system::error_code error;
        if (descriptor_of(resolved) || !fs::is_symlink(fs::symlink_status(resolved, error))) {
            return resolved;
        }
        const std::string target = fs::read_symlink(resolved, error).native();
        if (error) {
            fail_to_write(path, error.value());
        }
        resolved = target.starts_with('/') ? target : folder_of(resolved) + "/" + target;
    }
    fail_to_write(path, ELOOP);
}

namespace {

/// The umask, which only setting it would tell as well, and that other threads would feel. Where the system
/// does not say, nobody else may read the file.
mode_t file_mask() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        mode_t mask = 0;
        if (word == "Umask:" && status >> std::oct >> mask) {
            return mask;
        }
    }
    return 0077;
}

/// ".NAME.skincheck-XXXXXX" beside `path`, in at most 255 bytes; a name in UTF-8 is cut between characters.
std::string temporary_name(const std::string& path) {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789";
    constexpr std::size_t longest = 200;
    const std::string folder = folder_of(path);
    std::string name = path.substr(path.rfind('/') + 1);
    if (name.size() > longest) {
        std::size_t cut = longest;
        while (cut > longest - 4 && (static_cast<unsigned char>(name[cut]) & 0xC0U) == 0x80U) {
            --cut;
        }
        name.resize(cut);
    }
    std::random_device random;
    std::uniform_int_distribution<std::size_t> pick(0, letters.size() - 1);
    std::string suffix;
    for (int i = 0; i < 6; ++i) {
        suffix += letters[pick(random)];
    }
    return fmt::format("{}{}.{}.skincheck-{}", folder, folder.ends_with('/') ? "" : "/", name, suffix);
}

constexpr const char* access_list_name = "system.posix_acl_access";

class AtomicFile final : public Destination {
  public:
    /// `path` is what the user calls it, `target` what is replaced, `existing` the target's status if it is
    /// there.
    AtomicFile(std::string path, std::string target, const struct stat* existing,
               std::function<std::string()> obstacle)
        : path_(std::move(path)), target_(std::move(target)), obstacle_(std::move(obstacle)) {
        open_temporary();
        replaces_ = existing != nullptr;
        if (existing != nullptr) {
            mode_ = existing->st_mode & 0777;
            acl_ = access_list(target_);
            // Owner and group are kept where the system allows it. Another group does not get the rights of
            // the one before, only those of everybody.
            [[maybe_unused]] const bool kept = fchown(fd_, existing->st_uid, existing->st_gid) == 0 ||
                                               fchown(fd_, static_cast<uid_t>(-1), existing->st_gid) == 0;
            struct stat now {};
            if (fstat(fd_, &now) != 0 || now.st_gid != existing->st_gid) {
                acl_.clear();
                mode_ = (mode_ & ~static_cast<mode_t>(S_IRWXG)) | (mode_ & S_IRWXO) << 3U;
            }
        } else {
            mode_ = 0666 & ~file_mask();
        }
    }

    // Not committing here is the point: a destructor also runs when an exception passes through, and half a
    // file must not get the final name.
    ~AtomicFile() override {
        if (fd_ >= 0) {
            close(fd_);
        }
        if (!committed_) {
            unlink(temporary_.c_str());
        }
    }
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::string_view bytes) override {
        if (const int error = write_all(fd_, bytes); error != 0) {
            fail_to_write(path_, error);
        }
    }

    void commit() override {
        set_rights();
        if (const int error = sync(fd_); error != 0) {
            fail_to_write(path_, error);
        }
        if (close(std::exchange(fd_, -1)) != 0 && errno != EINTR) {
            fail_to_write(path_, errno);
        }
        committed_ = true;  // all that was to be written is there: it is not taken away any more
        if (const std::string reason = obstacle_ ? obstacle_() : ""; !reason.empty()) {
            refuse_as_it_is_in_temporary(reason, EEXIST);
        }
        if (std::rename(temporary_.c_str(), target_.c_str()) != 0) {
            write_in_place(errno);
        }
        sync_folder();
    }

  private:
    /// Of a file that has one; else empty.
    static std::string access_list(const std::string& path) {
        const ssize_t size = getxattr(path.c_str(), access_list_name, nullptr, 0);
        std::string list(static_cast<std::size_t>(std::max<ssize_t>(0, size)), '\0');
        const bool got =
            !list.empty() && getxattr(path.c_str(), access_list_name, list.data(), list.size()) == size;
        return got ? list : "";
    }

    /// Those of the file that is replaced. Where it has an access list, the mode's rights of the group are
    /// only the most that anybody in the list has; and the folder may have given this one a list of its own.
    void set_rights() {
        if (!acl_.empty()) {
            if (fsetxattr(fd_, access_list_name, acl_.data(), acl_.size(), 0) == 0) {
                return;
            }
            mode_ &= ~static_cast<mode_t>(S_IRWXG);
        }
        if (replaces_) {
            fremovexattr(fd_, access_list_name);
        }
        fchmod(fd_, mode_);
    }

    [[noreturn]] void refuse_as_it_is_in_temporary(const std::string& reason, int error) const {
        refuse(path_, fmt::format("{}; what was to be in it is in {}", reason, temporary_), error);
    }

    /// Where no other file can take the target's place: it is mounted by itself, or of somebody else in a
    /// folder like /tmp. `reason` is why.
    void write_in_place(int reason) {
        const Descriptor from(open(temporary_.c_str(), O_RDONLY | O_CLOEXEC));
        if (from.get() < 0 && errno == ENOENT) {  // it went away with its folder
            fail_to_write(path_, reason);
        }
        const Descriptor to(open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK));
        struct stat status {};
        const bool can_be_written =
            from.get() >= 0 && to.get() >= 0 && fstat(to.get(), &status) == 0 && S_ISREG(status.st_mode);
        if (const int error = can_be_written ? copy(from, to) : reason; error != 0) {
            refuse_as_it_is_in_temporary(std::generic_category().message(error), error);
        }
        unlink(temporary_.c_str());
    }

    /// Returns 0 or errno.
    static int copy(const Descriptor& from, const Descriptor& to) {
        if (ftruncate(to.get(), 0) != 0) {
            return errno;
        }
        std::array<char, 1 << 16> block{};
        std::size_t size = block.size();
        while (size == block.size()) {
            int error = read_all(from, block.data(), block.size(), size);
            error = error != 0 ? error : write_all(to.get(), {block.data(), size});
            if (error != 0) {
                return error;
            }
        }
        return sync(to.get());
    }

    /// Returns 0 or errno. Some file systems cannot sync (EINVAL); that is theirs. A late error of the disk
    /// or a quota is ours.
    static int sync(int fd) {
        int synced = 0;
        do {
            synced = fsync(fd);
        } while (synced != 0 && errno == EINTR);
        return synced != 0 && errno != EINVAL && errno != ENOTSUP ? errno : 0;
    }

    // Nobody else may read what is not whole. Not mkstemp(), whose names would be cut at their end and not at
    // a character's.
    void open_temporary() {
        for (int attempt = 0; attempt < 100 && fd_ < 0; ++attempt) {
            temporary_ = temporary_name(target_);
            fd_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
            if (fd_ < 0 && errno != EEXIST && errno != EINTR) {
                break;
            }
        }
        if (fd_ < 0) {
            fail_to_write(path_, errno);
        }
    }

    /// So that the new name outlasts a power cut. The file is whole without it, so a failure is not told.
    void sync_folder() const {
        const int folder = open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder >= 0) {
            fsync(folder);
            close(folder);
        }
    }

    std::string path_;
    std::string target_;
    std::function<std::string()> obstacle_;
    std::string temporary_;
    int fd_ = -1;
    bool replaces_ = false;
    mode_t mode_ = 0600;  ///< when it is whole
    std::string acl_;     ///< then too, in the system's form
    bool committed_ = false;
};

std::unique_ptr<Destination> direct(int fd, const std::string& path) {
    if (fd < 0) {
        fail_to_write(path, errno);
    }
    return std::make_unique<DirectDestination>(fd, true, path);
}

}  // namespace

std::unique_ptr<Destination> atomic_file(const std::string& path, std::function<std::string()> obstacle) {
    if (path.empty() || path.ends_with('/')) {
        refuse(path, "a file name is missing", EINVAL);
    }
    const std::string target = resolve_links(path);
    // Not opened anew: a regular file behind it would be written from its start again, or replaced under the
    // hands of whoever redirected there.
    if (const auto fd = descriptor_of(target)) {
        if (!is_inherited(*fd)) {
            fail_to_write(path, EBADF);
        }
        return direct(fcntl(*fd, F_DUPFD_CLOEXEC, 0), path);
    }
    struct stat status {};
    if (stat(target.c_str(), &status) != 0) {
        if (errno != ENOENT) {
            fail_to_write(path, errno);
        }
        return std::make_unique<AtomicFile>(path, target, nullptr, std::move(obstacle));
    }
    if (S_ISDIR(status.st_mode)) {
        refuse(path, "it is a folder; name a file in it", EISDIR);
    }
    if (!S_ISREG(status.st_mode)) {
        const int fd = open(target.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 && errno == EINTR) {
            throw Fatal(ExitCode::interrupted, fmt::format("interrupted while {} waited for a reader", path));
        }
        return direct(fd, path);
    }
    // A rename would replace a write-protected file all the same.
    if (faccessat(AT_FDCWD, target.c_str(), W_OK, AT_EACCESS) != 0) {
        fail_to_write(path, errno);
    }
    return std::make_unique<AtomicFile>(path, target, &status, std::move(obstacle));
}

void check_writable(const std::string& path) {
    struct stat status {};
    if (!path.empty() &&
        (stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) {
        atomic_file(path);  // its destructor removes it
    }
}

}  // namespace skincheck
