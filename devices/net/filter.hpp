// Which frames a card takes: promiscuous modes, tables of addresses, VLANs, as its driver asks for them.
//
// References are to "Network Device", "Control Virtqueue" of virtio 1.2.
#pragma once
#include <array>
#include <span>
#include <vector>

#include "core/archive.hpp"
#include "devices/net/frame.hpp"

namespace hartline::net {

class ReceiveFilter {
public:
    static constexpr std::size_t kMostMacs = 64;  // of both tables together; more: all of the kind are taken
    static constexpr unsigned kVlans = 4096;
    enum class Mode : u8 { Promiscuous, AllMulticast, AllUnicast, NoMulticast, NoUnicast, NoBroadcast };
    static constexpr u8 kModes = 6;

    // `vlans`: are tagged frames of VLANs that were not added refused?
    bool accepts(std::span<const u8> frame, const Mac& own, bool vlans) const;

    void set_mode(Mode mode, bool on) { s_.modes[static_cast<u8>(mode)] = on; }
    // "MAC filter tables": unicast and multicast, each a count and so many addresses. false: malformed, and
    // nothing changed.
    bool set_tables(std::span<const u8> data);
    // false: no such VLAN.
    bool set_vlan(unsigned id, bool on);
    void reset() { s_ = State{}; }
    void describe(Archive& archive);

private:
    bool on(Mode mode) const { return s_.modes[static_cast<u8>(mode)]; }
    struct Table {
        std::vector<u8> macs;  // six bytes each
        bool overflow = false;
        bool has(const Mac& mac) const;
    };
    struct State {
        // A driver that knows no modes gets everything.
        std::array<bool, kModes> modes{true, false, false, false, false, false};
        Table unicast, multicast;
        std::array<u64, kVlans / 64> vlans{};
    } s_;
};
}  // namespace hartline::net
