// Where values are while an instruction is emitted.
#include "cpu/jit/emitter.hpp"

namespace hartline::jit {
namespace {
const std::array<x86::Gp, 3> kTemporaries{x86::rax, x86::rcx, x86::rdx};
}

void Emitter::count_uses(const IrBlock& ir) {
    for (u32 id = 0; id < ir.size(); ++id) values_[id] = {};
    for (const IrInst& inst : ir)
        for (const u32 id : {inst.a, inst.b, inst.c})
            if (id != kNoValue) ++values_[id].uses;
}

void Emitter::used(u32 id) {
    Value& v = values_[id];
    if (--v.uses == 0 && v.temporary) give_back(v.reg);
}

x86::Gp Emitter::take_temporary() {
    for (u32 i = 0; i < kTemporaries.size(); ++i)
        if ((free_temporaries_ >> i & 1) != 0) {
            free_temporaries_ &= ~(1u << i);
            return kTemporaries[i];
        }
    failed_ = true;
    return x86::rax;
}
void Emitter::give_back(Gp reg) {
    for (u32 i = 0; i < kTemporaries.size(); ++i)
        if (kTemporaries[i].id() == reg.id()) free_temporaries_ |= 1u << i;
}

x86::Mem Emitter::memory_of(u8 guest, u32 bytes) const { return cell(c_, &c_.cpu.s.x[guest], bytes); }
x86::Mem Emitter::float_memory(u8 guest, u32 bytes) const { return cell(c_, &c_.cpu.s.f[guest], bytes); }

void Emitter::move_to(Gp to, const Value& v) {
    switch (v.kind) {
        case Value::Kind::Immediate:
            if (v.immediate == 0)
                a.xor_(to.r32(), to.r32());
            else if (v.immediate <= 0xffff'ffff)
                a.mov(to.r32(), v.immediate);
            else
                a.mov(to, v.immediate);
            break;
        case Value::Kind::Register:
            if (to.id() != v.reg.id()) a.mov(to, v.reg);
            break;
        case Value::Kind::Memory: a.mov(to, v.mem); break;
        case Value::Kind::Float: a.vmovq(to, v.xmm); break;
        default: failed_ = true;
    }
}

x86::Gp Emitter::in_register(u32 id) {
    Value& v = values_[id];
    if (v.kind == Value::Kind::Register) return v.reg;
    const Gp reg = take_temporary();
    move_to(reg, v);
    v.kind = Value::Kind::Register;
    v.temporary = true;
    v.reg = reg;
    return reg;
}

x86::Mem Emitter::as_memory(const Value& v, u32 bytes) const {
    x86::Mem mem = v.mem;
    mem.setSize(bytes);
    return mem;
}

// The home of the guest register that alone wants the value, if nothing else needs what is in there; else a
// free one.
x86::Gp Emitter::destination(const IrBlock& ir, u32 id) {
    if (values_[id].uses != 1) return take_temporary();
    for (u32 i = id + 1; i < ir.size(); ++i) {
        if (ir[i].op != IrOp::SetX || ir[i].a != id) continue;
        const auto reg = home(ir[i].reg);
        return reg && !wanted_later(ir[id], *reg, i) ? *reg : take_temporary();
    }
    return take_temporary();
}

// Is what `reg` holds used by another instruction than `inst`, as one of the first `end` values?
bool Emitter::wanted_later(const IrInst& inst, Gp reg, u32 end) const {
    for (u32 other = 0; other < end; ++other) {
        const Value& v = values_[other];
        if (v.kind != Value::Kind::Register || v.reg.id() != reg.id()) continue;
        const int here = (inst.a == other) + (inst.b == other) + (inst.c == other);
        if (v.uses > here) return true;
    }
    return false;
}

void Emitter::result(u32 id, Gp reg) {
    Value& v = values_[id];
    v.kind = Value::Kind::Register;
    v.reg = reg;
    v.temporary = reg.id() == x86::rax.id() || reg.id() == x86::rcx.id() || reg.id() == x86::rdx.id();
    if (v.uses == 0 && v.temporary) give_back(reg);
}

// A value that is still that register's old one is saved first.
void Emitter::set_x(const IrBlock& ir, u32 id) {
    const u8 guest = ir[id].reg;
    const u32 source = ir[id].a;
    for (u32 other = 0; other < id; ++other) {
        Value& v = values_[other];
        if (other == source || v.uses == 0 || v.guest != guest || v.temporary) continue;
        const Gp saved = take_temporary();
        move_to(saved, v);
        v.kind = Value::Kind::Register;
        v.reg = saved;
        v.temporary = true;
    }
    note_written(guest, is_word(ir, source));
    if (values_[source].kind == Value::Kind::Stored) return used(source);
    const auto reg = home(guest);
    if (ir[source].op == IrOp::PcPlus) {
        const Gp to = reg ? *reg : take_temporary();
        pc_into(to, static_cast<i64>(ir[source].imm) + plan_.items[item_].offset);
        if (!reg) {
            a.mov(memory_of(guest), to);
            give_back(to);
        }
    } else if (const Value& v = values_[source]; reg) {
        move_to(*reg, v);
    } else if (v.kind == Value::Kind::Immediate && fits(v.immediate)) {
        a.mov(memory_of(guest), static_cast<i32>(v.immediate));
    } else {
        a.mov(memory_of(guest), in_register(source));
    }
    used(source);
}
}  // namespace hartline::jit
