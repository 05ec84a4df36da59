// What debuggers see of a hart that make_hart() made. Nothing here leaves a trace in the machine.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/hart.hpp"
#include "cpu/cpu.hpp"
#include "cpu/decode.hpp"
#include "cpu/translator_stats.hpp"

namespace hartline {

// Registers are in Cpu::s, CSRs by csr_peek(). Null: some other kind of hart.
const Cpu* inside(const Hart& hart);
// After run(1): the address of the instruction that retired, which is not where pc was if a trap came before
// it.
u64 last_entry(const Hart& hart);

// Null: this hart does not translate code.
const TranslatorStats* translator_stats(const Hart& hart);

// The translations that hold one of the instructions, each beside its IR and its host code. Empty: there are
// none.
std::string translations_of(const Hart& hart, const CodeRange& range);
// Where the hart's address space (satp) has an address, whatever its mode is now.
std::optional<u64> mapped_at(const Cpu& cpu, u64 vaddr);

// How an address is translated now, from the tables themselves.
struct LookUp {
    struct Step {
        u64 paddr = 0, pte = 0;
        std::optional<u64> becomes;  // with A and D bits set by this access
    };
    Regime regime;
    std::vector<Step> steps;
    Translation to;
    bool pmp_allows = false;
};
LookUp look_up(const Cpu& cpu, u64 vaddr, Access access);

// `bytes` (1 to 8) of RAM or ROM at a virtual address.
std::optional<u64> peek(const Cpu& cpu, u64 vaddr, unsigned bytes, Access access);
// The bits of the instruction at `pc`.
std::optional<u32> peek_instruction(const Cpu& cpu, u64 pc);
// What the instruction would access as registers are now.
struct MemoryUse {
    u64 vaddr = 0;
    Access access = Access::Load;
};
std::optional<MemoryUse> memory_use(const Cpu& cpu, const Decoded& decoded);
}  // namespace hartline
