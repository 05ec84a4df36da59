// The 16550A UART: registers, the transmitter's interrupt, FIFOs and their trigger, loopback, modem lines.
//
// oracle: QEMU 7.2; Spike's UART has no FIFO, loopback or modem status. Checks 61 and 63 rest on the
// PC16550D's data sheet alone ("Modem Status Register": its low half notes changes, in loopback too).
#include "runtime.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = 2 };
enum { RDI = 1, THRI = 2, RLSI = 4, MSI_ = 8 };
static u8 get(u64 which) { return (u8)read8(UART + which); }
static void put(u64 which, u64 value) { write8(UART + which, (u8)value); }
static u8 reason(void) { return get(IIR) & 0xf; }
// Received data wait; where time is the host's, the timeout may have come as well.
static bool received(void) {
    const u8 why = reason();
    return why == 4 || (ORACLE_QEMU && why == 0xc);
}
static bool ready(void) {
    for (u32 i = 0; i < 1000000; ++i)
        if ((get(LSR) & 1) != 0) return true;
    return false;
}

static void registers(void) {
    check(1, (get(LSR) & 0x60) == 0x60);  // THRE and TEMT: nothing is being sent
    check(2, (get(LSR) & 0x1f) == 0);
    for (u64 value = 0; value < 256; value += 51) {
        put(SCR, value);
        check(3, get(SCR) == value);
    }
    // The divisor is behind DLAB, and IER is not.
    put(IER, 0);
    put(LCR, 0x83);
    const u8 low = get(DATA), high = get(IER);
    put(DATA, 0x34);
    put(IER, 0x12);
    check(4, get(DATA) == 0x34 && get(IER) == 0x12 && get(LCR) == 0x83);
    put(DATA, low);
    put(IER, high);
    put(LCR, 3);
    check(5, get(LCR) == 3 && get(IER) == 0);
    put(IER, 0xff);
    check(6, get(IER) == 0x0f);  // the upper half is not there
    put(IER, 0);
    put(LSR, 0);  // cannot be written to any effect
    check(7, (get(LSR) & 0x60) == 0x60);
}

static void transmitter(void) {
    put(IER, 0);
    check(10, reason() == 1);  // nothing
    put(IER, THRI);
    check(11, reason() == THRI);
    check(12, reason() == 1);  // reading has cleared it
    put(DATA, '\n');
    check(13, reason() == THRI && reason() == 1);
    // Off and on again asks again.
    put(IER, 0);
    check(14, reason() == 1);
    put(IER, THRI);
    check(15, reason() == THRI);
    // Reading LSR does not clear it.
    put(DATA, '\n');
    check(16, (get(LSR) & 0x20) != 0 && reason() == THRI);
    put(IER, 0);
}

static void fifo_bits(void) {
    put(FCR, 0);
    check(20, (get(IIR) & 0xc0) == 0);
    put(FCR, 1);
    check(21, (get(IIR) & 0xc0) == 0xc0);
    put(FCR, 7);  // and clear both
    check(22, (get(IIR) & 0xc0) == 0xc0 && (get(LSR) & 0x61) == 0x60);
    put(FCR, 0);
    check(23, (get(IIR) & 0xc0) == 0);
}

// What is sent in loopback is received, and seen by nobody else.
static void loopback(void) {
    put(FCR, 0);
    put(MCR, 0x10);
    check(30, (get(LSR) & 1) == 0);
    put(DATA, 0xa5);
    check(31, ready() && get(DATA) == 0xa5 && (get(LSR) & 1) == 0);
    put(IER, RDI);
    check(32, reason() == 1);
    put(DATA, 0x5a);
    check(33, ready() && received() && get(DATA) == 0x5a && reason() == 1);
    put(IER, 0);
    // Without FIFOs a second byte overruns the first.
    put(DATA, 1);
    check(34, ready());
    put(DATA, 2);
    check(35, (get(LSR) & 2) != 0);
    check(36, (get(LSR) & 2) == 0);  // reading has cleared it
    get(DATA);
    check(37, (get(LSR) & 1) == 0);
    // Sixteen fit a FIFO, in order.
    put(FCR, 7);
    for (u8 i = 0; i < 16; ++i) put(DATA, 0x40 + i);
    check(38, ready() && (get(LSR) & 2) == 0);
    put(DATA, 0x99);
    check(39, (get(LSR) & 2) != 0);
    for (u8 i = 0; i < 16; ++i) check(40, (get(LSR) & 1) != 0 && get(DATA) == 0x40 + i);
    check(41, (get(LSR) & 1) == 0);
    // The trigger of 8, and the timeout below it.
    put(FCR, 0x87);
    put(IER, RDI);
    for (u8 i = 0; i < 7; ++i) put(DATA, i);
    check(42, reason() != 4);
    put(DATA, 7);
    check(43, received());
    check(44, get(DATA) == 0 && reason() != 4);
    u8 seen = 1;
    for (u64 start = mtime(); mtime() - start < 200000 && seen != 0xc;) seen = reason();
    check(45, seen == 0xc);  // a timeout: 7 wait, and nothing comes
    for (u8 i = 1; i < 8; ++i) check(46, get(DATA) == i);
    check(47, reason() == 1);
    // An overrun has precedence when it is asked for.
    put(FCR, 0x07);
    put(IER, RDI | RLSI);
    for (u8 i = 0; i < 17; ++i) put(DATA, i);
    check(48, reason() == 6);
    get(LSR);
    check(49, received());
    // Clearing the FIFO drops what it has.
    put(FCR, 3);
    check(50, (get(LSR) & 1) == 0 && reason() == 1);
    put(IER, 0);
    put(FCR, 0);
    put(MCR, 0);
}

// The modem outputs come back as inputs: RTS as CTS, DTR as DSR, OUT1 as RI, OUT2 as DCD.
static void modem(void) {
    put(MCR, 0x10);
    get(MSR);
    check(55, (get(MSR) & 0xf0) == 0);
    put(MCR, 0x12);
    check(56, (get(MSR) & 0xf0) == 0x10);
    put(MCR, 0x11);
    check(57, (get(MSR) & 0xf0) == 0x20);
    put(MCR, 0x14);
    check(58, (get(MSR) & 0xf0) == 0x40);
    put(MCR, 0x18);
    check(59, (get(MSR) & 0xf0) == 0x80);
    check(60, get(MCR) == 0x18);
    // Changes are noted until MSR is read.
    put(MCR, 0x10);
    get(MSR);
    put(MCR, 0x12);
    const u8 changed = get(MSR), after = get(MSR);
    put(IER, MSI_);
    put(MCR, 0x10);
    const u8 asked = get(IIR) & 0xf;
    get(MSR);
    const u8 served = reason();
    put(IER, 0);
    put(MCR, 0);
    check_unless(ORACLE_QEMU, 61, (changed & 1) != 0);
    check(62, (after & 1) == 0);
    check_unless(ORACLE_QEMU, 63, asked == 0);
    check(64, served == 1);
    check(65, (get(MSR) & 0xb0) == 0xb0);  // a terminal is there
}

int main(void) {
    if (ORACLE_SPIKE) return 0;
    registers();
    transmitter();
    fifo_bits();
    loopback();
    modem();
    // It is a console again.
    put(LCR, 3);
    put(FCR, 1);
    check(70, (get(LSR) & 0x60) == 0x60);
    return 0;
}
