// 16550A serial port: the console.
//
// Input waits in a backlog outside of the chip, like a sender that respects flow control. A byte enters the
// receive FIFO at the programmed baud rate, and only while somebody listens: when the receive interrupt is
// enabled, or when a guest has read LSR 16 times with nothing sent between (firmware that polls). So what a
// person types early is not lost while a kernel probes the port and resets its FIFOs; what such a reset finds
// unread goes back too.
#include "devices/uart.hpp"

#include <algorithm>
#include <array>

#include "devices/byte_queue.hpp"
#include "devices/node_name.hpp"

namespace hartline {
namespace {
constexpr u64 kClockHz = 3'686'400;
constexpr std::size_t kFifoBytes = 16, kBacklogBytes = 64 * 1024;
constexpr u8 kPollsOfAListener = 16;

// Names as in Linux's include/uapi/linux/serial_reg.h.
enum Register : u64 { kData, kIer, kIirFcr, kLcr, kMcr, kLsr, kMsr, kScr, kRegisters };
constexpr u8 kIerRdi = 1, kIerThri = 2, kIerRlsi = 4, kIerMsi = 8;
constexpr u8 kIirNone = 0x01, kIirRls = 0x06, kIirRdi = 0x04, kIirTimeout = 0x0c, kIirThri = 0x02,
             kIirMsi = 0x00;
constexpr u8 kFcrEnable = 1, kFcrClearReceive = 2, kFcrKept = 0xc9;
constexpr u8 kLcrDlab = 0x80, kMcrLoop = 0x10, kMcrBits = 0x1f;
constexpr u8 kLsrReady = 0x01, kLsrOverrun = 0x02, kLsrSent = 0x60;  // THRE and TEMT: sending takes no time
constexpr u8 kMsrConnected = 0xb0;                                   // CTS, DSR, DCD
constexpr std::array<std::size_t, 4> kTriggers{1, 4, 8, 14};

enum Tag : u32 { kDeliver, kTimeout };

class Uart final : public Device {
public:
    Uart(DevicePort& port, ByteSink& sink) : port_(port), sink_(sink) {}
    std::string_view name() const override { return "uart"; }
    u64 size() const override { return 0x100; }
    // As with QEMU, an access of any size is one of the register at its offset.
    bool read(u64 offset, unsigned bytes, u64& value) override;
    bool write(u64 offset, unsigned bytes, u64 value) override;
    void on_event(u32 tag) override;
    void input(std::span<const u8> bytes) override;
    std::size_t input_room() const override;
    void reset() override { s_ = State{}; }
    void describe(Archive& archive) override;
    void describe_node(DeviceTree& tree, const NodePlace& place) const override;

private:
    bool divisor_latched() const { return (s_.lcr & kLcrDlab) != 0; }
    bool looped() const { return (s_.mcr & kMcrLoop) != 0; }
    bool fifo_enabled() const { return (s_.fcr & kFcrEnable) != 0; }
    std::size_t depth() const { return fifo_enabled() ? kFifoBytes : 1; }
    std::size_t trigger() const { return fifo_enabled() ? kTriggers[s_.fcr >> 6] : 1; }
    u64 character_ns() const;

    // registers
    u8 read_data();
    u8 read_iir();
    u8 read_lsr();
    u8 read_msr();
    void set_ier(u8 value);
    void set_fcr(u8 value);
    void set_mcr(u8 value);
    void transmit(u8 byte);

    // lines
    u8 modem_lines() const;
    u8 interrupt() const;
    void update_irq() { port_.set_irq(interrupt() != kIirNone); }

    // reception
    bool listening() const;
    void deliver_next();
    void receive(u8 byte);
    void restart_timeout();

    struct State {
        u8 ier = 0, fcr = 0, lcr = 0, mcr = 0, scr = 0;
        u8 divisor_low = 12, divisor_high = 0;
        u8 errors = 0;           // of LSR
        u8 modem_changes = 0;    // the low half of MSR
        u8 polls = 0;            // of LSR with nothing sent between
        bool thr_empty = false;  // the interrupt condition, as the chip remembers it
        bool timeout = false;
        bool delivering = false;  // a byte is on the line: kDeliver is scheduled
        ByteQueue fifo{kFifoBytes};
        ByteQueue backlog{kBacklogBytes + kFifoBytes};  // with room for what a reset gives back
    } s_;
    DevicePort& port_;
    ByteSink& sink_;
};

// A start bit, 8 bits of data, a stop bit.
u64 Uart::character_ns() const {
    const u64 divisor = std::max<u64>(1, s_.divisor_high * 256u + s_.divisor_low);
    return divisor * 16 * 10 * 1'000'000'000 / kClockHz;
}

bool Uart::read(u64 offset, unsigned, u64& value) {
    switch (offset) {
        case kData: value = divisor_latched() ? s_.divisor_low : read_data(); break;
        case kIer: value = divisor_latched() ? s_.divisor_high : s_.ier; break;
        case kIirFcr: value = read_iir(); break;
        case kLcr: value = s_.lcr; break;
        case kMcr: value = s_.mcr; break;
        case kLsr: value = read_lsr(); break;
        case kMsr: value = read_msr(); break;
        case kScr: value = s_.scr; break;
        default: return false;
    }
    return true;
}

bool Uart::write(u64 offset, unsigned, u64 value) {
    const auto byte = static_cast<u8>(value);
    switch (offset) {
        case kData:
            if (divisor_latched())
                s_.divisor_low = byte;
            else
                transmit(byte);
            break;
        case kIer:
            if (divisor_latched())
                s_.divisor_high = byte;
            else
                set_ier(byte);
            break;
        case kIirFcr: set_fcr(byte); break;
        case kLcr: s_.lcr = byte; break;
        case kMcr: set_mcr(byte); break;
        case kLsr:
        case kMsr: break;  // for factory tests only
        case kScr: s_.scr = byte; break;
        default: return false;
    }
    return true;
}

u8 Uart::read_data() {
    const u8 byte = s_.fifo.pop();
    s_.timeout = false;
    restart_timeout();
    deliver_next();
    update_irq();
    return byte;
}

// PC16550D, "Interrupt Identification Register": reading it, when it shows THRE, clears that interrupt.
u8 Uart::read_iir() {
    const u8 shown = interrupt();
    if (shown == kIirThri) s_.thr_empty = false;
    update_irq();
    return static_cast<u8>(shown | (fifo_enabled() ? 0xc0 : 0));
}

u8 Uart::read_lsr() {
    const auto value = static_cast<u8>(kLsrSent | s_.errors | (s_.fifo.empty() ? 0 : kLsrReady));
    s_.errors = 0;
    if (s_.polls < kPollsOfAListener) ++s_.polls;
    deliver_next();
    update_irq();
    return value;
}

u8 Uart::read_msr() {
    const auto value = static_cast<u8>(modem_lines() | s_.modem_changes);
    s_.modem_changes = 0;
    update_irq();
    return value;
}

void Uart::set_ier(u8 value) {
    const u8 changed = s_.ier ^ value;
    s_.ier = value & 0x0f;
    if ((changed & kIerThri) != 0) s_.thr_empty = (value & kIerThri) != 0;  // the THR is always empty
    deliver_next();
    update_irq();
}

void Uart::set_fcr(u8 value) {
    const bool toggled = ((s_.fcr ^ value) & kFcrEnable) != 0;
    if (toggled || (value & (kFcrEnable | kFcrClearReceive)) == (kFcrEnable | kFcrClearReceive)) {
        if (looped())
            s_.fifo.clear();
        else
            s_.backlog.put_back(s_.fifo);
        s_.timeout = false;
        port_.cancel(kTimeout);
    }
    s_.fcr = (value & kFcrEnable) != 0 ? value & kFcrKept : 0;
    deliver_next();
    update_irq();
}

void Uart::set_mcr(u8 value) {
    const u8 before = modem_lines();
    s_.mcr = value & kMcrBits;
    const u8 after = modem_lines();
    const auto fell_ri = static_cast<u8>(before & ~after & 0x40);
    s_.modem_changes |= static_cast<u8>(((before ^ after) & 0xb0) >> 4 | fell_ri >> 4);
    deliver_next();
    update_irq();
}

void Uart::transmit(u8 byte) {
    s_.polls = 0;
    s_.thr_empty = true;  // filled, and empty again at once
    if (looped())
        receive(byte);
    else
        sink_.write(std::span(&byte, 1));
    update_irq();
}

// PC16550D, "Modem Control Register", bit 4: RTS, DTR, OUT1 and OUT2 come back as CTS, DSR, RI and DCD.
u8 Uart::modem_lines() const {
    if (!looped()) return kMsrConnected;
    const u8 out = s_.mcr;
    return static_cast<u8>((out & 2) << 3 | (out & 1) << 5 | (out & 4) << 4 | (out & 8) << 4);
}

// The condition of the highest priority, as IIR shows it.
u8 Uart::interrupt() const {
    if ((s_.ier & kIerRlsi) != 0 && s_.errors != 0) return kIirRls;
    if ((s_.ier & kIerRdi) != 0 && s_.fifo.size() >= trigger()) return kIirRdi;
    if ((s_.ier & kIerRdi) != 0 && s_.timeout) return kIirTimeout;
    if ((s_.ier & kIerThri) != 0 && s_.thr_empty) return kIirThri;
    if ((s_.ier & kIerMsi) != 0 && s_.modem_changes != 0) return kIirMsi;
    return kIirNone;
}

// May a byte enter the FIFO? A guest that polls gets one at a time.
bool Uart::listening() const {
    if (looped()) return false;
    if ((s_.ier & kIerRdi) != 0) return s_.fifo.size() < depth();
    return s_.polls >= kPollsOfAListener && s_.fifo.empty();
}

void Uart::deliver_next() {
    if (s_.delivering || s_.backlog.empty() || !listening()) return;
    s_.delivering = true;
    port_.schedule(port_.now() + character_ns(), kDeliver);
}

void Uart::receive(u8 byte) {
    if (s_.fifo.size() < depth())
        s_.fifo.push(byte);
    else
        s_.errors |= kLsrOverrun;
    restart_timeout();
}

// PC16550D, "FIFO Interrupt Mode Operation": 4 character times with bytes in the FIFO and nothing coming or
// going.
void Uart::restart_timeout() {
    if (fifo_enabled() && !s_.fifo.empty())
        port_.schedule(port_.now() + 4 * character_ns(), kTimeout);
    else
        port_.cancel(kTimeout);
}

void Uart::on_event(u32 tag) {
    if (tag == kDeliver) {
        s_.delivering = false;
        if (!s_.backlog.empty() && listening()) receive(s_.backlog.pop());
        deliver_next();
    } else if (tag == kTimeout) {
        s_.timeout = fifo_enabled() && !s_.fifo.empty();
    }
    update_irq();
}

std::size_t Uart::input_room() const {
    const std::size_t room = s_.backlog.room();
    return room > kFifoBytes ? room - kFifoBytes : 0;
}

void Uart::input(std::span<const u8> bytes) {
    s_.backlog.append(bytes.first(std::min(bytes.size(), input_room())));
    deliver_next();
}

void Uart::describe(Archive& archive) {
    archive.field("ier", s_.ier);
    archive.field("fcr", s_.fcr);
    archive.field("lcr", s_.lcr);
    archive.field("mcr", s_.mcr);
    archive.field("scr", s_.scr);
    archive.field("divisor_low", s_.divisor_low);
    archive.field("divisor_high", s_.divisor_high);
    archive.field("errors", s_.errors);
    archive.field("modem_changes", s_.modem_changes);
    archive.field("polls", s_.polls);
    archive.field("thr_empty", s_.thr_empty);
    archive.field("timeout", s_.timeout);
    archive.field("delivering", s_.delivering);
    s_.fifo.describe(archive, "fifo");
    s_.backlog.describe(archive, "backlog");
    archive.require(s_.ier <= 0x0f && s_.mcr <= kMcrBits, "uart.ier");
    archive.require((s_.fcr & ~kFcrKept) == 0 && (s_.fcr == 0 || fifo_enabled()), "uart.fcr");
    archive.require((s_.errors & ~kLsrOverrun) == 0 && s_.modem_changes <= 0x0f, "uart.errors");
    archive.require(s_.polls <= kPollsOfAListener && s_.fifo.size() <= depth(), "uart.fifo");
}

void Uart::describe_node(DeviceTree& tree, const NodePlace& place) const {
    tree.begin(node_name("serial", place.base));
    tree.cells("interrupts", {place.irq});
    tree.cells("interrupt-parent", {place.controller_phandle});
    tree.cells("clock-frequency", {kClockHz});
    tree.reg(place.base, size());
    tree.text("compatible", "ns16550a");
    tree.end();
}
}  // namespace

DeviceFactory uart(ByteSink& sink) {
    return [&sink](DevicePort& port) { return std::make_unique<Uart>(port, sink); };
}
}  // namespace hartline
