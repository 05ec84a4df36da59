// How a program of riscv-arch-test starts, ends and marks its signature on Hartline. The names are the framework's
// ("Test Format Specification"); the ones without a body have nothing to do here.
#ifndef HARTLINE_MODEL_TEST_H
#define HARTLINE_MODEL_TEST_H

#define RVMODEL_BOOT

// HTIF: 1 in tohost ends the machine with exit code 0.
#define RVMODEL_HALT           \
    la t0, tohost;             \
    li t1, 1;                  \
    sd t1, 0(t0);              \
    j .;

// Hartline finds both words, and the signature's bounds, by their symbols.
#define RVMODEL_DATA_BEGIN                      \
    .pushsection .tohost, "aw", @progbits;      \
    .balign 64;                                 \
    .global tohost;                             \
    .type tohost, @object;                      \
    .size tohost, 8;                            \
tohost:                                         \
    .dword 0;                                   \
    .balign 64;                                 \
    .global fromhost;                           \
    .type fromhost, @object;                    \
    .size fromhost, 8;                          \
fromhost:                                       \
    .dword 0;                                   \
    .popsection;                                \
    .balign 16;                                 \
    .global begin_signature;                    \
begin_signature:

#define RVMODEL_DATA_END                        \
    .balign 16;                                 \
    .global end_signature;                      \
end_signature:

// Nothing is printed: the signature tells all.
#define RVMODEL_IO_INIT
#define RVMODEL_IO_WRITE_STR(register, text)
#define RVMODEL_IO_CHECK()
#define RVMODEL_IO_ASSERT_GPR_EQ(scratch, register, value)
#define RVMODEL_IO_ASSERT_SFPR_EQ(scratch, register, value)
#define RVMODEL_IO_ASSERT_DFPR_EQ(scratch, register, value)

// The ACLINT of QEMU's virt board: hart 0's software interrupt, and its timer compare far away.
#define RVMODEL_SET_MSW_INT    \
    li t0, 0x2000000;          \
    li t1, 1;                  \
    sw t1, 0(t0);
#define RVMODEL_CLEAR_MSW_INT  \
    li t0, 0x2000000;          \
    sw zero, 0(t0);
#define RVMODEL_CLEAR_MTIMER_INT \
    li t0, 0x2004000;          \
    li t1, -1;                 \
    sd t1, 0(t0);
#define RVMODEL_CLEAR_MEXT_INT
// The framework's handlers use these shorter names too.
#define RVMODEL_CLR_MSW_INT RVMODEL_CLEAR_MSW_INT
#define RVMODEL_CLR_MTIMER_INT RVMODEL_CLEAR_MTIMER_INT
#define RVMODEL_CLR_MEXT_INT RVMODEL_CLEAR_MEXT_INT

#endif
