#include "skincheck/output.hpp"

#include "output/destination.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

using namespace skincheck;
using nlohmann::ordered_json;
using skincheck::test::read_file;
using skincheck::test::TemporaryFolder;

namespace {

using Strings = std::vector<std::string>;

struct Memory final : Destination {
    std::string bytes;
    int writes = 0;
    void write(std::string_view more) override {
        bytes += more;
        ++writes;
    }
    void commit() override {}
};

Provenance provenance(const Strings& classes = {"malignant"}) {
    Provenance provenance;
    provenance.device = "cpu";
    provenance.engine = "openvino";
    provenance.precision = "fp32";
    provenance.threshold = 0.3;
    provenance.model.name = "drawn";
    provenance.model.version = "1.2";
    provenance.model.sha256 = "0123456789abcdef" + std::string(48, '0');
    provenance.model.output.classes = classes;
    provenance.model.preprocess_json =
        R"({"preprocess":[{"op":"median","size":3}],"normalise":{"scale":0.5}})";
    return provenance;
}

Row scored(const std::string& path, double malignancy, std::vector<double> probabilities = {}) {
    return {path, Status::ok, Score{malignancy, std::move(probabilities)}, decide(malignancy, 0.3), ""};
}

Row failed(const std::string& path, Status status, const std::string& error) {
    return {path, status, {}, {}, error};
}

std::string written(Format format, const std::vector<Row>& rows, const Provenance& from = provenance(),
                    const Summary& summary = {}) {
    Memory memory;
    const auto writer = make_writer(format, from, memory);
    writer->begin();
    for (const Row& row : rows) {
        writer->row(row);
    }
    writer->end(summary);
    return memory.bytes;
}

/// RFC 4180, with LF between records; independent of the code under test.
std::vector<Strings> parse_csv(const std::string& text) {
    std::vector<Strings> records;
    Strings record{""};
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
            record.back() += text[++i];
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == ',') {
            record.emplace_back();
        } else if (!quoted && c == '\n') {
            records.push_back(std::move(record));
            record = {""};
        } else {
            record.back() += c;
        }
    }
    REQUIRE_FALSE(quoted);
    REQUIRE(record == Strings{""});
    return records;
}

const Strings awkward_paths{"plain.jpg", "a,b.jpg", "say \"no\".jpg", "two\nlines.jpg",           "cr\r.jpg",
                            "-dash.jpg", " space ", "\xFF\xFE.jpg",   "\xC3\xA4\xE2\x82\xAC.jpg", "",
                            "\"",        "'=1+1",   "back\\slash\t"};

std::size_t files_in(const std::string& folder) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

mode_t mode_of(const std::string& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

/// Runs `act`, which must throw Fatal (output), and returns the message.
template <typename Act>
std::string output_error(const Act& act) {
    try {
        act();
    } catch (const Fatal& fatal) {
        CHECK(fatal.code() == ExitCode::output);
        return fatal.what();
    }
    FAIL("no Fatal");
    return {};
}

}  // namespace

TEST_CASE("a model of the seven classes writes the submission of 2018, in the columns' order") {
    const Strings classes{"akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"};
    const Row row = scored("folder/a.jpg", 0.5, {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.79});
    const Row lost = failed("b.jpg", Status::corrupt, "damaged");
    CHECK(written(Format::isic, {row, lost}, provenance(classes)) ==
          "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n"
          "a,0.050000,0.060000,0.020000,0.010000,0.030000,0.040000,0.790000\n"
          "b,,,,,,,\n");
}

TEST_CASE("formats by name and by ending") {
    CHECK(parse_format("csv") == Format::csv);
    CHECK(parse_format("json") == Format::json);
    CHECK(parse_format("jsonl") == Format::jsonl);
    CHECK_FALSE(parse_format("CSV"));
    CHECK_FALSE(parse_format(""));
    CHECK(format_of_path("a/b.csv") == Format::csv);
    CHECK(format_of_path("b.JSON") == Format::json);
    CHECK(format_of_path("b.x.Jsonl") == Format::jsonl);
    CHECK(format_of_path("b.ndjson") == Format::jsonl);
    CHECK_FALSE(format_of_path("b.txt"));
    CHECK_FALSE(format_of_path("csv"));
    CHECK_FALSE(format_of_path("a.csv/b"));
}

TEST_CASE("names of several runs, some of which are joined already") {
    CHECK(joined_names({}) == "");
    CHECK(joined_names({"cpu", "cpu"}) == "cpu");
    CHECK(joined_names({"cuda:0", "cpu, cuda:0", "cpu"}) == "cpu, cuda:0");
}

TEST_CASE("CSV, byte for byte") {
    CHECK(written(Format::csv, {}) == "path,status,malignancy,label,threshold,model,error\n");
    CHECK(written(Format::csv,
                  {scored("a.jpg", 0.125), scored("b,c.jpg", 0.3), scored("0", 0), scored("1", 1),
                   scored("tiny", 0.000001), failed("d.jpg", Status::not_found, "no \"such\" file")}) ==
          "path,status,malignancy,label,threshold,model,error\n"
          "a.jpg,ok,0.125000,benign,0.3,drawn@0123456789ab,\n"
          "\"b,c.jpg\",ok,0.300000,malignant,0.3,drawn@0123456789ab,\n"
          "0,ok,0.000000,benign,0.3,drawn@0123456789ab,\n"
          "1,ok,1.000000,malignant,0.3,drawn@0123456789ab,\n"
          "tiny,ok,0.000001,benign,0.3,drawn@0123456789ab,\n"
          "d.jpg,not_found,,,0.3,drawn@0123456789ab,\"no \"\"such\"\" file\"\n");
}

TEST_CASE("CSV of a model with several classes") {
    CHECK(written(Format::csv,
                  {scored("a", 0.75, {0.25, 0.5, 0.25}), failed("b", Status::empty, "it is empty")},
                  provenance({"nv", "mel, in situ", "bcc"})) ==
          "path,status,malignancy,label,threshold,model,error,p_nv,\"p_mel, in situ\",p_bcc\n"
          "a,ok,0.750000,malignant,0.3,drawn@0123456789ab,,0.250000,0.500000,0.250000\n"
          "b,empty,,,0.3,drawn@0123456789ab,it is empty,,,\n");
}

TEST_CASE("CSV brings every path back as it was") {
    std::vector<Row> rows;
    for (const std::string& path : awkward_paths) {
        rows.push_back(failed(path, Status::io_error, path));
    }
    const auto records = parse_csv(written(Format::csv, rows));
    REQUIRE(records.size() == awkward_paths.size() + 1);
    for (std::size_t i = 0; i < awkward_paths.size(); ++i) {
        REQUIRE(records[i + 1].size() == 7);
        CHECK(records[i + 1][0] == awkward_paths[i]);
        CHECK(records[i + 1][6] == awkward_paths[i]);
    }
    CHECK(csv_field("a b") == "a b");
    CHECK(csv_field("a\rb") == "\"a\rb\"");
    CHECK(csv_field("\"") == "\"\"\"\"");
}

TEST_CASE("JSON Lines, byte for byte") {
    CHECK(written(Format::jsonl, {scored("\xC3\xA4\n.jpg", 0.123456), failed("b", Status::corrupt, "cut")}) ==
          "{\"path\":\"\xC3\xA4\\n.jpg\",\"status\":\"ok\",\"malignancy\":0.123456,\"label\":\"benign\","
          "\"threshold\":0.3,\"model\":\"drawn@0123456789ab\",\"error\":null}\n"
          "{\"path\":\"b\",\"status\":\"corrupt\",\"malignancy\":null,\"label\":null,"
          "\"threshold\":0.3,\"model\":\"drawn@0123456789ab\",\"error\":\"cut\"}\n");
    CHECK(written(Format::jsonl, {}).empty());
}

TEST_CASE("JSON's numbers are the shortest that read as the same") {
    for (const double number : {0.892762, 0.321603, 0.5, 0.0, 1.0, 0.000001}) {
        Memory lines;
        Provenance of = provenance();
        of.threshold = number;
        make_writer(Format::jsonl, of, lines)->row(scored("a", number));
        CHECK(ordered_json::parse(lines.bytes)["malignancy"].get<double>() == number);
        const auto start = lines.bytes.find("\"malignancy\":") + 13;
        CHECK(lines.bytes.substr(start, lines.bytes.find(',', start) - start).size() <= 8);
        CHECK(lines.bytes.find(fmt::format("\"threshold\":{}", number)) != std::string::npos);
    }
}

TEST_CASE("JSON Lines of a model with several classes") {
    const std::string text =
        written(Format::jsonl, {scored("a", 0.5, {0.5, 0.5}), failed("b", Status::empty, "e")},
                provenance({"x", "y"}));
    const auto first = ordered_json::parse(text.substr(0, text.find('\n')));
    const auto second = ordered_json::parse(text.substr(text.find('\n') + 1));
    CHECK(first["p_x"] == 0.5);
    CHECK(second["p_x"].is_null());
    CHECK(std::prev(second.end()).key() == "p_y");
    CHECK(first.size() == second.size());
}

TEST_CASE("a path that is no UTF-8 is written with U+FFFD and in base64") {
    const auto object = [](const std::string& path) {
        return ordered_json::parse(
            written(Format::jsonl, {failed(path, Status::not_found, "bad \xFF byte")}));
    };
    const auto broken = object("a\xFF.jpg");
    CHECK(broken["path"] == "a\xEF\xBF\xBD.jpg");
    CHECK(broken["path_base64"] == "Yf8uanBn");
    CHECK(std::next(broken.begin()).key() == "path_base64");
    CHECK(broken["error"] == "bad \xEF\xBF\xBD byte");
    CHECK(object("\xFF")["path_base64"] == "/w==");
    CHECK(object("\xFF\xFF")["path_base64"] == "//8=");
    for (const char* bytes :
         {"cut \xC3", "overlong \xC0\xAF", "surrogate \xED\xA0\x80", "too high \xF4\x90\x80\x80"}) {
        CHECK_MESSAGE(object(bytes).contains("path_base64"), bytes);
    }
    for (const char* bytes : {"", "plain", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEF\xBF\xBD"}) {
        CHECK_MESSAGE(!object(bytes).contains("path_base64"), bytes);
        CHECK(object(bytes)["path"] == bytes);
    }
}

TEST_CASE("JSON is one object with provenance, rows and summary") {
    Summary summary;
    summary.rows = 2;
    summary.by_status[static_cast<std::size_t>(Status::ok)] = 1;
    summary.by_status[static_cast<std::size_t>(Status::truncated)] = 1;
    summary.malignant = 1;
    const std::string text = written(
        Format::json, {scored("a", 0.5), failed("\xFF", Status::truncated, "cut")}, provenance(), summary);
    const auto object = ordered_json::parse(text);
    Strings members;
    for (const auto& [name, value] : object.items()) {
        members.push_back(name);
    }
    CHECK(members == Strings{"skincheck", "model", "threshold", "preprocessing", "results", "summary"});
    CHECK(object["skincheck"]["device"] == "cpu");
    CHECK(object["skincheck"]["engine"] == "openvino");
    CHECK(object["skincheck"]["precision"] == "fp32");
    CHECK_FALSE(object["skincheck"]["version"].get<std::string>().empty());
    CHECK_FALSE(object["skincheck"]["opencv"].get<std::string>().empty());
    CHECK(object["model"].dump() == R"({"name":"drawn","version":"1.2","sha256":")" +
                                        provenance().model.sha256 + R"(","classes":["malignant"]})");
    CHECK(object["threshold"] == 0.3);
    CHECK(object["preprocessing"].dump() == provenance().model.preprocess_json);
    CHECK(object["summary"].dump() ==
          R"({"rows":2,"by_status":{"ok":1,"truncated":1},"by_label":{"benign":0,"malignant":1}})");

    const std::string lines =
        written(Format::jsonl, {scored("a", 0.5), failed("\xFF", Status::truncated, "cut")});
    REQUIRE(object["results"].size() == 2);
    CHECK(object["results"][0].dump() + "\n" + object["results"][1].dump() + "\n" == lines);
    CHECK(text.find("\n    " + object["results"][1].dump() + "\n") != std::string::npos);
    CHECK(text.ends_with("}\n"));
}

TEST_CASE("JSON without rows is valid too") {
    const auto object = ordered_json::parse(written(Format::json, {}));
    CHECK(object["results"] == ordered_json::array());
    CHECK(object["summary"]["rows"] == 0);
    CHECK(object["summary"]["by_status"] == ordered_json::object());
}

TEST_CASE("every row is handed on at once and whole") {
    for (const Format format : {Format::csv, Format::json, Format::jsonl}) {
        Memory memory;
        const auto writer = make_writer(format, provenance(), memory);
        writer->begin();
        const int before = memory.writes;
        writer->row(scored("a", 0.5));
        CHECK(memory.writes == before + 1);
        CHECK(memory.bytes.find("0123456789ab") != std::string::npos);
    }
}

TEST_CASE("a file appears whole at the commit, and not before") {
    const TemporaryFolder folder;
    const std::string path = folder / "results.csv";
    {
        const auto file = atomic_file(path);
        file->write("one\n");
        CHECK_FALSE(std::filesystem::exists(path));
        CHECK(files_in(folder.path()) == 1);
        const std::string name = std::filesystem::directory_iterator(folder.path())->path().filename();
        CHECK(name.starts_with(".results.csv.skincheck-"));
        file->write("two\n");
        file->commit();
        CHECK(read_file(path) == "one\ntwo\n");
    }
    CHECK(read_file(path) == "one\ntwo\n");
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a file without a commit leaves nothing, and what was there stays") {
    const TemporaryFolder folder;
    atomic_file(folder / "new")->write("half");
    CHECK(files_in(folder.path()) == 0);
    const std::string old = folder.write("old", "old");
    atomic_file(old)->write("half");
    CHECK(read_file(old) == "old");
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("modes: the umask for a new file, its own for an existing one") {
    const TemporaryFolder folder;
    const mode_t before = umask(027);
    atomic_file(folder / "new")->commit();
    umask(before);
    CHECK(mode_of(folder / "new") == 0640);
    for (const mode_t mode : {mode_t{0600}, mode_t{0664}}) {
        const std::string path = folder.write("existing", "old");
        REQUIRE(chmod(path.c_str(), mode) == 0);
        const auto file = atomic_file(path);
        file->write("new");
        file->commit();
        CHECK(mode_of(path) == mode);
        CHECK(read_file(path) == "new");
    }
}

TEST_CASE("a name of 255 bytes, and names in the working folder") {
    const TemporaryFolder folder;
    std::string name(1, 'x');
    while (name.size() < 255) {
        name += "\xC3\xA4";
    }
    const auto file = atomic_file(folder / name);
    file->commit();
    CHECK(std::filesystem::exists(folder / name));
    CHECK(output_error([&] { atomic_file(folder / (name + "x")); }).find("shorter name") !=
          std::string::npos);

    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    const auto local = atomic_file("local.csv");
    local->commit();
    std::filesystem::current_path(before);
    CHECK(std::filesystem::exists(folder / "local.csv"));
}

TEST_CASE("a symbolic link stays and what it leads to is replaced") {
    const TemporaryFolder folder;
    folder.write("real/target.csv", "old");
    std::filesystem::create_directory(folder / "links");
    std::filesystem::create_symlink("../real/target.csv", folder / "links/one");
    std::filesystem::create_symlink("one", folder / "links/two");
    const auto file = atomic_file(folder / "links/two");
    file->write("new");
    CHECK(files_in(folder / "real") == 2);
    file->commit();
    CHECK(read_file(folder / "real/target.csv") == "new");
    CHECK(std::filesystem::is_symlink(folder / "links/one"));
    CHECK(std::filesystem::is_symlink(folder / "links/two"));

    std::filesystem::create_symlink("../real/later.csv", folder / "links/dangling");
    atomic_file(folder / "links/dangling")->commit();
    CHECK(std::filesystem::is_symlink(folder / "links/dangling"));
    CHECK(std::filesystem::exists(folder / "real/later.csv"));

    std::filesystem::create_symlink("loop", folder / "links/loop");
    CHECK(output_error([&] { atomic_file(folder / "links/loop"); }).find("symbolic links") !=
          std::string::npos);
}

TEST_CASE("places that cannot be written are named, with the reason") {
    const TemporaryFolder folder;
    folder.write("file", "");
    const auto message = [](const std::string& path) { return output_error([&] { atomic_file(path); }); };
    CHECK(message("") == "cannot write '': a file name is missing");
    CHECK(message(folder.path() + "/") == "cannot write " + folder.path() + "/: a file name is missing");
    CHECK(message(folder.path()) == "cannot write " + folder.path() + ": it is a folder; name a file in it");
    CHECK(message(folder / "no/x.csv") ==
          "cannot write " + (folder / "no/x.csv") +
              ": No such file or directory; its folder does not exist, make it first");
    CHECK(message(folder / "file/x.csv").find("is a file") != std::string::npos);
    CHECK(files_in(folder.path()) == 1);

    const auto file = atomic_file(folder / "x.csv");
    std::filesystem::create_directory(folder / "x.csv");
    CHECK(output_error([&] { file->commit(); }).find("Is a directory") != std::string::npos);
}

TEST_CASE("a folder or file without permission") {
    if (geteuid() == 0) {
        MESSAGE("skipped: root may write everywhere");
        return;
    }
    const TemporaryFolder folder;
    const std::string guarded = folder.write("guarded.csv", "old");
    REQUIRE(chmod(guarded.c_str(), 0444) == 0);
    CHECK(output_error([&] { atomic_file(guarded); }).find("check the permissions") != std::string::npos);
    REQUIRE(chmod(folder.path().c_str(), 0555) == 0);
    const std::string message = output_error([&] { atomic_file(folder / "new.csv"); });
    REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
    CHECK(message.find("check the permissions") != std::string::npos);
    CHECK(read_file(guarded) == "old");
}

TEST_CASE("a write that fails under way ends with the reason and leaves nothing") {
    const TemporaryFolder folder;
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    rlimit small = before;
    small.rlim_cur = 1000;
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    {
        const auto file = atomic_file(folder / "x.csv");
        REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
        const std::string message = output_error([&] { file->write(std::string(5000, 'x')); });
        REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
        CHECK(message == "cannot write " + (folder / "x.csv") + ": File too large");
    }
    std::signal(SIGXFSZ, handler);
    CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("devices and FIFOs are written to directly") {
    const TemporaryFolder folder;
    const auto full = atomic_file("/dev/full");
    CHECK(output_error([&] { full->write("x"); }) == "cannot write /dev/full: No space left on device");
    const auto nothing = atomic_file("/dev/null");
    nothing->write("x");
    nothing->commit();
    CHECK(std::filesystem::is_character_file("/dev/null"));

    const std::string fifo = folder / "fifo";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    std::string read;
    std::thread reader([&] { read = read_file(fifo); });
    {
        const auto file = atomic_file(fifo);
        file->write("row\n");
        file->commit();
    }
    reader.join();
    CHECK(read == "row\n");
    CHECK(std::filesystem::is_fifo(fifo));
}

namespace {

void do_nothing(int) {}

}  // namespace

TEST_CASE("a signal ends the wait for a FIFO's reader") {
    const TemporaryFolder folder;
    const std::string fifo = folder / "fifo";
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    struct sigaction before {};
    struct sigaction action {};
    action.sa_handler = do_nothing;
    REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);
    ExitCode code = ExitCode::ok;
    std::atomic<bool> ended{false};
    std::thread waiting([&] {
        try {
            atomic_file(fifo);
        } catch (const Fatal& fatal) {
            code = fatal.code();
        }
        ended = true;
    });
    while (!ended) {  // it may not wait yet when the first one comes
        pthread_kill(waiting.native_handle(), SIGUSR1);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    waiting.join();
    sigaction(SIGUSR1, &before, nullptr);
    CHECK(code == ExitCode::interrupted);
}

TEST_CASE("what cannot be written is told with its number, also when it shows at the end") {
    const TemporaryFolder folder;
    const auto error_of = [](const auto& call) {
        try {
            call();
        } catch (const CannotWrite& failure) {
            return failure.error();
        }
        return 0;
    };
    CHECK(error_of([&] { atomic_file(folder / "gone/file"); }) == ENOENT);
    CHECK(error_of([&] { atomic_file(folder / std::string(300, 'n')); }) == ENAMETOOLONG);
    CHECK(error_of([&] { atomic_file(folder.path()); }) == EISDIR);
    CHECK(error_of([] { atomic_file("/dev/full")->write("x"); }) == ENOSPC);
    // No descriptor fails as late as a full network disk does; one that is gone fails there too.
    DirectDestination closed(-1, false, "nowhere");
    CHECK(error_of([&] { closed.commit(); }) == EBADF);
}

TEST_CASE("an open descriptor is continued, not opened anew or replaced") {
    const TemporaryFolder folder;
    const std::string path = folder.write("log", "before\n");
    const int fd = open(path.c_str(), O_WRONLY | O_APPEND);
    REQUIRE(fd >= 0);
    std::filesystem::create_symlink("/dev/fd/" + std::to_string(fd), folder / "link");
    for (const std::string& name : {"/dev/fd/" + std::to_string(fd), folder / "link"}) {
        const auto file = atomic_file(name);
        file->write("row\n");
        file->commit();
    }
    CHECK(write(fd, "after\n", 6) == 6);
    close(fd);
    CHECK(read_file(path) == "before\nrow\nrow\nafter\n");
    CHECK(output_error([&] { atomic_file("/dev/fd/" + std::to_string(fd)); }).find("Bad file descriptor") !=
          std::string::npos);
}

namespace {

/// Standard output is `fd` while this lives.
struct RedirectedOutput {
    int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    explicit RedirectedOutput(int fd) { dup2(fd, STDOUT_FILENO); }
    ~RedirectedOutput() {
        dup2(saved, STDOUT_FILENO);
        close(saved);
    }
};

}  // namespace

TEST_CASE("standard output: a full device is told, a pipe that does not block is waited for") {
    std::string message;
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    {
        const RedirectedOutput redirected(full);
        try {
            standard_output()->write("x");
        } catch (const Fatal& fatal) {
            message = fatal.code() == ExitCode::output ? fatal.what() : "another code";
        }
    }
    close(full);
    CHECK(message == "cannot write to standard output: No space left on device");

    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
    REQUIRE(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    const std::string bytes(1 << 20, 'x');
    std::string received;
    std::thread reader([&] {
        std::array<char, 4096> chunk{};
        for (ssize_t count = 0; (count = read(ends[0], chunk.data(), chunk.size())) > 0;) {
            received.append(chunk.data(), static_cast<std::size_t>(count));
        }
    });
    {
        const RedirectedOutput redirected(ends[1]);
        const auto output = standard_output();
        output->write(bytes);
        output->commit();
    }
    close(ends[1]);
    reader.join();
    close(ends[0]);
    CHECK(received == bytes);
}
