#include "evaluate/bootstrap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>
#include <random>
#include <system_error>
#include <thread>

namespace skincheck {

Strata strata_of(const Sample& sample) {
    std::vector<char> has_malignant;
    for (std::size_t i = 0; i < sample.malignant.size(); ++i) {
        const std::size_t cluster = sample.cluster.empty() ? i : static_cast<std::size_t>(sample.cluster[i]);
        has_malignant.resize(std::max(has_malignant.size(), cluster + 1), 0);
        if (sample.malignant[i] != 0) {
            has_malignant[cluster] = 1;
        }
    }
    Strata strata;
    for (std::size_t cluster = 0; cluster < has_malignant.size(); ++cluster) {
        strata[has_malignant[cluster] != 0 ? 0 : 1].push_back(static_cast<std::uint32_t>(cluster));
    }
    return strata;
}

void resample(const Strata& strata, const FigureOptions& options,
              const std::function<void(std::size_t, Weights)>& use) {
    const auto total = static_cast<std::size_t>(std::max(0, options.bootstrap));
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        std::vector<std::uint32_t> weights(strata[0].size() + strata[1].size());
        for (std::size_t number = next++; number < total; number = next++) {
            // Of its own, so that the number of threads changes nothing.
            std::seed_seq seed{options.seed & 0xFFFFFFFFU, options.seed >> 32U,
                               static_cast<std::uint64_t>(number)};
            std::mt19937_64 random(seed);
            std::fill(weights.begin(), weights.end(), 0U);
            for (const auto& stratum : strata) {
                if (stratum.empty()) {
                    continue;
                }
                std::uniform_int_distribution<std::uint32_t> draw(
                    0, static_cast<std::uint32_t>(stratum.size() - 1));
                for (std::size_t i = 0; i < stratum.size(); ++i) {
                    ++weights[stratum[draw(random)]];
                }
            }
            use(number, weights);
        }
    };
    std::mutex mutex;
    std::exception_ptr failure;  // the first
    const auto guarded_work = [&] {
        try {
            work();
        } catch (...) {
            next = total;
            const std::lock_guard guard(mutex);
            failure = failure ? failure : std::current_exception();
        }
    };
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    const std::size_t threads =
        std::min(options.jobs > 0 ? static_cast<std::size_t>(options.jobs) : cores, total);
    std::vector<std::jthread> others;
    others.reserve(threads);
    try {
        while (others.size() + 1 < threads) {
            others.emplace_back(guarded_work);
        }
    } catch (const std::system_error&) {  // no more threads to be had: those that are there do the work
    }
    guarded_work();
    others.clear();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

double percentile(const std::vector<double>& sorted, double share) {
    const double place = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below));
}

void set_interval(Figure& figure, std::vector<double> resampled) {
    if (resampled.empty() || std::isnan(figure.value)) {
        return;
    }
    const std::size_t total = resampled.size();
    std::erase_if(resampled, [](double value) { return std::isnan(value); });
    const std::size_t lost = total - resampled.size();
    if (lost * 20 >= total) {
        figure.reason = fmt::format("no interval: undefined in {} of {} resamples", lost, total);
        return;
    }
    std::sort(resampled.begin(), resampled.end());
    if (resampled.front() == resampled.back()) {
        figure.reason = "no interval: all resamples give the same";
        return;
    }
    figure.low = percentile(resampled, 0.025);
    figure.high = percentile(resampled, 0.975);
}

}  // namespace skincheck
