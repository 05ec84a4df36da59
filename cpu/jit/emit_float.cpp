// Floating point.
#include "cpu/jit/emitter.hpp"

namespace hartline::jit {

bool Emitter::float_lowerable(const IrInst& inst) const {
    switch (inst.op) {
        case IrOp::FpGuard:
        case IrOp::GetF:
        case IrOp::SetF: return true;
        case IrOp::Box: return inst.width == 32;
        default: return false;
    }
}

// FS is looked at once a unit: nothing in it changes FS, and where it is Dirty nothing more can become so.
void Emitter::float_guard() {
    if (!uses_fp()) return;
    constexpr i32 kFs = 3 << 13;
    const asmjit::Label off = a.newLabel();
    const i32 first = plan_.items[0].offset, charged = plan_.items[0].remaining;
    a.mov(x86::eax, cell_of(&c_.cpu.s.mstatus, 4));
    a.and_(x86::eax, kFs);
    a.cmp(x86::eax, kFs);
    a.jne(off);
    cold([this, first, charged] { leave_for_budget(charged, first); }, off);
}

void Emitter::floating(const IrBlock& ir, u32 id) {
    const IrInst& inst = ir[id];
    switch (inst.op) {
        case IrOp::GetF:
            values_[id].kind = Value::Kind::Memory;
            values_[id].mem = float_memory(inst.reg);
            return;
        case IrOp::SetF: {
            const bool boxed = ir[inst.a].op == IrOp::Box;
            const u32 source = boxed ? ir[inst.a].a : inst.a;
            if (boxed) {
                a.mov(float_memory(inst.reg, 4), in_register(source).r32());
                x86::Mem high = float_memory(inst.reg, 4);
                high.addOffset(4);
                a.mov(high, -1);
            } else {
                a.mov(float_memory(inst.reg), in_register(source));
            }
            if (boxed) used(inst.a);
            used(source);
            return;
        }
        default: return;  // Box: where it is used; FpGuard: float_guard()
    }
}
}  // namespace hartline::jit
