#include "list.hpp"

#include "result/descriptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

namespace skincheck {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t longest_entry = std::size_t{1} << 20;

[[noreturn]] void refuse_list(const std::string& name, const std::string& reason) {
    throw Fatal(ExitCode::usage, fmt::format("cannot read the list of paths in {}: {}", name, reason));
}

class List final : public Source {
  public:
    List(int fd, std::string name, char separator, const Warn& warn, const Cancellation& cancellation)
        : fd_(fd),
          name_(std::move(name)),
          by_line_(separator == '\n'),
          warn_(warn),
          cancellation_(cancellation) {}
    ~List() override {
        if (fd_ != STDIN_FILENO) {
            close(fd_);
        }
    }
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    std::optional<Item> next() override;
    bool ready() override;

  private:
    std::optional<std::string> take();
    std::size_t find_end();
    std::string_view entry(std::size_t end) const;
    bool overlong() const { return buffer_.size() - start_ > longest_entry; }
    bool wait_for_bytes(int timeout) const;
    void read_bytes();

    int fd_;
    std::string name_;
    bool by_line_;
    const Warn& warn_;
    const Cancellation& cancellation_;

    std::string buffer_;
    std::size_t start_ = 0;    ///< of the first entry that was not given out
    std::size_t scanned_ = 0;  ///< no separator between start_ and here
    bool ended_ = false;
    bool separator_seen_ = false;
    std::array<char, 65536> chunk_;
};

std::optional<Item> List::next() {
    while (!cancellation_.requested()) {
        if (auto path = take()) {
            return Item{std::move(*path), {}};
        }
        if (ended_) {
            break;
        }
        if (wait_for_bytes(-1)) {
            read_bytes();
        }
    }
    return std::nullopt;
}

/// Readable is not enough: half a path may have come. What is there is read, which does not block, and looked
/// at.
bool List::ready() {
    while (!cancellation_.requested() && find_end() == std::string::npos && !overlong() && !ended_) {
        if (!wait_for_bytes(0)) {
            return cancellation_.requested();
        }
        read_bytes();
    }
    return true;
}

std::optional<std::string> List::take() {
    const std::size_t end = find_end();
    if (end == std::string::npos) {
        if (overlong()) {
            refuse_list(name_,
                        by_line_
                            ? "1 MiB without a line end; is it a list? (paths separated by NUL need --null)"
                            : "1 MiB without a NUL; is it a list? (paths one a line need no --null)");
        }
        return std::nullopt;
    }
    if (by_line_ && end < buffer_.size() && buffer_[end] == '\0') {
        refuse_list(name_,
                    "it holds NUL bytes; paths separated by NUL need --null, anything else is no list");
    }
    std::string path(entry(end));
    if (end == buffer_.size() && !by_line_ && !separator_seen_ && path.find('\n') != std::string::npos) {
        warn_(fmt::format(
                  "{} holds no NUL and is taken as one path; a list with one path a line needs no --null",
                  name_),
              {});
    }
    separator_seen_ = true;
    start_ = scanned_ = std::min(end + 1, buffer_.size());
    return path;
}

/// Where the first entry in the buffer that is not empty ends: at a separator (or at a NUL that should not be
/// there), at the end of the list; npos while its end has not come.
std::size_t List::find_end() {
    const std::string_view separators = by_line_ ? "\n\0"sv : "\0"sv;
    while (true) {
        std::size_t end = buffer_.find_first_of(separators, scanned_);
        if (end == std::string::npos) {
            scanned_ = buffer_.size();
            if (!ended_ || start_ == buffer_.size()) {
                return std::string::npos;
            }
            end = buffer_.size();
        }
        scanned_ = end;
        const bool stray_nul = by_line_ && end < buffer_.size() && buffer_[end] == '\0';
        if (stray_nul || !entry(end).empty()) {
            return end;
        }
        separator_seen_ = true;
        start_ = scanned_ = std::min(end + 1, buffer_.size());
    }
}

/// The entry that ends at `end`, without the byte order mark and the carriage returns of a list from Windows.
std::string_view List::entry(std::size_t end) const {
    std::string_view bytes = std::string_view(buffer_).substr(start_, end - start_);
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (by_line_ && !separator_seen_ && bytes.starts_with(byte_order_mark)) {
        bytes.remove_prefix(byte_order_mark.size());
    }
    if (by_line_ && bytes.ends_with('\r')) {
        bytes.remove_suffix(1);
    }
    return bytes;
}

/// False when there is nothing to read within the timeout (poll's; -1 is for ever) or after a cancellation.
bool List::wait_for_bytes(int timeout) const {
    std::array<pollfd, 2> fds{{{fd_, POLLIN, 0}, {cancellation_.fd(), POLLIN, 0}}};
    while (!cancellation_.requested()) {
        const int count = poll(fds.data(), fds.size(), timeout);
        if (count < 0 && errno != EINTR) {
            refuse_list(name_, std::generic_category().message(errno));
        }
        if (count >= 0) {
            return fds[0].revents != 0 && !cancellation_.requested();
        }
    }
    return false;
}

void List::read_bytes() {
    buffer_.erase(0, start_);
    scanned_ -= start_;
    start_ = 0;
    const ssize_t count = read(fd_, chunk_.data(), chunk_.size());
    if (count > 0) {
        buffer_.append(chunk_.data(), static_cast<std::size_t>(count));
    } else if (count == 0) {
        ended_ = true;
    } else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) {
        refuse_list(name_, std::generic_category().message(errno));
    }
}

}  // namespace

std::unique_ptr<Source> list_on_standard_input(char separator, const Warn& warn,
                                               const Cancellation& cancellation) {
    return std::make_unique<List>(STDIN_FILENO, "standard input", separator, warn, cancellation);
}

std::unique_ptr<Source> list_in_file(const std::string& path, char separator, const Warn& warn,
                                     const Cancellation& cancellation) {
    if (const auto own = descriptor_of(path); own && !is_inherited(*own)) {
        refuse_list(path, std::generic_category().message(EBADF));
    }
    // Non-blocking, so that a FIFO that nobody writes to yet is waited for in poll(), where a cancellation is
    // noticed.
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        refuse_list(path, std::generic_category().message(errno));
    }
    auto list = std::make_unique<List>(fd, path, separator, warn, cancellation);
    struct stat status {};
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        refuse_list(path, "it is a folder; name it as a PATH to score what is in it");
    }
    return list;
}

}  // namespace skincheck
