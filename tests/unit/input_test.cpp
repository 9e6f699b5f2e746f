#include "skincheck/input.hpp"

#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace skincheck;
using skincheck::test::TemporaryFolder;

namespace {

using Strings = std::vector<std::string>;

/// A source with what it needs, and what it warned of.
struct Reader {
    Cancellation cancellation;
    Strings warnings;
    std::unique_ptr<Source> source;

    explicit Reader(const InputOptions& options) {
        source = open_source(
            options,
            [this](std::string_view line, std::string_view path) {
                warnings.push_back(std::string(path) + ": " + std::string(line));
            },
            cancellation);
    }

    std::vector<Item> all() {
        std::vector<Item> items;
        while (auto item = source->next()) {
            items.push_back(*item);
        }
        return items;
    }

    Strings paths() {
        Strings paths;
        for (const Item& item : all()) {
            paths.push_back(item.path);
        }
        return paths;
    }
};

InputOptions walk(const std::string& path) {
    InputOptions options;
    options.paths = {path};
    options.extensions = {".jpg", ".png"};
    return options;
}

InputOptions list(const std::string& path) {
    InputOptions options;
    options.files_from = {path};
    return options;
}

/// The given paths below `folder`.
Strings below(const std::string& folder, const Strings& names) {
    Strings paths;
    for (const std::string& name : names) {
        paths.push_back(folder + "/" + name);
    }
    return paths;
}

void check_usage(const InputOptions& options, const std::string& part) {
    try {
        Reader(options).all();
        FAIL("no Fatal; expected one with: ", part);
    } catch (const Fatal& fatal) {
        CHECK(fatal.code() == ExitCode::usage);
        CHECK_MESSAGE(std::string(fatal.what()).find(part) != std::string::npos, fatal.what());
    }
}

/// A pipe whose reading end a source opens through its path.
struct Pipe {
    std::array<int, 2> ends{};
    Pipe() { REQUIRE(pipe2(ends.data(), 0) == 0); }
    ~Pipe() {
        close_writer();
        close(ends[0]);
    }
    std::string path() const { return "/dev/fd/" + std::to_string(ends[0]); }
    void write(std::string_view bytes) const {
        REQUIRE(::write(ends[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    }
    void close_writer() {
        if (ends[1] >= 0) {
            close(std::exchange(ends[1], -1));
        }
    }
};

}  // namespace

TEST_CASE("paths come as they were given, in order over the whole source") {
    const TemporaryFolder folder;
    folder.write("d/b.jpg", "");
    folder.write("d/a.PNG", "");
    const std::string file = folder.write("notes.txt", "");
    InputOptions options = walk("");
    options.paths = {file, folder / "d", folder / "not there.jpg", "", "./-"};
    options.files_from = {folder.write("list", "one\ntwo")};

    Reader reader(options);
    const std::vector<Item> items = reader.all();
    const Strings expected{
        file, folder / "d/a.PNG", folder / "d/b.jpg", folder / "not there.jpg", "", "./-", "one", "two"};
    REQUIRE(items.size() == expected.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
        CHECK(items[i].path == expected[i]);
        CHECK_FALSE(items[i].failure);
    }
    CHECK_FALSE(reader.source->next());
    CHECK(reader.source->ready());
    CHECK(reader.warnings.empty());
}

TEST_CASE("a walk goes depth first in the order of bytes and takes the extensions in any case") {
    const TemporaryFolder folder;
    for (const char* name : {"b/z.jpg", "b/a/x.png", "a.jpg", "a/1.jpg", "a-b/1.jpg", "Z.JPG", "\xC3\xA4.Jpg",
                             "c.txt", "jpg", "d.jpg/e.png", "f.jpg.bak", "x.y/plain"}) {
        folder.write(name, "");
    }
    Reader reader(walk(folder.path()));
    CHECK(reader.paths() == below(folder.path(), {"Z.JPG", "a/1.jpg", "a-b/1.jpg", "a.jpg", "b/a/x.png",
                                                  "b/z.jpg", "d.jpg/e.png", "\xC3\xA4.Jpg"}));
    CHECK(Reader(walk(folder.path() + "/")).paths().front() == folder.path() + "/Z.JPG");
    CHECK(Reader(walk(folder.path() + "//b/.")).paths().front() == folder.path() + "//b/./a/x.png");

    InputOptions any = walk(folder / "x.y");
    any.extensions.clear();
    CHECK(Reader(any).paths() == below(folder.path(), {"x.y/plain"}));
}

TEST_CASE("names are bytes: newline, quotes, a leading dash, no UTF-8, 255 bytes") {
    const TemporaryFolder folder;
    const Strings names{"\n.jpg",      " .jpg", "\".jpg", "-x.jpg", std::string(251, 'y') + ".jpg",
                        "\xFF\xFE.jpg"};
    for (const std::string& name : names) {
        folder.write(name, "");
    }
    CHECK(Reader(walk(folder.path())).paths() == below(folder.path(), names));
}

TEST_CASE("hidden names are left out, unless asked for or named outright") {
    const TemporaryFolder folder;
    for (const char* name : {".a.jpg", ".d/b.jpg", "c.jpg", ".jpg"}) {
        folder.write(name, "");
    }
    InputOptions options = walk(folder.path());
    CHECK(Reader(options).paths() == below(folder.path(), {"c.jpg"}));
    options.hidden = true;
    CHECK(Reader(options).paths() == below(folder.path(), {".a.jpg", ".d/b.jpg", ".jpg", "c.jpg"}));
    CHECK(Reader(walk(folder / ".d")).paths() == below(folder.path(), {".d/b.jpg"}));
}

TEST_CASE("include and exclude") {
    const TemporaryFolder folder;
    for (const char* name :
         {"a/1.jpg", "a/2.png", "a/thumbs/1.jpg", "b/1.jpg", "b/thumbs.jpg", "thumbs/9.jpg", "1.txt"}) {
        folder.write(name, "");
    }
    InputOptions options = walk(folder.path());
    const auto found = [&] { return Reader(options).paths(); };
    const auto expect = [&](const Strings& names) { return below(folder.path(), names); };

    SUBCASE("a name, together with the extensions") {
        options.include = {"1.*"};
        CHECK(found() == expect({"a/1.jpg", "a/thumbs/1.jpg", "b/1.jpg"}));
    }
    SUBCASE("any of the includes is enough") {
        options.include = {"2.*", "t*.jpg"};
        CHECK(found() == expect({"a/2.png", "b/thumbs.jpg"}));
    }
    SUBCASE("with a slash against the path from the argument on, * matches slashes") {
        options.include = {"a/*.jpg"};
        CHECK(found() == expect({"a/1.jpg", "a/thumbs/1.jpg"}));
    }
    SUBCASE("exclude prunes folders and files, and wins over include") {
        options.include = {"1.*", "thumbs*"};
        options.exclude = {"thumbs*"};
        CHECK(found() == expect({"a/1.jpg", "b/1.jpg"}));
    }
    SUBCASE("a slash at the end means folders only") {
        options.exclude = {"thumbs/"};
        CHECK(found() == expect({"a/1.jpg", "a/2.png", "b/1.jpg", "b/thumbs.jpg"}));
    }
    SUBCASE("a slash in front means directly in the argument") {
        options.exclude = {"/thumbs", "./a"};
        CHECK(found() == expect({"b/1.jpg", "b/thumbs.jpg"}));
    }
    SUBCASE("files named outright are not filtered") {
        options.paths = {folder / "a/1.jpg", folder / "1.txt"};
        options.exclude = {"*"};
        CHECK(found() == expect({"a/1.jpg", "1.txt"}));
    }
    SUBCASE("globs that can match nothing") {
        options.include = {"a/"};
        check_usage(options, "--include 'a/'");
        options.include = {};
        options.exclude = {""};
        check_usage(options, "--exclude ''");
    }
}

TEST_CASE("symbolic links in a walk") {
    const TemporaryFolder folder;
    folder.write("real/1.jpg", "");
    folder.write("tree/2.jpg", "");
    std::filesystem::create_directory_symlink("../real", folder / "tree/to_folder");
    std::filesystem::create_directory_symlink("../real", folder / "tree/to_folder_again");
    std::filesystem::create_symlink("../real/1.jpg", folder / "tree/file.png");
    std::filesystem::create_symlink("../real/1.jpg", folder / "tree/file_without_extension");
    std::filesystem::create_symlink("nowhere", folder / "tree/broken.jpg");
    std::filesystem::create_symlink("nowhere", folder / "tree/broken");
    std::filesystem::create_symlink("itself.jpg", folder / "tree/itself.jpg");

    InputOptions options = walk(folder / "tree");
    CHECK(Reader(options).paths() ==
          below(folder / "tree", {"2.jpg", "broken.jpg", "file.png", "itself.jpg"}));
    options.follow = true;
    Reader reader(options);
    CHECK(reader.paths() == below(folder / "tree", {"2.jpg", "broken.jpg", "file.png", "itself.jpg",
                                                    "to_folder/1.jpg", "to_folder_again/1.jpg"}));
    CHECK(reader.warnings.empty());
    CHECK(Reader(walk(folder / "tree/to_folder")).paths() == below(folder / "tree", {"to_folder/1.jpg"}));
    options.exclude = {"to_folder_*"};
    CHECK(Reader(options).paths().back() == folder / "tree/to_folder/1.jpg");
}

TEST_CASE("link loops end with a warning") {
    const TemporaryFolder folder;
    folder.write("a/b/1.jpg", "");
    folder.write("a/z.jpg", "");
    std::filesystem::create_directory_symlink("..", folder / "a/b/parent");
    std::filesystem::create_directory_symlink(".", folder / "a/self");
    std::filesystem::create_directory_symlink("../b", folder / "a/b/same");

    InputOptions options = walk(folder / "a");
    options.follow = true;
    Reader reader(options);
    CHECK(reader.paths() == below(folder / "a", {"b/1.jpg", "z.jpg"}));
    REQUIRE(reader.warnings.size() == 3);
    CHECK(reader.warnings[0] ==
          (folder / "a/b/parent") + ": link loop: a folder leads back to one above it; left out");
    CHECK(reader.warnings[2].starts_with((folder / "a/self") + ": link loop: "));
}

TEST_CASE("a FIFO with an image's name is an item, and the walk does not open it") {
    const TemporaryFolder folder;
    REQUIRE(mkfifo((folder / "f.jpg").c_str(), 0600) == 0);
    REQUIRE(mkfifo((folder / "f").c_str(), 0600) == 0);
    CHECK(Reader(walk(folder.path())).paths() == Strings{folder / "f.jpg"});
}

TEST_CASE("a walk is lazy: folders are read when they are reached") {
    const TemporaryFolder folder;
    folder.write("a/1.jpg", "");
    folder.write("b/1.jpg", "");
    folder.write("c/1.jpg", "");
    Reader reader(walk(folder.path()));
    CHECK(reader.source->next()->path == folder / "a/1.jpg");
    folder.write("b/2.jpg", "");
    std::filesystem::remove_all(folder / "c");

    CHECK(reader.source->next()->path == folder / "b/1.jpg");
    CHECK(reader.source->next()->path == folder / "b/2.jpg");
    const auto vanished = reader.source->next();
    REQUIRE(vanished);
    CHECK(vanished->path == folder / "c");
    REQUIRE(vanished->failure);
    CHECK(vanished->failure->status == Status::not_found);
    CHECK_FALSE(reader.source->next());
}

TEST_CASE("a folder that becomes a link on the way is not followed") {
    const TemporaryFolder folder;
    folder.write("tree/a/1.jpg", "");
    folder.write("tree/b/1.jpg", "");
    folder.write("elsewhere/2.jpg", "");
    Reader reader(walk(folder / "tree"));
    CHECK(reader.source->next());
    std::filesystem::remove_all(folder / "tree/b");
    std::filesystem::create_directory_symlink("../elsewhere", folder / "tree/b");
    const auto item = reader.source->next();
    REQUIRE(item);
    CHECK(item->path == folder / "tree/b");
    CHECK(item->failure);
    CHECK_FALSE(reader.source->next());
}

TEST_CASE("a folder without permission becomes an item that says so") {
    if (geteuid() == 0) {
        MESSAGE("skipped: root may read every folder");
        return;
    }
    const TemporaryFolder folder;
    folder.write("a/1.jpg", "");
    folder.write("b/1.jpg", "");
    REQUIRE(chmod((folder / "a").c_str(), 0) == 0);
    Reader reader(walk(folder.path()));
    const std::vector<Item> items = reader.all();
    Reader outright(walk(folder / "a"));
    const std::vector<Item> alone = outright.all();
    REQUIRE(chmod((folder / "a").c_str(), 0700) == 0);

    REQUIRE(items.size() == 2);
    CHECK(items[0].path == folder / "a");
    REQUIRE(items[0].failure);
    CHECK(items[0].failure->status == Status::denied);
    CHECK(items[1].path == folder / "b/1.jpg");
    REQUIRE(alone.size() == 1);
    CHECK(alone[0].failure->status == Status::denied);
    CHECK(outright.warnings.empty());
}

TEST_CASE("a folder that cannot be opened for another reason becomes an item too") {
    const TemporaryFolder folder;
    folder.write("a/1.jpg", "");
    Reader reader(walk(folder.path()));
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit none = before;
    none.rlim_cur = 0;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    const auto item = reader.source->next();
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);

    REQUIRE(item);
    CHECK(item->path == folder.path());
    REQUIRE(item->failure);
    CHECK(item->failure->status == Status::io_error);
    CHECK_FALSE(reader.source->next());
}

TEST_CASE("a folder argument without images gets one warning, an empty list none") {
    const TemporaryFolder folder;
    folder.write("a/notes.txt", "");
    Reader reader(walk(folder.path()));
    CHECK(reader.paths().empty());
    CHECK_FALSE(reader.source->next());
    REQUIRE(reader.warnings.size() == 1);
    CHECK(reader.warnings[0] == folder.path() +
                                    ": no images in a folder that was named (searched for .jpg .png; see "
                                    "--include, --exclude, --hidden)");
    Reader empty(list(folder.write("list", "")));
    CHECK(empty.paths().empty());
    CHECK(empty.warnings.empty());
}

TEST_CASE("a folder that is left out is not entered, by whatever path") {
    const TemporaryFolder folder;
    folder.write("seen/a.png", "");
    folder.write("drop/b.png", "");
    std::filesystem::create_directory_symlink("../seen", folder / "drop/link");
    InputOptions options = walk(folder.path());
    options.follow = true;
    options.leave_out = folder / "drop/../seen/";
    Reader reader(options);
    CHECK(reader.paths() == Strings{folder / "drop/b.png"});
    CHECK(reader.warnings.size() == 2);

    options.paths = {folder / "seen"};
    Reader itself(options);
    CHECK(itself.paths().empty());
    CHECK(itself.warnings == Strings{folder / "seen: the folder of the output is left out"});
    options.leave_out = folder / "not there";
    CHECK(Reader(options).paths() == Strings{folder / "seen/a.png"});
}

TEST_CASE("lists by line and by NUL") {
    const TemporaryFolder folder;
    const auto read = [&](std::string_view bytes, bool null_separated) {
        InputOptions options = list(folder.write("list", bytes));
        options.null_separated = null_separated;
        return Reader(options).paths();
    };
    using namespace std::string_view_literals;
    CHECK(read("a\nb c\n\xFF\n", false) == Strings{"a", "b c", "\xFF"});
    CHECK(read("a\nlast", false) == Strings{"a", "last"});
    CHECK(read("\n\na\n\n\nb\n\n", false) == Strings{"a", "b"});
    CHECK(read("a\r\n\r\nb\rc\r\r\nlast\r", false) == Strings{"a", "b\rc\r", "last"});
    CHECK(read("\r", false).empty());
    CHECK(read("a\0b\nc\r\0\0\0last"sv, true) == Strings{"a", "b\nc\r", "last"});
    CHECK(read("\0"sv, true).empty());

    std::string long_list;
    Strings expected;
    for (int i = 0; i < 20000; ++i) {
        expected.push_back("folder/image_" + std::to_string(i) + ".jpg");
        long_list += expected.back() + "\r\n";
    }
    CHECK(read(long_list, false) == expected);
    const std::string long_path(100000, 'x');
    CHECK(read("a\n" + long_path + "\nb", false) == Strings{"a", long_path, "b"});
}

TEST_CASE("folders in a list are items like any other") {
    const TemporaryFolder folder;
    folder.write("a/1.jpg", "");
    CHECK(Reader(list(folder.write("list", folder / "a"))).paths() == Strings{folder / "a"});
}

TEST_CASE("what is no list is refused with the way out") {
    const TemporaryFolder folder;
    using namespace std::string_view_literals;
    check_usage(list(folder / "nothing"), "nothing: No such file or directory");
    check_usage(list(folder.path()), "it is a folder");
    check_usage(list(folder.write("nul", "a\0b\0"sv)), "need --null");
    check_usage(list(folder.write("long", std::string((1 << 20) + 1, 'x'))), "1 MiB without a line end");
    InputOptions options = list(folder.write("lines", "a\nb\n" + std::string(1 << 20, 'x')));
    options.null_separated = true;
    check_usage(options, "1 MiB without a NUL");

    options = list(folder.write("few lines", "a\nb\n"));
    options.null_separated = true;
    Reader reader(options);
    CHECK(reader.paths() == Strings{"a\nb\n"});
    REQUIRE(reader.warnings.size() == 1);
    CHECK(reader.warnings[0].find("needs no --null") != std::string::npos);
}

TEST_CASE("entries before a fault in a list are still given") {
    const TemporaryFolder folder;
    Reader reader(list(folder.write("list", std::string("good\nbad\0", 9))));
    CHECK(reader.source->next()->path == "good");
    CHECK_THROWS_AS(reader.source->next(), Fatal);
}

TEST_CASE("a pipe held open gives each path as soon as it is complete") {
    Pipe pipe;
    Reader reader(list(pipe.path()));
    CHECK_FALSE(reader.source->ready());
    pipe.write("on");
    CHECK_FALSE(reader.source->ready());
    pipe.write("e\ntwo\n\r");
    REQUIRE(reader.source->ready());
    CHECK(reader.source->next()->path == "one");
    REQUIRE(reader.source->ready());
    CHECK(reader.source->next()->path == "two");
    CHECK_FALSE(reader.source->ready());
    pipe.write("\n\n\r\n");
    CHECK_FALSE(reader.source->ready());

    std::thread writer([&] {
        pipe.write("thr");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        pipe.write("ee\n");
    });
    CHECK(reader.source->next()->path == "three");
    writer.join();
    pipe.write("four");
    CHECK_FALSE(reader.source->ready());
    pipe.close_writer();
    REQUIRE(reader.source->ready());
    const auto last = reader.source->next();
    CHECK(last->path == "four");
    CHECK(reader.source->ready());
    CHECK_FALSE(reader.source->next());
}

TEST_CASE("ready() looks past the end of one list into the next") {
    const TemporaryFolder folder;
    Pipe pipe;
    InputOptions options = list(folder.write("list", "one\n"));
    options.files_from.push_back(pipe.path());
    Reader reader(options);
    CHECK(reader.source->next()->path == "one");
    CHECK_FALSE(reader.source->ready());
    pipe.write("two\n");
    CHECK(reader.source->ready());
    CHECK(reader.source->next()->path == "two");
}

TEST_CASE("a FIFO is waited for until somebody writes to it") {
    const TemporaryFolder folder;
    const std::string fifo = folder / "fifo";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    Reader reader(list(fifo));
    CHECK_FALSE(reader.source->ready());
    std::thread writer([&] {
        const int fd = open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
        CHECK(write(fd, "one\ntwo", 7) == 7);
        close(fd);
    });
    CHECK(reader.paths() == Strings{"one", "two"});
    writer.join();
}

TEST_CASE("a dash is the list on standard input, which stays open") {
    const TemporaryFolder folder;
    const std::string file = folder.write("stdin", "one\ntwo\n");
    const int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    close(fd);
    InputOptions options;
    options.paths = {"first", "-", "after", "-"};
    const Strings paths = Reader(options).paths();
    const bool open_still = fcntl(STDIN_FILENO, F_GETFD) >= 0;
    dup2(saved, STDIN_FILENO);
    close(saved);
    CHECK(paths == Strings{"first", "one", "two", "after"});
    CHECK(open_still);
}

TEST_CASE("a cancellation ends a wait for a pipe") {
    Pipe pipe;
    Reader reader(list(pipe.path()));
    pipe.write("half a pa");
    std::thread stopper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        reader.cancellation.request();
    });
    CHECK_FALSE(reader.source->next());
    stopper.join();
    CHECK(reader.cancellation.requested());
    CHECK(reader.source->ready());
    pipe.write("th\n");
    CHECK_FALSE(reader.source->next());
}

TEST_CASE("a cancellation ends a walk and a list of paths in their midst") {
    const TemporaryFolder folder;
    folder.write("1.jpg", "");
    folder.write("2.jpg", "");
    InputOptions options = walk(folder.path());
    options.paths.push_back("more");
    Reader reader(options);
    CHECK(reader.source->next());
    CHECK(reader.source->ready());
    reader.cancellation.request();
    CHECK(reader.source->next());  // what ready() had found
    CHECK_FALSE(reader.source->next());
    CHECK(reader.warnings.empty());
}

TEST_CASE("a cancelled walk that has found nothing yet does not say that there is nothing") {
    const TemporaryFolder folder;
    std::filesystem::create_directory_symlink(".", folder / "loop");
    InputOptions options = walk(folder.path());
    options.follow = true;
    Cancellation cancellation;
    Strings warnings;
    const auto source = open_source(
        options,
        [&](std::string_view line, std::string_view) {
            warnings.emplace_back(line);
            cancellation.request();
        },
        cancellation);
    CHECK_FALSE(source->next());
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].starts_with("link loop"));
}

namespace {
Cancellation* signalled = nullptr;
}

TEST_CASE("a cancellation can be made by a signal handler, more than once") {
    Cancellation cancellation;
    signalled = &cancellation;
    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = [](int) { signalled->request(); };
    REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);
    CHECK_FALSE(cancellation.requested());
    char byte = 0;
    CHECK(read(cancellation.fd(), &byte, 1) == -1);
    raise(SIGUSR1);
    raise(SIGUSR1);
    REQUIRE(sigaction(SIGUSR1, &before, nullptr) == 0);
    signalled = nullptr;
    CHECK(cancellation.requested());
    CHECK(read(cancellation.fd(), &byte, 1) == 1);
}

namespace {

std::int64_t nanoseconds_of(std::int64_t seconds) {
    return seconds * 1'000'000'000;
}

/// `seconds` from now.
void set_age(const std::string& path, std::int64_t seconds) {
    timespec times[2]{};
    clock_gettime(CLOCK_REALTIME, &times[1]);
    times[1].tv_sec += seconds;
    times[0] = times[1];
    REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("items are numbered from 1") {
    const TemporaryFolder folder;
    Reader reader(list(folder.write("list", "a\nb\na\n")));
    std::uint64_t number = 0;
    for (const Item& item : reader.all()) {
        CHECK(item.number == ++number);
        CHECK(item.digest == 0);
        CHECK(item.written() == item.path);
    }
    CHECK(number == 3);
}

TEST_CASE("files that are too young are left, and counted; what cannot be looked at is not") {
    const TemporaryFolder folder;
    for (const char* name : {"new.jpg", "old.jpg", "soon.jpg", "future.jpg"}) {
        folder.write(name, "x");
    }
    set_age(folder / "old.jpg", -100);
    set_age(folder / "soon.jpg", 30);
    set_age(folder / "future.jpg", 100'000);
    InputOptions options = list(folder.write(
        "list", (folder / "new.jpg") + "\n" + (folder / "old.jpg") + "\n" + (folder / "soon.jpg") + "\n" +
                    (folder / "future.jpg") + "\n" + (folder / "none.jpg")));
    options.settle = nanoseconds_of(60);
    Reader reader(options);
    CHECK(reader.paths() == Strings{folder / "old.jpg", folder / "future.jpg", folder / "none.jpg"});
    CHECK(reader.source->left() == 2);
}

TEST_CASE("files from before a time are not taken") {
    const TemporaryFolder folder;
    folder.write("a.jpg", "x");
    folder.write("b.jpg", "x");
    timespec times[2]{{1000, 0}, {1000, 0}};
    REQUIRE(utimensat(AT_FDCWD, (folder / "a.jpg").c_str(), times, 0) == 0);
    InputOptions options = walk(folder.path());
    options.since = nanoseconds_of(1000);
    CHECK(Reader(options).paths() == below(folder.path(), {"a.jpg", "b.jpg"}));
    options.since = nanoseconds_of(1000) + 1;
    Reader reader(options);
    CHECK(reader.paths() == below(folder.path(), {"b.jpg"}));
    CHECK(reader.source->left() == 0);
}

TEST_CASE(
    "shards share the items out, evenly, each with the digest of all up to it, the last with that of all") {
    const TemporaryFolder folder;
    const std::string names = folder.write("list", "a\nb\nc\nd\ne\nf\ng\n");
    std::vector<Item> all(7);
    std::uint64_t digest = 0;
    for (std::uint64_t index = 1; index <= 3; ++index) {
        InputOptions options = list(names);
        options.shard = Shard{index, 3};
        const std::vector<Item> items = Reader(options).all();
        CHECK(items.size() == (index == 1 ? 3 : 2));
        for (const Item& item : items) {
            REQUIRE(item.number >= 1);
            REQUIRE(item.number <= 7);
            all[item.number - 1] = item;
        }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(all[i].path == std::string(1, static_cast<char>('a' + i)));
        digest = extend_digest(digest, all[i].path);
        CHECK((all[i].digest == digest) == (i < 4));
    }
    for (std::size_t last = 4; last < all.size(); ++last) {
        CHECK(all[last].digest == digest_of_all(digest));
    }
    // printf '\0\0\0\0\0\0\0\0a' | sha256sum
    CHECK(extend_digest(0, "a") == 0xd7fe8b5c4a504869U);
}

TEST_CASE("an anonymised path is a keyed hash, and the key must be worth its name") {
    const TemporaryFolder folder;
    const Anonymise anonymise = anonymise_with(folder.write("key", "0123456789abcdef\n"));
    // printf %s drop/a.jpg | openssl dgst -sha256 -hmac 0123456789abcdef
    CHECK(anonymise("drop/a.jpg") == "5ad66f6fed8cdbc6a7a194126f1e9198");
    CHECK(anonymise_with(folder.write("other", "0123456789abcdeg"))("drop/a.jpg") != anonymise("drop/a.jpg"));
    CHECK_THROWS_AS(anonymise_with(folder.write("short", "0123456789abcde\n\n")), Fatal);
    CHECK_THROWS_AS(anonymise_with(folder.write("long", std::string(5000, 'x'))), Fatal);
    CHECK_THROWS_AS(anonymise_with(folder / "none"), Fatal);
    CHECK_THROWS_AS(anonymise_with(folder.path()), Fatal);

    InputOptions options = list(folder.write("list", "drop/a.jpg"));
    options.anonymise = anonymise;
    options.shard = Shard{1, 1};
    const Item item = Reader(options).all().at(0);
    CHECK(item.path == "drop/a.jpg");
    CHECK(item.written() == anonymise("drop/a.jpg"));
    CHECK(item.digest == digest_of_all(extend_digest(0, item.written())));
}
