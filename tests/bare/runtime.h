// What every bare-metal program shares: checks with numbers, expected traps, CSRs, calls into S and U, the
// console.
//
// A program is `int main(void)` on hart 0. check(n, condition) ends it through the test finisher with code n
// when the condition fails; a return from main is a pass; an unexpected trap is code 254.
//
// Built with ORACLE_QEMU or ORACLE_SPIKE, a program runs on QEMU 7.2 or Spike instead of Hartline: what that
// one is known to do otherwise (check_unless) or to lack (present) is then printed instead of failing. Built
// with neither, nothing is excused.
#pragma once

#define MAX_HARTS 8
#define STACK_BYTES 0x4000
#define RETURN_MAGIC 0x7265
#define FRAME_EPC 256
#define FRAME_CAUSE 264
#define FRAME_TVAL 272
#define FRAME_STATUS 280
#define FRAME_BYTES 288

#ifndef ORACLE_QEMU
#define ORACLE_QEMU 0
#endif
#ifndef ORACLE_SPIKE
#define ORACLE_SPIKE 0
#endif
#ifndef PROGRAM
#define PROGRAM "program"
#endif

// The board.
#define FINISHER 0x100000
#define RTC 0x101000
#define CLINT 0x2000000
#define PLIC 0xc000000
#define UART 0x10000000
#define VIRTIO 0x10001000
#define RAM 0x80000000
#define RAM_END 0x88000000  // 128 MiB
#define HOLE 0x18000000     // nothing is there on any of the machines

#ifndef __ASSEMBLER__
typedef unsigned long u64;
typedef long i64;
typedef unsigned u32;
typedef int i32;
typedef unsigned short u16;
typedef unsigned char u8;
typedef u8 bool;
#define true 1
#define false 0

enum { U = 0, S = 1, M = 3 };
enum {
    FETCH_ACCESS = 1,
    ILLEGAL = 2,
    BREAKPOINT = 3,
    LOAD_MISALIGNED = 4,
    LOAD_ACCESS = 5,
    STORE_MISALIGNED = 6,
    STORE_ACCESS = 7,
    ECALL_U = 8,
    ECALL_S = 9,
    ECALL_M = 11,
    FETCH_PAGE = 12,
    LOAD_PAGE = 13,
    STORE_PAGE = 15,
};
#define NO_TRAP (~0ul)
#define INTERRUPT (1ul << 63)
enum { SSI = 1, MSI = 3, STI = 5, MTI = 7, SEI = 9, MEI = 11, LCOFI = 13 };
#define BIT(n) (1ul << (n))

#define MSTATUS_SIE BIT(1)
#define MSTATUS_MIE BIT(3)
#define MSTATUS_SPIE BIT(5)
#define MSTATUS_MPIE BIT(7)
#define MSTATUS_SPP BIT(8)
#define MSTATUS_MPP (3ul << 11)
#define MSTATUS_MPP_(mode) ((u64)(mode) << 11)
#define MSTATUS_FS (3ul << 13)
#define MSTATUS_MPRV BIT(17)
#define MSTATUS_SUM BIT(18)
#define MSTATUS_MXR BIT(19)
#define MSTATUS_TVM BIT(20)
#define MSTATUS_TW BIT(21)
#define MSTATUS_TSR BIT(22)
#define MSTATUS_SD BIT(63)

// --- CSRs, by name or by number where the assembler does not know the name
#define menvcfg 0x30a
#define senvcfg 0x10a
#define stimecmp 0x14d
#define scountovf 0xda0
#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define csr_read(csr)                                                      \
    ({                                                                     \
        u64 value_;                                                        \
        asm volatile("csrr %0, " STRING(csr) : "=r"(value_) : : "memory"); \
        value_;                                                            \
    })
#define csr_write(csr, to) asm volatile("csrw " STRING(csr) ", %0" : : "rK"((u64)(to)) : "memory")
#define csr_set(csr, to) asm volatile("csrs " STRING(csr) ", %0" : : "rK"((u64)(to)) : "memory")
#define csr_clear(csr, to) asm volatile("csrc " STRING(csr) ", %0" : : "rK"((u64)(to)) : "memory")
#define csr_field(csr, mask, to) \
    do {                         \
        csr_clear(csr, mask);    \
        csr_set(csr, to);        \
    } while (0)

// --- memory
static inline u32 read8(u64 at) { return *(volatile u8*)at; }
static inline u32 read16(u64 at) { return *(volatile u16*)at; }
static inline u32 read32(u64 at) { return *(volatile u32*)at; }
static inline u64 read64(u64 at) { return *(volatile u64*)at; }
static inline void write8(u64 at, u8 value) { *(volatile u8*)at = value; }
static inline void write16(u64 at, u16 value) { *(volatile u16*)at = value; }
static inline void write32(u64 at, u32 value) { *(volatile u32*)at = value; }
static inline void write64(u64 at, u64 value) { *(volatile u64*)at = value; }
static inline void fence_i(void) { asm volatile("fence.i" : : : "memory"); }
static inline void fence(void) { asm volatile("fence rw, rw" : : : "memory"); }
static inline void sfence(void) { asm volatile("sfence.vma" : : : "memory"); }
static inline u64 mtime(void) { return read64(CLINT + 0xbff8); }
#define MTIMECMP(hart) (CLINT + 0x4000 + 8 * (u64)(hart))
#define MSIP(hart) (CLINT + 4 * (u64)(hart))
u64 trailing_zeros(u64 value);  // value is not 0
void* memset(void* to, int byte, u64 bytes);
void* memcpy(void* to, const void* from, u64 bytes);

// --- console and end
void put_text(const char* text);
void put_hex(u64 value);
void put_number(u64 value);
void note(const char* text);  // a line of its own
__attribute__((noreturn)) void finish(u64 code);
__attribute__((noreturn)) void pass(void);

// --- checks
void check_at(u64 number, bool holds, u64 line, const char* text);
void known_difference(u64 number, const char* text);
#define check(number, condition) check_at(number, (condition) != 0, __LINE__, #condition)
// `oracle` is known to differ: ORACLE_QEMU, ORACLE_SPIKE or both or-ed.
#define check_unless(oracle, number, condition)            \
    do {                                                   \
        if (condition)                                     \
            check(number, true);                           \
        else if (oracle)                                   \
            known_difference(number, #condition);          \
        else                                               \
            check_at(number, false, __LINE__, #condition); \
    } while (0)
// Is the extension there? Oracles may lack it; Hartline may not.
bool present(u64 number, const char* extension, bool there);
// Values that a failing check shows.
void show(const char* name, u64 value);

// --- expected traps
struct trap {
    u64 count, cause, epc, tval, status;
};
extern volatile struct trap last;  // the first one since arm()
void arm(void);
u64 disarm(void);  // its cause, or NO_TRAP
// Runs assembly text with operands; gives the cause of its trap. A trap is resumed 4 bytes on; instructions
// are not compressed.
#define attempt(text, ...)                                                              \
    ({                                                                                  \
        arm();                                                                          \
        asm volatile(".option push\n.option norvc\n" text "\n.option pop" __VA_ARGS__); \
        disarm();                                                                       \
    })

struct frame {
    u64 x[32], epc, cause, tval, status;
};
// Sees every trap first; says whether it is dealt with.
extern bool (*volatile on_trap)(struct frame* frame);
void trap_entry(void);
void s_trap_entry(void);

// What s_trap_entry() leaves: for traps that are delegated.
struct s_trap {
    u64 saved[2], count, cause, epc, tval, status, log[16];
};
extern volatile struct s_trap s_trap;
void delegate(u64 exceptions, u64 interrupts);  // to s_trap_entry(); clears s_trap

// --- S and U
// Calls a function in `mode`; traps on the way are the caller's to expect.
u64 run_in(u64 mode, u64 (*function)(u64), u64 argument);
// The same, expecting; gives the cause of the first trap. The function's result is in lower_result.
u64 attempt_in(u64 mode, u64 (*function)(u64), u64 argument);
extern u64 lower_result;
// What is added to the addresses of code and stack in U: where U has them mapped.
extern u64 user_offset;
extern u64 boot_tree;  // a1 at the start
u64 probe_lb(u64), probe_lbu(u64), probe_lh(u64), probe_lhu(u64), probe_lw(u64), probe_lwu(u64),
    probe_ld(u64);
u64 probe_sb(u64), probe_sh(u64), probe_sw(u64), probe_sd(u64), probe_lr(u64), probe_amo(u64);
u64 probe_jump(u64), probe_ret(u64);

// --- several harts
void secondary(void);  // other harts come here; they park unless a program defines it
static inline u64 self(void) { return csr_read(mhartid); }
static inline void relax(void) { asm volatile(".word 0x0100000f" : : : "memory"); }  // pause
extern volatile u64 harts;  // how many there are, from gather() on
void announce(void);        // this one is there
void gather(void);          // on hart 0: until all of the device tree are there. Checks 1 and 2
void barrier(void);         // all harts wait for all
// A check on any hart, of which settle() tells.
extern volatile u64 failed_check;
static inline void expect(u64 number, bool holds) {
    if (!holds) failed_check = number;
}
void settle(u64 number);  // a barrier, and the check `number`: has every expect() held?
#endif
