// What a set of programs exercised: rows, operand classes, traps, CSRs.
#pragma once
#include <array>
#include <map>
#include <string>

#include "cpu/observer.hpp"

namespace hartline {

// Classes of operands, as bits. The values of a source follow each other for rs1, rs2 (and rs3).
struct OperandClass {
    enum : unsigned {
        RdZero,
        Rs1Zero,
        Rs2Zero,
        RdIsRs1,
        Rs1IsRs2,
        ImmZero,
        ImmNegative,
        ImmMin,
        ImmMax,
        Integer1,  // 0, 1, -1, min, max
        Integer2 = Integer1 + 5,
        Float1 = Integer2 + 5,  // ±0, subnormal, infinity, quiet NaN, signalling NaN, not boxed, other
        Float2 = Float1 + 7,
        Float3 = Float2 + 7,
        Rounding = Float3 + 7,  // the five modes
        Flags = Rounding + 5,   // raised: NX, UF, OF, DZ, NV
        Count = Flags + 5
    };
};
static_assert(OperandClass::Count <= 64);
std::string class_name(unsigned operand_class);
// Those that a row can have by its operands; flags excepted, which depend on what it computes.
u64 classes_of(const Row& row);
std::string_view row_name(Op op);  // its identifier in the table

struct Coverage {
    struct RowCount {
        u64 count = 0, classes = 0;
    };
    struct CsrCount {
        u64 reads = 0, writes = 0, changed = 0;  // changed: bits that a write turned
    };
    std::array<RowCount, kRows> rows{};
    std::array<u64, kCompressed.size()> compressed{};
    std::map<std::string, u64> traps;  // "exception 2 U>M", "interrupt 5 S>S"
    std::map<u16, CsrCount> csrs;

    void merge(const Coverage& other);
};

class CoverageCounter final : public Observer {
public:
    CoverageCounter();
    void committed(const Commit& commit) override;
    void trapped(const TrapEntry& trap) override;
    const Coverage& coverage() const { return coverage_; }

private:
    Coverage coverage_;
    std::array<u64, kRows> classes_;  // of each row
};
}  // namespace hartline
