// Text of instructions for people: Capstone's, and the table's own where Capstone knows less.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "core/types.hpp"

namespace hartline {
class Capstone;

class Disassembler {
public:
    Disassembler();  // throws std::runtime_error where the library was built without RISC-V
    ~Disassembler();
    Disassembler(const Disassembler&) = delete;
    Disassembler& operator=(const Disassembler&) = delete;

    // The instruction `word` (a compressed one in its low half) at `pc`. Unlike print() it uses the names
    // that assembly programs use (mv, ret, csrr are not among the table's mnemonics).
    std::string text(u32 word, u64 pc);
    // What Capstone alone says, with operands apart by "," as in print(); nothing where it knows no such
    // instruction. Its branch targets are offsets, whatever `pc` is.
    std::optional<std::string> capstone(u32 word, u64 pc);

private:
    std::unique_ptr<Capstone> capstone_;
};
}  // namespace hartline
