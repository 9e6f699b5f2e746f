#include "skincheck/pipeline.hpp"

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace skincheck {
namespace {

// The workers of one run. Each of them, over and over: takes the next batch (one worker at a time), works on
// it (all at once), and hands in the rows; whoever hands in the rows that are due writes them, and those that
// have waited for them.
//
// oneTBB's parallel_pipeline has this shape too, but Debian's libtbb is not built for ThreadSanitizer, which
// then takes every hand-over between stages for a data race and could not find a real one.
class Workers {
  public:
    Workers(Source& source, const Work& work, const Sink& sink, const Parallelism& parallelism,
            Cancellation& cancellation)
        : source_(source), work_(work), sink_(sink), parallelism_(parallelism), cancellation_(cancellation) {}

    void run() {
        {
            std::vector<std::jthread> threads;
            threads.reserve(static_cast<std::size_t>(parallelism_.jobs));
            try {
                for (int i = 1; i < parallelism_.jobs; ++i) {
                    threads.emplace_back([this] { work_until_the_end(); });
                }
            } catch (const std::exception&) {
                // There are no more threads to be had: those that run do the work, this one among them.
            }
            work_until_the_end();
        }
        if (error_) {
            std::rethrow_exception(error_);
        }
    }

  private:
    void work_until_the_end() {
        try {
            while (std::optional<Ticket> ticket = take()) {
                hand_in(ticket->number, work_(ticket->items));
            }
        } catch (...) {
            const std::lock_guard lock(mutex_);
            error_ = error_ ? error_ : std::current_exception();
            ended_ = true;
            cancellation_.request();  // a source that waits for input comes back
            changed_.notify_all();
        }
    }

    struct Ticket {
        std::uint64_t number = 0;
        std::vector<Item> items;
    };

    std::optional<Ticket> take() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return ended_ || (!reading_ && taken_ - written_ < limit()); });
        if (ended_) {
            return std::nullopt;
        }
        reading_ = true;
        lock.unlock();
        std::vector<Item> items = next_batch();
        lock.lock();
        reading_ = false;
        ended_ = ended_ || items.empty();
        changed_.notify_all();
        if (items.empty()) {
            return std::nullopt;
        }
        return Ticket{taken_++, std::move(items)};
    }

    // As many items as are at hand, up to the batch size. Only the first one is waited for. What the source
    // throws comes out at the next call when there are items before it, which must get their rows.
    std::vector<Item> next_batch() {
        if (source_error_) {
            std::rethrow_exception(source_error_);
        }
        std::vector<Item> items;
        try {
            while (std::ssize(items) < parallelism_.batch_size && !cancellation_.requested() &&
                   (items.empty() || source_.ready())) {
                std::optional<Item> item = source_.next();
                if (!item) {
                    break;
                }
                items.push_back(std::move(*item));
            }
        } catch (...) {
            if (items.empty()) {
                throw;
            }
            source_error_ = std::current_exception();
        }
        return items;
    }

    void hand_in(std::uint64_t number, std::vector<Row> rows) {
        std::unique_lock lock(mutex_);
        finished_.emplace(number, std::move(rows));
        if (writing_) {
            return;  // who writes now takes these along
        }
        writing_ = true;
        while (auto due = finished_.extract(written_)) {
            lock.unlock();
            for (const Row& row : due.mapped()) {
                sink_(row);
            }
            lock.lock();
            ++written_;
            changed_.notify_all();
        }
        writing_ = false;
    }

    // Batches taken and not yet written: while one is late, the others have something to go on with.
    std::uint64_t limit() const { return 2 * static_cast<std::uint64_t>(parallelism_.jobs); }

    Source& source_;
    const Work& work_;
    const Sink& sink_;
    const Parallelism parallelism_;
    Cancellation& cancellation_;
    std::exception_ptr source_error_;  // belongs to who reads

    std::mutex mutex_;  // guards all below
    std::condition_variable changed_;
    std::map<std::uint64_t, std::vector<Row>> finished_;  // by ticket number, waiting for those before them
    std::uint64_t taken_ = 0;
    std::uint64_t written_ = 0;
    bool reading_ = false;
    bool writing_ = false;
    bool ended_ = false;
    std::exception_ptr error_;
};

}  // namespace

void run_pipeline(Source& source, const Work& work, const Sink& sink, const Parallelism& parallelism,
                  Cancellation& cancellation) {
    Workers(source, work, sink, parallelism, cancellation).run();
}

}  // namespace skincheck
