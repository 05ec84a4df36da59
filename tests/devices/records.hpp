// What a host's end delivers for a device, on a thread of its own.
#pragma once
#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "core/types.hpp"

namespace hartline::test {

struct Records {
    std::mutex lock;
    std::vector<std::vector<u8>> all;

    std::function<void(std::span<const u8>)> deliver() {
        return [this](std::span<const u8> record) {
            const std::lock_guard guard(lock);
            all.emplace_back(record.begin(), record.end());
        };
    }
    // The record of that number, when it has come; empty: it has not for seconds.
    std::vector<u8> at(std::size_t number) {
        for (int i = 0; i < 3000; ++i) {
            {
                const std::lock_guard guard(lock);
                if (all.size() > number) return all[number];
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return {};
    }
    bool hold(const std::vector<u8>& record) {
        const std::lock_guard guard(lock);
        return std::ranges::find(all, record) != all.end();
    }
};
}  // namespace hartline::test
