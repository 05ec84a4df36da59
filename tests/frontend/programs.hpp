// Little bare-metal programs for tests of whole machines, assembled here.
#pragma once
#include <initializer_list>

#include "frontend/session/config.hpp"
#include "support.hpp"

namespace hartline::test {

// unpriv, "Base Instruction Formats"
enum Reg : u32 { zero = 0, t0 = 5, t1 = 6, t2 = 7, a0 = 10, a1 = 11 };
constexpr u32 lui(Reg rd, u32 imm20) { return imm20 << 12 | rd << 7 | 0x37; }
constexpr u32 auipc(Reg rd, u32 imm20) { return imm20 << 12 | rd << 7 | 0x17; }
constexpr u32 addi(Reg rd, Reg rs, u32 imm) { return (imm & 0xfff) << 20 | rs << 15 | rd << 7 | 0x13; }
constexpr u32 andi(Reg rd, Reg rs, u32 imm) {
    return (imm & 0xfff) << 20 | rs << 15 | 7 << 12 | rd << 7 | 0x13;
}
constexpr u32 lbu(Reg rd, Reg rs, u32 imm) { return imm << 20 | rs << 15 | 4 << 12 | rd << 7 | 0x03; }
constexpr u32 store(u32 width, Reg from, Reg to, u32 imm) {
    return (imm >> 5) << 25 | from << 20 | to << 15 | width << 12 | (imm & 31) << 7 | 0x23;
}
constexpr u32 sb(Reg from, Reg to, u32 imm) { return store(0, from, to, imm); }
constexpr u32 sw(Reg from, Reg to, u32 imm) { return store(2, from, to, imm); }
constexpr u32 sd(Reg from, Reg to, u32 imm) { return store(3, from, to, imm); }
constexpr u32 branch(u32 kind, Reg a, Reg b, int bytes) {
    const auto imm = static_cast<u32>(bytes);
    return (imm >> 12 & 1) << 31 | (imm >> 5 & 63) << 25 | b << 20 | a << 15 | kind << 12 |
           (imm >> 1 & 15) << 8 | (imm >> 11 & 1) << 7 | 0x63;
}
constexpr u32 beq(Reg a, Reg b, int bytes) { return branch(0, a, b, bytes); }
constexpr u32 bne(Reg a, Reg b, int bytes) { return branch(1, a, b, bytes); }
constexpr u32 kWfi = 0x10500073, kHere = 0x6f;  // j .

inline std::vector<u8> code(std::initializer_list<u32> words) {
    std::vector<u8> bytes;
    for (u32 word : words) append(bytes, word);
    return bytes;
}

// Writes `command` to the test finisher.
inline std::vector<u8> finish_program(u32 command) {
    return code(
        {lui(t0, 0x100), lui(t1, (command + 0x800) >> 12), addi(t1, t1, command), sw(t1, t0, 0), kHere});
}
inline std::vector<u8> spin_program() { return code({kHere}); }
// No interrupt is enabled: it waits for ever.
inline std::vector<u8> wait_program() { return code({kWfi, kHere}); }

// Writes '>' to the UART, then everything that comes from there, and powers off after 'q'.
inline std::vector<u8> echo_program() {
    return code({
        lui(t0, 0x10000),  // UART
        addi(t1, zero, '>'),
        sb(t1, t0, 0),
        lbu(t1, t0, 5),  // 12: LSR
        andi(t1, t1, 1),
        beq(t1, zero, -8),
        lbu(t1, t0, 0),
        sb(t1, t0, 0),
        addi(t2, zero, 'q'),
        bne(t1, t2, 12 - 36),
        lui(t0, 0x100),
        lui(t1, 0x5),
        addi(t1, t1, 0x555),
        sw(t1, t0, 0),
        kHere,
    });
}

// HTIF: exits with `exit_code`, through tohost at 0x80000100.
inline ElfPlan htif_program(u32 exit_code) {
    ElfPlan plan;
    plan.code = code({auipc(t0, 0), addi(t1, zero, exit_code << 1 | 1), sd(t1, t0, 0x100), kHere});
    plan.memory_bytes = 0x1000;
    plan.symbols = {{"tohost", 0x8000'0100},
                    {"fromhost", 0x8000'0140},
                    {"begin_signature", 0x8000'0000},
                    {"end_signature", 0x8000'0008}};
    return plan;
}

inline std::vector<u8> elf_of(std::vector<u8> program) {
    ElfPlan plan;
    plan.code = std::move(program);
    return make_elf(plan);
}

// A run of such a program that repeats itself, and tells nothing.
inline RunConfig exact(const std::string& image) {
    RunConfig config;
    config.image = image;
    config.memory = u64{16} << 20;
    config.deterministic = config.quiet = true;
    return config;
}
}  // namespace hartline::test
