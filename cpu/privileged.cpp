// Instructions of the privileged architecture besides CSR accesses, and the hints that give way to other
// harts.
#include "cpu/counters.hpp"
#include "cpu/csr.hpp"

namespace hartline {
namespace {
bool in_supervisor(const Cpu& cpu) { return cpu.s.privilege == Privilege::Supervisor; }
bool in_user(const Cpu& cpu) { return cpu.s.privilege == Privilege::User; }
bool has_status(const Cpu& cpu, u64 field) { return (cpu.s.mstatus & field) != 0; }

// The part that mret and sret share. They retire in the mode that they leave.
void return_to(Cpu& cpu, Privilege privilege, u64 status, u64 pc) {
    if (privilege != Privilege::Machine) status &= ~mstatus::kMprv;
    if (cpu.s.counters_by_mode) counters::settle(cpu.s, cpu.engine->retired_now() + 1);
    cpu.s.mstatus = status;
    cpu.s.reserved = false;  // an SC after a trap fails
    cpu.next_pc = pc;
    set_privilege(cpu, privilege);
    if (cpu.notes != nullptr) note_csr(cpu, 0x300);
}

// priv, "Supervisor Memory-Management Fence Instruction". x0 as rs1 or rs2 means all.
Outcome fence(Cpu& cpu, const Operands& o) {
    if (in_user(cpu) || (in_supervisor(cpu) && has_status(cpu, mstatus::kTvm))) return cpu.illegal();
    const unsigned rs1 = o.rs1 % 32, rs2 = o.rs2 % 32;
    const u64 vaddr = cpu.s.x[rs1], asid = cpu.s.x[rs2] & 0xffff;
    if (rs1 == 0 && rs2 == 0)
        cpu.tlb.flush_all();
    else if (rs1 == 0)
        cpu.tlb.flush_asid(asid);
    else if (rs2 == 0)
        cpu.tlb.flush_address(vaddr);
    else
        cpu.tlb.flush_address_asid(vaddr, asid);
    update_regimes(cpu);
    return Outcome::Done;
}

Outcome give_way(Cpu& cpu) {
    cpu.gave_way = true;
    cpu.engine->stop_after_this();
    return Outcome::Done;
}
}  // namespace

namespace system {
Outcome ecall(Cpu& cpu, const Operands&) {
    switch (cpu.s.privilege) {
        case Privilege::User: return cpu.trap(Cause::EcallU, 0);
        case Privilege::Supervisor: return cpu.trap(Cause::EcallS, 0);
        default: return cpu.trap(Cause::EcallM, 0);
    }
}

Outcome ebreak(Cpu& cpu, const Operands&) { return cpu.trap(Cause::Breakpoint, cpu.s.pc); }

Outcome mret(Cpu& cpu, const Operands&) {
    if (cpu.s.privilege != Privilege::Machine) return cpu.illegal();
    const u64 old = cpu.s.mstatus;
    const auto to = static_cast<Privilege>(bits(old, mstatus::kMppShift + 1, mstatus::kMppShift));
    u64 status = (old & ~(mstatus::kMpp | mstatus::kMie)) | mstatus::kMpie;
    if ((old & mstatus::kMpie) != 0) status |= mstatus::kMie;
    return_to(cpu, to, status, cpu.s.mepc);
    return Outcome::Done;
}

Outcome sret(Cpu& cpu, const Operands&) {
    if (in_user(cpu) || (in_supervisor(cpu) && has_status(cpu, mstatus::kTsr))) return cpu.illegal();
    const u64 old = cpu.s.mstatus;
    const Privilege to = (old & mstatus::kSpp) != 0 ? Privilege::Supervisor : Privilege::User;
    u64 status = (old & ~(mstatus::kSpp | mstatus::kSie)) | mstatus::kSpie;
    if ((old & mstatus::kSpie) != 0) status |= mstatus::kSie;
    return_to(cpu, to, status, cpu.s.sepc);
    return Outcome::Done;
}

// priv, "Virtualization Support in mstatus Register": the bounded time after which TW traps is none.
Outcome wfi(Cpu& cpu, const Operands&) {
    if (in_user(cpu) || (in_supervisor(cpu) && has_status(cpu, mstatus::kTw))) return cpu.illegal();
    if (!interrupt_wakes(cpu)) cpu.s.waiting = true;
    return give_way(cpu);
}

Outcome pause(Cpu& cpu, const Operands&) { return cpu.port.alone() ? Outcome::Done : give_way(cpu); }

// A stall may end for any reason: this one does so before TW could make wrs.nto trap.
Outcome wait_on_reservation(Cpu& cpu, const Operands& o) { return pause(cpu, o); }

Outcome sfence_vma(Cpu& cpu, const Operands& o) { return fence(cpu, o); }
Outcome sinval_vma(Cpu& cpu, const Operands& o) { return fence(cpu, o); }

// "Svinval": not subject to TVM.
Outcome sfence_inval(Cpu& cpu, const Operands&) { return in_user(cpu) ? cpu.illegal() : Outcome::Done; }

// Stores to code are noticed as they happen, except between harts on threads.
Outcome fence_i(Cpu& cpu, const Operands&) {
    if (cpu.port.parallel()) cpu.engine->code_changed_elsewhere();
    return Outcome::Done;
}
}  // namespace system
}  // namespace hartline
