// Any bytes as the journal of an output: what is no journal is refused in a sentence, what is one gives sound
// rows and takes new ones.
#include "skincheck/journal.hpp"

#include "fuzz.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

using namespace skincheck;

namespace {

/// Where the journal lies, in a folder of its own that goes with the program.
class Folder {
  public:
    Folder() { fuzz::require(mkdtemp(path_.data()) != nullptr, "no temporary folder"); }
    ~Folder() {
        for (const char* ending : {".skincheck", ".skincheck-journal", ".skincheck-wal", ".skincheck-shm"}) {
            unlink((output() + ending).c_str());
        }
        rmdir(path_.c_str());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string output() const { return path_ + "/o"; }

  private:
    std::string path_ = "/tmp/skincheck-fuzz-XXXXXX";
};

void use(Journal& journal) {
    journal.agree({{"model", "m"}});
    std::uint64_t last = 0;
    journal.for_each([&](const Row& row) {
        fuzz::require(last == 0 || row.number > last, "rows out of order");
        last = row.number;
        fuzz::require(row.score.has_value() == row.label.has_value(), "a score without a label");
        if (row.score) {
            fuzz::require(row.score->malignancy >= 0 && row.score->malignancy <= 1, "a score out of range");
        }
    });
    const Item item{"a", {}, FileStamp{1, 1}};
    Row row;
    row.path = item.path;
    row.number = journal.place(item).number;
    journal.put(row, true);
    journal.add_device({"cpu", "opencv"});
    journal.devices();
    journal.commit();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Folder folder;
    static const Cancellation never;
    std::ofstream(journal_path(folder.output()), std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    try {
        use(*open_journal(lock_journal(folder.output(), false, never).value(), false));
    } catch (const Fatal& fatal) {
        fuzz::require_one_line(fatal.what());
    } catch (const std::bad_alloc&) {  // told as such by the program
    }
    return 0;
}
