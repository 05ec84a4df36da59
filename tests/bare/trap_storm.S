// Traps for ever in its own trap handler: nothing retires, and the machine must still come to an end from outside. Run
// with a limit of instructions. With -DNOWHERE the handler is not in memory at all.
// oracle: QEMU 7.2 and Spike run it without an end, too
#include "runtime.h"

    .text
    .globl  main
main:
#ifdef NOWHERE
    li      t0, HOLE
#else
    la      t0, 1f
#endif
    csrw    mtvec, t0
    .balign 4
1:  unimp
    j       1b
