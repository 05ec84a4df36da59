// Programs in S-mode for machines side by side: their page tables, and the way there.
#pragma once
#include "assembly.hpp"

namespace hartline::twins {

constexpr u64 kCode = kRam + 0x1'0000, kOther = kRam + 0x1'1000, kTables = kRam + 0x10'0000;
constexpr unsigned kSstatus = 0x100, kSatp = 0x180, kMtvec = 0x305, kMepc = 0x341, kMcause = 0x342,
                   kMstatus = 0x300, kPmpcfg0 = 0x3a0, kPmpaddr0 = 0x3b0;
// Bits of a page-table entry.
constexpr u64 V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128;

// Sv39 tables for the twins. Of three levels, made as they are needed.
class Tables {
public:
    explicit Tables(Twins& twins, u64 root = kTables) : twins_(twins), root_(root) {}
    void map(u64 vaddr, u64 paddr, u64 bits = V | R | W | X | A | D) {
        u64 table = root_;
        for (unsigned level = 2; level != 0; --level) {
            const u64 at = table + (vaddr >> (12 + 9 * level) & 511) * 8;
            if (read(at) == 0) twins_.poke(at, (root_ + ++made_ * kFrameBytes) >> 12 << 10 | V);
            table = read(at) >> 10 << 12;
        }
        twins_.poke(leaf_ = table + (vaddr >> 12 & 511) * 8, paddr >> 12 << 10 | bits);
    }
    void map_itself(u64 pages, u64 bits = V | R | W | X | A | D) {  // of RAM
        for (u64 at = kRam; at < kRam + pages * kFrameBytes; at += kFrameBytes) map(at, at, bits);
    }
    u64 leaf() const { return leaf_; }  // where the last map() wrote
    static u64 entry(u64 paddr) { return paddr >> 12 << 10 | V | R | W | X | A | D; }

private:
    u64 read(u64 at) {
        u64 value = 0;
        twins_.interpreted.machine.ram().read(at, value);
        return value;
    }
    Twins& twins_;
    const u64 root_;
    u64 made_ = 0, leaf_ = 0;
};

// From the reset vector into S mode at `to`, translated by Tables, after `code`.
inline Assembly into_supervisor(u64 to, Assembly code = Assembly(kRam)) {
    code.imm(Op::ADDI, t0, zero, -1);
    code.csrw(kPmpaddr0, t0);
    code.imm(Op::ADDI, t0, zero, 0x1f);
    code.csrw(kPmpcfg0, t0);
    code.li(t0, kTables >> 12);
    code.imm(Op::ADDI, t1, zero, 8);
    code.imm(Op::SLLI, t1, t1, 60);
    code.op(Op::OR, t0, t0, t1);
    code.csrw(kSatp, t0);
    code.li(t0, 1 << 11);
    code.csrw(kMstatus, t0);
    code.li(t0, to);
    code.csrw(kMepc, t0);
    code.plain(Op::MRET);
    return code;
}

inline void add_to(Assembly& code, u8 base, i32 offset) {  // a word in memory, 1
    code.imm(Op::LD, t0, base, offset);
    code.imm(Op::ADDI, t0, t0, 1);
    code.store(Op::SD, t0, offset, base);
}

// Counts a round in s5, and begins another one at `loop`, but for each `nth` (a power of two).
inline void go_round(Assembly& code, u64 loop, i32 nth) {
    code.imm(Op::ADDI, s5, s5, 1);
    code.imm(Op::ANDI, t0, s5, nth - 1);
    code.branch(Op::BNE, t0, zero, loop);
}
}  // namespace hartline::twins
