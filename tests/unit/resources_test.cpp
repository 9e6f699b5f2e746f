#include "cli/resources.hpp"

#include "temporary_folder.hpp"

#include <doctest/doctest.h>
#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

using namespace skincheck::cli;
using skincheck::test::TemporaryFolder;

TEST_CASE("a control group without limits, or none at all") {
    const TemporaryFolder folder;
    for (int i = 0; i < 2; ++i) {
        const ControlGroup group = read_control_group(folder.path());
        CHECK_FALSE(group.cores);
        CHECK_FALSE(group.bytes);
        folder.write("cpu.max", "max 100000\n");
        folder.write("memory.max", "max\n");
        folder.write("memory.current", "1000\n");
    }
}

TEST_CASE("cores of a control group are rounded up") {
    const TemporaryFolder folder;
    for (const auto& [text, cores] : {std::pair<const char*, std::uint64_t>{"200000 100000\n", 2},
                                      {"150000 100000\n", 2},
                                      {"1000 100000\n", 1}}) {
        folder.write("cpu.max", text);
        CHECK(read_control_group(folder.path()).cores == cores);
    }
}

TEST_CASE("the groups above one limit it too") {
    const TemporaryFolder folder;
    folder.write("a/b/cpu.max", "max 100000\n");
    folder.write("a/b/memory.max", "max\n");
    folder.write("a/b/memory.current", "1000\n");
    folder.write("a/cpu.max", "300000 100000\n");
    folder.write("a/memory.max", "5000\n");
    folder.write("a/memory.current", "2000\n");
    folder.write("cpu.max", "400000 100000\n");
    for (const char* name : {"/a/b", "/a"}) {
        const ControlGroup group = read_control_groups(folder.path(), name);
        CHECK(group.cores == 3);
        CHECK(group.bytes == 3000);
    }
    CHECK(read_control_groups(folder.path(), "/").cores == 4);
    CHECK(read_control_groups(folder.path(), "/not/there").cores == 4);
}

TEST_CASE("files in the page cache do not count as used memory") {
    const TemporaryFolder folder;
    folder.write("memory.max", "1000000\n");
    folder.write("memory.current", "900000\n");
    CHECK(read_control_group(folder.path()).bytes == 100000);
    folder.write("memory.stat", "anon 5\nactive_file 7\ninactive_file 600000\nslab 3\n");
    CHECK(read_control_group(folder.path()).bytes == 700000);
    folder.write("memory.current", "2000000\n");
    CHECK(read_control_group(folder.path()).bytes == 0);
}

TEST_CASE("one job for each core that this process may use, and always one") {
    cpu_set_t before;
    REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
        if (CPU_ISSET(cpu, &before)) {
            CPU_SET(cpu, &one);
        }
    }
    std::string own = "0::/";
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        own = line.starts_with("0::") ? line : own;
    }
    const auto group = read_control_groups("/sys/fs/cgroup", own.substr(3));
    const auto cores =
        std::min<std::uint64_t>(static_cast<std::uint64_t>(CPU_COUNT(&before)), group.cores.value_or(1024));
    CHECK(default_jobs(1) == static_cast<int>(std::max<std::uint64_t>(1, cores)));
    CHECK(default_jobs(std::numeric_limits<std::uint64_t>::max()) == 1);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK(default_jobs(1) == 1);
    CHECK(sched_setaffinity(0, sizeof before, &before) == 0);
}
