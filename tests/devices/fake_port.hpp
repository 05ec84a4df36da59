// A DevicePort that is all of a machine that one device sees, for its unit tests.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/device.hpp"

namespace hartline::test {

struct FakePort final : DevicePort {
    u64 time = 0;
    bool irq = false;
    unsigned hart_count = 2;
    std::map<std::pair<unsigned, unsigned>, bool> lines;  // (hart, line)
    std::map<u32, std::pair<u64, u64>> events;            // tag -> (when, sequence)
    u64 sequence = 0;
    Ram ram{0x8000'0000, 4 << 20};
    std::optional<StopRequest> stop;
    u64 offset = 0;  // of the timer from virtual time

    u64 now() const override { return time; }
    void set_irq(bool level) override { irq = level; }
    void set_hart_line(unsigned hart, unsigned line, bool level) override { lines[{hart, line}] = level; }
    unsigned harts() const override { return hart_count; }
    void schedule(u64 when, u32 tag) override { events[tag] = {when, sequence++}; }
    void cancel(u32 tag) override { events.erase(tag); }
    Ram& memory() override { return ram; }
    void request_stop(StopRequest request) override { stop = request; }
    u64 time_offset() const override { return offset; }
    void set_time_offset(u64 value) override { offset = value; }

    bool line(unsigned hart, unsigned number) const {
        const auto at = lines.find({hart, number});
        return at != lines.end() && at->second;
    }
    // Lets `ns` pass, and the device's events of that time happen, at most `most` of them.
    void advance(Device& device, u64 ns, unsigned most = 1'000'000) {
        const u64 end = time + ns;
        while (most-- != 0) {
            auto next = events.end();
            for (auto at = events.begin(); at != events.end(); ++at)
                if (at->second.first <= end && (next == events.end() || at->second < next->second)) next = at;
            if (next == events.end()) break;
            const u32 tag = next->first;
            time = std::max(time, next->second.first);
            events.erase(next);
            device.on_event(tag);
        }
        time = end;
    }
};

struct Sink final : ByteSink {
    std::string text;
    void write(std::span<const u8> bytes) override { text.append(bytes.begin(), bytes.end()); }
};

inline std::span<const u8> bytes_of(std::string_view text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

// Accesses that the device must accept.
inline u64 get(Device& device, u64 offset, unsigned bytes = 4) {
    u64 value = 0xdead'dead'dead'dead;
    if (!device.read(offset, bytes, value))
        throw std::runtime_error("read refused at " + std::to_string(offset));
    return value;
}
inline void put(Device& device, u64 offset, u64 value, unsigned bytes = 4) {
    if (!device.write(offset, bytes, value))
        throw std::runtime_error("write refused at " + std::to_string(offset));
}

inline u64 hash_of(Device& device) {
    HashArchive archive;
    device.describe(archive);
    return archive.digest();
}
inline std::vector<u8> save_of(Device& device) {
    SaveArchive archive;
    device.describe(archive);
    return archive.take();
}
inline void load_into(Device& device, std::span<const u8> image) {
    device.reset();
    LoadArchive archive(image);
    device.describe(archive);
    archive.finish();
}
}  // namespace hartline::test
