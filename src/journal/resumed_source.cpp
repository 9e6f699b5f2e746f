#include "skincheck/journal.hpp"

#include "result/descriptor.hpp"

#include <utility>

namespace skincheck {
namespace {

class ResumedSource final : public Selection {
  public:
    ResumedSource(std::unique_ptr<Source> source, Journal& journal, std::atomic<std::uint64_t>& kept)
        : Selection(std::move(source)), journal_(journal), kept_(kept) {}

  private:
    bool takes(Item& item) override {
        struct stat status {};
        if (!item.stamp && !item.failure && stat(item.path.c_str(), &status) == 0) {
            item.stamp = stamp_of(status);
        }
        const Journal::Place place = journal_.place(item);
        item.number = place.number;
        kept_ += place.done ? 1 : 0;
        return !place.done;
    }

    Journal& journal_;
    std::atomic<std::uint64_t>& kept_;
};

}  // namespace

std::unique_ptr<Source> resume_from(std::unique_ptr<Source> source, Journal& journal,
                                    std::atomic<std::uint64_t>& kept) {
    return std::make_unique<ResumedSource>(std::move(source), journal, kept);
}

}  // namespace skincheck
