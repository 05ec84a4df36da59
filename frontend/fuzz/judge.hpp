// Running a program's ELF file somewhere, and what it leaves.
#pragma once
#include <string>
#include <vector>

#include "frontend/fuzz/program.hpp"

namespace hartline::fuzz {

struct Engine {
    enum class Kind : u8 { Interpreter, Jit, Ir, Qemu, Spike };
    Kind kind = Kind::Interpreter;
    std::string path;         // of Spike or QEMU
    u32 translate_after = 1;  // of the translator: all that is executed
    bool outside() const { return kind == Kind::Qemu || kind == Kind::Spike; }
};
// interpreter, jit, ir, qemu, qemu=PATH or spike=PATH. Throws InputError.
Engine parse_engine(const std::string& text);
Dialect dialect_of(const Engine& engine);
Exit exit_of(const Engine& engine);

struct Leavings {
    bool finished = false;
    std::vector<u64> checkpoints;
    u64 instructions = 0;  // of our own engines
    bool operator==(const Leavings& other) const {
        return finished == other.finished && checkpoints == other.checkpoints;
    }
};
struct Bounds {
    u64 instructions = 50'000'000;
    double seconds = 60;
};
// The one place where programs are run. `folder` is for this call's files alone; the ELF is
// `folder`/program.elf.
Leavings run_program(const Engine& engine, const std::string& folder, const Bounds& bounds);
}  // namespace hartline::fuzz
