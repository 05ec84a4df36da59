// Floating point as a part of the machine: FS, NaN boxes, rounding modes, reserved encodings, flags.
//
// oracle: QEMU 7.2, Spike
#include "runtime.h"

enum { NX = 1, UF = 2, OF = 4, DZ = 8, NV = 16 };
enum { OFF, INITIAL, CLEAN, DIRTY };
#define FP(text) ".option push\n.option arch, +f, +d\n" text "\n.option pop"
#define ATTEMPT_FP(text) attempt(".option arch, +f, +d\n" text)
static void set_fs(u64 state) { csr_field(mstatus, MSTATUS_FS, state << 13); }
static u64 fs(void) { return (csr_read(mstatus) & MSTATUS_FS) >> 13; }
static bool sd(void) { return (csr_read(mstatus) & MSTATUS_SD) != 0; }

// --- FS
static void off_traps(void) {
    set_fs(OFF);
    check(1, ATTEMPT_FP("fadd.s ft0, ft1, ft2") == ILLEGAL);
    check(2, ATTEMPT_FP("fld ft0, 0(sp)") == ILLEGAL && ATTEMPT_FP("fsw ft0, -64(sp)") == ILLEGAL);
    check(3, ATTEMPT_FP("fmv.x.d t0, ft0") == ILLEGAL && ATTEMPT_FP("fcvt.d.l ft0, t0") == ILLEGAL);
    check(4, attempt("csrr t0, fcsr", : : : "t0") == ILLEGAL && attempt("csrwi fflags, 1") == ILLEGAL);
    check(5, attempt("csrr t0, frm",
                     :
                     :
                     : "t0") == ILLEGAL &&
                 attempt("csrr t0, fflags",
                         :
                         :
                         : "t0") == ILLEGAL);
    // c.fld fa0, 0(sp) and c.fsd
    check(6, attempt(".half 0x2502\n.half 1") == ILLEGAL && attempt(".half 0xa02a\n.half 1") == ILLEGAL);
    // Also through sstatus, and for lower modes.
    check(7, (csr_read(sstatus) & MSTATUS_FS) == 0);
    set_fs(INITIAL);
    check(8, ATTEMPT_FP("fmv.x.d t0, ft0") == NO_TRAP);
}
#define MAKES(number, text, state)                   \
    do {                                             \
        set_fs(CLEAN);                               \
        asm volatile(FP(text) : : : "t0", "memory"); \
        check(number, fs() == (state));              \
        check(number, sd() == ((state) == DIRTY));   \
    } while (0)
static void dirty(void) {
    set_fs(DIRTY);
    check(10, sd() && (csr_read(sstatus) & MSTATUS_SD) != 0);
    set_fs(CLEAN);
    check(11, !sd());
    MAKES(12, "fmv.d.x ft0, x0", DIRTY);
    MAKES(13, "fld ft0, 0(sp)", DIRTY);
    MAKES(14, "flw ft0, 0(sp)", DIRTY);
    MAKES(15, "csrwi fflags, 0", DIRTY);
    MAKES(16, "csrwi frm, 0", DIRTY);
    MAKES(17, "fadd.d ft0, ft0, ft0", DIRTY);
    MAKES(18, ".half 0x2502", DIRTY);  // c.fldsp fa0, 0(sp)
    // What only raises flags: the signalling comparison of NaNs.
    asm volatile(FP("li t0, -1\nfmv.d.x ft1, t0\ncsrwi fflags, 0") : : : "t0");
    set_fs(CLEAN);
    asm volatile(FP("flt.d t0, ft1, ft1") : : : "t0");
    check_unless(ORACLE_QEMU, 19, fs() == DIRTY);
    // What only reads leaves it, unless an implementation is lazy: it may be dirty then too.
    set_fs(CLEAN);
    asm volatile(FP("fmv.x.d t0, ft0\nfsd ft0, -64(sp)\ncsrr t0, fcsr") : : : "t0", "memory");
    check(20, fs() == CLEAN);
    // A load that faults leaves all.
    check(21, attempt(".option arch, +d\nfld ft0, 0(%0)",
                      :
                      : "r"((u64)HOLE)) == LOAD_ACCESS &&
                  fs() == CLEAN);
    set_fs(DIRTY);
}

// --- registers as bits
static u64 bits_of_double(void) {  // of ft0
    u64 bits;
    asm volatile(FP("fmv.x.d %0, ft0") : "=r"(bits));
    return bits;
}
static void put_bits(u64 bits) { asm volatile(FP("fmv.d.x ft0, %0") : : "r"(bits)); }
#define BOX 0xffffffff00000000
#define NAN_S 0x7fc00000ul
#define NAN_D 0x7ff8000000000000ul
#define ONE_S 0x3f800000ul
static void boxes(void) {
    u64 out;
    u32 word = ONE_S;
    put_bits(0);
    asm volatile(FP("flw ft0, 0(%0)") : : "r"(&word) : "memory");
    check(25, bits_of_double() == (BOX | ONE_S));
    asm volatile(FP("fmv.w.x ft0, %0") : : "r"(0x1234567800000001));
    check(26, bits_of_double() == (BOX | 1));
    // A single that is not boxed reads as the canonical NaN...
    put_bits(0x1234567800000000 | ONE_S);
    asm volatile(FP("fadd.s ft0, ft0, ft0"));
    check(27, bits_of_double() == (BOX | NAN_S));
    put_bits(0x0000000000000000 | ONE_S);
    asm volatile(FP("fsgnj.s ft0, ft0, ft0"));
    check(28, bits_of_double() == (BOX | NAN_S));
    put_bits(ONE_S);
    asm volatile(FP("fclass.s %0, ft0") : "=r"(out));
    check(29, out == BIT(9));
    asm volatile(FP("feq.s %0, ft0, ft0") : "=r"(out));
    check(30, out == 0);
    asm volatile(FP("fcvt.l.s %0, ft0") : "=r"(out));
    check(31, out == 0x7fffffffffffffff);
    asm volatile(FP("fcvt.d.s ft0, ft0"));
    check(32, bits_of_double() == NAN_D);
    // ... but moves and stores take the bits.
    put_bits(0x1234567889abcdef);
    asm volatile(FP("fmv.x.w %0, ft0") : "=r"(out));
    check(33, out == 0xffffffff89abcdef);
    asm volatile(FP("fsw ft0, 0(%0)") : : "r"(&word) : "memory");
    check(34, word == 0x89abcdef);
    // Computed NaNs are canonical: payload and sign are gone.
    put_bits(BOX | 0xffc12345);
    asm volatile(FP("fadd.s ft0, ft0, ft0"));
    check(35, bits_of_double() == (BOX | NAN_S));
    put_bits(0xfff8123456789abc);
    asm volatile(FP("fadd.d ft0, ft0, ft0"));
    check(36, bits_of_double() == NAN_D);
    put_bits(0xfff8123456789abc);
    asm volatile(FP("fcvt.s.d ft0, ft0"));
    check(37, bits_of_double() == (BOX | NAN_S));
    put_bits(0xfff8123456789abc);
    asm volatile(FP("fsgnjx.d ft0, ft0, ft0"));  // not computed
    check(38, bits_of_double() == 0x7ff8123456789abc);
}

// --- rounding: 1/3 and -1/3 in each mode, static and dynamic
static u64 divide(u64 a, u64 b, u64 mode) {
    asm volatile(FP("fmv.d.x ft1, %0\nfmv.d.x ft2, %1") : : "r"(a), "r"(b));
    switch (mode) {
        case 0: asm volatile(FP("fdiv.d ft0, ft1, ft2, rne")); break;
        case 1: asm volatile(FP("fdiv.d ft0, ft1, ft2, rtz")); break;
        case 2: asm volatile(FP("fdiv.d ft0, ft1, ft2, rdn")); break;
        case 3: asm volatile(FP("fdiv.d ft0, ft1, ft2, rup")); break;
        case 4: asm volatile(FP("fdiv.d ft0, ft1, ft2, rmm")); break;
        default: asm volatile(FP("fdiv.d ft0, ft1, ft2, dyn")); break;
    }
    return bits_of_double();
}
#define ONE 0x3ff0000000000000ul
#define TWO 0x4000000000000000ul
#define THREE 0x4008000000000000ul
#define MINUS(x) ((x) | 1ul << 63)
#define THIRD 0x3fd5555555555555ul
static u64 to_integer(u64 bits, u64 mode) {
    u64 out;
    asm volatile(FP("fmv.d.x ft0, %0") : : "r"(bits));
    csr_write(frm, mode);
    asm volatile(FP("fcvt.l.d %0, ft0, dyn") : "=r"(out));
    return out;
}
static void rounding(void) {
    const u64 up[5] = {0, 0, 0, 1, 0}, down[5] = {0, 0, 1, 0, 0};
    for (u64 mode = 0; mode < 5; ++mode) {
        check(40, divide(ONE, THREE, mode) == THIRD + up[mode]);
        check(41, divide(MINUS(ONE), THREE, mode) == MINUS(THIRD) + down[mode]);
        csr_write(frm, mode);
        check(42, csr_read(frm) == mode && csr_read(fcsr) >> 5 == mode);
        check(43, divide(ONE, THREE, 7) == THIRD + up[mode]);
        check(44, divide(MINUS(ONE), THREE, 7) == MINUS(THIRD) + down[mode]);
        // A static mode wins over frm.
        check(45, divide(ONE, THREE, 3) == THIRD + 1);
    }
    // Changed between two runs of one instruction: a translation may not keep the first mode.
    for (u64 i = 0; i < 50; ++i) {
        csr_write(frm, i % 5);
        check(46, divide(ONE, THREE, 7) == THIRD + up[i % 5]);
    }
    // 2.5 and -2.5 to integers: even, to zero, down, up, away.
    const u64 x = 0x4004000000000000, plus[] = {2, 2, 2, 3, 3};
    const i64 minus[] = {-2, -2, -3, -2, -3};
    for (u64 mode = 0; mode < 5; ++mode) {
        check(47, to_integer(x, mode) == plus[mode]);
        check(48, to_integer(MINUS(x), mode) == (u64)minus[mode]);
    }
    csr_write(frm, 0);
    // Other bits of fcsr read zero.
    csr_write(fcsr, ~0ul);
    check(49, csr_read(fcsr) == 0xff && csr_read(frm) == 7 && csr_read(fflags) == 31);
    csr_write(fcsr, 0);
}

// --- reserved rounding modes: 5, 6, and 7 for frm itself
// fadd.d ft0, ft0, ft0 with a rounding mode; fsqrt.d, fcvt.d.w and fcvt.l.d as well
#define FADD(rm) ".word 0x02000053 | " #rm " << 12"
#define FSQRT(rm) ".word 0x5a000053 | " #rm " << 12"
#define FCVT_L_D(rm) ".word 0xc2200053 | 5 << 7 | " #rm " << 12"
#define FCVT_D_W(rm) ".word 0xd2000053 | " #rm " << 12"
#define FMADD(rm) ".word 0x02000043 | " #rm " << 12"
static void reserved_modes(void) {
    csr_write(frm, 0);
    check(56, attempt(FADD(5)) == ILLEGAL && attempt(FADD(6)) == ILLEGAL && attempt(FADD(7)) == NO_TRAP);
    check(57,
          attempt(FSQRT(5)) == ILLEGAL && attempt(FMADD(6)) == ILLEGAL && attempt(FCVT_L_D(5)) == ILLEGAL);
    // Where nothing is rounded the field is still looked at.
    check(58, attempt(FCVT_D_W(5)) == ILLEGAL && attempt(FCVT_D_W(6)) == ILLEGAL);
    for (u64 mode = 5; mode < 8; ++mode) {
        csr_write(frm, mode);
        check(59, csr_read(frm) == mode);  // it can be held, but not used
        check(60,
              attempt(FADD(7)) == ILLEGAL && attempt(FMADD(7)) == ILLEGAL && attempt(FCVT_L_D(7)) == ILLEGAL);
        check(61, attempt(FADD(0)) == NO_TRAP);
        check(62, attempt(FCVT_D_W(7)) == ILLEGAL);
    }
    csr_write(frm, 0);
}

// --- flags
#define FLAGS(number, text, x, y, flags)                                                                     \
    do {                                                                                                     \
        csr_write(fflags, 0);                                                                                \
        asm volatile(FP("fmv.d.x ft0, %0\nfmv.d.x ft1, %1\n" text) : : "r"((u64)(x)), "r"((u64)(y)) : "t0"); \
        check(number, csr_read(fflags) == (flags));                                                          \
    } while (0)
#define INFINITY 0x7ff0000000000000ul
#define SIGNALLING 0x7ff0000000000001ul
#define LARGEST 0x7feffffffffffffful
#define SMALLEST 0x0010000000000000ul
static void flags(void) {
    FLAGS(70, "fadd.d ft0, ft0, ft1", ONE, ONE, 0);
    FLAGS(71, "fdiv.d ft0, ft0, ft1", ONE, THREE, NX);
    FLAGS(72, "fdiv.d ft0, ft0, ft1", ONE, 0, DZ);
    FLAGS(73, "fdiv.d ft0, ft0, ft1", 0, 0, NV);
    FLAGS(74, "fadd.d ft0, ft0, ft1", LARGEST, LARGEST, OF | NX);
    FLAGS(75, "fmul.d ft0, ft0, ft1", SMALLEST, THIRD, UF | NX);
    FLAGS(76, "fmul.d ft0, ft0, ft1", SMALLEST, 0x3fe0000000000000, 0);  // subnormal, but exact
    FLAGS(77, "fsub.d ft0, ft0, ft1", INFINITY, INFINITY, NV);
    FLAGS(78, "fadd.d ft0, ft0, ft1", SIGNALLING, ONE, NV);
    FLAGS(79, "fadd.d ft0, ft0, ft1", NAN_D, ONE, 0);
    FLAGS(80, "feq.d t0, ft0, ft1", NAN_D, ONE, 0);
    FLAGS(81, "flt.d t0, ft0, ft1", NAN_D, ONE, NV);
    FLAGS(82, "fsqrt.d ft0, ft0", MINUS(ONE), 0, NV);
    FLAGS(83, "fmadd.d ft0, ft0, ft1, ft1", INFINITY, 0, NV);
    FLAGS(84, "fcvt.w.d t0, ft0", LARGEST, 0, NV);
    FLAGS(85, "fcvt.wu.d t0, ft0", 0xbfe0000000000000, 0, NX);  // -0.5
    FLAGS(86, "fcvt.wu.d t0, ft0", MINUS(ONE), 0, NV);
    FLAGS(87, "fmin.d ft0, ft0, ft1", SIGNALLING, ONE, NV);
    // inf * 0 + NaN is invalid even so.
    FLAGS(88, "fmv.d.x ft2, x0\nfmadd.d ft0, ft0, ft2, ft1", INFINITY, NAN_D, NV);
    // They accumulate, and only software clears them.
    csr_write(fflags, DZ);
    asm volatile(FP("fmv.d.x ft0, %0\nfmv.d.x ft1, %1\nfdiv.d ft0, ft0, ft1\nfadd.d ft0, ft1, ft1")
                 :
                 : "r"(ONE), "r"(THREE));
    check(89, csr_read(fflags) == (DZ | NX));
    // Seen by the very next instruction, and kept across a trap.
    u64 seen;
    csr_write(fflags, 0);
    asm volatile(FP("fmv.d.x ft0, %1\nfmv.d.x ft1, x0\nfdiv.d ft0, ft0, ft1\ncsrr %0, fflags")
                 : "=r"(seen)
                 : "r"(ONE));
    check(90, seen == DZ);
    csr_write(fflags, 0);
    arm();
    asm volatile(
        ".option push\n.option norvc\n.option arch, +d\nfmv.d.x ft0, %0\nfmv.d.x ft1, x0\nfdiv.d ft0, ft0, ft1\n"
        "ld t0, 0(%1)\n.option pop"
        :
        : "r"(ONE), "r"((u64)HOLE)
        : "t0");
    check(91, disarm() == LOAD_ACCESS && csr_read(fflags) == DZ);
    csr_write(fflags, 0);
}

// --- values at the edges
#define VALUE(number, text, x, y, wanted)                                                             \
    do {                                                                                              \
        asm volatile(FP("fmv.d.x ft0, %0\nfmv.d.x ft1, %1\n" text) : : "r"((u64)(x)), "r"((u64)(y))); \
        check(number, bits_of_double() == (wanted));                                                  \
    } while (0)
#define INTEGER(number, text, x, wanted)                                         \
    do {                                                                         \
        u64 out_;                                                                \
        asm volatile(FP("fmv.d.x ft0, %1\n" text) : "=r"(out_) : "r"((u64)(x))); \
        check(number, out_ == (u64)(wanted));                                    \
    } while (0)
static void values(void) {
    VALUE(95, "fmin.d ft0, ft0, ft1", MINUS(0ul), 0, MINUS(0ul));
    VALUE(96, "fmax.d ft0, ft0, ft1", MINUS(0ul), 0, 0);
    VALUE(97, "fmin.d ft0, ft0, ft1", NAN_D, ONE, ONE);
    VALUE(98, "fmax.d ft0, ft0, ft1", NAN_D, NAN_D | 5, NAN_D);
    VALUE(99, "fsqrt.d ft0, ft0", MINUS(0ul), 0, MINUS(0ul));
    VALUE(100, "fnmadd.d ft0, ft0, ft1, ft0", 0, 0, MINUS(0ul));
    VALUE(101, "fnmsub.d ft0, ft0, ft1, ft0", 0, ONE, 0);
    INTEGER(102, "fcvt.w.d %0, ft0", NAN_D, 0x7fffffff);
    INTEGER(103, "fcvt.wu.d %0, ft0", NAN_D, -1);
    INTEGER(104, "fcvt.lu.d %0, ft0", MINUS(ONE), 0);
    INTEGER(105, "fcvt.wu.d %0, ft0", 0x41efffffffe00000, -1);  // 2^32 - 1, sign-extended
    INTEGER(106, "fcvt.l.d %0, ft0", MINUS(INFINITY), 1ul << 63);
    INTEGER(107, "fclass.d %0, ft0", MINUS(0ul), BIT(3));
    INTEGER(108, "fclass.d %0, ft0", SIGNALLING, BIT(8));
    // Fused: one rounding. (1 + 2^-52)^2 - (1 + 2^-51) = 2^-104
    asm volatile(FP("fmv.d.x ft0, %0\nfmv.d.x ft1, %1\nfmsub.d ft0, ft0, ft0, ft1")
                 :
                 : "r"(ONE + 1), "r"(ONE + 2));
    check(109, bits_of_double() == 0x3970000000000000);
}

int main(void) {
    off_traps();
    dirty();
    boxes();
    rounding();
    reserved_modes();
    flags();
    values();
    set_fs(OFF);
    return 0;
}
