// Atomics and fences.
//
// An atomic's operands are registers and its result goes to one, so its values need no bookkeeping: the
// host's address is in rdx, the result in rax. The probe finds no frame that holds code or is watched (such
// frames are not in the TLB for stores); what it does not find is handed to the interpreter as a whole. Where
// harts take turns on one thread, plain loads and stores do. The order bits change nothing: see isa/a.def.
#include <algorithm>
#include <cstddef>

#include "cpu/jit/emitter.hpp"

namespace hartline::jit {
namespace {
constexpr auto kHost = x86::rdx;

bool is_atomic(const IrInst& inst) {
    return inst.op == IrOp::Amo || inst.op == IrOp::LoadReserved || inst.op == IrOp::StoreConditional ||
           inst.op == IrOp::CompareSwap;
}
unsigned bytes_of(const IrInst& inst) { return inst.width / 8u; }
x86::Gp sized(x86::Gp reg, unsigned bytes) {
    switch (bytes) {
        case 1: return reg.r8();
        case 2: return reg.r16();
        case 4: return reg.r32();
        default: return reg;
    }
}
x86::Mem at_host(unsigned bytes) { return x86::ptr(kHost, 0, bytes); }
bool by_order(AmoOp op) {
    return op == AmoOp::Min || op == AmoOp::Max || op == AmoOp::MinU || op == AmoOp::MaxU;
}

// `reserved` and `reservation_bytes` as one halfword.
static_assert(offsetof(HartState, reservation_bytes) == offsetof(HartState, reserved) + 1);
constexpr i32 reservation_of(unsigned bytes) { return static_cast<i32>(bytes << 8 | 1); }
}  // namespace

// false: it is none.
bool Emitter::atomic(const IrBlock& ir, u32 index) {
    const auto found = std::find_if(ir.begin(), ir.end(), is_atomic);
    if (found == ir.end()) return false;
    const auto guest = [&](u32 id) { return ir[id].op == IrOp::GetX ? ir[id].reg : u8{0}; };
    const IrInst& inst = *found;
    const IrInst& after = *std::next(found);
    const u8 rd = after.op == IrOp::SetX ? after.reg : u8{0};
    const bool loads = inst.op == IrOp::LoadReserved;
    const asmjit::Label miss = a.newLabel(), back = a.newLabel();
    probe_aligned(guest(inst.a), bytes_of(inst), loads ? hartline::Access::Load : hartline::Access::Store,
                  miss);
    switch (inst.op) {
        case IrOp::LoadReserved: load_reserved(inst, guest(inst.a)); break;
        case IrOp::StoreConditional: store_conditional(inst, guest(inst.a), guest(inst.b)); break;
        case IrOp::CompareSwap: compare_swap(inst, guest(inst.b), guest(inst.c)); break;
        default: parallel() ? amo_locked(inst, guest(inst.b), rd != 0) : amo(inst, guest(inst.b), rd != 0);
    }
    write_x(rd, x86::rax);
    a.bind(back);
    hand_over_at(miss, index, back);
    return true;
}

// The host's address into rdx, where the guest's is aligned and in the TLB; the index stays in rcx.
void Emitter::probe_aligned(u8 address, unsigned bytes, hartline::Access kind, const asmjit::Label& miss) {
    const Gp base = home(address).value_or(x86::rax);
    if (base.id() == x86::rax.id()) read_x(base, address);
    a.bextr(x86::ecx, base.r32(), kBudget.r32());
    a.mov(x86::rdx, base);
    a.and_(x86::rdx, -static_cast<i32>(kFrameBytes) | static_cast<i32>(bytes - 1));
    a.or_(x86::rdx, cell_of(&c_.cpu.data_context));
    a.cmp(x86::rdx, x86::ptr(kContext, x86::rcx, 3, displacement(c_, c_.cpu.tlb.tags(kind)), 8));
    a.jne(miss);
    a.mov(kHost, x86::ptr(kContext, x86::rcx, 3, displacement(c_, c_.cpu.tlb.addends(kind)), 8));
    a.add(kHost, base);
}

// Of the access that was just probed. Changes rax.
void Emitter::paddr_into_rcx(u8 address, hartline::Access kind) {
    a.mov(x86::rcx, x86::ptr(kContext, x86::rcx, 3, displacement(c_, c_.cpu.tlb.frames(kind)), 8));
    a.shl(x86::rcx, 64 - Tlb::kFrameBits);
    a.shr(x86::rcx, 64 - Tlb::kFrameBits - kFrameShift);
    read_x(x86::rax, address);
    a.and_(x86::eax, static_cast<i32>(kFrameBytes - 1));
    a.or_(x86::rcx, x86::rax);
}

void Emitter::sign_extend(Gp reg, unsigned bytes) {
    switch (bytes) {
        case 1: a.movsx(reg, reg.r8()); break;
        case 2: a.movsx(reg, reg.r16()); break;
        case 4: a.movsxd(reg, reg.r32()); break;
        default: break;
    }
}

// rcx, the operand, becomes what is stored; the old value is in rax. Both are sign-extended where order
// matters, which keeps that of unsigned values too.
void Emitter::combine(AmoOp op) {
    const auto keep_old_if = [this](x86::CondCode condition) {
        a.cmp(x86::rax, x86::rcx);
        a.emit(x86::Inst::cmovccFromCond(condition), x86::rcx, x86::rax);
    };
    switch (op) {
        case AmoOp::Add: a.add(x86::rcx, x86::rax); break;
        case AmoOp::Xor: a.xor_(x86::rcx, x86::rax); break;
        case AmoOp::And: a.and_(x86::rcx, x86::rax); break;
        case AmoOp::Or: a.or_(x86::rcx, x86::rax); break;
        case AmoOp::Min: keep_old_if(x86::CondCode::kL); break;
        case AmoOp::Max: keep_old_if(x86::CondCode::kG); break;
        case AmoOp::MinU: keep_old_if(x86::CondCode::kB); break;
        case AmoOp::MaxU: keep_old_if(x86::CondCode::kA); break;
        default: break;
    }
}

void Emitter::amo(const IrInst& inst, u8 operand, bool wanted) {
    const unsigned bytes = bytes_of(inst);
    if (inst.amo != AmoOp::Swap || wanted) load_from_memory(x86::rax, at_host(bytes), true);
    Gp stored = x86::rcx;
    if (const auto reg = home(operand); inst.amo == AmoOp::Swap && reg)
        stored = *reg;
    else
        read_x(stored, operand);
    if (by_order(inst.amo)) sign_extend(stored, bytes);
    combine(inst.amo);
    a.mov(at_host(bytes), sized(stored, bytes));
}

void Emitter::amo_locked(const IrInst& inst, u8 operand, bool wanted) {
    const unsigned bytes = bytes_of(inst);
    const x86::Mem at = at_host(bytes);
    if (inst.amo == AmoOp::Swap || inst.amo == AmoOp::Add) {
        read_x(x86::rax, operand);
        const Gp value = sized(x86::rax, bytes);
        inst.amo == AmoOp::Swap ? a.xchg(at, value) : a.lock().xadd(at, value);
        return sign_extend(x86::rax, bytes);
    }
    if (!wanted && !by_order(inst.amo)) {
        read_x(x86::rcx, operand);
        const Gp value = sized(x86::rcx, bytes);
        if (inst.amo == AmoOp::And) return void(a.lock().and_(at, value));
        if (inst.amo == AmoOp::Or) return void(a.lock().or_(at, value));
        return void(a.lock().xor_(at, value));
    }
    const asmjit::Label again = a.newLabel();
    load_from_memory(x86::rax, at, true);
    a.bind(again);
    read_x(x86::rcx, operand);
    if (by_order(inst.amo)) sign_extend(x86::rcx, bytes);
    combine(inst.amo);
    a.lock().cmpxchg(at, sized(x86::rcx, bytes));
    sign_extend(x86::rax, bytes);  // leaves the flags
    a.jne(again);
}

void Emitter::load_reserved(const IrInst& inst, u8 address) {
    const HartState& s = c_.cpu.s;
    const unsigned bytes = bytes_of(inst);
    load_from_memory(x86::rdx, at_host(bytes), false);
    a.mov(cell_of(&s.reservation_value), x86::rdx);
    paddr_into_rcx(address, hartline::Access::Load);
    a.mov(cell_of(&s.reservation_paddr), x86::rcx);
    a.mov(x86::eax, reservation_of(bytes));
    a.mov(cell_of(&s.reserved, 2), x86::ax);
    a.mov(x86::rax, x86::rdx);
    sign_extend(x86::rax, bytes);
}

void Emitter::store_conditional(const IrInst& inst, u8 address, u8 operand) {
    const HartState& s = c_.cpu.s;
    const unsigned bytes = bytes_of(inst);
    const asmjit::Label fails = a.newLabel(), done = a.newLabel();
    paddr_into_rcx(address, hartline::Access::Store);
    a.movzx(x86::eax, cell_of(&s.reserved, 2));
    a.mov(cell_of(&s.reserved, 1), 0);
    a.cmp(x86::eax, reservation_of(bytes));
    a.jne(fails);
    a.cmp(x86::rcx, cell_of(&s.reservation_paddr));
    a.jne(fails);
    a.mov(x86::rax, cell_of(&s.reservation_value));
    read_x(x86::rcx, operand);
    if (parallel()) {
        a.lock().cmpxchg(at_host(bytes), sized(x86::rcx, bytes));
        a.jne(fails);
    } else {
        a.cmp(at_host(bytes), sized(x86::rax, bytes));
        a.jne(fails);
        a.mov(at_host(bytes), sized(x86::rcx, bytes));
    }
    a.xor_(x86::eax, x86::eax);
    a.bind(done);
    cold(
        [this, done] {
            a.mov(x86::eax, 1);
            a.jmp(done);
        },
        fails);
}

void Emitter::compare_swap(const IrInst& inst, u8 expected, u8 desired) {
    const unsigned bytes = bytes_of(inst);
    read_x(x86::rax, expected);
    read_x(x86::rcx, desired);
    if (parallel()) a.lock();
    a.cmpxchg(at_host(bytes), sized(x86::rcx, bytes));
    sign_extend(x86::rax, bytes);
}

// The host keeps all order but that of a load behind a store, and so does a thread that all harts share.
void Emitter::fence(const IrInst& inst) {
    constexpr u64 kLoadsBehind = 1u << 1, kStoresBefore = 1u << 4, kTso = 0x833;  // succ's R, pred's W; all
    const bool orders = (inst.imm & kStoresBefore) != 0 && (inst.imm & kLoadsBehind) != 0;
    if (parallel() && orders && bits(inst.imm, 11, 0) != kTso) a.lock().or_(x86::dword_ptr(x86::rsp), 0);
}
}  // namespace hartline::jit
