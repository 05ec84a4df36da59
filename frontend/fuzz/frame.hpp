// What surrounds a random program: prologue, trap handler, checkpoints, the end; and the memory it starts
// with.
#pragma once
#include "frontend/fuzz/program.hpp"

namespace hartline::fuzz {

// Fixed doors at the frame's start.
inline constexpr u64 kDoorCheckpoint = kBase + 4;  // by jal x30, in M-mode
inline constexpr u64 kDoorTurnEnd = kBase + 8;     // behind the body's last instruction, in M-mode
inline constexpr u64 kDoorStub = kBase + 12;       // stvec: hands a delegated trap on to the frame

// priv, "Sv39: Page-Based 39-bit Virtual-Memory System"
namespace pte {
inline constexpr u64 kV = 1, kR = 2, kW = 4, kX = 8, kU = 16, kG = 32, kA = 64, kD = 128, kN = u64{1} << 63;
inline constexpr u64 kAll = kV | kR | kW | kX | kA | kD;
constexpr u64 of(u64 paddr, u64 flags) { return paddr >> 12 << 10 | flags; }
}  // namespace pte
inline constexpr u64 kRoot57 = kTables, kRoot48 = kTables + 0x1000, kRoot39 = kTables + 0x2000,
                     kMiddleTable = kTables + 0x3000, kLeafTable = kTables + 0x4000;
inline constexpr unsigned kLeaves = kWindowPages + kIslandPages;  // in kLeafTable, from kWindowVirtual on

std::vector<u32> frame_code(const Program& program);
std::vector<u8> first_tables();
std::vector<u8> first_window(const Program& program);  // and the island
}  // namespace hartline::fuzz
