// Asks Capstone, and decides whose text is the better one.
#include "cpu/disassembler.hpp"

#include <array>
#include <string_view>

#include "cpu/capstone.hpp"
#include "cpu/decode.hpp"
#include "cpu/print.hpp"

namespace hartline {
namespace {
// Where Capstone 5 decodes the word, and its text says less than the table's: it prints offsets for targets,
// numbers for CSRs that are younger than it, "unknown" for empty sets of fences, and what pause and c.mop.n
// are made of.
bool knows_less(u32 word, const Decoded& decoded) {
    const CompressedRow* const compressed =
        decoded.length == 2 ? find_compressed(static_cast<u16>(word)) : nullptr;
    const std::string_view operands = compressed == nullptr ? row(decoded.op).operands : compressed->operands;
    const auto prints = [&](std::string_view key) { return operands.find(key) != std::string_view::npos; };
    return prints("target") || prints("csr") || prints("pred") || decoded.op == Op::PAUSE ||
           decoded.op == Op::MOP_R;
}
}  // namespace

Disassembler::Disassembler()
    : capstone_(std::make_unique<Capstone>(
          CS_ARCH_RISCV, static_cast<cs_mode>(CS_MODE_RISCV64 | CS_MODE_RISCVC), "RISC-V")) {}
Disassembler::~Disassembler() = default;

std::optional<std::string> Disassembler::capstone(u32 word, u64 pc) {
    const std::array<u8, 4> bytes{static_cast<u8>(word), static_cast<u8>(word >> 8),
                                  static_cast<u8>(word >> 16), static_cast<u8>(word >> 24)};
    const u8* at = bytes.data();
    std::size_t left = length_of(word);
    const cs_insn* const insn = capstone_->next(at, left, pc);
    if (insn == nullptr) return std::nullopt;
    std::string text = insn->mnemonic;
    const std::string_view operands = insn->op_str;
    if (!operands.empty()) text += ' ';
    for (std::size_t i = 0; i < operands.size(); ++i)
        if (operands[i] != ' ' || i == 0 || operands[i - 1] != ',') text += operands[i];
    return text;
}

std::string Disassembler::text(u32 word, u64 pc) {
    const Decoded decoded = decode(word);
    const std::optional<std::string> theirs = capstone(word, pc);
    if (!theirs) return print(word, pc);
    if (decoded.op != Op::Illegal) return knows_less(word, decoded) ? print(word, pc) : *theirs;
    std::string data = print(word, pc);  // of an extension that Hartline has not
    if (data.find('#') == std::string::npos) data += "  # " + *theirs;
    return data;
}
}  // namespace hartline
