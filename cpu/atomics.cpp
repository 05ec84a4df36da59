// Atomic memory operations: on host atomics, so that they hold between harts on different threads.
#include "cpu/amo.hpp"
#include "cpu/cpu.hpp"
#include "cpu/observer.hpp"

namespace hartline {
namespace {

// The host address of naturally aligned `bytes` for an atomic, null after reporting a trap. Atomics are for
// RAM only (PMA: devices are AMONone), and both parts of a read-modify-write fault as a store.
u8* atomic_address(Cpu& cpu, unsigned bytes, u64 vaddr, Access access, u64& paddr) {
    const bool load = access == Access::Load;
    if (vaddr % bytes != 0) {
        cpu.fault(load ? Cause::LoadMisaligned : Cause::StoreMisaligned, vaddr);
        return nullptr;
    }
    if (cpu.tlb.tag(access, vaddr) == Tlb::key(vaddr, bytes, cpu.data_context)) {
        paddr = cpu.tlb.frame(access, vaddr) << kFrameShift | vaddr % kFrameBytes;
        return reinterpret_cast<u8*>(vaddr + cpu.tlb.addend(access, vaddr));
    }
    if (!translate(cpu, vaddr, bytes, access, paddr)) return nullptr;
    if (!cpu.ram.contains(paddr, bytes)) {
        cpu.fault(load ? Cause::LoadAccess : Cause::StoreAccess, vaddr);
        return nullptr;
    }
    const u64 frame = cpu.ram.frame_of(paddr);
    return (load ? const_cast<u8*>(cpu.ram.for_read(frame)) : cpu.ram.for_write(frame)) + paddr % kFrameBytes;
}

void stored(Cpu& cpu, u64 paddr, unsigned bytes) {
    if ((cpu.ram.marks(cpu.ram.frame_of(paddr)) & (Ram::kCode | Ram::kWatched)) != 0)
        cpu.port.stored_to_marked(paddr, bytes);
}

template <class T>
u64 exchange(Cpu& cpu, AmoOp op, u8* host, u64 operand) {
    auto* const at = reinterpret_cast<T*>(host);
    T old = __atomic_load_n(at, __ATOMIC_RELAXED);
    if (!cpu.port.parallel()) {
        *at = combine(op, old, static_cast<T>(operand));
        return old;
    }
    while (!__atomic_compare_exchange_n(at, &old, combine(op, old, static_cast<T>(operand)), true,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {}
    return old;
}

// Replaces `expected` by `desired`; gives what was there.
template <class T>
u64 swap_if(u8* host, u64 expected, u64 desired) {
    T old = static_cast<T>(expected);
    __atomic_compare_exchange_n(reinterpret_cast<T*>(host), &old, static_cast<T>(desired), false,
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return old;
}
u64 swap_if(unsigned bytes, u8* host, u64 expected, u64 desired) {
    switch (bytes) {
        case 1: return swap_if<u8>(host, expected, desired);
        case 2: return swap_if<u16>(host, expected, desired);
        case 4: return swap_if<u32>(host, expected, desired);
        default: return swap_if<u64>(host, expected, desired);
    }
}
u64 low_bytes(u64 value, unsigned bytes) { return bits(value, bytes * 8 - 1, 0); }
}  // namespace

bool amo(Cpu& cpu, AmoOp op, unsigned bytes, u64 vaddr, u64 operand, u64& old) {
    u64 paddr = 0;
    u8* const host = atomic_address(cpu, bytes, vaddr, Access::Store, paddr);
    if (host == nullptr) return false;
    switch (bytes) {
        case 1: old = exchange<u8>(cpu, op, host, operand); break;
        case 2: old = exchange<u16>(cpu, op, host, operand); break;
        case 4: old = exchange<u32>(cpu, op, host, operand); break;
        default: old = exchange<u64>(cpu, op, host, operand);
    }
    stored(cpu, paddr, bytes);
    return true;
}

bool load_reserved(Cpu& cpu, unsigned bytes, u64 vaddr, u64& value) {
    u64 paddr = 0;
    const u8* const host = atomic_address(cpu, bytes, vaddr, Access::Load, paddr);
    if (host == nullptr) return false;
    value = bytes == 4 ? __atomic_load_n(reinterpret_cast<const u32*>(host), __ATOMIC_SEQ_CST)
                       : __atomic_load_n(reinterpret_cast<const u64*>(host), __ATOMIC_SEQ_CST);
    cpu.s.reserved = true;
    cpu.s.reservation_bytes = static_cast<u8>(bytes);
    cpu.s.reservation_paddr = paddr;
    cpu.s.reservation_value = value;
    return true;
}

// An SC fails after any trap return and after any other hart's turn (both end the reservation), to another
// address or size, or when the value is no longer the one that LR saw. It faults like a store even when it
// fails.
bool store_conditional(Cpu& cpu, unsigned bytes, u64 vaddr, u64 value, u64& failed) {
    u64 paddr = 0;
    const bool reserved = cpu.s.reserved;
    u8* const host = atomic_address(cpu, bytes, vaddr, Access::Store, paddr);
    if (host == nullptr) return false;
    cpu.s.reserved = false;
    failed = 1;
    if (!reserved || paddr != cpu.s.reservation_paddr || bytes != cpu.s.reservation_bytes) return true;
    if (swap_if(bytes, host, cpu.s.reservation_value, value) != cpu.s.reservation_value) return true;
    failed = 0;
    stored(cpu, paddr, bytes);
    return true;
}

bool compare_swap(Cpu& cpu, unsigned bytes, u64 vaddr, u64 expected, u64 desired, u64& old) {
    u64 paddr = 0;
    u8* const host = atomic_address(cpu, bytes, vaddr, Access::Store, paddr);
    if (host == nullptr) return false;
    old = swap_if(bytes, host, expected, desired);
    if (old == low_bytes(expected, bytes)) stored(cpu, paddr, bytes);
    return true;
}

namespace system {
// amocas.q: rd and rs2 name even-numbered pairs; x0's pair reads as zero and drops writes.
Outcome amocas_q(Cpu& cpu, const Operands& o) {
    __extension__ using u128 = unsigned __int128;
    const u8 rd = o.rd % 32;
    const auto pair = [&](u8 reg) {
        return reg == 0 ? u128{0} : static_cast<u128>(cpu.s.x[reg + 1u]) << 64 | cpu.s.x[reg];
    };
    if (rd % 2 != 0 || o.rs2 % 2 != 0) return cpu.illegal();
    u64 paddr = 0;
    u8* const host = atomic_address(cpu, 16, cpu.s.x[o.rs1], Access::Store, paddr);
    if (host == nullptr) return Outcome::Trap;
    u128 old = pair(rd);
    const u128 expected = old, desired = pair(o.rs2);
    __atomic_compare_exchange_n(reinterpret_cast<u128*>(host), &old, desired, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    if (old == expected) stored(cpu, paddr, 16);
    if (cpu.notes != nullptr) {
        const auto whole = [&](u128 value, bool store) {
            return MemoryAccess{cpu.s.x[o.rs1], static_cast<u64>(value), static_cast<u64>(value >> 64), 16,
                                store};
        };
        cpu.notes->memory.add(whole(old, false));
        if (old == expected) cpu.notes->memory.add(whole(desired, true));
    }
    if (rd != 0) {
        cpu.set_x(rd, static_cast<u64>(old));
        cpu.set_x(static_cast<u8>(rd + 1), static_cast<u64>(old >> 64));
    }
    return Outcome::Done;
}
}  // namespace system
}  // namespace hartline
