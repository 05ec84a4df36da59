// Every architectural bit of a hart. Plain data: caches and wiring live elsewhere.
#pragma once
#include <array>

#include "core/archive.hpp"
#include "mmu/pmp.hpp"
#include "mmu/translation.hpp"

namespace hartline {

inline constexpr unsigned kCounters = 32;  // cycle (0), time (1, not a counter), instret (2), hpmcounter3..31

struct HartState {
    // x[0] is never written: the interpreter's decoded form redirects writes to x0 into x[32], which is no
    // state.
    std::array<u64, 33> x{};
    std::array<u64, 32> f{};
    u64 pc = 0;
    u64 retired = 0;  // instructions since reset
    Privilege privilege = Privilege::Machine;
    bool waiting = false;      // in WFI
    u64 trapped_at = ~u64{0};  // `retired` when the last trap was entered

    // Floating point: fcsr in its two parts.
    u32 fflags = 0;
    u32 frm = 0;

    // LR's reservation, by physical address. The value is compared again by SC.
    bool reserved = false;
    u8 reservation_bytes = 0;
    u64 reservation_paddr = 0;
    u64 reservation_value = 0;

    // CSRs, named as the specification names them. mstatus holds no SD (computed at reads).
    u64 mstatus = 0;
    u64 medeleg = 0, mideleg = 0, mie = 0;
    u64 mip_software = 0;  // the bits of mip that software writes: STIP (without Sstc), SEIP, LCOFIP
    u64 mtvec = 0, mscratch = 0, mepc = 0, mcause = 0, mtval = 0;
    u64 stvec = 0, sscratch = 0, sepc = 0, scause = 0, stval = 0, satp = 0;
    u64 mcounteren = 0, scounteren = 0, mcountinhibit = 0;
    u64 menvcfg = 0, senvcfg = 0;
    u64 stimecmp = ~u64{0};
    // Counters hold their value as of `counters_at` (a value of `retired`); see cpu/counters.hpp.
    std::array<u64, kCounters> counter{};
    std::array<u64, kCounters> event{};  // mhpmevent3..31
    u64 counters_at = 0;
    PmpRegisters pmp{};

    // Follows from the fields above (counters.cpp), and is no state: when the next overflow is to be noticed
    // (a value of `retired`), and whether a running counter counts in some modes only.
    u64 overflow_at = ~u64{0};
    bool counters_by_mode = false;

    void describe(Archive& archive);
};
static_assert(std::is_trivially_copyable_v<HartState>);
}  // namespace hartline
