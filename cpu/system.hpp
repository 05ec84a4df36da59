// Instructions whose whole work is a function on the hart: CSRs, traps, fences, cache blocks.
// Both engines call the same function.
#pragma once
#include "core/types.hpp"
#include "cpu/operands.hpp"

namespace hartline {

struct Cpu;

// What a system function leaves behind. In all cases the block ends; interrupts and the budget are looked at.
enum class Outcome : u8 {
    Done,  // retired; execution goes on at Cpu::next_pc
    Trap,  // did not retire; Cpu::pending holds the trap
};
using SystemFunction = Outcome (*)(Cpu&, const Operands&);

// The read-modify-write operations of the A extension, Zacas excepted.
enum class AmoOp : u8 { Swap, Add, Xor, And, Or, Min, Max, MinU, MaxU };

namespace system {
// "Zicsr": imm is the CSR number; the immediate forms take rs1 as the operand itself. (csr.cpp)
Outcome csrrw(Cpu&, const Operands&);
Outcome csrrs(Cpu&, const Operands&);
Outcome csrrc(Cpu&, const Operands&);
Outcome csrrwi(Cpu&, const Operands&);
Outcome csrrsi(Cpu&, const Operands&);
Outcome csrrci(Cpu&, const Operands&);
// Traps and privilege. (privileged.cpp)
Outcome ecall(Cpu&, const Operands&);
Outcome ebreak(Cpu&, const Operands&);
Outcome mret(Cpu&, const Operands&);
Outcome sret(Cpu&, const Operands&);
Outcome wfi(Cpu&, const Operands&);
Outcome pause(Cpu&, const Operands&);                // Zihintpause: gives way to other harts
Outcome wait_on_reservation(Cpu&, const Operands&);  // Zawrs: may end its stall at once; gives way
Outcome sfence_vma(Cpu&, const Operands&);
Outcome sinval_vma(Cpu&, const Operands&);
Outcome sfence_inval(Cpu&, const Operands&);  // sfence.w.inval and sfence.inval.ir: order only
Outcome fence_i(Cpu&, const Operands&);
// Zicbom, Zicboz: the address is x[rs1]. (cache_blocks in memory.cpp)
Outcome cbo_inval(Cpu&, const Operands&);
Outcome cbo_clean(Cpu&, const Operands&);
Outcome cbo_flush(Cpu&, const Operands&);
Outcome cbo_zero(Cpu&, const Operands&);
// Zacas: 128 bits in register pairs. (atomics.cpp)
Outcome amocas_q(Cpu&, const Operands&);
}  // namespace system
}  // namespace hartline
