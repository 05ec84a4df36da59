// The CSR instructions, and what is behind the rows of csr.def.
#include "cpu/csr.hpp"

#include <array>
#include <span>

#include "cpu/counters.hpp"

namespace hartline {
namespace {
// --- Masks that csr.def uses
using mstatus::kSd;
using mstatus::kSstatus;
using mstatus::kSxl64;
using mstatus::kUxl64;
constexpr u64 kAll = ~u64{0}, k32Bits = 0xffff'ffff;
constexpr u64 kMstatus = kSstatus | mstatus::kMie | mstatus::kMpie | mstatus::kMpp | mstatus::kMprv |
                         mstatus::kTvm | mstatus::kTw | mstatus::kTsr;
constexpr u64 kSenvcfg = envcfg::kFiom | envcfg::kCbie | envcfg::kCbcfe | envcfg::kCbze;
constexpr u64 kMenvcfg = kSenvcfg | envcfg::kAdue | envcfg::kPbmte | envcfg::kStce;

constexpr u64 kSsip = line_bit(Interrupt::SupervisorSoftware), kStip = line_bit(Interrupt::SupervisorTimer);
constexpr u64 kSeip = line_bit(Interrupt::SupervisorExternal), kLcofip = line_bit(Interrupt::CounterOverflow);
constexpr u64 kSupervisorInterrupts = kSsip | kStip | kSeip | kLcofip;
constexpr u64 kInterrupts = kSupervisorInterrupts | line_bit(Interrupt::MachineSoftware) |
                            line_bit(Interrupt::MachineTimer) | line_bit(Interrupt::MachineExternal);
constexpr u64 kSoftSip = kSsip | kLcofip, kSoftMip = kSsip | kStip | kSeip | kLcofip;

constexpr u64 cause_bit(Cause cause) { return u64{1} << static_cast<unsigned>(cause); }
// Not what cannot occur below M-mode: ecalls from M, and with C misaligned fetches.
constexpr u64 kDelegable =
    cause_bit(Cause::FetchAccess) | cause_bit(Cause::IllegalInstruction) | cause_bit(Cause::Breakpoint) |
    cause_bit(Cause::LoadMisaligned) | cause_bit(Cause::LoadAccess) | cause_bit(Cause::StoreMisaligned) |
    cause_bit(Cause::StoreAccess) | cause_bit(Cause::EcallU) | cause_bit(Cause::EcallS) |
    cause_bit(Cause::FetchPage) | cause_bit(Cause::LoadPage) | cause_bit(Cause::StorePage);

consteval u64 misa(const char* letters) {
    u64 value = u64{2} << 62;  // MXL: 64 bits
    for (; *letters != 0; ++letters) value |= u64{1} << (*letters - 'A');
    return value;
}
constexpr u64 kMisa = misa("ABCDFIMSU");

// --- Rows
struct Row;
using Gate = bool (*)(const HartConfig&, const HartState&, unsigned number);
using Read = u64 (*)(const Cpu&, const Row&, unsigned number);
// Only the bits of `mask` are meant to change: all for csrrw, those of the operand for csrrs and csrrc.
using Write = void (*)(Cpu&, const Row&, unsigned number, u64 value, u64 mask);

struct Row {
    u16 first, last;
    u8 step, lowest;
    bool numbered;
    const char* name;
    u64 HartState::*state;
    bool view;  // of another row's state
    u64 reset, readable, writable;
    Gate gate;
    Read read;
    Write write;
};

void translations_changed(Cpu& cpu) {
    pmp_changed(cpu);
    update_regimes(cpu);
    cpu.engine->context_changed();
}

namespace gate {
bool open(const HartConfig&, const HartState&, unsigned) { return true; }
bool fp(const HartConfig&, const HartState& s, unsigned) { return (s.mstatus & mstatus::kFs) != 0; }
// priv, "Counter-Enable (scounteren) Register"
bool counter(const HartConfig&, const HartState& s, unsigned number) {
    const u64 which = u64{1} << number % kCounters;
    if (s.privilege == Privilege::Machine) return true;
    return (s.mcounteren & which) != 0 &&
           (s.privilege == Privilege::Supervisor || (s.scounteren & which) != 0);
}
// priv, "Sstc": S-mode needs menvcfg.STCE and mcounteren.TM.
bool stimecmp(const HartConfig&, const HartState& s, unsigned) {
    return s.privilege == Privilege::Machine || ((s.menvcfg & envcfg::kStce) != 0 && (s.mcounteren & 2) != 0);
}
bool satp(const HartConfig&, const HartState& s, unsigned) {
    return s.privilege != Privilege::Supervisor || (s.mstatus & mstatus::kTvm) == 0;
}
bool pmpcfg(const HartConfig& config, const HartState&, unsigned number) {
    return (number - 0x3a0) * 4 < config.pmp_entries;
}
bool pmpaddr(const HartConfig& config, const HartState&, unsigned number) {
    return number - 0x3b0 < config.pmp_entries;
}
bool mseccfg(const HartConfig& config, const HartState&, unsigned) { return config.pmp_entries != 0; }
}  // namespace gate

namespace read {
u64 plain(const Cpu& cpu, const Row& row, unsigned) { return cpu.s.*row.state; }
u64 constant(const Cpu&, const Row& row, unsigned) { return row.reset; }
u64 fflags(const Cpu& cpu, const Row&, unsigned) { return cpu.s.fflags; }
u64 frm(const Cpu& cpu, const Row&, unsigned) { return cpu.s.frm; }
u64 fcsr(const Cpu& cpu, const Row&, unsigned) { return cpu.s.frm << 5 | cpu.s.fflags; }
u64 counter(const Cpu& cpu, const Row&, unsigned number) { return counters::read(cpu, number % kCounters); }
u64 time(const Cpu& cpu, const Row&, unsigned) { return timer_now(cpu); }
u64 status(const Cpu& cpu, const Row& row, unsigned number) {
    const bool dirty = (cpu.s.mstatus & mstatus::kFs) == mstatus::kFs;
    return plain(cpu, row, number) | (dirty ? mstatus::kSd : 0);
}
u64 sie(const Cpu& cpu, const Row&, unsigned) { return cpu.s.mie & cpu.s.mideleg; }
u64 mip(const Cpu& cpu, const Row&, unsigned) { return hartline::mip(cpu); }
u64 sip(const Cpu& cpu, const Row&, unsigned) { return hartline::mip(cpu) & cpu.s.mideleg; }
u64 mhartid(const Cpu& cpu, const Row&, unsigned) { return cpu.number; }
u64 mhpmevent(const Cpu& cpu, const Row&, unsigned number) { return cpu.s.event[number % kCounters]; }
u64 mseccfg(const Cpu& cpu, const Row&, unsigned) { return cpu.s.pmp.mseccfg; }
u64 pmpaddr(const Cpu& cpu, const Row& row, unsigned number) { return cpu.s.pmp.addr[number - row.first]; }
u64 pmpcfg(const Cpu& cpu, const Row& row, unsigned number) {
    u64 value = 0;
    for (unsigned i = 0; i < 8; ++i) value |= u64{cpu.s.pmp.cfg[(number - row.first) * 4 + i]} << 8 * i;
    return value;
}
// "Supervisor Count Overflow (scountovf) Register"
u64 scountovf(const Cpu& cpu, const Row&, unsigned) {
    u64 value = 0;
    for (unsigned i = 3; i < kCounters; ++i) value |= bit(cpu.s.event[i], 63) << i;
    return cpu.s.privilege == Privilege::Machine ? value : value & cpu.s.mcounteren;
}
}  // namespace read

namespace write {
void nothing(Cpu&, const Row&, unsigned, u64, u64) {}
void plain(Cpu& cpu, const Row& row, unsigned, u64 value, u64) {
    u64& state = cpu.s.*row.state;
    state = merge(state, row.writable, value);
}
void fflags(Cpu& cpu, const Row&, unsigned, u64 value, u64) {
    cpu.s.fflags = static_cast<u32>(value & 31);
    cpu.s.mstatus |= mstatus::kFs;
}
void frm(Cpu& cpu, const Row&, unsigned, u64 value, u64) {
    cpu.s.frm = static_cast<u32>(value & 7);
    cpu.s.mstatus |= mstatus::kFs;
}
void fcsr(Cpu& cpu, const Row& row, unsigned number, u64 value, u64 mask) {
    fflags(cpu, row, number, value, mask);
    frm(cpu, row, number, value >> 5, mask);
}
// MPP is WARL, and 2 is no mode: it becomes U, as in Spike.
void status(Cpu& cpu, const Row& row, unsigned, u64 value, u64) {
    u64 next = merge(cpu.s.mstatus, row.writable, value);
    if ((next & mstatus::kMpp) == u64{2} << mstatus::kMppShift) next &= ~mstatus::kMpp;
    const u64 changed = cpu.s.mstatus ^ next;
    cpu.s.mstatus = next;
    if ((changed & mstatus::kOfRegimes) != 0) update_regimes(cpu);
}
void sie(Cpu& cpu, const Row& row, unsigned, u64 value, u64) {
    cpu.s.mie = merge(cpu.s.mie, row.writable & cpu.s.mideleg, value);
}
// SSIP is set from outside too, by other threads perhaps: so by atomic operations, and only if it is meant.
// For SEIP the mask makes the rule that the line takes no part in read-modify-write.
void pending(Cpu& cpu, u64 writable, u64 value) {
    if ((writable & kSsip) != 0) {
        if ((value & kSsip) != 0)
            cpu.lines.fetch_or(kSsip);
        else
            cpu.lines.fetch_and(~kSsip);
    }
    cpu.s.mip_software = merge(cpu.s.mip_software, writable & ~kSsip, value);
}
void mip(Cpu& cpu, const Row& row, unsigned, u64 value, u64 mask) {
    const u64 fixed = (cpu.s.menvcfg & envcfg::kStce) != 0 ? kStip : 0;
    pending(cpu, row.writable & mask & ~fixed, value);
}
void sip(Cpu& cpu, const Row& row, unsigned, u64 value, u64 mask) {
    pending(cpu, row.writable & mask & cpu.s.mideleg, value);
}
void stimecmp(Cpu& cpu, const Row&, unsigned, u64 value, u64) {
    cpu.s.stimecmp = value;
    update_timer(cpu);
}
bool satp_mode_exists(u64 value) { return value >> 60 == 0 || (value >> 60 >= 8 && value >> 60 <= 10); }
// priv, "Supervisor Address Translation and Protection (satp) Register": with an unsupported MODE, no field
// changes.
void satp(Cpu& cpu, const Row&, unsigned, u64 value, u64) {
    if (!satp_mode_exists(value)) return;
    cpu.s.satp = value;
    update_regimes(cpu);
}
u64 legal_cbie(u64 value) {
    return (value & envcfg::kCbie) == envcfg::kCbieReserved ? value & ~envcfg::kCbie : value;
}
void senvcfg(Cpu& cpu, const Row& row, unsigned number, u64 value, u64 mask) {
    plain(cpu, row, number, legal_cbie(value), mask);
}
void menvcfg(Cpu& cpu, const Row& row, unsigned, u64 value, u64) {
    const u64 writable = row.writable & ~(cpu.config.svadu ? 0 : envcfg::kAdue);
    const u64 next = merge(cpu.s.menvcfg, writable, legal_cbie(value));
    const u64 changed = cpu.s.menvcfg ^ next;
    cpu.s.menvcfg = next;
    if ((changed & (envcfg::kAdue | envcfg::kPbmte)) != 0) translations_changed(cpu);
    if ((changed & envcfg::kStce) != 0) update_timer(cpu);
}
void mcountinhibit(Cpu& cpu, const Row& row, unsigned, u64 value, u64) {
    counters::write_inhibit(cpu, value & row.writable);
}
void mhpmevent(Cpu& cpu, const Row&, unsigned number, u64 value, u64) {
    counters::write_event(cpu, number % kCounters, value);
}
void counter(Cpu& cpu, const Row&, unsigned number, u64 value, u64) {
    counters::write(cpu, number % kCounters, value);
}
void pmpcfg(Cpu& cpu, const Row& row, unsigned number, u64 value, u64) {
    bool changed = false;
    for (unsigned i = 0; i < 8; ++i)
        changed |= pmp::write_cfg(cpu.s.pmp, cpu.config.pmp_entries, (number - row.first) * 4 + i,
                                  static_cast<u8>(value >> 8 * i));
    if (changed) translations_changed(cpu);
}
void pmpaddr(Cpu& cpu, const Row& row, unsigned number, u64 value, u64) {
    if (pmp::write_addr(cpu.s.pmp, cpu.config.pmp_entries, number - row.first, value))
        translations_changed(cpu);
}
void mseccfg(Cpu& cpu, const Row&, unsigned, u64 value, u64) {
    if (pmp::write_mseccfg(cpu.s.pmp, cpu.config.pmp_entries, value)) translations_changed(cpu);
}
}  // namespace write

#define OWN(member) &HartState::member, false
#define VIEW(member) &HartState::member, true
#define NONE nullptr, false
#define CSR(number, name, state, reset, readable, writable, gate_, read_, write_)  \
    Row{number, number,   1,        0,           false,       #name,        state, \
        reset,  readable, writable, gate::gate_, read::read_, write::write_},
#define CSRS(first, last, step, name, lowest, readable, writable, gate_, read_, write_) \
    Row{first, last,     step,     lowest,      true,        #name,        NONE,        \
        0,     readable, writable, gate::gate_, read::read_, write::write_},
constexpr Row kRows[] = {
#include "cpu/csr.def"
};
#undef OWN
#undef VIEW
#undef NONE
#undef CSR
#undef CSRS

constexpr unsigned kNumbers = 4096;
constexpr u8 kNoRow = 0xff;
static_assert(std::size(kRows) < kNoRow);
// The row of each number.
consteval std::array<u8, kNumbers> index_rows() {
    std::array<u8, kNumbers> index{};
    index.fill(kNoRow);
    for (unsigned row = 0; row < std::size(kRows); ++row)
        for (unsigned number = kRows[row].first; number <= kRows[row].last; number += kRows[row].step) {
            if (index[number] != kNoRow) throw "two rows for a CSR";
            index[number] = static_cast<u8>(row);
        }
    return index;
}
constexpr std::array<u8, kNumbers> kRowOf = index_rows();
const Row* find(unsigned number) {
    const u8 row = kRowOf[number % kNumbers];
    return row == kNoRow ? nullptr : &kRows[row];
}

u64 visible(const Cpu& cpu, const Row& row, unsigned number) {
    // Most are plain, and the comparison is cheaper than the call.
    return (row.read == read::plain ? cpu.s.*row.state : row.read(cpu, row, number)) & row.readable;
}

// --- Instructions. unpriv, "Zicsr"
enum class Op : u8 { Write, Set, Clear };

bool may_access(const Cpu& cpu, const Row& row, unsigned number, bool writes) {
    const bool read_only = number >> 10 == 3;
    return (number >> 8 & 3) <= static_cast<unsigned>(cpu.s.privilege) && !(writes && read_only) &&
           row.gate(cpu.config, cpu.s, number);
}

struct Use {
    Op op;
    u64 operand;
    bool reads, writes;
};
Outcome access(Cpu& cpu, const Operands& o, const Use& use) {
    const unsigned number = static_cast<unsigned>(o.imm) % kNumbers;
    const Row* const row = find(number);
    if (row == nullptr || !may_access(cpu, *row, number, use.writes)) return cpu.illegal();
    const u64 old = use.reads ? visible(cpu, *row, number) : 0;
    if (cpu.notes != nullptr) note_csr_before(cpu, number);
    if (use.writes) {
        switch (use.op) {
            case Op::Write: row->write(cpu, *row, number, use.operand, ~u64{0}); break;
            case Op::Set: row->write(cpu, *row, number, old | use.operand, use.operand); break;
            case Op::Clear: row->write(cpu, *row, number, old & ~use.operand, use.operand); break;
        }
    }
    cpu.set_x(o.rd, old);
    if (cpu.notes != nullptr) note_csr_access(cpu, use.reads, use.writes);
    return Outcome::Done;
}
Outcome by_register(Cpu& cpu, const Operands& o, Op op) {
    const unsigned rs1 = o.rs1 % 32;
    return access(cpu, o, {op, cpu.s.x[rs1], op != Op::Write || o.rd % 32 != 0, op == Op::Write || rs1 != 0});
}
Outcome by_immediate(Cpu& cpu, const Operands& o, Op op) {
    const u64 operand = o.rs1 % 32;
    return access(cpu, o, {op, operand, op != Op::Write || o.rd % 32 != 0, op == Op::Write || operand != 0});
}
}  // namespace

namespace system {
Outcome csrrw(Cpu& cpu, const Operands& o) { return by_register(cpu, o, Op::Write); }
Outcome csrrs(Cpu& cpu, const Operands& o) { return by_register(cpu, o, Op::Set); }
Outcome csrrc(Cpu& cpu, const Operands& o) { return by_register(cpu, o, Op::Clear); }
Outcome csrrwi(Cpu& cpu, const Operands& o) { return by_immediate(cpu, o, Op::Write); }
Outcome csrrsi(Cpu& cpu, const Operands& o) { return by_immediate(cpu, o, Op::Set); }
Outcome csrrci(Cpu& cpu, const Operands& o) { return by_immediate(cpu, o, Op::Clear); }
}  // namespace system

bool csr_exists(const HartConfig& config, unsigned number) {
    HartState permissive;
    permissive.mstatus = mstatus::kFs;
    const Row* const row = find(number);
    return number < kNumbers && row != nullptr && row->gate(config, permissive, number);
}

std::string csr_name(unsigned number) {
    const Row* const row = find(number);
    if (row == nullptr) return {};
    std::string name = row->name;
    if (row->numbered) name += std::to_string(row->lowest + (number - row->first));
    return name;
}

bool csr_peek(const Cpu& cpu, unsigned number, u64& value) {
    if (!csr_exists(cpu.config, number)) return false;
    value = visible(cpu, *find(number), number);
    return true;
}

void reset_csrs(HartState& s) {
    for (const Row& row : kRows)
        if (row.state != nullptr && !row.view) s.*row.state = row.reset;
}

bool csrs_legal(const HartState& s) {
    for (const Row& row : kRows)
        if (row.state != nullptr && !row.view && merge(s.*row.state, row.writable, row.reset) != row.reset)
            return false;
    if ((s.mstatus & mstatus::kMpp) == u64{2} << mstatus::kMppShift || !write::satp_mode_exists(s.satp))
        return false;
    if (write::legal_cbie(s.menvcfg) != s.menvcfg || write::legal_cbie(s.senvcfg) != s.senvcfg) return false;
    if ((s.mip_software & ~(kSoftMip & ~kSsip)) != 0 || s.fflags > 31 || s.frm > 7) return false;
    for (unsigned i = 0; i < kCounters; ++i)
        if (i < 3 ? s.event[i] != 0 : counters::legal_event(s.event[i]) != s.event[i]) return false;
    return pmp::legal(s.pmp);
}
}  // namespace hartline
