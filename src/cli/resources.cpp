#include "cli/resources.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <thread>

namespace skincheck::cli {
namespace {

std::optional<std::uint64_t> number_in(const char* path) {
    std::ifstream in(path);
    std::uint64_t value = 0;
    return in >> value ? std::optional(value) : std::nullopt;  // "max" is no number: no limit
}

std::uint64_t available_memory() {
    std::uint64_t available = std::numeric_limits<std::uint64_t>::max();
    std::ifstream meminfo("/proc/meminfo");
    for (std::string line; std::getline(meminfo, line);) {
        if (line.rfind("MemAvailable:", 0) == 0) {
            available = std::stoull(line.substr(13)) * 1024;
        }
    }
    const auto limit = number_in("/sys/fs/cgroup/memory.max");
    const auto used = number_in("/sys/fs/cgroup/memory.current");
    if (limit && used) {
        available = std::min(available, *limit - std::min(*limit, *used));
    }
    return available;
}

}  // namespace

int default_jobs(std::uint64_t bytes_each) {
    const std::uint64_t cores = std::max(1U, std::thread::hardware_concurrency());
    return static_cast<int>(std::clamp<std::uint64_t>(available_memory() / bytes_each, 1, cores));
}

}  // namespace skincheck::cli
