// The test finisher reports a failure: code 3 becomes the exit code.
//
// oracle: QEMU 7.2
#include "runtime.h"

int main(void) {
    note("fails on purpose");
    // What is no command does nothing.
    write32(FINISHER, 0);
    write32(FINISHER, 0x1234);
    write16(FINISHER, 0x0001);
    finish(3);
}
