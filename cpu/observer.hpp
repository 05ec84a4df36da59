// What instructions did, for whoever watches a hart: commit logs, coverage, comparison with another engine.
#pragma once
#include <array>

#include "cpu/isa.hpp"
#include "mmu/translation.hpp"

namespace hartline {

// A short list in place.
template <class T, std::size_t kMost>
class Few {
public:
    void clear() { count_ = 0; }
    void add(const T& item) {
        if (count_ < kMost) items_[count_++] = item;
    }
    bool empty() const { return count_ == 0; }
    std::size_t size() const { return count_; }
    const T& operator[](std::size_t at) const { return items_[at]; }
    T* begin() { return items_.data(); }
    T* end() { return items_.data() + count_; }
    const T* begin() const { return items_.data(); }
    const T* end() const { return items_.data() + count_; }

private:
    std::array<T, kMost> items_;
    std::size_t count_ = 0;
};

struct RegisterWrite {
    u8 number = 0;
    bool floating = false;
    u64 value = 0;
};
// A CSR that holds state, and what a read in M-mode returns after the instruction.
struct CsrWrite {
    u16 number = 0;
    u64 value = 0;
};
struct MemoryAccess {
    u64 vaddr = 0;
    u64 value = 0;  // zero-extended; of more than 8 bytes the low ones
    u64 high = 0;   // the other 8 of 16
    u8 bytes = 0;   // 64: a cache block filled with zeroes
    bool store = false;
};
// What a CSR instruction named, as it said it.
struct CsrAccess {
    u16 number = 0;
    bool there = false;  // else this is no CSR instruction
    bool read = false, written = false;
    bool locked = false;  // what is written has no effect
    u64 before = 0, after = 0;
};

// One instruction that retired.
struct Commit {
    // --- known before it ran
    unsigned hart = 0;
    u64 number = 0;  // of instructions that retired before it on this hart
    u64 pc = 0;
    u32 bits = 0;
    u8 length = 4;
    Op op = Op::Illegal;
    Privilege privilege = Privilege::Machine;  // that it ran with
    Operands operands;                         // of the row, as the instruction has them; x0 as 0
    std::array<u64, 2> x{};                    // rs1, rs2 as integer registers,
    std::array<u64, 3> f{};                    // rs1, rs2, rs3 as floating-point ones
    u64 mstatus = 0;

    // --- what it did
    Few<RegisterWrite, 2> registers;  // x0 is never among them
    Few<CsrWrite, 6> csrs;            // views (sstatus, fcsr, sip) as the registers behind them
    Few<MemoryAccess, 2> memory;
    CsrAccess csr;
    u8 fp_flags = 0;      // raised, whether they were set before or not
    u8 rounding = kNone;  // the mode it used, as in frm
    static constexpr u8 kNone = 0xff;

    void set_x(u8 reg, u64 value) {
        if (reg % 32 != 0) registers.add({reg, false, value});
    }
    void set_csr(u16 csr_number, u64 value) {
        for (CsrWrite& written : csrs)
            if (written.number == csr_number) {
                written.value = value;
                return;
            }
        csrs.add({csr_number, value});
    }
    void forget_effects() {
        registers.clear();
        csrs.clear();
        memory.clear();
        csr.there = false;
        fp_flags = 0;
        rounding = kNone;
    }
};

// A trap that was entered: of an instruction that did not retire, or an interrupt before one that had not
// begun.
struct TrapEntry {
    unsigned hart = 0;
    u64 number = 0;  // of instructions that had retired on this hart
    u64 pc = 0;
    bool interrupt = false;
    u64 cause = 0;  // without the interrupt bit
    u64 tval = 0;
    Privilege from = Privilege::Machine, to = Privilege::Machine;
    const Commit* begun =
        nullptr;  // the instruction, where it was not its fetch that trapped; without effects
};

// Called on the hart's thread in the middle of its run: must not throw, and must not touch the machine.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void committed(const Commit& commit) = 0;
    virtual void trapped(const TrapEntry& trap) = 0;
};
}  // namespace hartline
