// Telling of a difference: the instruction, what it worked on, and what came of it.
#pragma once
#include <string>

#include "cpu/inspect.hpp"
#include "frontend/diff/lockstep.hpp"

namespace hartline {

// How an address is translated, a step of the walk a line.
std::string describe_walk(const Cpu& cpu, u64 vaddr, Access access);
// The instruction at s.pc: where, which, its operands' values, the walks behind its fetch and its access.
std::string describe_instruction(const Cpu& cpu);
// The report of what a Lockstep has found. Steps both machines over the instruction.
std::string describe_difference(Lockstep& lockstep, const std::string& name_a, const std::string& name_b);
}  // namespace hartline
