// virtio-balloon: a guest gives memory back to the host, when asked and of itself.
//
// References are to "Traditional Memory Balloon Device" of virtio 1.2. Memory that is given back reads as
// zero, at the tick at which it is given: what the guest sees does not depend on what the host makes of it.
#include "devices/virtio/balloon.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

namespace hartline {
namespace {
using virtio::Chain;
using virtio::Segment;

constexpr u32 kDeviceType = 5;
// "Virtqueues": those that are not negotiated have no number in Linux' and QEMU's practice, and have one by
// the letter of the specification. Without hints for migration, the last two are both for reports.
constexpr unsigned kInflate = 0, kDeflate = 1, kStatistics = 2, kQueues = 5;
constexpr u32 kQueueSize = 128;

// "Feature bits"
constexpr unsigned kStatsVq = 1, kDeflateOnOom = 2, kPagePoison = 4, kReporting = 5;
constexpr u64 kFeatures =
    u64{1} << kStatsVq | u64{1} << kDeflateOnOom | u64{1} << kPagePoison | u64{1} << kReporting;

constexpr u64 kActualAt = 4, kPoisonAt = 12;  // of what a driver writes in the configuration

// CVE-2016-4453: the work of a chain is bounded. Linux puts 1 KiB of page numbers in one, and reports 32
// pieces of up to 4 MiB; what is beyond stays the guest's, as it would with a host that takes no hints.
constexpr u64 kMostPageNumbers = 16 * 1024;
constexpr u64 kMostReported = u64{256} << 20;
struct Statistic {
    u16 tag;
    u64 value;
};
constexpr u64 kStatisticBytes = 10, kMostStatistics = 64;

enum class Record : u8 { Target, Question };
constexpr u64 kMostPages = ~u32{0};

class VirtioBalloon final : public virtio::VirtioDevice {
public:
    VirtioBalloon(DevicePort& port, const BalloonOptions& options)
        : VirtioDevice(port, {"virtio_balloon",
                              kDeviceType,
                              kFeatures,
                              {kQueueSize, kQueueSize, kQueueSize, kQueueSize, kQueueSize}}),
          options_(options) {
        reset_own();
    }
    void input(std::span<const u8> record) override;

private:
    struct Config {
        u32 num_pages = 0, actual = 0, free_page_hint_cmd_id = 0, poison_val = 0;
    };
    static_assert(sizeof(Config) == 16 && std::has_unique_object_representations_v<Config>);
    struct State {
        Config config;
        std::array<u64, BalloonReport::kTags> statistics{};  // of the last report
        u16 told = 0;                                        // a bit for each of those that it had
        u16 held = 0;                                        // the buffer kept for the next question,
        bool has_held = false;
        bool asked = false;  // has somebody asked since?
    };

    std::span<const u8> config() const override {
        return std::span(reinterpret_cast<const u8*>(&s_.config), sizeof s_.config);
    }
    void write_config(u64 offset, unsigned bytes, u64 value) override;
    void serve(unsigned queue) override;
    void forget(unsigned queue) override;
    void driver_reset_own() override;
    void reset_own() override;
    void describe_own(Archive& archive) override;

    bool is_statistics(unsigned queue) const { return queue == kStatistics && accepted(kStatsVq); }
    u64 inflate(const Chain& chain);
    u64 reported(unsigned queue, const Chain& chain);
    u64 statistics(const Chain& chain);
    void set_target(u64 bytes);
    void ask();
    void answer();

    State s_;
    static_assert(sizeof(State) == 104, "VirtioBalloon::State changed: extend describe_own()");
    BalloonOptions options_;
};

void VirtioBalloon::write_config(u64 offset, unsigned bytes, u64 value) {
    if (bytes != 4) return;
    if (offset == kActualAt) s_.config.actual = static_cast<u32>(value);
    if (offset == kPoisonAt && accepted(kPagePoison)) s_.config.poison_val = static_cast<u32>(value);
}

void VirtioBalloon::serve(unsigned queue) {
    drain(
        queue, [] { return true; },
        [&](const Chain& chain) -> u64 {
            if (queue == kInflate) return inflate(chain);
            if (is_statistics(queue)) return statistics(chain);
            if (queue != kDeflate) return reported(queue, chain);
            give(queue, chain.head, 0);  // what the guest takes back is there as soon as it is touched
            return 0;
        });
}

// CVE-2016-7422: a page number is a guest's word. What is not RAM is nobody's to give.
u64 VirtioBalloon::inflate(const Chain& chain) {
    const u64 count = chain.readable_bytes / sizeof(u32);
    if (count > kMostPageNumbers) {
        needs_reset();
        return 0;
    }
    std::vector<u32> pages(count);
    copy_in(port().memory(), chain.readable, 0,
            std::span(reinterpret_cast<u8*>(pages.data()), count * sizeof(u32)));
    for (std::size_t i = 0; i < pages.size();) {
        u64 run = 1;
        while (i + run < pages.size() && pages[i + run] == pages[i] + run) ++run;
        port().memory().release(u64{pages[i]} << kFrameShift, run << kFrameShift);
        i += run;
    }
    give(kInflate, chain.head, 0);
    return count << kFrameShift;
}

// "Free Page Reporting": the buffers themselves are free. A guest that wants to find its poison in them gets
// it, as they are left as they are.
u64 VirtioBalloon::reported(unsigned queue, const Chain& chain) {
    u64 left = accepted(kReporting) && s_.config.poison_val == 0 ? kMostReported : 0;
    for (const Segment& segment : chain.writable) {
        const u64 bytes = std::min<u64>(segment.bytes, left);
        port().memory().release(segment.address, bytes);
        left -= bytes;
    }
    give(queue, chain.head, 0);
    return std::min(chain.writable_bytes, kMostReported);
}

// "Memory Statistics": the buffer is kept until somebody asks; given back, it is a question that the driver
// answers by making it available again. The driver brings the first one by itself.
u64 VirtioBalloon::statistics(const Chain& chain) {
    std::vector<u8> bytes(std::min(chain.readable_bytes, kMostStatistics * kStatisticBytes));
    copy_in(port().memory(), chain.readable, 0, bytes);
    s_.told = 0;
    for (u64 at = 0; at + kStatisticBytes <= bytes.size(); at += kStatisticBytes) {
        Statistic statistic{};
        std::memcpy(&statistic.tag, &bytes[at], sizeof statistic.tag);
        std::memcpy(&statistic.value, &bytes[at + sizeof statistic.tag], sizeof statistic.value);
        if (statistic.tag >= BalloonReport::kTags) continue;
        s_.statistics[statistic.tag] = statistic.value;
        s_.told = static_cast<u16>(s_.told | 1u << statistic.tag);
    }
    if (s_.has_held) give(kStatistics, s_.held, 0);  // a driver has one buffer; of several the last is kept
    s_.held = chain.head;
    s_.has_held = true;
    if (s_.asked) answer();
    return bytes.size();
}

void VirtioBalloon::input(std::span<const u8> record) {
    u64 bytes = 0;
    if (record.size() == 9 && record[0] == static_cast<u8>(Record::Target)) {
        std::memcpy(&bytes, &record[1], sizeof bytes);
        set_target(bytes);
    } else if (record.size() == 1 && record[0] == static_cast<u8>(Record::Question)) {
        ask();
    }
}

void VirtioBalloon::set_target(u64 bytes) {
    const u64 most = std::min(port().memory().frames(), kMostPages);
    s_.config.num_pages = static_cast<u32>(std::min(bytes >> kFrameShift, most));
    config_changed();
}

// A guest that has no driver, or no statistics, is not waited for.
void VirtioBalloon::ask() {
    s_.asked = true;
    if (!running() || !s_.has_held) return answer();
    s_.has_held = false;
    give(kStatistics, s_.held, 0);
    signal(kStatistics);
}

void VirtioBalloon::answer() {
    s_.asked = false;
    if (!options_.report) return;
    BalloonReport report{.statistics = {},
                         .target_bytes = u64{s_.config.num_pages} << kFrameShift,
                         .held_bytes = u64{s_.config.actual} << kFrameShift};
    for (unsigned tag = 0; tag < BalloonReport::kTags; ++tag)
        if (bit(s_.told, tag) != 0) report.statistics[tag] = s_.statistics[tag];
    options_.report(report);
}

// CVE-2021-3748: the buffer that is kept goes with its queue.
void VirtioBalloon::forget(unsigned queue) {
    if (queue == kStatistics) s_.has_held = false;
}

void VirtioBalloon::driver_reset_own() { s_ = State{.config = {.num_pages = s_.config.num_pages}}; }

void VirtioBalloon::reset_own() {
    s_ = State{};
    const u64 most = std::min(port().memory().frames(), kMostPages);
    s_.config.num_pages = static_cast<u32>(std::min(options_.target_bytes >> kFrameShift, most));
}

void VirtioBalloon::describe_own(Archive& archive) {
    archive.field("num_pages", s_.config.num_pages);
    archive.field("actual", s_.config.actual);
    archive.field("free_page_hint_cmd_id", s_.config.free_page_hint_cmd_id);
    archive.field("poison_val", s_.config.poison_val);
    archive.field("statistics", s_.statistics);
    archive.field("told", s_.told);
    archive.field("held", s_.held);
    archive.field("has_held", s_.has_held);
    archive.field("asked", s_.asked);
    archive.require(s_.config.num_pages <= port().memory().frames(), "balloon.num_pages");
    archive.require(s_.told >> BalloonReport::kTags == 0, "balloon.told");
    archive.require(s_.held < kQueueSize, "balloon.held");
    archive.require(!s_.has_held || queue(kStatistics).ready(), "balloon.has_held");
}
}  // namespace

VirtioFactory virtio_balloon(const BalloonOptions& options) {
    return [options](DevicePort& port) { return std::make_unique<VirtioBalloon>(port, options); };
}

std::array<u8, 9> balloon_target(u64 target_bytes) {
    std::array<u8, 9> record{static_cast<u8>(Record::Target)};
    std::memcpy(&record[1], &target_bytes, sizeof target_bytes);
    return record;
}

std::array<u8, 1> balloon_question() { return {static_cast<u8>(Record::Question)}; }
}  // namespace hartline
