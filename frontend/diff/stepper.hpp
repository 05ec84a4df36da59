// One hart, an instruction at a time, with what it was before: for comparisons with others' steps.
#pragma once
#include <optional>

#include "cpu/inspect.hpp"
#include "frontend/diff/course.hpp"

namespace hartline {

class Stepper {
public:
    // Of hart 0. Throws InputError when the machine has more, whose interleaving nobody else shares.
    explicit Stepper(Machine& machine);

    // Up to the first instruction at or above `pc` (behind the reset vector). false: it does not get there.
    bool go_up_to(u64 pc);
    // Until one instruction has retired. false: it can go no further.
    bool step();
    bool stopped() const { return course_.state() != Course::State::Running; }

    const HartState& before() const { return before_; }
    const HartState& after() const { return cpu_.s; }
    const Cpu& cpu() const { return cpu_; }
    // Of the last step.
    u64 pc() const { return pc_; }                      // of the instruction that retired
    bool trapped() const { return pc_ != before_.pc; }  // a trap or interrupt came before it
    std::optional<u32> bits() const { return bits_; }
    u64 steps() const { return steps_; }

private:
    Machine& machine_;
    Course course_;
    const Cpu& cpu_;
    HartState before_;
    u64 pc_ = 0, steps_ = 0;
    std::optional<u32> bits_;
};

// A CSR instruction on what is each make's own, or counts from another moment: what it reads is not compared.
bool reads_its_own(const Decoded& decoded);
}  // namespace hartline
