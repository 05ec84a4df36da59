// HTIF: how test programs of the RISC-V Foundation's tools report, print and exit, through two words of
// memory.
//
// A word is {device:8, command:8, payload:48}. Programs that store it as two halves store the high half last,
// or only the low one: then the command counts once a moment has passed without the other.
#include "devices/htif.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "devices/byte_queue.hpp"

namespace hartline {
namespace {
constexpr u64 kPatienceNs = 1000;  // for the high half of tohost
constexpr u64 kRetryNs = 100'000;  // while the guest has not taken fromhost
constexpr std::size_t kBacklogBytes = 4096;
constexpr u64 kMostBytesAWrite = 64 * 1024;  // a longer one is a short write, as POSIX allows
constexpr u64 kSysWrite = 64, kSysExit = 93;
constexpr i64 kEbadf = -9, kEfault = -14, kEnosys = -38;

enum Tag : u32 { kLowHalfOnly, kAnswerLater };

class Htif final : public Device {
public:
    Htif(DevicePort& port, ByteSink& sink, u64 tohost, u64 fromhost)
        : port_(port), sink_(sink), tohost_(tohost), fromhost_(fromhost) {}
    std::string_view name() const override { return "htif"; }
    u64 size() const override { return 0; }
    bool read(u64, unsigned, u64&) override { return false; }
    bool write(u64, unsigned, u64) override { return false; }
    void watched_write(u64 paddr, unsigned bytes) override;
    void on_event(u32 tag) override;
    void input(std::span<const u8> bytes) override;
    std::size_t input_room() const override { return s_.backlog.room(); }
    void reset() override { s_ = State{}; }
    void describe(Archive& archive) override;
    void describe_node(DeviceTree& tree, const NodePlace&) const override;

private:
    void take_command();
    void exit(u64 code);
    void system_call(u64 block);
    u64 sys_write(u64 descriptor, u64 buffer, u64 bytes);
    void answer_reads();

    struct State {
        bool reading = false;  // getchar waits for a byte
        ByteQueue backlog{kBacklogBytes};
    } s_;
    bool busy_ = false;  // this device's own stores to memory are not commands
    DevicePort& port_;
    ByteSink& sink_;
    u64 tohost_, fromhost_;
};

void Htif::watched_write(u64 paddr, unsigned bytes) {
    if (busy_) return;
    if (paddr + bytes > tohost_ + 4)
        take_command();
    else
        port_.schedule(port_.now() + kPatienceNs, kLowHalfOnly);
}

void Htif::on_event(u32 tag) {
    if (tag == kLowHalfOnly)
        take_command();
    else
        answer_reads();
}

void Htif::take_command() {
    u64 command = 0;
    if (!port_.memory().read(tohost_, command) || command == 0) return;
    busy_ = true;
    port_.cancel(kLowHalfOnly);
    port_.memory().write(tohost_, u64{0});
    const u64 payload = bits(command, 47, 0);
    switch (command >> 48) {
        case 0x0000:
            if ((payload & 1) != 0)
                exit(payload >> 1);
            else
                system_call(payload);
            break;
        case 0x0100:
            s_.reading = true;
            answer_reads();
            break;
        case 0x0101: {
            const auto byte = static_cast<u8>(payload);
            sink_.write(std::span(&byte, 1));
            break;
        }
        default: break;
    }
    busy_ = false;
}

// A code that does not fit stays a failure.
void Htif::exit(u64 code) {
    port_.request_stop({StopRequest::Kind::PowerOff, static_cast<u32>(std::min<u64>(code, 0xffff'ffff))});
}

// The block is {number, 7 arguments}; the result replaces the number.
void Htif::system_call(u64 block) {
    std::array<u64, 8> words{};
    if (!port_.memory().read(block, words)) return;
    u64 result = static_cast<u64>(kEnosys);
    if (words[0] == kSysWrite) result = sys_write(words[1], words[2], words[3]);
    if (words[0] == kSysExit) return exit(words[1]);
    port_.memory().write(block, result);
    port_.memory().write(fromhost_, u64{1});
}

u64 Htif::sys_write(u64 descriptor, u64 buffer, u64 bytes) {
    if (descriptor != 1 && descriptor != 2) return static_cast<u64>(kEbadf);
    std::vector<u8> out(std::min(bytes, kMostBytesAWrite));
    if (!port_.memory().read(buffer, std::span(out))) return static_cast<u64>(kEfault);
    sink_.write(out);
    return out.size();
}

// fesvr's bcd device answers 0x100 | byte.
void Htif::answer_reads() {
    u64 untaken = 0;
    if (!s_.reading || s_.backlog.empty() || !port_.memory().read(fromhost_, untaken)) return;
    if (untaken != 0) {
        port_.schedule(port_.now() + kRetryNs, kAnswerLater);
        return;
    }
    s_.reading = false;
    port_.memory().write(fromhost_, u64{1} << 56 | 0x100 | s_.backlog.pop());
}

void Htif::input(std::span<const u8> bytes) {
    s_.backlog.append(bytes);
    answer_reads();
}

void Htif::describe(Archive& archive) {
    archive.field("reading", s_.reading);
    s_.backlog.describe(archive, "backlog");
}

void Htif::describe_node(DeviceTree& tree, const NodePlace&) const {
    tree.begin("htif");
    tree.text("compatible", "ucb,htif0");
    tree.end();
}
}  // namespace

DeviceFactory htif(ByteSink& sink, u64 tohost, u64 fromhost) {
    return [&sink, tohost, fromhost](DevicePort& port) {
        return std::make_unique<Htif>(port, sink, tohost, fromhost);
    };
}
}  // namespace hartline
