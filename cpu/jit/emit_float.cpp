// Floating point in a unit: what is lowered, where f registers are, and the host's control register.
#include <algorithm>
#include <utility>

#include "cpu/jit/emitter.hpp"
#include "cpu/jit/float_use.hpp"

namespace hartline::jit {
namespace {
constexpr unsigned kFewestUses = 2;  // of an f register, for a home to be worth it

bool rounds_as_host_can(const IrInst& inst) {
    return inst.rounding == kDynamicRounding ||
           inst.rounding < static_cast<u8>(fp::Rounding::NearestMaxMagnitude);
}
}  // namespace

bool Emitter::float_lowerable(const IrInst& inst) const {
    switch (inst.op) {
        case IrOp::Box:
        case IrOp::Unbox: return inst.width == 32;
        case IrOp::Fp: break;
        default: return true;
    }
    switch (inst.fp_op) {
#define FLOAT_LOWERED(name) \
    case fp::Op::name##S:   \
    case fp::Op::name##D:
        FLOAT_LOWERED(Add)
        FLOAT_LOWERED(Sub)
        FLOAT_LOWERED(Mul)
        FLOAT_LOWERED(Div)
        FLOAT_LOWERED(Sqrt)
        FLOAT_LOWERED(MulAdd)
        FLOAT_LOWERED(Min)
        FLOAT_LOWERED(Max)
        FLOAT_LOWERED(MinM)
        FLOAT_LOWERED(MaxM)
        FLOAT_LOWERED(Eq)
        FLOAT_LOWERED(Lt)
        FLOAT_LOWERED(Le)
        FLOAT_LOWERED(LtQ)
        FLOAT_LOWERED(LeQ)
        FLOAT_LOWERED(Round)
        FLOAT_LOWERED(RoundNx)
        FLOAT_LOWERED(ToI32)
        FLOAT_LOWERED(ToU32)
        FLOAT_LOWERED(ToI64)
        FLOAT_LOWERED(ToU64)
        FLOAT_LOWERED(FromI32)
        FLOAT_LOWERED(FromU32)
        FLOAT_LOWERED(FromI64)
        FLOAT_LOWERED(FromU64)
#undef FLOAT_LOWERED
        case fp::Op::SToD:
        case fp::Op::DToS: return rounds_as_host_can(inst);
        default: return false;
    }
}

// Of what reaches an f register: an operation's result, or the three ways to take a sign.
bool Emitter::float_shapes(const IrBlock& ir) const {
    const auto is = [&](u32 id, IrOp op) { return id != kNoValue && ir[id].op == op; };
    const auto masked = [&](u32 id) { return is(id, IrOp::And) && is(ir[id].b, IrOp::Imm); };
    return std::all_of(ir.begin(), ir.end(), [&](const IrInst& inst) {
        if (inst.op != IrOp::SetF) return true;
        const IrInst& source = is(inst.a, IrOp::Box) ? ir[ir[inst.a].a] : ir[inst.a];
        switch (source.op) {
            case IrOp::Load:
            case IrOp::GetX:
            case IrOp::Imm:
            case IrOp::Fp: return true;
            case IrOp::Or: return masked(source.a) && masked(source.b);
            case IrOp::Xor: return masked(source.b);
            default: return false;
        }
    });
}

void Emitter::choose_float_homes() {
    std::array<unsigned, 32> singles{}, doubles{};
    const auto mention = [&](FloatWidth width, u8 reg) {
        singles[reg] += width == FloatWidth::Single;
        doubles[reg] += width == FloatWidth::Double;
    };
    for (const Item& item : plan_.items) {
        const FloatUse& use = float_use(item.decoded.op);
        const Operands& o = item.decoded.operands;
        fp_arithmetic_ |= (use.arithmetic && !use.half) || accesses_fflags(item);
        mention(use.reads[0], o.rs1);
        mention(use.reads[1], o.rs2);
        mention(use.reads[2], o.rs3);
        if (!is_floating_point(row(item.decoded.op).extension)) continue;
        mention(use.writes, o.rd);
        if (use.writes != FloatWidth::None) kept_ |= u32{1} << o.rd;
    }
    while (float_homes_used_ < kFloatHomes) {
        u8 best = 0;
        for (u8 reg = 1; reg < 32; ++reg)
            if (singles[reg] + doubles[reg] > singles[best] + doubles[best]) best = reg;
        if (singles[best] + doubles[best] < kFewestUses) break;
        float_homes_[float_homes_used_] = {best, singles[best] > doubles[best]};
        float_home_of_[best] = static_cast<u8>(++float_homes_used_);
        singles[best] = doubles[best] = 0;
    }
    for (u8 reg = 0; reg < 32; ++reg)
        if (float_home_of_[reg] == 0 || single_home(reg)) kept_ &= ~(u32{1} << reg);
    unchecked_at_.assign(plan_.items.size(), 0);
    reloads_ = fp_arithmetic_ || float_homes_used_ != 0;
    if (reloads_) reload_floats_ = a.newLabel();
    if (kept_ != 0) store_floats_ = a.newLabel();
}

// FS is looked at once a unit: nothing in it changes FS, and where it is Dirty nothing more can become so.
void Emitter::float_guard() {
    if (!uses_fp()) return;
    constexpr i32 kFs = 3 << 13;
    const asmjit::Label off = a.newLabel();
    a.mov(x86::eax, cell_of(&c_.cpu.s.mstatus, 4));
    a.not_(x86::eax);
    a.test(x86::eax, kFs);
    a.jnz(off);
    cold([this] { leave_at_entry(); }, off);
    if (!fp_arithmetic_) return;
    const asmjit::Label put_away = a.newLabel(), on = a.newLabel();
    a.cmp(cell_of(&c_.fp_live, 1), 0);
    a.je(put_away);
    a.bind(on);
    cold(
        [this, on, off] {
            a.cmp(cell_of(&c_.cpu.s.frm, 4), static_cast<u8>(fp::Rounding::Up));
            a.ja(off);
            a.call(stubs_.fp_on);
            a.jmp(on);
        },
        put_away);
}

// Reading or writing the flags and no more (compilers save and restore them around comparisons).
bool Emitter::accesses_fflags(const Item& item) {
    constexpr i32 kFflags = 1;
    const Operands& o = item.decoded.operands;
    return o.imm == kFflags && (item.decoded.op == Op::CSRRW || (item.decoded.op == Op::CSRRS && o.rs1 == 0));
}

// Some flags are in the host's control register, the others in memory.
bool Emitter::exchange_fflags(u32 index) {
    const Decoded& decoded = plan_.items[index].decoded;
    const Operands& o = decoded.operands;
    const bool writes = decoded.op == Op::CSRRW;
    const x86::Mem fflags = cell_of(&c_.cpu.s.fflags, 4);
    if (o.rd != 0) {
        a.vstmxcsr(cell_of(&c_.mxcsr_guest, 4));
        a.mov(x86::eax, cell_of(&c_.mxcsr_guest, 4));
        a.and_(x86::eax, kMxcsrFlags);
        a.movzx(x86::eax, x86::ptr(kContext, x86::rax, 0, displacement(c_, &c_.floats.fflags), 1));
        a.or_(x86::eax, fflags);
    }
    if (writes) {
        read_x(x86::rcx, o.rs1);
        a.and_(x86::ecx, 0x1f);
        a.mov(fflags, x86::ecx);
        a.vldmxcsr(cell_of(&c_.mxcsr_clear, 4));
    }
    write_x(o.rd, x86::rax);
    return true;
}

void Emitter::load_float_home(u32 home) {
    const auto [guest, single] = float_homes_[home];
    const x86::Xmm to = x86::xmm(kFirstFloatHome + home);
    if (!single) return void(a.vmovsd(to, float_memory(guest)));
    const asmjit::Label other = a.newLabel(), back = a.newLabel();
    x86::Mem high = float_memory(guest, 4);
    high.addOffset(4);
    a.vmovss(to, float_memory(guest, 4));
    a.cmp(high, -1);
    a.jne(other);
    a.bind(back);
    cold(
        [this, to, back] {
            a.vmovss(to, cell_of(&c_.floats.nan_s, 4));
            a.jmp(back);
        },
        other);
}

void Emitter::load_float_homes() {
    for (u32 home = 0; home < float_homes_used_; ++home) load_float_home(home);
}

// Before C++ is called, or the unit is left.
void Emitter::store_float_homes() {
    if (kept_ == 0) return;
    check_nans();
    a.call(store_floats_);
}

// What is called before and behind whatever calls C++.
void Emitter::reload_floats() {
    if (kept_ != 0) {
        a.align(asmjit::AlignMode::kCode, 16);
        a.bind(store_floats_);
        for (u8 guest = 0; guest < 32; ++guest)
            if (kept(guest)) a.vmovsd(float_memory(guest), *float_home(guest));
        a.ret();
    }
    if (!reloads_) return;
    a.align(asmjit::AlignMode::kCode, 16);
    a.bind(reload_floats_);
    if (fp_arithmetic_) a.call(stubs_.fp_on);
    load_float_homes();
    a.ret();
}

// Labels are come to with canonical NaNs only; at those of a group's copy the state is that of the original.
void Emitter::start_floats_of_item(u32 index) {
    if (copying_) {
        implied_.fill(0);
        unchecked_ |= unchecked_at_[index];
        boxed_ = 0;
        return;
    }
    if (is_target_[index]) {
        check_nans();
        boxed_ = 0;
    }
    unchecked_at_[index] = unchecked_;
}

// Before an instruction: which of its values belong to a SetF, and are made there.
void Emitter::start_floats(const IrBlock& ir) {
    float_values_ = 0;
    unchecked_before_ = unchecked_;
    handed_over_ = asmjit::Label();
    const auto mark = [&](const auto& self, u32 id) -> void {
        if (id == kNoValue || ir[id].op == IrOp::Load || ir[id].op == IrOp::GetX || ir[id].op == IrOp::Imm)
            return;
        float_values_ |= u64{1} << id;
        for (const u32 operand : {ir[id].a, ir[id].b, ir[id].c}) self(self, operand);
    };
    for (const IrInst& inst : ir)
        if (inst.op == IrOp::SetF) mark(mark, inst.a);
}

// Where the instruction under way goes when the interpreter is to do it after all: nothing has changed yet
// (but for flags that it raises anyhow, and the register that it writes).
const asmjit::Label& Emitter::handed_over() {
    if (!handed_over_.isValid()) {
        handed_over_ = a.newLabel();
        behind_handed_ = a.newLabel();
    }
    return handed_over_;
}

void Emitter::end_floats(u32 index) {
    if (!handed_over_.isValid()) return;
    a.bind(behind_handed_);
    const u32 after = std::exchange(unchecked_, unchecked_before_);
    hand_over_at(handed_over_, index, behind_handed_);
    unchecked_ = after;
}
}  // namespace hartline::jit
