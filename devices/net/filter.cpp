// Decoding of tables, and the decision.
#include "devices/net/filter.hpp"

#include <algorithm>
#include <cstring>

#include "devices/net/bytes.hpp"

namespace hartline::net {
namespace {
constexpr std::size_t kMacBytes = 6;
constexpr Mac kBroadcast{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr u16 kVlanTag = 0x8100, kVlanMask = 0xfff;
}  // namespace

bool ReceiveFilter::Table::has(const Mac& mac) const {
    for (std::size_t at = 0; at + kMacBytes <= macs.size(); at += kMacBytes)
        if (std::memcmp(macs.data() + at, mac.data(), kMacBytes) == 0) return true;
    return false;
}

bool ReceiveFilter::accepts(std::span<const u8> frame, const Mac& own, bool vlans) const {
    if (frame.size() < kEthernetBytes) return false;
    if (on(Mode::Promiscuous)) return true;
    if (vlans && frame.size() >= kEthernetBytes + kVlanBytes && get16(frame, 12) == kVlanTag) {
        const unsigned id = get16(frame, kEthernetBytes) & kVlanMask;
        if (bit(s_.vlans[id / 64], id % 64) == 0) return false;
    }
    Mac to;
    std::copy_n(frame.begin(), to.size(), to.begin());
    if (to == kBroadcast) return !on(Mode::NoBroadcast);
    if ((to[0] & 1) != 0)
        return !on(Mode::NoMulticast) &&
               (on(Mode::AllMulticast) || s_.multicast.overflow || s_.multicast.has(to));
    return !on(Mode::NoUnicast) &&
           (on(Mode::AllUnicast) || s_.unicast.overflow || to == own || s_.unicast.has(to));
}

bool ReceiveFilter::set_tables(std::span<const u8> data) {
    Table tables[2];
    std::size_t room = kMostMacs;
    for (Table& table : tables) {
        u32 count = 0;
        if (data.size() < sizeof count) return false;
        std::memcpy(&count, data.data(), sizeof count);
        data = data.subspan(sizeof count);
        if (count > data.size() / kMacBytes) return false;
        const std::span<const u8> macs = data.first(count * kMacBytes);
        data = data.subspan(macs.size());
        table.overflow = count > room;
        if (table.overflow) continue;
        table.macs.assign(macs.begin(), macs.end());
        room -= count;
    }
    if (!data.empty()) return false;
    s_.unicast = std::move(tables[0]);
    s_.multicast = std::move(tables[1]);
    return true;
}

bool ReceiveFilter::set_vlan(unsigned id, bool on) {
    if (id >= kVlans) return false;
    const u64 mask = u64{1} << id % 64;
    s_.vlans[id / 64] = on ? s_.vlans[id / 64] | mask : s_.vlans[id / 64] & ~mask;
    return true;
}

void ReceiveFilter::describe(Archive& archive) {
    const Section section(archive, "filter");
    for (bool& mode : s_.modes) archive.field("mode", mode);
    for (Table* table : {&s_.unicast, &s_.multicast}) {
        archive.field("macs", table->macs, kMostMacs * kMacBytes);
        archive.field("overflow", table->overflow);
        archive.require(table->macs.size() % kMacBytes == 0, "virtio_net.filter.macs");
    }
    archive.field("vlans", s_.vlans);
}
}  // namespace hartline::net
