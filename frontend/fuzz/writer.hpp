// Writes the body of a program: instructions, units that branches may go to, groups, registers.
#pragma once
#include <initializer_list>
#include <utility>
#include <vector>

#include "frontend/fuzz/encode.hpp"
#include "frontend/fuzz/program.hpp"
#include "frontend/fuzz/random.hpp"

namespace hartline::fuzz {

enum class Mode : u8 { User = 0, Supervisor = 1, Machine = 3 };

class Writer {
public:
    explicit Writer(const Recipe& recipe);

    // --- instructions
    Insn& put(u32 word, u8 length = 4);
    Insn& put(Op op, const Operands& operands) { return put(encode(op, operands)); }
    void li(u8 rd, u64 value);
    void csrw(u32 csr, u8 rs1) { put(Op::CSRRW, {.rs1 = rs1, .imm = static_cast<i32>(csr)}); }
    // A branch over some units that are yet to come.
    void put_forward(u32 word, u8 length);
    void put_back(u32 word, u32 target) { put(word).target = target; }
    // Instructions that make sense together only. They do not nest.
    template <class Body>
    void grouped(Body body) {
        group_ = ++groups_;
        body();
        group_ = 0;
    }

    // --- units and registers
    void begin_unit();       // what follows may be jumped to
    void land_everything();  // nothing jumps further than here
    u8 destination();        // x0 to x29 but those in use
    u8 source() { return static_cast<u8>(random.below(30)); }
    u8 other_than(u8 reg);  // a destination that is neither this nor x0
    void use(u8 reg) { used_ |= u32{1} << reg; }
    void unuse() { used_ = 0; }
    bool is_used(u8 reg) const { return (used_ >> reg & 1) != 0; }
    std::size_t size() const { return program.body.size(); }

    Random random;
    Program program;
    Mode mode = Mode::Machine;
    bool paged = false;  // is satp in force?
    u64 pointer() const { return (paged ? kWindowVirtual : kWindow) + kMiddle; }

private:
    u32 group_ = 0, groups_ = 0;
    u32 used_ = 0;
    std::vector<std::pair<std::size_t, u32>> landing_;  // branches, and how many units they still skip
};
}  // namespace hartline::fuzz
