// Entry of every hart, the M-mode and S-mode trap vectors, and the way down to S and U and back.
#include "runtime.h"
#define EACH_FROM_3 .irp n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31

    .section .text.start, "ax"
    .globl _start
_start:
    csrr    s0, mhartid
    mv      s1, a1
    li      t0, MAX_HARTS
0:  bgeu    s0, t0, 0b
    la      sp, stacks
    addi    t0, s0, 1
    li      t1, STACK_BYTES
    mul     t0, t0, t1
    add     sp, sp, t0
    csrw    mie, zero
    csrw    mscratch, zero
    // priv, "Physical Memory Protection": S and U may do nothing until an entry says so. Without PMP, go on.
    la      t0, 1f
    csrw    mtvec, t0
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, 0x1f
    csrw    pmpcfg0, t0
    .balign 4
1:  la      t0, trap_entry
    csrw    mtvec, t0
    bnez    s0, 2f
    la      t0, boot_tree
    sd      s1, 0(t0)
    call    main
    call    pass
2:  call    secondary
3:  wfi
    j       3b

// mscratch is zero in M-mode; below, it is the stack for traps.
    .text
    .balign 64
    .globl trap_entry
trap_entry:
    csrrw   sp, mscratch, sp
    bnez    sp, 1f
    csrr    sp, mscratch
1:  addi    sp, sp, -FRAME_BYTES
    sd      x1, 8(sp)
    EACH_FROM_3
    sd      x\n, (8 * \n)(sp)
    .endr
    csrr    t0, mscratch
    sd      t0, 16(sp)
    csrw    mscratch, zero
    csrr    t0, mepc
    sd      t0, FRAME_EPC(sp)
    csrr    t0, mcause
    sd      t0, FRAME_CAUSE(sp)
    csrr    t0, mtval
    sd      t0, FRAME_TVAL(sp)
    csrr    t0, mstatus
    sd      t0, FRAME_STATUS(sp)
    mv      a0, sp
    call    trap_handler
    ld      t0, FRAME_EPC(sp)
    csrw    mepc, t0
    ld      t0, FRAME_STATUS(sp)
    csrw    mstatus, t0
    srli    t0, t0, 11
    andi    t0, t0, 3
    xori    t0, t0, 3
    beqz    t0, 2f
    addi    t0, sp, FRAME_BYTES
    csrw    mscratch, t0
2:  ld      x1, 8(sp)
    EACH_FROM_3
    ld      x\n, (8 * \n)(sp)
    .endr
    ld      sp, 16(sp)
    mret

// u64 enter_lower(mode, function, argument, stack, return address): calls a function in S or U.
    .globl enter_lower
enter_lower:
    addi    sp, sp, -128
    sd      ra, 0(sp)
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd      s\n, (8 + 8 * \n)(sp)
    .endr
    csrr    t0, mstatus
    andi    t0, t0, 8
    sd      t0, 104(sp)
    la      t0, lower_caller
    sd      sp, 0(t0)
    csrw    mscratch, sp
    li      t0, 3 << 11
    csrc    mstatus, t0
    slli    a0, a0, 11
    csrs    mstatus, a0
    csrw    mepc, a1
    mv      a0, a2
    mv      sp, a3
    mv      ra, a4
    mret

// Where functions in S and U return to.
    .globl lower_return
lower_return:
    li      a7, RETURN_MAGIC
    ecall
    j       lower_return

// Ends enter_lower(), from the trap handler. a0: the result. Interrupts are enabled again if they were.
    .globl leave_lower
leave_lower:
    la      t0, lower_caller
    ld      sp, 0(t0)
    csrw    mscratch, zero
    ld      t0, 104(sp)
    ld      ra, 0(sp)
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld      s\n, (8 + 8 * \n)(sp)
    .endr
    addi    sp, sp, 128
    csrs    mstatus, t0
    ret

// stvec for programs that delegate: sscratch points to s_trap. It logs, and goes on after the instruction; an interrupt
// that was taken is disabled in sie.
    .balign 64
    .globl s_trap_entry
s_trap_entry:
    csrrw   t0, sscratch, t0
    sd      t1, 0(t0)
    sd      t2, 8(t0)
    csrr    t1, scause
    addi    t1, t1, -8
    bnez    t1, 1f
    li      t2, RETURN_MAGIC
    bne     a7, t2, 1f
    ld      t1, 0(t0)
    ld      t2, 8(t0)
    csrrw   t0, sscratch, t0
    ecall
1:  csrr    t1, scause
    ld      t2, 16(t0)
    slli    t2, t2, 3
    andi    t2, t2, 0x78
    add     t2, t2, t0
    sd      t1, 56(t2)
    ld      t2, 16(t0)
    addi    t2, t2, 1
    sd      t2, 16(t0)
    sd      t1, 24(t0)
    csrr    t2, sepc
    sd      t2, 32(t0)
    csrr    t2, stval
    sd      t2, 40(t0)
    csrr    t2, sstatus
    sd      t2, 48(t0)
    bltz    t1, 3f
    csrr    t2, sepc
    addi    t2, t2, 4
    addi    t1, t1, -1
    beqz    t1, 2f
    addi    t1, t1, -11
    bnez    t1, 4f
2:  mv      t2, ra
4:  csrw    sepc, t2
    j       5f
3:  li      t2, 1
    sll     t2, t2, t1
    csrc    sie, t2
5:  ld      t1, 0(t0)
    ld      t2, 8(t0)
    csrrw   t0, sscratch, t0
    sret

// Single accesses, for any mode. No stack, no data: they also run at an alias of their address.
#define PROBE(name, ...) .globl name; name: __VA_ARGS__; ret
    .option push
    .option norvc
PROBE(probe_lb, lb a0, 0(a0))
PROBE(probe_lbu, lbu a0, 0(a0))
PROBE(probe_lh, lh a0, 0(a0))
PROBE(probe_lhu, lhu a0, 0(a0))
PROBE(probe_lw, lw a0, 0(a0))
PROBE(probe_lwu, lwu a0, 0(a0))
PROBE(probe_ld, ld a0, 0(a0))
PROBE(probe_sb, sb zero, 0(a0))
PROBE(probe_sh, sh zero, 0(a0))
PROBE(probe_sw, sw zero, 0(a0))
PROBE(probe_sd, sd a0, 0(a0))
PROBE(probe_lr, lr.d a0, (a0))
PROBE(probe_amo, amoor.d a0, zero, (a0))
    .globl probe_jump
probe_jump:
    jr      a0
    .globl probe_ret
probe_ret:
    ret
    .option pop

    .section .bss
    .balign 16
stacks:
    .zero   MAX_HARTS * STACK_BYTES
    .globl lower_stack_end
    .zero   STACK_BYTES
lower_stack_end:
    .globl boot_tree
    .balign 8
boot_tree:
    .zero   8
lower_caller:
    .zero   8
