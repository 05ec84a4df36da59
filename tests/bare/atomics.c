// LR/SC, the AMOs, and Zacas, Zabha, Zawrs where they are.
//
// oracle: QEMU 7.2 for A; Spike for all
#include "runtime.h"

static u64 cells[64] __attribute__((aligned(64)));
static u64 far[64] __attribute__((aligned(4096)));
#define CELL ((u64)cells)

// --- LR and SC
static void reservations(void) {
    u64 loaded, failed, again;
    cells[0] = 0x8000000080000000;
    asm volatile("lr.d %0, (%2)\nsc.d %1, %3, (%2)"
                 : "=&r"(loaded), "=&r"(failed)
                 : "r"(CELL), "r"(77ul)
                 : "memory");
    check(1, loaded == 0x8000000080000000 && failed == 0 && cells[0] == 77);
    cells[0] = 0x1122334480000001;
    asm volatile("lr.w %0, (%2)\nsc.w %1, %3, (%2)"
                 : "=&r"(loaded), "=&r"(failed)
                 : "r"(CELL), "r"(-2ul)
                 : "memory");
    check(2, loaded == 0xffffffff80000001 && failed == 0 && cells[0] == 0x11223344fffffffe);
    // A second SC has no reservation, whether the first succeeded or not.
    asm volatile("lr.d %0, (%3)\nsc.d %1, %4, (%3)\nsc.d %2, %5, (%3)"
                 : "=&r"(loaded), "=&r"(failed), "=&r"(again)
                 : "r"(CELL), "r"(1ul), "r"(2ul)
                 : "memory");
    check(3, failed == 0 && again == 1 && cells[0] == 1);
    asm volatile("sc.d %0, %2, (%1)" : "=&r"(failed) : "r"(CELL), "r"(3ul) : "memory");
    check(4, failed == 1 && cells[0] == 1);
    // Elsewhere: it fails, and ends the reservation.
    far[0] = 5;
    asm volatile("lr.d %0, (%3)\nsc.d %1, %5, (%4)\nsc.d %2, %5, (%3)"
                 : "=&r"(loaded), "=&r"(failed), "=&r"(again)
                 : "r"(CELL), "r"(far), "r"(9ul)
                 : "memory");
    check(5, failed == 1 && far[0] == 5);
    check(6, again == 1 && cells[0] == 1);
    // A later LR takes its place.
    asm volatile("lr.d %0, (%3)\nlr.d %0, (%4)\nsc.d %1, %5, (%3)\n"
                 : "=&r"(loaded), "=&r"(failed), "=&r"(again)
                 : "r"(CELL), "r"(far), "r"(9ul)
                 : "memory");
    check(7, failed == 1 && cells[0] == 1);
    // A trap and its return end it.
    arm();
    asm volatile(".option push\n.option norvc\nlr.d %0, (%2)\necall\nsc.d %1, %3, (%2)\n.option pop"
                 : "=&r"(loaded), "=&r"(failed)
                 : "r"(CELL), "r"(9ul)
                 : "memory");
    check(8, disarm() == ECALL_M && failed == 1 && cells[0] == 1);
    // rd = rs1 and rd = rs2.
    u64 address = CELL, value = 44;
    asm volatile("lr.d t0, (%0)\nsc.d %0, %1, (%0)" : "+r"(address) : "r"(value) : "t0", "memory");
    check(9, address == 0 && cells[0] == 44);
    asm volatile("lr.d t0, (%1)\nsc.d %0, %0, (%1)" : "+r"(value) : "r"(CELL) : "t0", "memory");
    check(10, value == 0 && cells[0] == 44);
    // A constrained loop ends.
    for (u64 i = 0; i < 100; ++i)
        asm volatile("1: lr.d.aq t0, (%0)\naddi t0, t0, 1\nsc.d.rl t1, t0, (%0)\nbnez t1, 1b"
                     :
                     : "r"(CELL)
                     : "t0", "t1", "memory");
    check(11, cells[0] == 144);
}

// --- AMOs
#define AMO(name, old, operand, result, after)                                                            \
    do {                                                                                                  \
        u64 got_;                                                                                         \
        cells[1] = (old);                                                                                 \
        asm volatile(name " %0, %2, (%1)" : "=&r"(got_) : "r"(CELL + 8), "r"((u64)(operand)) : "memory"); \
        check(20, got_ == (u64)(result));                                                                 \
        check(21, cells[1] == (u64)(after));                                                              \
    } while (0)
#define TOP 0x7777777700000000
static void amos(void) {
    AMO("amoswap.d", 5, -9, 5, -9);
    AMO("amoadd.d", -1, 2, -1, 1);
    AMO("amoxor.d", 0xff00, 0x0ff0, 0xff00, 0xf0f0);
    AMO("amoand.d", 0xff00, 0x0ff0, 0xff00, 0x0f00);
    AMO("amoor.d", 0xff00, 0x0ff0, 0xff00, 0xfff0);
    AMO("amomin.d", -5, 3, -5, -5);
    AMO("amomin.d", 3, -5, 3, -5);
    AMO("amomax.d", -5, 3, -5, 3);
    AMO("amominu.d", -5, 3, -5, 3);
    AMO("amomaxu.d", -5, 3, -5, -5);
    AMO("amomaxu.d", 3, -5, 3, -5);
    // 32 bits: the old value is sign-extended, the upper halves count for nothing and stay.
    AMO("amoswap.w", TOP | 0x80000000, 0x1234567890abcdef, 0xffffffff80000000, TOP | 0x90abcdef);
    AMO("amoadd.w", TOP | 0xffffffff, 0x500000002, -1, TOP | 1);
    AMO("amoxor.w", TOP | 0x0000ff00, 0x0ff0, 0xff00, TOP | 0xf0f0);
    AMO("amoand.w", TOP | 0x8000ff00, 0xffffffff80000ff0, 0xffffffff8000ff00, TOP | 0x80000f00);
    AMO("amoor.w", TOP, 0xf00000001, 0, TOP | 1);
    AMO("amomin.w", TOP | 0x7fffffff, 0x0000000080000000, 0x7fffffff, TOP | 0x80000000);
    AMO("amomin.w", TOP | 0x80000000, 0x0000000100000001, 0xffffffff80000000, TOP | 0x80000000);
    AMO("amomax.w", TOP | 0x80000000, 0x8000000000000001, 0xffffffff80000000, TOP | 1);
    AMO("amomax.w", TOP | 1, 0x00000000ffffffff, 1, TOP | 1);
    AMO("amominu.w", TOP | 0x80000000, 0xffffffff00000001, 0xffffffff80000000, TOP | 1);
    AMO("amomaxu.w", TOP | 0x80000000, 0xffffffff00000001, 0xffffffff80000000, TOP | 0x80000000);
    AMO("amomaxu.w", TOP | 1, 0x0000000080000000, 1, TOP | 0x80000000);
    AMO("amoadd.w.aqrl", TOP | 0x7fffffff, 1, 0x7fffffff, TOP | 0x80000000);
    // The upper word of a doubleword.
    cells[1] = 0x0000000100000002;
    u64 got;
    asm volatile("amoadd.w %0, %2, (%1)" : "=&r"(got) : "r"(CELL + 12), "r"(5ul) : "memory");
    check(22, got == 1 && cells[1] == 0x0000000600000002);
    // rd = rs1, rd = rs2, rd = x0.
    u64 address = CELL + 8, value = 3;
    asm volatile("amoadd.d %0, %1, (%0)" : "+r"(address) : "r"(value) : "memory");
    check(23, address == 0x0000000600000002 && cells[1] == 0x0000000600000005);
    asm volatile("amoadd.d %0, %0, (%1)" : "+r"(value) : "r"(CELL + 8) : "memory");
    check(24, value == 0x0000000600000005 && cells[1] == 0x0000000600000008);
    asm volatile("amoswap.d x0, %0, (%1)" : : "r"(1ul), "r"(CELL + 8) : "memory");
    check(25, cells[1] == 1);
}

// --- faults: misaligned ones trap even where loads and stores need not be aligned
static void faults(void) {
    cells[0] = cells[1] = 0x0101010101010101;
    const u64 load = attempt("lr.d t0, (%0)", : : "r"(CELL + 4) : "t0");
    check(30, (load == LOAD_MISALIGNED || load == LOAD_ACCESS) && last.tval == CELL + 4);
    const u64 store = load == LOAD_MISALIGNED ? STORE_MISALIGNED : STORE_ACCESS;  // one choice
    check(31, attempt("lr.w t0, (%0)", : : "r"(CELL + 2) : "t0") == load && last.tval == CELL + 2);
    check_unless(ORACLE_QEMU, 32,
                 attempt("sc.d t0, t0, (%0)",
                         :
                         : "r"(CELL + 4)
                         : "t0") == store &&
                     last.tval == CELL + 4);
    check_unless(ORACLE_QEMU, 33,
                 attempt("sc.w t0, t0, (%0)",
                         :
                         : "r"(CELL + 1)
                         : "t0") == store &&
                     last.tval == CELL + 1);
    check_unless(ORACLE_QEMU, 34,
                 attempt("amoadd.d t0, t0, (%0)",
                         :
                         : "r"(CELL + 4)
                         : "t0") == store &&
                     last.tval == CELL + 4);
    check_unless(ORACLE_QEMU, 35,
                 attempt("amoswap.w t0, t0, (%0)",
                         :
                         : "r"(CELL + 3)
                         : "t0", "memory") == store &&
                     last.tval == CELL + 3);
    check_unless(ORACLE_QEMU, 36, attempt("amomaxu.w t0, t0, (%0)", : : "r"(CELL + 62) : "t0") == store);
    check(37, cells[0] == 0x0101010101010101);
    // rd keeps its value when it faults.
    u64 kept = 123;
    check_unless(ORACLE_QEMU, 38,
                 attempt("amoadd.d %0, %0, (%1)",
                         : "+r"(kept)
                         : "r"(CELL + 4)) == store &&
                     kept == 123);
    // Not in memory. An SC that would fail anyway must still fault.
    check(40, attempt("lr.d t0, (%0)", : : "r"((u64)HOLE) : "t0") == LOAD_ACCESS && last.tval == HOLE);
    check_unless(ORACLE_QEMU, 41, attempt("sc.d t0, t0, (%0)", : : "r"((u64)HOLE) : "t0") == STORE_ACCESS);
    check_unless(ORACLE_QEMU, 42,
                 attempt("amoadd.d t0, t0, (%0)",
                         :
                         : "r"((u64)HOLE)
                         : "t0") == STORE_ACCESS);
    check(43, attempt("lr.d t0, (%0)", : : "r"(CELL) : "t0") == NO_TRAP);
    kept = 55;
    check_unless(ORACLE_QEMU, 44,
                 attempt("sc.d %0, t0, (%1)",
                         : "+r"(kept)
                         : "r"((u64)HOLE)) == STORE_ACCESS &&
                     kept == 55);
    // LR with rs2, and widths that are not there.
    check(45, attempt(".insn r 0x2f, 3, 0x08, t0, %0, t1", : : "r"(CELL) : "t0") == ILLEGAL);
    check(46, attempt(".insn r 0x2f, 5, 0x00, t0, %0, t1", : : "r"(CELL) : "t0") == ILLEGAL);
    check(47, attempt(".insn r 0x2f, 3, 0x7c, t0, %0, t1", : : "r"(CELL) : "t0") == ILLEGAL);
}

// --- Zacas
#define CAS(width, rd, address, value) ".insn r 0x2f, " width ", 0x14, " rd ", " address ", " value "\n"
static void compare_and_swap(void) {
    cells[0] = 5;
    u64 expected = 5;
    const u64 cause = attempt(CAS("3", "%0", "%1", "%2"), : "+r"(expected) : "r"(CELL), "r"(6ul) : "memory");
    if (!present(50, "Zacas", cause == NO_TRAP)) return;
    check(51, expected == 5 && cells[0] == 6);
    expected = 5;  // it is 6: nothing happens, and rd says so
    asm volatile(CAS("3", "%0", "%1", "%2") : "+r"(expected) : "r"(CELL), "r"(7ul) : "memory");
    check(52, expected == 6 && cells[0] == 6);
    // Words: sign-extended, upper halves ignored.
    cells[0] = TOP | 0x80000001;
    expected = 0x1234567880000001;
    asm volatile(CAS("2", "%0", "%1", "%2") : "+r"(expected) : "r"(CELL), "r"(0xffffffff00000009) : "memory");
    check(53, expected == 0xffffffff80000001 && cells[0] == (TOP | 9));
    expected = 0x1234567880000001;
    asm volatile(CAS("2", "%0", "%1", "%2") : "+r"(expected) : "r"(CELL), "r"(3ul) : "memory");
    check(54, expected == 9 && cells[0] == (TOP | 9));
    // Pairs.
    u64 low, high;
    cells[2] = 11;
    cells[3] = 22;
#define CAS_PAIR(want_low, want_high, to_low, to_high)                                                   \
    asm volatile(                                                                                        \
        "mv a2, %3\nmv a3, %4\nmv a4, %5\nmv a5, %6\n" CAS("4", "a2", "%2", "a4") "mv %0, a2\nmv %1, a3" \
        : "=&r"(low), "=&r"(high)                                                                        \
        : "r"(CELL + 16), "r"((u64)(want_low)), "r"((u64)(want_high)), "r"((u64)(to_low)),               \
          "r"((u64)(to_high))                                                                            \
        : "a2", "a3", "a4", "a5", "memory")
    CAS_PAIR(11, 22, 33, 44);
    check(55, low == 11 && high == 22 && cells[2] == 33 && cells[3] == 44);
    CAS_PAIR(33, 45, 1, 2);  // half of it is not enough
    check(56, low == 33 && high == 44 && cells[2] == 33 && cells[3] == 44);
    CAS_PAIR(32, 44, 1, 2);
    check(57, low == 33 && high == 44 && cells[2] == 33 && cells[3] == 44);
    // x0 names a pair of zeros that cannot be written.
    cells[2] = cells[3] = 0;
    asm volatile("mv a4, %1\nmv a5, %1\n" CAS("4", "x0", "%0", "a4")
                 :
                 : "r"(CELL + 16), "r"(8ul)
                 : "a4", "a5", "memory");
    check(58, cells[2] == 8 && cells[3] == 8);
    asm volatile("mv a2, %1\nmv a3, %1\n" CAS("4", "a2", "%0", "x0")
                 :
                 : "r"(CELL + 16), "r"(8ul)
                 : "a2", "a3", "memory");
    check(59, cells[2] == 0 && cells[3] == 0);
    // Odd registers are reserved for pairs.
    check(60, attempt(CAS("4", "a3", "%0", "a4"), : : "r"(CELL + 16)) == ILLEGAL);
    check(61, attempt(CAS("4", "a2", "%0", "a5"), : : "r"(CELL + 16)) == ILLEGAL);
    // Faults are those of a store, and leave rd alone; also where the comparison would fail.
    expected = 99;
    check(62, attempt(CAS("3", "%0", "%1", "x0"), : "+r"(expected) : "r"((u64)HOLE)) == STORE_ACCESS);
    check(63, last.tval == HOLE && expected == 99);
    const u64 cause_misaligned = attempt(CAS("3", "%0", "%1", "x0"), : "+r"(expected) : "r"(CELL + 4));
    check(64, (cause_misaligned == STORE_MISALIGNED || cause_misaligned == STORE_ACCESS) &&
                  last.tval == CELL + 4);
    check(65, attempt(CAS("4", "a2", "%0", "a4"), : : "r"(CELL + 8)) == cause_misaligned);
}

// --- Zabha
#define BYTE(funct7, rd, address, value) ".insn r 0x2f, 0, " funct7 ", " rd ", " address ", " value "\n"
#define HALF(funct7, rd, address, value) ".insn r 0x2f, 1, " funct7 ", " rd ", " address ", " value "\n"
static void small_atomics(void) {
    u64 old = 0;
    cells[0] = 0x1122334455667788;
    const u64 cause = attempt(BYTE("0x00", "%0", "%1", "%2"),
                              : "+r"(old)
                              : "r"(CELL + 3), "r"(0xf01ul)
                              : "memory");
    if (!present(70, "Zabha", cause == NO_TRAP)) return;
    check(71, old == 0x55 && cells[0] == 0x1122334456667788);
#define SMALL(number, kind, funct7, at, operand, want, after)     \
    do {                                                          \
        asm volatile(kind(funct7, "%0", "%1", "%2")               \
                     : "=&r"(old)                                 \
                     : "r"(CELL + (at)), "r"((u64)(operand))      \
                     : "memory");                                 \
        check(number, old == (u64)(want) && cells[0] == (after)); \
    } while (0)
    SMALL(72, BYTE, "0x04", 0, 0x1ff, 0xffffffffffffff88, 0x11223344566677ff);  // swap, sign-extended
    SMALL(73, BYTE, "0x40", 0, 1, -1, 0x11223344566677ff);                      // min: -1
    SMALL(74, BYTE, "0x50", 0, 1, -1, 0x1122334456667701);                      // max
    SMALL(75, BYTE, "0x60", 0, 0x80, 1, 0x1122334456667701);                    // minu
    SMALL(76, BYTE, "0x70", 0, 0x80, 1, 0x1122334456667780);                    // maxu
    SMALL(77, BYTE, "0x10", 7, 0xff, 0x11, 0xee22334456667780);                 // xor
    SMALL(78, BYTE, "0x30", 7, 0x0f, 0xffffffffffffffee, 0x0e22334456667780);   // and
    SMALL(79, BYTE, "0x20", 7, 0xf0, 0x0e, 0xfe22334456667780);                 // or
    SMALL(80, HALF, "0x00", 6, 0x10001, 0xfffffffffffffe22, 0xfe23334456667780);
    SMALL(81, HALF, "0x04", 2, 0xabcd, 0x5666, 0xfe233344abcd7780);
    SMALL(82, HALF, "0x40", 2, 5, 0xffffffffffffabcd, 0xfe233344abcd7780);
    SMALL(83, HALF, "0x70", 4, 0x8000, 0x3344, 0xfe238000abcd7780);
    const u64 misaligned = attempt(HALF("0x00", "t0", "%0", "t1"), : : "r"(CELL + 1) : "t0");
    check(84, (misaligned == STORE_MISALIGNED || misaligned == STORE_ACCESS) && last.tval == CELL + 1);
    check(85, attempt(BYTE("0x00", "t0", "%0", "t1"), : : "r"((u64)HOLE) : "t0") == STORE_ACCESS);
    // There is no lr.b, and no sc.h.
    check(86, attempt(BYTE("0x08", "t0", "%0", "x0"), : : "r"(CELL) : "t0") == ILLEGAL);
    check(87, attempt(HALF("0x0c", "t0", "%0", "t1"), : : "r"(CELL) : "t0") == ILLEGAL);
    // With Zacas: amocas.b and .h
    cells[0] = 0x1122334455667780;
    u64 expected = 0xabc80;
    asm volatile(BYTE("0x14", "%0", "%1", "%2") : "+r"(expected) : "r"(CELL), "r"(0x101ul) : "memory");
    check(88, expected == 0xffffffffffffff80 && cells[0] == 0x1122334455667701);
    expected = 0x7702;
    asm volatile(HALF("0x14", "%0", "%1", "%2") : "+r"(expected) : "r"(CELL), "r"(0ul) : "memory");
    check(89, expected == 0x7701 && cells[0] == 0x1122334455667701);
}

// --- Zawrs: both end, whatever happens
static void wait_on_reservation(void) {
    u64 old;
    asm volatile("lr.d %0, (%1)" : "=r"(old) : "r"(CELL) : "memory");
    const u64 cause = attempt(".word 0x01d00073");  // wrs.sto
    if (!present(95, "Zawrs", cause == NO_TRAP)) return;
    // Without a reservation, wrs.nto does not wait; with an interrupt pending and enabled in mie neither.
    u64 failed;
    asm volatile("sc.d %0, x0, (%1)\n.word 0x00d00073" : "=&r"(failed) : "r"(CELL) : "memory");
    write32(MSIP(0), 1);
    csr_write(mie, BIT(MSI));
    while ((csr_read(mip) & BIT(MSI)) == 0) {}
    asm volatile("lr.d %0, (%1)\n.word 0x00d00073" : "=r"(old) : "r"(CELL) : "memory");
    write32(MSIP(0), 0);
    csr_write(mie, 0);
    check(96, true);
}

int main(void) {
    reservations();
    amos();
    faults();
    compare_and_swap();
    small_atomics();
    wait_on_reservation();
    return 0;
}
