// Control and status registers: which exist, what they hold, and how instructions get at them. The rows are
// in csr.def; the CSR instructions themselves are declared in system.hpp.
#pragma once
#include <string>

#include "cpu/cpu.hpp"

namespace hartline {

// Fields of mstatus. priv, "Machine Status (mstatus and mstatush) Registers".
namespace mstatus {
inline constexpr u64 kSie = 1 << 1, kMie = 1 << 3, kSpie = 1 << 5, kMpie = 1 << 7, kSpp = 1 << 8;
inline constexpr unsigned kMppShift = 11, kFsShift = 13;
inline constexpr u64 kMpp = 3 << kMppShift, kFs = 3 << kFsShift;
inline constexpr u64 kMprv = 1 << 17, kSum = 1 << 18, kMxr = 1 << 19, kTvm = 1 << 20, kTw = 1 << 21,
                     kTsr = 1 << 22;
inline constexpr u64 kOfRegimes = kMpp | kMprv | kSum | kMxr;  // what update_regimes() looks at
inline constexpr u64 kUxl64 = u64{2} << 32, kSxl64 = u64{2} << 34, kSd = u64{1} << 63;
// The fields that sstatus shows and sets.
inline constexpr u64 kSstatus = kSie | kSpie | kSpp | kFs | kSum | kMxr;
}  // namespace mstatus

// The time CSR counts at 10 MHz.
inline constexpr u64 kNsPerTick = 100;

// Fields of menvcfg and senvcfg. priv, "Machine Environment Configuration (menvcfg) Register".
namespace envcfg {
inline constexpr u64 kFiom = 1, kCbie = 3 << 4, kCbieReserved = 2 << 4, kCbcfe = 1 << 6, kCbze = 1 << 7;
inline constexpr u64 kAdue = u64{1} << 61, kPbmte = u64{1} << 62, kStce = u64{1} << 63;
}  // namespace envcfg

// Is there such a CSR in a hart of this make, for some privilege?
bool csr_exists(const HartConfig& config, unsigned number);
// As the specification writes it, for disassembly and debuggers; empty where there is none.
std::string csr_name(unsigned number);
// For debuggers: what a read in M-mode would return. false: there is none.
bool csr_peek(const Cpu& cpu, unsigned number, u64& value);

void reset_csrs(HartState& s);
// Could writes have led to these values? For snapshots, which are not trusted.
bool csrs_legal(const HartState& s);
}  // namespace hartline
