// A random program as a list of instructions, and where its parts lie in memory.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "cpu/isa.hpp"

namespace hartline::fuzz {

enum class Category : u8 {
    Integer,
    Compressed,
    Memory,
    Float,
    Atomic,
    Csr,
    Trap,
    Paging,
    Pmp,
    Selfmod,
    Mixed
};
inline constexpr std::array<std::string_view, 11> kCategoryNames{
    "integer", "compressed", "memory", "float", "atomic", "csr", "trap", "paging", "pmp", "selfmod", "mixed"};
inline constexpr std::size_t kCategories = kCategoryNames.size();
constexpr std::string_view name(Category category) {
    return kCategoryNames[static_cast<std::size_t>(category)];
}

// For whom a program is written: what that machine lacks is left out (dialect.cpp says what and why).
enum class Dialect : u8 { Full, Spike, Qemu };
// How it ends: HTIF's tohost; or the signature's bytes through the UART, and the test finisher.
enum class Exit : u8 { Htif, Finisher };

struct Recipe {
    u64 seed = 1;
    Category category = Category::Integer;
    u64 length = 100'000;  // random instructions to run, more or less
    Dialect dialect = Dialect::Full;
    Exit exit = Exit::Htif;
};

// One instruction. A branch or jump names the instruction that it goes to; the offset follows at layout.
struct Insn {
    static constexpr u32 kNoTarget = ~u32{0};
    u32 word = 0;
    u8 length = 4;
    u32 target = kNoTarget;  // an index into Program::body; behind the last: the end
    u64 door = 0;            // not 0: the address of the frame that this jal goes to
    u32 group = 0;           // not 0: instructions of one group are kept or removed together
};

struct Program {
    Recipe recipe;
    std::vector<Insn> body;
    u32 turns = 1;  // how often the body runs
};

// --- the memory map of a program. Everything a machine needs stays below kWindow, within reach of one PMP
// entry.
inline constexpr u64 kBase = 0x8000'0000;     // code of the frame: prologue, trap handler, checkpoints
inline constexpr u64 kSave = kBase + 0x2000;  // registers saved, running hashes
inline constexpr u64 kTohost = kBase + 0x3000, kFromhost = kTohost + 0x40;
inline constexpr u64 kTables = kBase + 0x4000;  // page tables: Sv57's root, Sv48's, Sv39's, two below
inline constexpr u64 kSignature = kBase + 0x1'0000;
inline constexpr u64 kSignatureBytes = 0x1'0000;
inline constexpr u64 kBody = kBase + 0x2'0000;
inline constexpr u64 kWindow = kBase + 0x10'0000;  // data, kWindowPages of it, then pages of code to jump to
inline constexpr unsigned kWindowPages = 8;
inline constexpr u64 kIsland = kWindow + 0x8000;  // two pages full of `ret`
inline constexpr unsigned kIslandPages = 2;
inline constexpr u64 kImageEnd = kIsland + kIslandPages * 0x1000;
inline constexpr u64 kMiddle = 0x4000;  // of the window: what x31 points to
// Virtual addresses: U-mode runs the body by an alias, and the window lies apart.
inline constexpr u64 kUserAlias = 0x4000'0000;  // added to a physical address of code
inline constexpr u64 kWindowVirtual = 0x1'4000'0000;
// x30 is the frame's scratch register, x31 the middle of the window.
inline constexpr u8 kScratch = 30, kPointer = 31;
// Behind an ecall: go on in M-mode. A HINT (lui x0) that no random instruction is.
inline constexpr u32 kToMachine = 0xfab1'e037;

// `body` as bytes at kBody, with the instructions for which keep[i] is false left out. Empty `keep`: all.
std::vector<u8> lay_out(const Program& program, const std::vector<bool>& keep,
                        std::vector<u64>* addresses = nullptr);
// A line an instruction, by cpu/print.
std::string listing(const Program& program, const std::vector<bool>& keep);
// The whole program as an ELF file.
std::vector<u8> build(const Program& program, const std::vector<bool>& keep = {});
}  // namespace hartline::fuzz
