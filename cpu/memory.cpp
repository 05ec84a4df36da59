// Memory accesses that the inlined TLB probe does not do: misses, misaligned ones, devices, marked frames;
// and cache-block operations.
#include <algorithm>
#include <cstring>

#include "cpu/cpu.hpp"
#include "cpu/decode.hpp"
#include "cpu/observer.hpp"
#include "mmu/pmp.hpp"

namespace hartline {
namespace {

Cause cause_of(Fault fault, Access access) {
    const bool page = fault == Fault::Page;
    switch (access) {
        case Access::Load: return page ? Cause::LoadPage : Cause::LoadAccess;
        case Access::Store: return page ? Cause::StorePage : Cause::StoreAccess;
        default: return page ? Cause::FetchPage : Cause::FetchAccess;
    }
}

// The PMP's verdict. The range that is open to all is remembered; only other ranges and M-mode take the long
// way.
bool allowed(Cpu& cpu, u64 paddr, u64 bytes, Access access, Privilege privilege) {
    if (privilege == Privilege::Machine)
        return pmp::allows(cpu.s.pmp, cpu.config.pmp_entries, paddr, bytes, access, privilege);
    if (cpu.open.covers(paddr, bytes)) return true;
    cpu.open = pmp::open_around(cpu.s.pmp, cpu.config.pmp_entries, paddr);
    return cpu.open.covers(paddr, bytes) ||
           pmp::allows(cpu.s.pmp, cpu.config.pmp_entries, paddr, bytes, access, privilege);
}

// priv, "Physical Memory Protection": implicit reads of page tables are S-mode accesses.
class PageTables final : public WalkMemory {
public:
    explicit PageTables(Cpu& cpu) : cpu_(cpu) {}
    bool load(u64 paddr, u64& pte) override {
        if (!cpu_.ram.contains(paddr, 8) || !allowed(cpu_, paddr, 8, Access::Load, Privilege::Supervisor))
            return false;
        pte = cpu_.ram.read_aligned(paddr);
        return true;
    }
    bool compare_exchange(u64 paddr, u64 expected, u64 desired, bool& swapped) override {
        if (!cpu_.ram.contains(paddr, 8) || !allowed(cpu_, paddr, 8, Access::Store, Privilege::Supervisor))
            return false;
        const u64 frame = cpu_.ram.frame_of(paddr);
        auto* const at = reinterpret_cast<u64*>(cpu_.ram.for_write(frame) + paddr % kFrameBytes);
        swapped =
            __atomic_compare_exchange_n(at, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        if (cpu_.ram.marks(frame) != 0) cpu_.port.stored_to_marked(paddr, 8);
        return true;
    }

private:
    Cpu& cpu_;
};

Translation translate_page(Cpu& cpu, const Regime& regime, u64 vaddr, Access access) {
    if (!regime.translates()) return {.paddr = vaddr};
    PageTables memory(cpu);
    TableAt at = cpu.tlb.tables().find(regime.satp, vaddr);
    const Translation to = walk_from(at, regime, vaddr, access, memory);
    if (to.fault == Fault::None) cpu.tlb.tables().keep(regime.satp, vaddr, at);
    return to;
}

void fill(Cpu& cpu, u64 vaddr, Access access, u64 context, const Translation& to, const u8* host) {
    if (cpu.tlb.fill(access, vaddr, context, to, host)) return;
    cpu.contexts_stale = true;
    cpu.engine->stop_after_this();
}

// Must somebody know of stores to the frame?
bool noticed(Cpu& cpu, u64 frame) { return (cpu.ram.marks(frame) & (Ram::kCode | Ram::kWatched)) != 0; }

// Keeps a translation, where RAM is behind it and nobody needs to see each access.
void keep(Cpu& cpu, u64 vaddr, Access access, u64 context, Translation to) {
    to.paddr &= ~(kFrameBytes - 1);
    const bool in_ram = cpu.ram.contains(to.paddr, kFrameBytes);
    // Of devices for fetching only: atomic accesses take what a kept page has for RAM.
    const u8* const fixed = in_ram || access != Access::Fetch ? nullptr : cpu.port.fixed_page(to.paddr);
    if (!in_ram && fixed == nullptr) return;
    if (!cpu.open.covers(to.paddr, kFrameBytes) && !pmp::uniform(cpu.s.pmp, cpu.config.pmp_entries, to.paddr))
        return;
    if (fixed != nullptr) return fill(cpu, vaddr, access, context, to, fixed);
    const u64 frame = cpu.ram.frame_of(to.paddr);
    if (access != Access::Store) {
        const u8* const host = cpu.ram.for_read(frame);
        fill(cpu, vaddr, access, context, to, host);
        return;
    }
    const u8* const host = cpu.ram.for_write(frame);
    fill(cpu, vaddr, access, noticed(cpu, frame) ? context | Tlb::kMarked : context, to, host);
}

// May a load be in pieces there? In RAM, and of devices in those that are memory: ROM, flash.
bool loads_in_pieces(const Cpu& cpu, u64 paddr, unsigned bytes) {
    return cpu.ram.contains(paddr, bytes) || cpu.port.executable(paddr);
}

// One piece of an access: it lies within a page.
bool load_piece(const Cpu& cpu, u64 paddr, unsigned bytes, u64& value) {
    value = 0;
    if (cpu.ram.contains(paddr, bytes)) {
        const u8* const host = cpu.ram.for_read(cpu.ram.frame_of(paddr)) + paddr % kFrameBytes;
        switch (paddr % bytes == 0 ? bytes : 0) {  // aligned ones are single accesses, for other harts to see
            case 1: value = __atomic_load_n(host, __ATOMIC_RELAXED); break;
            case 2: value = __atomic_load_n(reinterpret_cast<const u16*>(host), __ATOMIC_RELAXED); break;
            case 4: value = __atomic_load_n(reinterpret_cast<const u32*>(host), __ATOMIC_RELAXED); break;
            case 8: value = __atomic_load_n(reinterpret_cast<const u64*>(host), __ATOMIC_RELAXED); break;
            default: std::memcpy(&value, host, bytes);
        }
        return true;
    }
    if (std::has_single_bit(bytes) && paddr % bytes == 0) return cpu.port.read(paddr, bytes, value);
    if (!cpu.port.executable(paddr)) return false;
    for (unsigned i = 0; i < bytes; ++i) {
        u64 byte = 0;
        if (!cpu.port.read(paddr + i, 1, byte)) return false;
        value |= byte << (8 * i);
    }
    return true;
}

void stored(Cpu& cpu, u64 frame, u64 paddr, unsigned bytes) {
    if (noticed(cpu, frame)) cpu.port.stored_to_marked(paddr, bytes);
}

bool store_piece(Cpu& cpu, u64 paddr, unsigned bytes, u64 value) {
    if (cpu.ram.contains(paddr, bytes)) {
        const u64 frame = cpu.ram.frame_of(paddr);
        u8* const host = cpu.ram.for_write(frame) + paddr % kFrameBytes;
        switch (paddr % bytes == 0 ? bytes : 0) {
            case 1: __atomic_store_n(host, static_cast<u8>(value), __ATOMIC_RELAXED); break;
            case 2:
                __atomic_store_n(reinterpret_cast<u16*>(host), static_cast<u16>(value), __ATOMIC_RELAXED);
                break;
            case 4:
                __atomic_store_n(reinterpret_cast<u32*>(host), static_cast<u32>(value), __ATOMIC_RELAXED);
                break;
            case 8: __atomic_store_n(reinterpret_cast<u64*>(host), value, __ATOMIC_RELAXED); break;
            default: std::memcpy(host, &value, bytes);
        }
        stored(cpu, frame, paddr, bytes);
        return true;
    }
    return std::has_single_bit(bytes) && paddr % bytes == 0 && cpu.port.write(paddr, bytes, value);
}

// How many of `bytes` at `vaddr` lie in its page.
unsigned in_first_page(u64 vaddr, unsigned bytes) {
    return static_cast<unsigned>(std::min<u64>(bytes, kFrameBytes - vaddr % kFrameBytes));
}
}  // namespace

void pmp_changed(Cpu& cpu) {
    cpu.open = {};
    cpu.tlb.flush_all();
}

bool translate(Cpu& cpu, u64 vaddr, unsigned bytes, Access access, u64& paddr) {
    const bool fetch = access == Access::Fetch;
    const Regime& regime = fetch ? cpu.fetch_regime : cpu.data_regime;
    const u64 context = fetch ? cpu.fetch_context : cpu.data_context;
    // Misaligned accesses, stores that are noticed, atomics and the IR's come here for pages that are known.
    const u64 key = Tlb::key(vaddr, 1, context), tag = cpu.tlb.tag(access, vaddr);
    if (tag == key || tag == (key | Tlb::kMarked)) {
        paddr = cpu.tlb.frame(access, vaddr) << kFrameShift | vaddr % kFrameBytes;
        if (tag != key && !noticed(cpu, cpu.ram.frame_of(paddr))) cpu.tlb.unmark(access, vaddr);
        return true;
    }
    const Translation to = translate_page(cpu, regime, vaddr, access);
    if (to.fault != Fault::None) return cpu.fault(cause_of(to.fault, access), vaddr);
    if (!allowed(cpu, to.paddr, bytes, access, regime.privilege))
        return cpu.fault(cause_of(Fault::Access, access), vaddr);
    paddr = to.paddr;
    keep(cpu, vaddr, access, context, to);
    return true;
}

bool load_slow(Cpu& cpu, u64 vaddr, unsigned bytes, u64& value) {
    const unsigned first = in_first_page(vaddr, bytes), second = bytes - first;
    u64 paddr = 0, paddr_second = 0, low = 0, high = 0;
    if (!translate(cpu, vaddr, first, Access::Load, paddr)) return false;
    if (second != 0) {  // a device is read in one piece, or not at all; the first part's faults come first
        if (!loads_in_pieces(cpu, paddr, first)) return cpu.fault(Cause::LoadAccess, vaddr);
        if (!translate(cpu, vaddr + first, second, Access::Load, paddr_second)) return false;
        if (!loads_in_pieces(cpu, paddr_second, second) || !load_piece(cpu, paddr_second, second, high))
            return cpu.fault(Cause::LoadAccess, vaddr + first);
    }
    if (!load_piece(cpu, paddr, first, low)) return cpu.fault(Cause::LoadAccess, vaddr);
    value = second == 0 ? low : low | high << (8 * first);
    return true;
}

// No part is stored before all parts are known to be storable: RAM, or a device for an access in one piece.
bool store_slow(Cpu& cpu, u64 vaddr, unsigned bytes, u64 value) {
    const unsigned first = in_first_page(vaddr, bytes), second = bytes - first;
    u64 paddr = 0, paddr_second = 0;
    if (!translate(cpu, vaddr, first, Access::Store, paddr)) return false;
    if (second != 0) {
        if (!cpu.ram.contains(paddr, first)) return cpu.fault(Cause::StoreAccess, vaddr);
        if (!translate(cpu, vaddr + first, second, Access::Store, paddr_second)) return false;
        if (!cpu.ram.contains(paddr_second, second)) return cpu.fault(Cause::StoreAccess, vaddr + first);
    }
    if (!store_piece(cpu, paddr, first, value)) return cpu.fault(Cause::StoreAccess, vaddr);
    if (second != 0) store_piece(cpu, paddr_second, second, value >> (8 * first));
    return true;
}

namespace {
u16 half_at(const u8* host) { return __atomic_load_n(reinterpret_cast<const u16*>(host), __ATOMIC_RELAXED); }
}  // namespace

bool instruction_in(const u8* page, u64 at, u32& word) {
    word = half_at(page + at);
    if (length_of(word) == 2) return true;
    if (at + 4 > kFrameBytes) return false;
    word |= u32{half_at(page + at + 2)} << 16;
    return true;
}

u32 code_at(const Cpu& cpu, u64 paddr) {
    u64 low = 0, high = 0;
    load_piece(cpu, paddr, 2, low);
    if (length_of(static_cast<u16>(low)) == 2) return static_cast<u32>(low);
    load_piece(cpu, paddr + 2, 2, high);
    return static_cast<u32>(low | high << 16);
}

Fetched fetch(Cpu& cpu, u64 vaddr) {
    const auto tag = [&] { return cpu.tlb.tag(Access::Fetch, vaddr); };
    const u64 key = Tlb::key(vaddr, 1, cpu.fetch_context);
    Fetched fetched;
    if (tag() != key && !translate(cpu, vaddr, 2, Access::Fetch, fetched.paddr)) return fetched;
    if (tag() == key) {
        fetched.from = Fetched::From::Page;
        fetched.page =
            reinterpret_cast<const u8*>((vaddr & ~(kFrameBytes - 1)) + cpu.tlb.addend(Access::Fetch, vaddr));
        fetched.paddr = cpu.tlb.frame(Access::Fetch, vaddr) << kFrameShift | vaddr % kFrameBytes;
        fetched.half = half_at(fetched.page + vaddr % kFrameBytes);
        return fetched;
    }
    u64 half = 0;
    const bool readable = cpu.ram.contains(fetched.paddr, 2) || cpu.port.executable(fetched.paddr);
    if (!readable || !load_piece(cpu, fetched.paddr, 2, half)) {
        cpu.fault(Cause::FetchAccess, vaddr);
        return fetched;
    }
    fetched.from = Fetched::From::Halfword;
    fetched.half = static_cast<u16>(half);
    return fetched;
}

bool fetch_rest(Cpu& cpu, u64 vaddr, const Fetched& first, u32& word) {
    word = first.half;
    if (length_of(word) == 2) return true;
    const Fetched second = fetch(cpu, vaddr + 2);
    word |= u32{second.half} << 16;
    return second.from != Fetched::From::Trap;
}

namespace system {
namespace {
constexpr u64 kBlockBytes = 64;
// menvcfg and senvcfg fields. priv, "Machine Environment Configuration (menvcfg) Register".
constexpr unsigned kCbieLow = 4, kCbcfe = 6, kCbze = 7;

// May the current mode do what bit `field` of the environment configurations grants?
bool granted(const Cpu& cpu, unsigned field) {
    if (cpu.s.privilege == Privilege::Machine) return true;
    if (bit(cpu.s.menvcfg, field) == 0) return false;
    return cpu.s.privilege == Privilege::Supervisor || bit(cpu.s.senvcfg, field) != 0;
}

void clear_block(u64 host) {
    auto* const words = reinterpret_cast<u64*>(host);
    for (u64 i = 0; i < kBlockBytes / 8; ++i) __atomic_store_n(words + i, 0, __ATOMIC_RELAXED);
}

// Management operations need a load or a store to be allowed; faults are those of a store. There is no cache
// that could differ from memory, so nothing else is left to do.
Outcome manage_block(Cpu& cpu, const Operands& o) {
    const u64 vaddr = cpu.s.x[o.rs1], block = vaddr & ~(kBlockBytes - 1);
    u64 paddr = 0;
    bool reachable = translate(cpu, block, kBlockBytes, Access::Load, paddr);
    if (!reachable) reachable = translate(cpu, block, kBlockBytes, Access::Store, paddr);
    if (!reachable) return cpu.trap(cpu.pending.cause, vaddr);
    return cpu.ram.contains(paddr, kBlockBytes) ? Outcome::Done : cpu.trap(Cause::StoreAccess, vaddr);
}
}  // namespace

Outcome cbo_inval(Cpu& cpu, const Operands& o) {
    // CBIE: 00 illegal, 01 flush instead, 11 invalidate; any value but 00 grants.
    const bool allowed = granted(cpu, kCbieLow);
    return allowed ? manage_block(cpu, o) : cpu.illegal();
}
Outcome cbo_clean(Cpu& cpu, const Operands& o) {
    return granted(cpu, kCbcfe) ? manage_block(cpu, o) : cpu.illegal();
}
Outcome cbo_flush(Cpu& cpu, const Operands& o) {
    return granted(cpu, kCbcfe) ? manage_block(cpu, o) : cpu.illegal();
}
Outcome cbo_zero(Cpu& cpu, const Operands& o) {
    if (!granted(cpu, kCbze)) return cpu.illegal();
    const u64 vaddr = cpu.s.x[o.rs1], block = vaddr & ~(kBlockBytes - 1);
    if (cpu.tlb.tag(Access::Store, block) == Tlb::key(block, 1, cpu.data_context)) {
        clear_block(block + cpu.tlb.addend(Access::Store, block));
    } else {
        u64 paddr = 0;
        if (!translate(cpu, block, kBlockBytes, Access::Store, paddr))
            return cpu.trap(cpu.pending.cause, vaddr);
        if (!cpu.ram.contains(paddr, kBlockBytes)) return cpu.trap(Cause::StoreAccess, vaddr);
        const u64 frame = cpu.ram.frame_of(paddr);
        clear_block(reinterpret_cast<u64>(cpu.ram.for_write(frame)) + paddr % kFrameBytes);
        stored(cpu, frame, paddr, kBlockBytes);
    }
    if (cpu.notes != nullptr) cpu.notes->memory.add({.vaddr = block, .bytes = kBlockBytes, .store = true});
    return Outcome::Done;
}
}  // namespace system
}  // namespace hartline
