// libslirp on a thread of its own.
//
// All of libslirp is called on that thread (or before it starts). What it keeps is no part of the machine's
// state: its frames enter the machine through the journal, and a replay needs it not at all.
#include "devices/net/user.hpp"

#include <arpa/inet.h>
#include <slirp/libslirp.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <list>
#include <stdexcept>

#include "devices/net/bytes.hpp"
#include "devices/net/coalesce.hpp"
#include "devices/net/thread.hpp"

namespace hartline::net {
namespace {
constexpr i64 kNever = -1;

i64 monotonic_ns() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

in_addr address(const char* text) {
    in_addr value{};
    inet_pton(AF_INET, text, &value);
    return value;
}
in6_addr address6(const char* text) {
    in6_addr value{};
    inet_pton(AF_INET6, text, &value);
    return value;
}

// CVE-2026-9539 and those before it in "urgent" data: nothing urgent reaches libslirp. The flag is cleared,
// so that such bytes are ordinary ones of the stream, and a fragment that could hide the flag is refused (RFC
// 3128). Before checksums are filled in. false: refuse.
constexpr u64 kFlags = 13;
constexpr u8 kUrg = 0x20;
bool tame(Frame& frame) {
    const std::span<u8> bytes = frame.bytes;
    if (bytes.size() >= kEthernetBytes + 20 && get16(bytes, 12) == 0x0800) {
        const u16 fragment = get16(bytes, kEthernetBytes + 6);
        if (bytes[kEthernetBytes + 9] == kTcp && (fragment & 0x3fff) != 0) return false;
    }
    Layout layout;
    if (!layout_of(bytes, layout) || layout.protocol != kTcp) return true;
    const u64 at = layout.transport;
    if ((bytes[at + kFlags] & kUrg) == 0) return true;
    bytes[at + kFlags] &= static_cast<u8>(~kUrg);
    put16(bytes, at + 18, 0);
    const u64 covered = bytes.size() - at;
    put16(bytes, at + 16, ones_sum({}, pseudo_sum(bytes, layout, covered)));
    if (frame.offload.gso_type == kGsoNone || (frame.offload.flags & kNeedsCsum) == 0)
        frame.offload = {.flags = kNeedsCsum, .csum_start = static_cast<u16>(at), .csum_offset = 16};
    return true;
}

class UserNetwork final : public ThreadedBackend {
public:
    UserNetwork(u16 mtu, const std::vector<PublishedPort>& published);
    ~UserNetwork() override {
        close();
        slirp_cleanup(slirp_);
    }

private:
    struct Timer {
        SlirpTimerCb call = nullptr;
        void* opaque = nullptr;
        i64 due_ms = kNever;
    };
    static SlirpCb callbacks();
    void publish(const PublishedPort& port);
    void turn() override;
    void input(Frame frame);
    void fire_timers();
    u32 until_timer(u32 timeout_ms) const;
    static int add_poll(int fd, int events, void* opaque);
    static int events_of(int index, void* opaque);

    SlirpCb callbacks_ = callbacks();
    Slirp* slirp_ = nullptr;
    std::list<Timer> timers_;
    std::vector<pollfd> files_;
    Coalescer coalescer_{[this](Frame&& frame) { link().deliver(frame); }};
};

SlirpCb UserNetwork::callbacks() {
    SlirpCb calls{};
    calls.send_packet = [](const void* bytes, size_t size, void* opaque) -> ssize_t {
        auto& network = *static_cast<UserNetwork*>(opaque);
        if (size <= kMostFrameBytes) network.coalescer_.add({static_cast<const u8*>(bytes), size});
        return static_cast<ssize_t>(size);
    };
    calls.guest_error = [](const char*, void*) {};
    calls.clock_get_ns = [](void*) -> i64 { return monotonic_ns(); };
    calls.timer_new = [](SlirpTimerCb call, void* call_opaque, void* opaque) -> void* {
        auto& timers = static_cast<UserNetwork*>(opaque)->timers_;
        return &timers.emplace_back(Timer{call, call_opaque});
    };
    calls.timer_free = [](void* timer, void* opaque) {
        static_cast<UserNetwork*>(opaque)->timers_.remove_if(
            [&](const Timer& each) { return &each == timer; });
    };
    calls.timer_mod = [](void* timer, i64 due_ms, void*) { static_cast<Timer*>(timer)->due_ms = due_ms; };
    calls.register_poll_fd = [](int, void*) {};
    calls.unregister_poll_fd = [](int, void*) {};
    calls.notify = [](void* opaque) { static_cast<UserNetwork*>(opaque)->wake(); };
    return calls;
}

// As QEMU's, so that what is written for its guests holds. Emulation of protocols that carry addresses
// (ident, IRC, FTP: CVE-2019-6778, CVE-2020-8608) stays off.
UserNetwork::UserNetwork(u16 mtu, const std::vector<PublishedPort>& published) {
    SlirpConfig config{};
    config.version = 4;
    config.in_enabled = true;
    config.vnetwork = address("10.0.2.0");
    config.vnetmask = address("255.255.255.0");
    config.vhost = address("10.0.2.2");
    config.vdhcp_start = address("10.0.2.15");
    config.vnameserver = address("10.0.2.3");
    config.in6_enabled = true;
    config.vprefix_addr6 = address6("fec0::");
    config.vprefix_len = 64;
    config.vhost6 = address6("fec0::2");
    config.vnameserver6 = address6("fec0::3");
    config.vhostname = "hartline";
    config.if_mtu = mtu;
    config.if_mru = mtu;
    config.enable_emu = false;
    slirp_ = slirp_new(&config, &callbacks_, this);
    if (slirp_ == nullptr) throw std::runtime_error("--net user: libslirp does not start");
    try {
        for (const PublishedPort& port : published) publish(port);
    } catch (...) {
        slirp_cleanup(slirp_);
        throw;
    }
}

void UserNetwork::publish(const PublishedPort& port) {
    in_addr host{};
    if (inet_pton(AF_INET, port.host.c_str(), &host) != 1)
        throw std::runtime_error("--publish: '" + port.host +
                                 "' is no IPv4 address: give for example 0.0.0.0");
    errno = 0;
    if (slirp_add_hostfwd(slirp_, port.udp, host, port.port, in_addr{}, port.guest_port) == 0) return;
    throw std::runtime_error(unpublished(port, errno));
}

int UserNetwork::add_poll(int fd, int events, void* opaque) {
    short wanted = 0;
    if ((events & SLIRP_POLL_IN) != 0) wanted |= POLLIN;
    if ((events & SLIRP_POLL_OUT) != 0) wanted |= POLLOUT;
    if ((events & SLIRP_POLL_PRI) != 0) wanted |= POLLPRI;
    auto& files = static_cast<UserNetwork*>(opaque)->files_;
    files.push_back({fd, wanted, 0});
    return static_cast<int>(files.size() - 1);
}

int UserNetwork::events_of(int index, void* opaque) {
    const auto& files = static_cast<UserNetwork*>(opaque)->files_;
    if (index < 0 || static_cast<std::size_t>(index) >= files.size()) return 0;
    const short got = files[static_cast<std::size_t>(index)].revents;
    return ((got & POLLIN) != 0 ? SLIRP_POLL_IN : 0) | ((got & POLLOUT) != 0 ? SLIRP_POLL_OUT : 0) |
           ((got & POLLPRI) != 0 ? SLIRP_POLL_PRI : 0) | ((got & POLLERR) != 0 ? SLIRP_POLL_ERR : 0) |
           ((got & POLLHUP) != 0 ? SLIRP_POLL_HUP : 0);
}

u32 UserNetwork::until_timer(u32 timeout_ms) const {
    const i64 now = monotonic_ns() / 1'000'000;
    for (const Timer& timer : timers_)
        if (timer.due_ms != kNever)
            timeout_ms =
                std::min(timeout_ms, static_cast<u32>(std::clamp<i64>(timer.due_ms - now, 0, 10'000)));
    return timeout_ms;
}

void UserNetwork::fire_timers() {
    const i64 now = monotonic_ns() / 1'000'000;
    for (Timer& timer : timers_)
        if (timer.due_ms != kNever && timer.due_ms <= now) {
            timer.due_ms = kNever;
            timer.call(timer.opaque);
            return;  // it may have freed timers: the rest has its turn
        }
}

// Segments of a stream go in whole: the length of a packet is not bound by the MTU here. Datagrams do not.
void UserNetwork::input(Frame frame) {
    if (!tame(frame)) return;
    const auto give = [this](Frame&& piece) {
        slirp_input(slirp_, piece.bytes.data(), static_cast<int>(piece.bytes.size()));
    };
    if (frame.offload.gso_type == kGsoUdp) return void(segment(frame, give));
    finish_checksum(frame);
    give(std::move(frame));
}

// While the card has no room, no socket is read: what waits there holds its sender back (CVE-2020-16843: and
// goes on when there is room again).
void UserNetwork::turn() {
    constexpr u32 kMostMs = 10'000;
    u32 timeout_ms = kMostMs;
    files_.clear();
    const bool room = link().room();
    if (room) slirp_pollfds_fill(slirp_, &timeout_ms, add_poll, this);
    wait(files_, static_cast<int>(until_timer(std::min(timeout_ms, kMostMs))));
    for (Frame& frame : link().collect()) input(std::move(frame));
    if (room) slirp_pollfds_poll(slirp_, 0, events_of, this);
    fire_timers();
    coalescer_.flush();
}
}  // namespace

std::string unpublished(const PublishedPort& port, int error) {
    constexpr u16 kFirstUnprivileged = 1024, kUnprivileged = 8000;
    const std::string protocol = port.udp ? "/udp" : "";
    std::string way_out = "choose another, or end who has it";
    if (error == EACCES && port.port < kFirstUnprivileged)
        way_out = "ports below 1024 are root's: choose another, " + port.host + ":" +
                  std::to_string(port.port + kUnprivileged) + ":" + std::to_string(port.guest_port) +
                  protocol + " for example";
    if (error == EADDRNOTAVAIL)
        way_out = "that is no address of this host's: leave it out, or give 0.0.0.0 for all of them";
    return "--publish: port " + port.host + ":" + std::to_string(port.port) + protocol +
           " cannot be had: " + (error != 0 ? std::strerror(error) : "libslirp refuses it") + ": " + way_out;
}

std::shared_ptr<NetBackend> user_network(u16 mtu, const std::vector<PublishedPort>& published) {
    return std::make_shared<UserNetwork>(mtu, published);
}
}  // namespace hartline::net
