// System instructions that kernels execute all the time: system calls and returns from them, the CSRs of a
// trap handler, and masking interrupts.
#include "cpu/csr.hpp"
#include "cpu/jit/emitter.hpp"

namespace hartline::jit {
namespace {
constexpr i32 kSstatusNumber = 0x100;
constexpr i32 kCacheBlock = 64;  // bytes
}  // namespace

// The CSR's place, when reading and writing it is no more than that.
const u64* Emitter::plain_csr(i32 number) const {
    switch (number) {
        case 0x140: return &c_.cpu.s.sscratch;
        case 0x141: return &c_.cpu.s.sepc;
        case 0x142: return &c_.cpu.s.scause;
        case 0x143: return &c_.cpu.s.stval;
        default: return nullptr;
    }
}

void Emitter::write_x(u8 guest, Gp from) {
    if (guest == 0) return;
    const auto reg = home(guest);
    if (reg)
        a.mov(*reg, from);
    else
        a.mov(memory_of(guest), from);
    note_written(guest, false);
}
void Emitter::read_x(Gp to, u8 guest) {
    if (guest == 0)
        a.xor_(to.r32(), to.r32());
    else if (const auto reg = home(guest))
        a.mov(to, *reg);
    else
        a.mov(to, memory_of(guest));
}

// false: by the interpreter's handler. In U-mode, and where more would follow than the write, that too.
bool Emitter::system(u32 index) {
    const Decoded& decoded = plan_.items[index].decoded;
    const Operands& o = decoded.operands;
    // Stores to code are noticed as they happen, and end the unit, except between harts on threads.
    if (decoded.op == Op::FENCE_I && !parallel()) return true;
    if (decoded.op == Op::PAUSE && c_.cpu.port.alone()) return true;
    if (decoded.op == Op::CBO_ZERO) return zero_block(index);
    if ((decoded.op == Op::ECALL || decoded.op == Op::SRET) && !uses_fp()) return change_mode(index);
    if (accesses_fflags(plan_.items[index])) return exchange_fflags(index);
    const bool sets = decoded.op == Op::CSRRS, sets_bits = decoded.op == Op::CSRRSI;
    const bool reads = sets && o.rs1 == 0, clears_bits = decoded.op == Op::CSRRCI;
    const u64* const plain = plain_csr(o.imm);
    const bool sstatus = o.imm == kSstatusNumber;
    const bool masks = sstatus && (sets || ((sets_bits || clears_bits) && o.rs1 == mstatus::kSie));
    const bool changes_sum = sstatus && o.rd == 0 && o.rs1 != 0 && (sets || decoded.op == Op::CSRRC);
    const bool clears_fs = sstatus && o.rd != 0 && o.rs1 != 0 && decoded.op == Op::CSRRC && !uses_fp();
    const bool restores = sstatus && o.rd == 0 && decoded.op == Op::CSRRW && !uses_fp();
    if (!(plain != nullptr && (reads || decoded.op == Op::CSRRW)) && !masks && !changes_sum && !clears_fs &&
        !restores)
        return false;
    const asmjit::Label away = a.newLabel(), back = a.newLabel();
    a.cmp(cell_of(&c_.cpu.s.privilege, 1), 0);
    a.je(away);
    if (changes_sum) change_sum(o.rs1, sets, away, back);
    if (clears_fs) clear_fs(o, away);
    if (restores) restore_status(o.rs1, away);
    if (plain != nullptr)
        exchange_csr(plain, o, reads);
    else if (masks)
        mask_interrupts(o, !clears_bits, sets && !reads, reads, away);
    a.bind(back);
    hand_over_at(away, index, back);
    return true;
}

// In S-mode, of a block that the TLB has: kernels clear pages by it.
bool Emitter::zero_block(u32 index) {
    const asmjit::Label away = a.newLabel(), back = a.newLabel();
    a.cmp(cell_of(&c_.cpu.s.privilege, 1), static_cast<u32>(Privilege::Supervisor));
    a.jne(away);
    a.test(cell_of(&c_.cpu.s.menvcfg, 1), static_cast<i32>(envcfg::kCbze));
    a.jz(away);
    probe_aligned(plan_.items[index].decoded.operands.rs1, 1, hartline::Access::Store, away);
    a.and_(x86::rdx, -kCacheBlock);
    a.vpxor(x86::xmm0, x86::xmm0, x86::xmm0);
    for (i32 at = 0; at < kCacheBlock; at += 32) a.vmovdqa(x86::ptr(x86::rdx, at, 32), x86::ymm0);
    a.bind(back);
    hand_over_at(away, index, back);
    return true;
}

// Around accesses to a user's memory kernels set SUM, and clear it.
void Emitter::change_sum(u8 register_number, bool sets, const asmjit::Label& away,
                         const asmjit::Label& back) {
    read_x(x86::rcx, register_number);
    a.cmp(x86::rcx, static_cast<i32>(mstatus::kSum));
    if (!sets) {
        a.jne(away);
        a.xor_(x86::ecx, x86::ecx);
        a.call(stubs_.change_sum);
        return void(a.jnz(away));
    }
    const asmjit::Label sum = a.newLabel();
    a.je(sum);
    cold(
        [this, away, back] {
            a.call(stubs_.change_sum);
            a.jnz(away);
            a.jmp(back);
        },
        sum);
}

void Emitter::exchange_csr(const u64* plain, const Operands& o, bool reads) {
    const bool even = plain == &c_.cpu.s.sepc;  // an instruction's address
    a.mov(x86::rax, cell_of(plain));
    if (!reads) {
        read_x(x86::rcx, o.rs1);
        if (even) a.and_(x86::rcx, -2);
        a.mov(cell_of(plain), x86::rcx);
    }
    write_x(o.rd, x86::rax);
}

// Changes rdx.
void Emitter::sstatus_into_rax() {
    constexpr auto kFs = static_cast<i32>(mstatus::kFs);
    a.mov(x86::rdx, cell_of(&c_.cpu.s.mstatus));
    a.mov(x86::eax, x86::edx);
    a.and_(x86::eax, kFs);
    a.cmp(x86::eax, kFs);
    a.sete(x86::al);
    a.movzx(x86::eax, x86::al);
    a.shl(x86::rax, 63);  // SD
    a.or_(x86::rax, x86::rdx);
    a.mov(x86::rdx, mstatus::kSstatus | mstatus::kUxl64 | mstatus::kSd);
    a.and_(x86::rax, x86::rdx);
}

// At the beginning of a trap handler: sstatus is read, and FS cleared. What would clear more that is set goes
// the long way. This and the next only where the unit has no floating point, or it would take FS for granted.
void Emitter::clear_fs(const Operands& o, const asmjit::Label& away) {
    constexpr auto kFs = static_cast<i32>(mstatus::kFs), kOthers = static_cast<i32>(mstatus::kSstatus) & ~kFs;
    const x86::Mem status = cell_of(&c_.cpu.s.mstatus);
    read_x(x86::rcx, o.rs1);
    a.mov(x86::edx, status.cloneResized(4));
    a.and_(x86::edx, x86::ecx);
    a.test(x86::edx, kOthers);
    a.jnz(away);
    sstatus_into_rax();
    a.and_(x86::ecx, kFs);
    a.not_(x86::rcx);
    a.and_(status, x86::rcx);
    write_x(o.rd, x86::rax);
}

// At its end: sstatus is written, of which FS and the stack of modes alone may change.
void Emitter::restore_status(u8 source, const asmjit::Label& away) {
    constexpr auto kAll = static_cast<i32>(mstatus::kSstatus),
                   kThese = static_cast<i32>(mstatus::kFs | mstatus::kSpp | mstatus::kSpie);
    const x86::Mem status = cell_of(&c_.cpu.s.mstatus);
    read_x(x86::rcx, source);
    a.xor_(x86::rcx, status);
    a.and_(x86::ecx, kAll);
    a.test(x86::ecx, ~kThese);
    a.jnz(away);
    a.xor_(status, x86::rcx);
}

// An ECALL in U-mode, and an SRET to there.
bool Emitter::change_mode(u32 index) {
    const Item& item = plan_.items[index];
    const asmjit::Label away = a.newLabel();
    const bool calls = item.decoded.op == Op::ECALL;
    a.call(calls ? stubs_.call_supervisor : stubs_.return_to_user);
    a.jnz(away);
    cold([this, index] { hand_over(index); }, away);
    give_pins_back();
    const x86::Mem sepc = cell_of(&c_.cpu.s.sepc);
    if (calls) {
        pc_into(x86::rax, item.offset);
        a.mov(sepc, x86::rax);
        a.mov(x86::rax, cell_of(&c_.cpu.s.stvec));
        a.and_(x86::rax, ~3);
    } else {
        a.mov(x86::rax, sepc);
    }
    by_jump_cache();
    return true;
}

// Reads sstatus, and sets or clears SIE. What enables interrupts while one is pending goes the long way.
void Emitter::mask_interrupts(const Operands& o, bool sets, bool by_register, bool reads,
                              const asmjit::Label& away) {
    constexpr auto kSie = static_cast<i32>(mstatus::kSie);
    if (by_register) {
        read_x(x86::rcx, o.rs1);
        a.test(x86::rcx, ~kSie);
        a.jnz(away);
    }
    if (sets && !reads) {
        a.mov(x86::rax, cell_of(&c_.cpu.lines));
        a.or_(x86::rax, cell_of(&c_.cpu.s.mip_software));
        a.test(cell_of(&c_.cpu.s.mie), x86::rax);
        a.jnz(away);
    }
    const x86::Mem status = cell_of(&c_.cpu.s.mstatus);
    if (o.rd != 0) sstatus_into_rax();
    if (by_register)
        a.or_(status, x86::rcx);
    else if (!reads)
        sets ? a.or_(status, kSie) : a.and_(status, ~kSie);
    write_x(o.rd, x86::rax);
}
}  // namespace hartline::jit
