// Where each device of the board sits, as a table from devices.def.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/types.hpp"

namespace hartline {

struct BoardPlace {
    std::string_view name;
    u64 base;
    u32 irq;
};

inline constexpr BoardPlace kBoard[] = {
#define DEVICE(name, base, irq) {#name, base, irq},
#include "devices/devices.def"
#undef DEVICE
};

inline constexpr u64 kRomBytes = 0xf000;
inline constexpr unsigned kVirtioSlots = 8;        // virtio0 .. virtio7
inline constexpr unsigned kInterruptSources = 95;  // of the PLIC, numbered from 1
inline constexpr unsigned kMostHarts = 64;         // that PLIC and ACLINT have registers for
inline constexpr u64 kTimebaseHz = 10'000'000;     // of mtime: `timebase-frequency`

// The row of that name. Throws std::out_of_range: a name in the source is wrong.
constexpr const BoardPlace& place_of(std::string_view name) {
    for (const BoardPlace& place : kBoard)
        if (place.name == name) return place;
    throw std::out_of_range("no device in devices.def is called " + std::string(name));
}

// The n-th virtio slot (0 .. kVirtioSlots - 1).
constexpr const BoardPlace& virtio_place(unsigned slot) {
    if (slot >= kVirtioSlots) throw std::out_of_range("the board has 8 virtio slots");
    const BoardPlace* first = &place_of("virtio0");
    return first[slot];
}
}  // namespace hartline
