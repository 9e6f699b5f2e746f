#include "cli/resources.hpp"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <thread>

namespace skincheck::cli {
namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

std::optional<std::uint64_t> number_in_file(const std::string& path) {
    std::ifstream in(path);
    std::uint64_t value = 0;
    return in >> value ? std::optional(value) : std::nullopt;  // "max" is no number: no limit
}

// The number behind `key` in a file of such lines; 0 when there is none.
std::uint64_t number_of(const std::string& path, const std::string& key) {
    std::ifstream in(path);
    std::string word;
    for (std::uint64_t value = 0; in >> word >> value;) {
        if (word == key) {
            return value;
        }
    }
    return 0;
}

std::uint64_t available_memory() {
    std::ifstream meminfo("/proc/meminfo");
    for (std::string line; std::getline(meminfo, line);) {
        if (line.rfind("MemAvailable:", 0) == 0) {
            return std::stoull(line.substr(13)) * 1024;
        }
    }
    return unlimited;
}

// Of this process, as seen from where the groups are mounted; in a container mostly "/".
std::string own_control_group() {
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        if (line.rfind("0::", 0) == 0) {
            return line.substr(3);
        }
    }
    return "/";
}

}  // namespace

ControlGroup read_control_group(const std::string& folder) {
    ControlGroup group;
    std::ifstream cpu(folder + "/cpu.max");
    std::uint64_t quota = 0;
    std::uint64_t period = 0;  // both in microseconds
    if (cpu >> quota >> period && period > 0) {
        group.cores = (quota + period - 1) / period;
    }
    const auto limit = number_in_file(folder + "/memory.max");
    const auto used = number_in_file(folder + "/memory.current");
    if (limit && used) {
        // Files that were read count as used, and are given up when somebody needs the memory.
        const std::uint64_t held =
            *used - std::min(*used, number_of(folder + "/memory.stat", "inactive_file"));
        group.bytes = *limit - std::min(*limit, held);
    }
    return group;
}

ControlGroup read_control_groups(const std::string& root, const std::string& group) {
    ControlGroup tightest;
    const auto take = [](std::optional<std::uint64_t>& least, const std::optional<std::uint64_t>& other) {
        if (other && (!least || *other < *least)) {
            least = other;
        }
    };
    for (std::string name = group;; name.erase(name.rfind('/'))) {
        const ControlGroup one = read_control_group(root + name);
        take(tightest.cores, one.cores);
        take(tightest.bytes, one.bytes);
        if (name.find('/') == std::string::npos) {
            return tightest;
        }
    }
}

namespace {

ControlGroup own_limits() {
    return read_control_groups("/sys/fs/cgroup", own_control_group());
}

}  // namespace

std::uint64_t usable_cores() {
    cpu_set_t set;
    const int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    const std::uint64_t cores =
        count > 0 ? static_cast<std::uint64_t>(count) : std::thread::hardware_concurrency();
    return std::max<std::uint64_t>(1, std::min(cores, own_limits().cores.value_or(unlimited)));
}

int default_jobs(std::uint64_t bytes_each) {
    const std::uint64_t bytes = std::min(available_memory(), own_limits().bytes.value_or(unlimited));
    return static_cast<int>(std::clamp<std::uint64_t>(bytes / bytes_each, 1, usable_cores()));
}

}  // namespace skincheck::cli
