// virtio-console: the console, and named ports beside it.
//
// References are to "Console Device" of virtio 1.2. A port's bytes wait here, in a bounded queue, until the
// guest has opened it and has buffers; its host's end does not read further meanwhile. What the guest sends
// waits in the guest when the host's end is behind.
#include "devices/virtio/console.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "devices/byte_queue.hpp"

namespace hartline {
namespace {
using stream::PortRecord;
using virtio::Chain;

constexpr u32 kDeviceType = 3;
constexpr unsigned kSize = 0, kMultiport = 1;  // "Feature bits"
constexpr unsigned kControlReceive = 2, kControlTransmit = 3, kConsoleQueues = 2, kFirstNamed = 4;
constexpr u32 kQueueSize = 64;
constexpr std::size_t kBacklogBytes = 64 * 1024;
constexpr u64 kMostBytes =
    4 << 20;  // of one buffer to send; a driver that sends more gets DEVICE_NEEDS_RESET
constexpr u64 kPieceBytes = 64 * 1024;
static_assert(kBacklogBytes >= 2 * stream::kPortWindow, "a snapshot's backlog and a window");

// "Multiport Device Operation"
enum Event : u16 {
    kDeviceReady,
    kDeviceAdd,
    kDeviceRemove,
    kPortReady,
    kConsolePort,
    kResize,
    kPortOpen,
    kPortName
};
struct Control {
    u32 id;
    u16 event, value;
};
static_assert(sizeof(Control) == 8);

std::vector<u32> queue_sizes(std::size_t named) {
    return std::vector<u32>(named == 0 ? kConsoleQueues : kFirstNamed + 2 * named, kQueueSize);
}

class VirtioConsole final : public virtio::VirtioDevice {
public:
    VirtioConsole(DevicePort& port, ByteSink& sink, const ConsoleOptions& options);
    void input(std::span<const u8> record) override;
    std::size_t input_room() const override { return ports_[options_.typed].backlog.room(); }

private:
    // CVE-2020-27174: what a port is told is flags, not a queue: no driver makes it long.
    enum Pending : u8 { kAdd = 1, kConsole = 2, kName = 4, kOpen = 8, kNewSize = 16, kAllPending = 31 };
    struct Port {
        ByteQueue backlog{
            kBacklogBytes};       // for the guest; of the console's it outlives a reset by the driver
        u8 pending = 0;           // to be told on the control queue
        bool guest_open = false;  // has a program of the guest opened it?
        bool connected = false;   // is somebody at the host's end?
        u32 connection = 0;
        i64 credit = stream::kPortWindow;  // bytes that the host's end takes
    };
    struct Config {
        u16 columns = 0, rows = 0;
        u32 max_nr_ports = 1, emerg_wr = 0;
    };
    static_assert(sizeof(Config) == 12 && std::has_unique_object_representations_v<Config>);

    std::span<const u8> config() const override {
        return std::span(reinterpret_cast<const u8*>(&config_), sizeof config_);
    }
    void serve(unsigned queue) override;
    void forget(unsigned queue) override;
    void reset_own() override;
    void describe_own(Archive& archive) override;

    static unsigned receive_queue(unsigned port) { return port == 0 ? 0 : kFirstNamed + 2 * (port - 1); }
    static unsigned port_of(unsigned queue) {
        return queue < kConsoleQueues ? 0 : (queue - kFirstNamed) / 2 + 1;
    }
    bool there(unsigned port) const { return port != 0 || options_.console; }
    bool multiport() const { return accepted(kMultiport); }
    bool constant(unsigned port) const { return port == 0 || options_.ports[port - 1].host->constant(); }
    bool may_receive(unsigned port) const;
    bool may_transmit(unsigned port) const;
    u64 receive(unsigned port, const Chain& chain);
    u64 transmit(unsigned port, const Chain& chain);
    void send(unsigned port, std::span<const u8> bytes);
    void take_record(PortRecord kind, unsigned port, std::span<const u8> rest);
    void set_connected(unsigned port, bool connected, u32 connection);
    void tell(unsigned port, unsigned what);
    void clear_port(unsigned port);

    // --- the control queues
    bool anything_pending() const;
    u64 command(const Chain& chain);
    void obey(const Control& control);
    u64 announce(const Chain& chain);
    std::vector<u8> next_message();
    std::vector<u8> message(unsigned port, Pending what) const;

    std::vector<Port> ports_;  // the state, with the size:
    Config config_;
    ByteSink& sink_;
    ConsoleOptions options_;
};

VirtioConsole::VirtioConsole(DevicePort& port, ByteSink& sink, const ConsoleOptions& options)
    : VirtioDevice(port, {"virtio_console", kDeviceType,
                          u64{options.console} << kSize | (options.ports.empty() ? 0 : u64{1} << kMultiport),
                          queue_sizes(options.ports.size())}),
      ports_(1 + options.ports.size()),
      sink_(sink),
      options_(options) {
    reset_own();
}

void VirtioConsole::serve(unsigned queue) {
    if (queue == kControlReceive)
        return drain(
            queue, [this] { return anything_pending(); },
            [this](const Chain& chain) { return announce(chain); });
    if (queue == kControlTransmit)
        return drain(
            queue, [] { return true; }, [this](const Chain& chain) { return command(chain); });
    const unsigned port = port_of(queue);
    if (queue == receive_queue(port))
        drain(
            queue, [=, this] { return may_receive(port); },
            [=, this](const Chain& chain) { return receive(port, chain); });
    else
        drain(
            queue, [=, this] { return may_transmit(port); },
            [=, this](const Chain& chain) { return transmit(port, chain); });
}

// The console needs no opening; a driver throws away what comes for a port that nobody has open.
bool VirtioConsole::may_receive(unsigned port) const {
    return !ports_[port].backlog.empty() && (port == 0 || ports_[port].guest_open);
}

bool VirtioConsole::may_transmit(unsigned port) const {
    return constant(port) || !ports_[port].connected || ports_[port].credit > 0;
}

u64 VirtioConsole::receive(unsigned port, const Chain& chain) {
    const std::vector<u8> bytes =
        ports_[port].backlog.take(std::min<u64>(chain.writable_bytes, kBacklogBytes));
    copy_out(this->port().memory(), chain.writable, 0, bytes);
    give(receive_queue(port), chain.head, bytes.size());
    if (port != 0) options_.ports[port - 1].host->taken(bytes.size());
    return bytes.size();
}

u64 VirtioConsole::transmit(unsigned port, const Chain& chain) {
    if (chain.readable_bytes > kMostBytes) {
        needs_reset();
        return 0;
    }
    std::vector<u8> piece(std::min(chain.readable_bytes, kPieceBytes));
    for (u64 done = 0; done < chain.readable_bytes; done += piece.size()) {
        piece.resize(std::min(chain.readable_bytes - done, kPieceBytes));
        copy_in(this->port().memory(), chain.readable, done, piece);
        send(port, piece);
    }
    give(receive_queue(port) + 1, chain.head, 0);
    return chain.readable_bytes;
}

// What is sent where nobody is, is lost, as on a line that is not connected.
void VirtioConsole::send(unsigned port, std::span<const u8> bytes) {
    if (!there(port)) return;
    if (port == 0) return sink_.write(bytes);
    Port& to = ports_[port];
    if (!to.connected) return;
    if (!constant(port)) to.credit -= static_cast<i64>(bytes.size());
    options_.ports[port - 1].host->send(to.connection, bytes);
}

// --- what comes from outside

void VirtioConsole::input(std::span<const u8> record) {
    if (record.size() < 2 || record[0] > static_cast<u8>(PortRecord::Resized) || record[1] >= ports_.size() ||
        !there(record[1]))
        return;
    take_record(static_cast<PortRecord>(record[0]), record[1], record.subspan(2));
}

void VirtioConsole::take_record(PortRecord kind, unsigned port, std::span<const u8> rest) {
    std::array<u8, 4> number_bytes{};
    std::copy_n(rest.begin(), std::min(rest.size(), number_bytes.size()), number_bytes.begin());
    u32 number = 0;
    std::memcpy(&number, number_bytes.data(), sizeof number);
    switch (kind) {
        case PortRecord::Data: ports_[port].backlog.append(rest); return kick(receive_queue(port));
        case PortRecord::Open: return set_connected(port, true, number);
        case PortRecord::Closed: return set_connected(port, false, 0);
        case PortRecord::Credit:
            ports_[port].credit = std::min<i64>(ports_[port].credit + number, stream::kPortWindow);
            return kick(receive_queue(port) + 1);
        case PortRecord::Resized:
            config_.columns = static_cast<u16>(number);
            config_.rows = static_cast<u16>(number >> 16);
            config_changed();
            return tell(0, kNewSize);
    }
}

void VirtioConsole::set_connected(unsigned port, bool connected, u32 connection) {
    if (port == 0 || constant(port)) return;
    Port& at = ports_[port];
    const bool changed = at.connected != connected;
    at.connected = connected;
    at.connection = connection;
    at.credit = stream::kPortWindow;
    if (changed) tell(port, kOpen);
    kick(receive_queue(port) + 1);  // who waited for the one before need not any more
}

void VirtioConsole::tell(unsigned port, unsigned what) {
    if (!multiport()) return;
    ports_[port].pending = static_cast<u8>(ports_[port].pending | what);
    kick(kControlReceive);
}

// --- the control queues

u64 VirtioConsole::command(const Chain& chain) {
    Control control{};
    const u64 got = copy_in(port().memory(), chain.readable, 0,
                            std::span(reinterpret_cast<u8*>(&control), sizeof control));
    give(kControlTransmit, chain.head, 0);
    if (got == sizeof control && multiport()) obey(control);
    return sizeof control;
}

// CVE-2014-0150's kind: the number of a port is the guest's word.
void VirtioConsole::obey(const Control& control) {
    if (control.event == kDeviceReady) {
        if (control.value != 1) return;
        for (unsigned port = 0; port < ports_.size(); ++port)
            if (there(port)) tell(port, kAdd);
        return;
    }
    if (control.id >= ports_.size() || !there(control.id)) return;
    Port& at = ports_[control.id];
    if (control.event == kPortReady && control.value == 1) {
        const unsigned kind = control.id == 0 ? kConsole | kNewSize : kName;
        tell(control.id, kind | (control.id == 0 || at.connected ? kOpen : 0));
    } else if (control.event == kPortOpen) {
        at.guest_open = control.value != 0;
        kick(receive_queue(control.id));
    }
}

bool VirtioConsole::anything_pending() const {
    return std::ranges::any_of(ports_, [](const Port& port) { return port.pending != 0; });
}

u64 VirtioConsole::announce(const Chain& chain) {
    const std::vector<u8> bytes = next_message();
    if (chain.writable_bytes < bytes.size()) {
        needs_reset();
        return 0;
    }
    copy_out(port().memory(), chain.writable, 0, bytes);
    give(kControlReceive, chain.head, bytes.size());
    return bytes.size();
}

// Ports in their order; a port is added, then described, then opened.
std::vector<u8> VirtioConsole::next_message() {
    for (unsigned port = 0; port < ports_.size(); ++port)
        for (const Pending what : {kAdd, kConsole, kName, kNewSize, kOpen}) {
            u8& pending = ports_[port].pending;
            if ((pending & what) == 0) continue;
            pending = static_cast<u8>(pending & ~what);
            return message(port, what);
        }
    return {};
}

std::vector<u8> VirtioConsole::message(unsigned port, Pending what) const {
    Control control{.id = port, .event = kDeviceAdd, .value = 1};
    std::string rest;
    if (what == kConsole) control.event = kConsolePort;
    if (what == kName) {
        control.event = kPortName;
        rest = options_.ports[port - 1].name;
    }
    if (what == kNewSize) {
        // The specification has the columns first. Linux' driver reads rows first, and it is what is out
        // there.
        control.event = kResize;
        const std::array<u16, 2> size{config_.rows, config_.columns};
        rest.assign(reinterpret_cast<const char*>(size.data()), sizeof size);
    }
    if (what == kOpen) {
        control.event = kPortOpen;
        control.value = port == 0 || ports_[port].connected ? 1 : 0;
    }
    std::vector<u8> bytes(sizeof control);
    std::memcpy(bytes.data(), &control, sizeof control);
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
}

// --- reset and state

// CVE-2021-3748: no chain is kept between two calls. The programs that had ports open are gone with their
// driver.
void VirtioConsole::forget(unsigned queue) {
    if (queue == kControlReceive)
        for (Port& port : ports_) port.pending = 0;
    if (queue == kControlTransmit)
        for (Port& port : ports_) port.guest_open = false;
}

void VirtioConsole::clear_port(unsigned port) {
    const u64 lost = ports_[port].backlog.size();
    ports_[port] = Port{};
    ports_[port].connected = constant(port);
    if (port != 0 && lost != 0) options_.ports[port - 1].host->taken(lost);
}

void VirtioConsole::reset_own() {
    for (unsigned port = 0; port < ports_.size(); ++port) clear_port(port);
    config_ = {.columns = options_.size.columns,
               .rows = options_.size.rows,
               .max_nr_ports = static_cast<u32>(ports_.size())};
}

void VirtioConsole::describe_own(Archive& archive) {
    for (unsigned number = 0; number < ports_.size(); ++number) {
        Port& port = ports_[number];
        port.backlog.describe(archive, "backlog");
        if (ports_.size() == 1) break;
        archive.field("pending", port.pending);
        archive.field("guest_open", port.guest_open);
        archive.field("connected", port.connected);
        archive.field("connection", port.connection);
        archive.field("credit", port.credit);
        archive.require((port.pending & ~unsigned{kAllPending}) == 0 &&
                            (port.pending & (number == 0 ? kName : kConsole | kNewSize)) == 0 &&
                            (port.pending == 0 || there(number)),
                        "console.pending");
        archive.require(!constant(number) || port.connected, "console.connected");
        archive.require(port.credit <= i64{stream::kPortWindow} && port.credit >= -i64{kMostBytes},
                        "console.credit");
    }
    archive.field("columns", config_.columns);
    archive.field("rows", config_.rows);
}
}  // namespace

VirtioFactory virtio_console(ByteSink& sink, const ConsoleOptions& options) {
    return
        [&sink, options](DevicePort& port) { return std::make_unique<VirtioConsole>(port, sink, options); };
}
}  // namespace hartline
