#include "skincheck/input.hpp"

#include "filter.hpp"
#include "list.hpp"
#include "selection.hpp"
#include "walk.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

namespace skincheck {
namespace {

bool is_directory(const std::string& path) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// All that the options name, one after the other.
class Sequence final : public Source {
  public:
    Sequence(InputOptions options, Warn warn, const Cancellation& cancellation)
        : options_(std::move(options)),
          filter_(options_),
          warn_(warn ? std::move(warn) : [](std::string_view, std::string_view) {}),
          cancellation_(cancellation) {
        // Opened before the first item, so that a list that is not there is told at once and not after hours
        // of work.
        for (const std::string& path : options_.files_from) {
            lists_.push_back(path == "-" ? list_on_standard_input(separator(), warn_, cancellation_)
                                         : list_in_file(path, separator(), warn_, cancellation_));
        }
    }

    std::optional<Item> next() override;
    bool ready() override { return cancellation_.requested() || fetch(false); }

  private:
    bool fetch(bool wait);
    bool open_next();
    char separator() const { return options_.null_separated ? '\0' : '\n'; }

    InputOptions options_;
    Filter filter_;
    Warn warn_;
    const Cancellation& cancellation_;
    std::vector<std::unique_ptr<Source>> lists_;
    std::size_t paths_opened_ = 0;
    std::size_t lists_opened_ = 0;
    std::unique_ptr<Source> active_;
    std::optional<Item> ahead_;  ///< found by ready(), or a file named outright
};

std::optional<Item> Sequence::next() {
    if (cancellation_.requested()) {
        return std::nullopt;
    }
    fetch(true);
    if (!ahead_ || cancellation_.requested()) {
        return std::nullopt;
    }
    std::optional<Item> item = std::exchange(ahead_, std::nullopt);
    return item;
}

/// Brings the next item into `ahead_`, which stays empty at the end. False if that would mean to wait and
/// `wait` is off: the end of one list says nothing about whether the next one has a path yet, so only the
/// item itself is the answer.
bool Sequence::fetch(bool wait) {
    while (!ahead_ && !cancellation_.requested()) {
        if (active_) {
            if (!wait && !active_->ready()) {
                return false;
            }
            ahead_ = active_->next();
            if (!ahead_) {
                active_.reset();
            }
        } else if (!open_next()) {
            break;
        }
    }
    return true;
}

bool Sequence::open_next() {
    if (paths_opened_ < options_.paths.size()) {
        const std::string& path = options_.paths[paths_opened_++];
        if (path == "-") {
            active_ = list_on_standard_input(separator(), warn_, cancellation_);
        } else if (is_directory(path)) {
            active_ = walk_directory(path, options_, filter_, warn_, cancellation_);
        } else {
            ahead_ = Item{path, {}};
        }
        return true;
    }
    if (lists_opened_ < lists_.size()) {
        active_ = std::move(lists_[lists_opened_++]);
        return true;
    }
    return false;
}

}  // namespace

std::unique_ptr<Source> open_source(const InputOptions& options, Warn warn,
                                    const Cancellation& cancellation) {
    auto all = std::make_unique<Sequence>(options, std::move(warn), cancellation);
    return select(std::move(all), options, cancellation);
}

}  // namespace skincheck
