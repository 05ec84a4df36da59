// Stepping.
#include "frontend/diff/stepper.hpp"

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr u64 kMostStalls = 64;  // traps on the heels of traps
constexpr u64 kMostToStart = 10'000;
}  // namespace

Stepper::Stepper(Machine& machine) : machine_(machine), course_(machine), cpu_(*inside(machine.hart(0))) {
    if (machine.harts() != 1)
        throw InputError("--harts", "others interleave harts otherwise", "compare one hart");
}

bool Stepper::go_up_to(u64 pc) {
    for (u64 i = 0; i < kMostToStart && cpu_.s.pc < pc && !stopped(); ++i) course_.go_to(course_.tick() + 1);
    return cpu_.s.pc >= pc;
}

bool Stepper::step() {
    before_ = cpu_.s;
    bits_ = peek_instruction(cpu_, cpu_.s.pc);
    for (u64 i = 0; i < kMostStalls && !stopped() && cpu_.s.retired == before_.retired; ++i)
        course_.go_to(course_.tick() + 1);
    if (cpu_.s.retired == before_.retired) return false;
    ++steps_;
    pc_ = last_entry(machine_.hart(0));
    if (trapped()) bits_ = peek_instruction(cpu_, pc_);
    return true;
}

// cycle, time, instret, their hpm siblings, and the machine's own; mvendorid, marchid, mimpid.
bool reads_its_own(const Decoded& decoded) {
    if (decoded.op == Op::Illegal || row(decoded.op).format != Format::Csr) return false;
    const auto number = static_cast<unsigned>(decoded.operands.imm) & 0xfff;
    return (number >= 0xc00 && number < 0xc20) || (number >= 0xb00 && number < 0xb20) ||
           (number >= 0xf11 && number <= 0xf13);
}
}  // namespace hartline
