// The vocabulary of address translation, shared by walker, PMP and TLB.
#pragma once
#include "core/types.hpp"

namespace hartline {

enum class Privilege : u8 { User = 0, Supervisor = 1, Machine = 3 };
enum class Access : u8 { Load, Store, Fetch };
enum class Fault : u8 { None, Page, Access };

// satp.MODE
enum class SatpMode : u8 { Bare = 0, Sv39 = 8, Sv48 = 9, Sv57 = 10 };

// Everything besides the tables that decides how an address is translated.
struct Regime {
    u64 satp = 0;
    Privilege privilege = Privilege::Machine;  // effective: MPRV is already applied
    bool sum = false;                          // mstatus.SUM
    bool mxr = false;                          // mstatus.MXR
    bool hardware_ad = false;  // Svadu in force (menvcfg.ADUE): A and D are set, not faulted for
    bool pbmt = false;         // Svpbmt in force (menvcfg.PBMTE)
    bool operator==(const Regime&) const = default;

    bool translates() const { return privilege != Privilege::Machine && (satp >> 60) != 0; }
};

// What an address translates to.
struct Translation {
    u64 paddr = 0;
    Fault fault = Fault::None;
    u8 page_shift = kFrameShift;  // log2 of the size of the page that the leaf maps
    bool global = false;
    bool user = false;  // U-mode has it, and S-mode only by SUM
};

// A page number's width, and the width of a physical address.
inline constexpr unsigned kPhysicalBits = 56;
}  // namespace hartline
