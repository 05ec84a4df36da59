// What functions of instructions tell an observer.
#include <span>

#include "cpu/csr.hpp"
#include "cpu/observer.hpp"

namespace hartline {
namespace {
constexpr u16 kFflags = 0x001, kFrm = 0x002, kFcsr = 0x003, kSstatus = 0x100, kSie = 0x104, kSip = 0x144,
              kMstatus = 0x300, kMie = 0x304, kMip = 0x344, kPmpaddr0 = 0x3b0;
constexpr u16 kBehindFcsr[]{kFrm, kFflags};
constexpr u16 kBehindSstatus[]{kMstatus};
constexpr u16 kBehindSie[]{kSie, kMie};  // both: what sie shows depends on mideleg
constexpr u16 kBehindSip[]{kMip};

std::span<const u16> behind(unsigned number) {
    switch (number) {
        case kFcsr: return kBehindFcsr;
        case kSstatus: return kBehindSstatus;
        case kSie: return kBehindSie;
        case kSip: return kBehindSip;
        default: return {};
    }
}
// Nothing is written: a PMP lock. Of the entries of a pmpcfg register some may be open.
bool locked(const Cpu& cpu, unsigned number) {
    return number >= kPmpaddr0 && number < kPmpaddr0 + kMostPmpEntries &&
           pmp::addr_held(cpu.s.pmp, cpu.config.pmp_entries, number - kPmpaddr0);
}
void note_one(Cpu& cpu, unsigned number) {
    u64 value = 0;
    if (csr_peek(cpu, number, value)) cpu.notes->set_csr(static_cast<u16>(number), value);
}
}  // namespace

void note_x(Cpu& cpu, u8 reg, u64 value) { cpu.notes->set_x(reg, value); }

void note_csr(Cpu& cpu, unsigned number) {
    const auto registers = behind(number);
    if (registers.empty()) return note_one(cpu, number);
    for (const u16 each : registers) note_one(cpu, each);
}

void note_csr_before(Cpu& cpu, unsigned number) {
    CsrAccess& access = cpu.notes->csr;
    access = {.number = static_cast<u16>(number), .there = true, .locked = locked(cpu, number)};
    csr_peek(cpu, number, access.before);
}
void note_csr_access(Cpu& cpu, bool reads, bool writes) {
    CsrAccess& access = cpu.notes->csr;
    access.read = reads;
    access.written = writes;
    csr_peek(cpu, access.number, access.after);
    if (writes && !access.locked) note_csr(cpu, access.number);
}
}  // namespace hartline
