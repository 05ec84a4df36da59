// Loads and stores: the TLB is probed inline, everything else is called.
#include "cpu/jit/emitter.hpp"

namespace hartline::jit {

// Base and offset, when the address is the sum of a register and a constant.
Emitter::Access Emitter::access_of(const IrBlock& ir, u32 address, unsigned bytes) {
    const IrInst& sum = ir[address];
    const bool split = is_sum(ir, address);
    const Access access{in_register(split ? sum.a : address), split ? static_cast<i32>(ir[sum.b].imm) : 0,
                        bytes};
    if (access.base.id() == x86::rdx.id()) failed_ = true;  // the probe's own
    return access;
}

// Is it the sum of a register and a constant, wanted for an address only?
bool Emitter::is_sum(const IrBlock& ir, u32 id) const {
    const IrInst& sum = ir[id];
    if (sum.op != IrOp::Add || values_[id].uses != 1 || ir[sum.a].op != IrOp::GetX ||
        ir[sum.b].op != IrOp::Imm)
        return false;
    for (u32 i = id + 1; i < ir.size(); ++i)
        if ((ir[i].op == IrOp::Load || ir[i].op == IrOp::Store) && ir[i].a == id) return true;
    return false;
}

// Leaves the host's memory operand, or jumps to `miss`. Changes rax, rcx, rdx, unless the base is one of
// them.
//
// The first byte's page chooses the entry and the last byte's page must be what it is for, so that misaligned
// accesses within a page hit.
x86::Mem Emitter::probe(const Access& access, hartline::Access kind, const asmjit::Label& miss) {
    const Gp index = index_of(access);
    probe_into(index, access, kind, miss);
    return place(index, access);
}

// The addend is the base: as such the host has no r13 without a displacement, which would take a cycle.
x86::Mem Emitter::place(Gp addend, const Access& access) {
    return x86::ptr(addend, access.base, 0, access.offset, access.bytes);
}

x86::Gp Emitter::index_of(const Access& access) {
    return access.base.id() == x86::rcx.id() ? x86::rax : x86::rcx;
}

// The page's addend into `addend`.
void Emitter::probe_into(Gp addend, const Access& access, hartline::Access kind, const asmjit::Label& miss) {
    const Gp index = index_of(access);
    const i32 last = access.offset + static_cast<i32>(access.bytes) - 1;
    if (last == 0)
        a.mov(x86::rdx, access.base);
    else
        a.lea(x86::rdx, x86::ptr(access.base, last));
    if (access.offset == 0) {
        a.bextr(index.r32(), access.base.r32(), kBudget.r32());
    } else if (access.bytes == 1) {
        a.bextr(index.r32(), x86::edx, kBudget.r32());
    } else {
        a.lea(index.r32(), x86::ptr(access.base, access.offset));
        a.bextr(index.r32(), index.r32(), kBudget.r32());
    }
    a.and_(x86::rdx, -static_cast<i32>(kFrameBytes));
    a.or_(x86::rdx, cell_of(&c_.cpu.data_context));
    a.cmp(x86::rdx, x86::ptr(kContext, index, 3, displacement(c_, c_.cpu.tlb.tags(kind)), 8));
    a.jne(miss);
    a.mov(addend, x86::ptr(kContext, index, 3, displacement(c_, c_.cpu.tlb.addends(kind)), 8));
}

void Emitter::address_into_rax(const Access& access) {
    if (access.offset != 0)
        a.lea(x86::rax, x86::ptr(access.base, access.offset));
    else if (access.base.id() != x86::rax.id())
        a.mov(x86::rax, access.base);
}

// Behind a call: what it lost is loaded again. rax stays.
void Emitter::after_slow() {
    load_lent();
    if (reloads_) a.call(reload_floats_);
}

void Emitter::load_from_memory(Gp d, const x86::Mem& from, bool is_signed) {
    switch (from.size()) {
        case 1:
        case 2: is_signed ? a.movsx(d, from) : a.movzx(d.r32(), from); break;
        case 4: is_signed ? a.movsxd(d, from) : a.mov(d.r32(), from); break;
        default: a.mov(d, from);
    }
}
// The value that a call left in rax, zero-extended.
void Emitter::load_from_rax(Gp d, const IrInst& inst) {
    if (!inst.is_signed || inst.width == 64) {
        if (d.id() != x86::rax.id()) a.mov(d, x86::rax);
    } else if (inst.width == 32) {
        a.movsxd(d, x86::eax);
    } else {
        inst.width == 16 ? a.movsx(d, x86::ax) : a.movsx(d, x86::al);
    }
}

// Where an access goes that is not served inline: within a group, to the same instruction in the copy.
asmjit::Label Emitter::miss_here() {
    return group_ && !copying_ ? group_->copies[item_ - group_->first] : a.newLabel();
}

// In a group's copy, and behind a miss. The value is in rax.
void Emitter::call_load(const Access& access) {
    address_into_rax(access);
    give_pins_back();
    a.call(stubs_.load[static_cast<u32>(std::countr_zero(access.bytes))]);
    note_site(static_cast<u32>(a.offset()));
    after_slow();
}

void Emitter::load(const IrBlock& ir, u32 id) {
    if (loads_float(ir, id)) return load_float(ir, id);
    const IrInst inst = ir[id];
    const bool sum = is_sum(ir, inst.a);
    const Access access = access_of(ir, inst.a, inst.width / 8u);
    const asmjit::Label miss = miss_here();
    const x86::Mem from = copying_ ? x86::Mem() : locate(access, hartline::Access::Load, miss);
    if (sum) used(ir[inst.a].a);
    used(inst.a);
    const Gp d = destination(ir, id);
    if (copying_) {
        call_load(access);
        load_from_rax(d, inst);
    } else {
        load_from_memory(d, from, inst.is_signed);
    }
    result(id, d);
    if (copying_ || group_) return;
    const asmjit::Label back = a.newLabel();
    a.bind(back);
    cold(
        [this, access, d, back, inst] {
            call_load(access);
            load_from_rax(d, inst);
            a.jmp(back);
        },
        miss);
}

void Emitter::store_value(const x86::Mem& to, const IrBlock& ir, const IrInst& inst) {
    const Value& v = values_[inst.b];
    if (const auto from = stored_float(ir, inst.b, inst.width)) {
        inst.width == 64 ? a.vmovsd(to, *from) : a.vmovss(to, *from);
        return;
    }
    if (v.kind == Value::Kind::Immediate && fits(v.immediate)) {
        a.mov(to, static_cast<i32>(v.immediate));
        return;
    }
    Gp from = v.reg;
    if (v.kind != Value::Kind::Register) move_to(from = x86::rdx, v);
    switch (to.size()) {
        case 1: a.mov(to, from.r8()); break;
        case 2: a.mov(to, from.r16()); break;
        case 4: a.mov(to, from.r32()); break;
        default: a.mov(to, from);
    }
}

void Emitter::store(const IrBlock& ir, u32 id) {
    const IrInst inst = ir[id];
    const Value v = values_[inst.b];
    if (v.temporary) failed_ = true;  // no row stores what it computed
    const bool sum = is_sum(ir, inst.a);
    const Access access = access_of(ir, inst.a, inst.width / 8u);
    const asmjit::Label miss = miss_here();
    if (copying_)
        call_store(access, v);
    else
        store_value(locate(access, hartline::Access::Store, miss), ir, inst);
    if (sum) used(ir[inst.a].a);
    used(inst.a);
    used(inst.b);
    if (copying_ || group_) return;
    const asmjit::Label back = a.newLabel();
    a.bind(back);
    cold(
        [this, access, v, back] {
            call_store(access, v);
            a.jmp(back);
        },
        miss);
}

void Emitter::call_store(const Access& access, const Value& v) {
    extend_homes();
    address_into_rax(access);
    move_to(x86::rcx, v);
    give_pins_back();
    a.call(stubs_.store[static_cast<u32>(std::countr_zero(access.bytes))]);
    note_site(static_cast<u32>(a.offset()));
    after_slow();
}
}  // namespace hartline::jit
