#include "selection.hpp"

#include "result/descriptor.hpp"

#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <utility>

namespace skincheck {
namespace {

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

class ChosenItems final : public Selection {
  public:
    ChosenItems(std::unique_ptr<Source> source, const InputOptions& options, const Cancellation& cancellation)
        : Selection(std::move(source)),
          since_(options.since),
          settle_(options.settle),
          anonymise_(options.anonymise),
          shard_(options.shard),
          cancellation_(cancellation) {}

    std::uint64_t left() const override { return left_; }
    std::uint64_t older() const override { return older_; }

  private:
    bool takes(Item& item) override {
        if (!item.failure && !is_of_age(item)) {
            return false;
        }
        item.number = ++number_;
        if (anonymise_) {
            item.name = anonymise_(item.path);
        }
        if (!shard_) {
            return true;
        }
        item.digest = digest_ = extend_digest(digest_, item.written());
        if (shard_index_of(number_, shard_->count) != shard_->index) {
            return false;
        }
        std::swap(item, latest_);  // which of them is the last one is known at the end
        return std::exchange(any_, true);
    }

    // After a cancellation the inputs that were seen are not all of them.
    std::optional<Item> kept_for_the_end() override {
        if (!std::exchange(any_, false) || cancellation_.requested()) {
            return std::nullopt;
        }
        latest_.digest = digest_of_all(digest_);
        return std::move(latest_);
    }

    bool is_of_age(Item& item) {
        struct stat status {};
        if ((!since_ && settle_ == 0) || stat(item.path.c_str(), &status) != 0) {
            return true;
        }
        item.stamp = stamp_of(status);
        const std::int64_t modified = item.stamp->modified;
        if (since_ && modified < *since_) {
            ++older_;
            return false;
        }
        const double age =
            static_cast<double>(now()) - static_cast<double>(modified);  // may be too much for 64 bits
        const auto settle = static_cast<double>(settle_);
        if (age < settle && age > -settle) {
            ++left_;
            return false;
        }
        return true;
    }

    const std::optional<std::int64_t> since_;
    const std::int64_t settle_;
    const Anonymise anonymise_;
    const std::optional<Shard> shard_;
    const Cancellation& cancellation_;
    Item latest_;  // of the shard, when there is any_
    bool any_ = false;
    std::uint64_t number_ = 0;
    std::uint64_t digest_ = 0;
    std::atomic<std::uint64_t> left_{0}, older_{0};
};

}  // namespace

std::optional<Item> Selection::next() {
    fetch(true);
    return std::exchange(ahead_, std::nullopt);
}

bool Selection::ready() {
    return fetch(false);
}

/// As in a list: an item that comes at once may be one of those that are not given out. False if the next one
/// would have to be waited for, and `wait` is off.
bool Selection::fetch(bool wait) {
    while (!ahead_) {
        if (!wait && !source_->ready()) {
            return false;
        }
        std::optional<Item> item = source_->next();
        if (!item) {
            ahead_ = kept_for_the_end();
            break;
        }
        if (takes(*item)) {
            ahead_ = std::move(item);
        }
    }
    return true;
}

std::unique_ptr<Source> select(std::unique_ptr<Source> source, const InputOptions& options,
                               const Cancellation& cancellation) {
    return std::make_unique<ChosenItems>(std::move(source), options, cancellation);
}

}  // namespace skincheck
