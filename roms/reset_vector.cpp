// Assembles the boot ROM.
#include "roms/reset_vector.hpp"

#include <cstring>

namespace hartline {
namespace {
// Where the data behind the six instructions lies.
constexpr u32 kStart = 24;
constexpr u32 kDeviceTree = 32;
constexpr u32 kDynamicInfo = 40;

enum Register : u32 { zero = 0, t0 = 5, a0 = 10, a1 = 11, a2 = 12 };

// unpriv, "RV32I Base Instruction Set", and "Zicsr": I- and U-type encodings.
constexpr u32 i_type(u32 opcode, u32 funct3, Register rd, Register rs1, u32 imm) {
    return imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
}
constexpr u32 auipc(Register rd, u32 imm20) { return imm20 << 12 | rd << 7 | 0x17; }
constexpr u32 addi(Register rd, Register rs1, u32 imm) { return i_type(0x13, 0, rd, rs1, imm); }
constexpr u32 ld(Register rd, Register base, u32 offset) { return i_type(0x03, 3, rd, base, offset); }
constexpr u32 csrr(Register rd, u32 csr) { return i_type(0x73, 2, rd, zero, csr); }
constexpr u32 jr(Register to) { return i_type(0x67, 0, zero, to, 0); }
constexpr u32 kMhartid = 0xf14;

constexpr u32 kCode[] = {
    auipc(t0, 0), addi(a2, t0, kDynamicInfo), csrr(a0, kMhartid), ld(a1, t0, kDeviceTree), ld(t0, t0, kStart),
    jr(t0),
};
static_assert(sizeof kCode == kStart);
static_assert(kCode[1] == 0x02828613 && kCode[2] == 0xf1402573 && kCode[4] == 0x0182b283 &&
              kCode[5] == 0x00028067);

// OpenSBI, include/sbi/fw_dynamic.h.
constexpr u64 kDynamicMagic = 0x4942534f;  // "OSBI"
constexpr u64 kDynamicVersion = 2;
constexpr u64 kNextModeS = 1;
constexpr u64 kNoOptions = 0;
constexpr u64 kAnyBootHart = ~u64{0};  // a lottery among the harts
}  // namespace

std::vector<u8> reset_vector(const BootHandOver& to) {
    const u64 data[] = {to.start, to.device_tree, kDynamicMagic, kDynamicVersion,
                        to.next,  kNextModeS,     kNoOptions,    kAnyBootHart};
    static_assert(sizeof kCode + sizeof data <= kResetVectorBytes);
    std::vector<u8> rom(kResetVectorBytes);
    std::memcpy(rom.data(), kCode, sizeof kCode);
    std::memcpy(rom.data() + kStart, data, sizeof data);
    return rom;
}
}  // namespace hartline
