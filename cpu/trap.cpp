// Entering traps, choosing interrupts, and what follows from privilege: the regimes of translation.
#include <array>

#include "cpu/counters.hpp"
#include "cpu/csr.hpp"

namespace hartline {
namespace {
constexpr u64 kStip = line_bit(Interrupt::SupervisorTimer), kSsip = line_bit(Interrupt::SupervisorSoftware);
constexpr u64 kInterruptCause = u64{1} << 63;
constexpr u32 kTimerEvent = 1;
constexpr u64 kLines = 0x2aaa;  // the numbers of enum Interrupt

// Decreasing priority. priv, "Machine Interrupt (mip and mie) Registers"
constexpr auto kPriority =
    std::to_array<Interrupt>({Interrupt::MachineExternal, Interrupt::MachineSoftware, Interrupt::MachineTimer,
                              Interrupt::SupervisorExternal, Interrupt::SupervisorSoftware,
                              Interrupt::SupervisorTimer, Interrupt::CounterOverflow});

struct Deliverable {
    u64 interrupts = 0;
    Privilege to = Privilege::Machine;
};
// Those to M-mode come before those to S-mode. What is delegated is invisible in M-mode.
Deliverable deliverable(const Cpu& cpu) {
    const HartState& s = cpu.s;
    const u64 wanted = mip(cpu) & s.mie;
    if (wanted == 0) return {};
    const u64 machine = wanted & ~s.mideleg;
    if (machine != 0 && (s.privilege != Privilege::Machine || (s.mstatus & mstatus::kMie) != 0))
        return {machine, Privilege::Machine};
    const u64 supervisor = wanted & s.mideleg;
    if (s.privilege == Privilege::User ||
        (s.privilege == Privilege::Supervisor && (s.mstatus & mstatus::kSie) != 0))
        return {supervisor, Privilege::Supervisor};
    return {};
}

// priv, "Trap-Vector Base-Address": the mode Vectored is for interrupts only.
u64 vector(u64 tvec, u64 cause) {
    const bool vectored = (tvec & 1) != 0 && (cause & kInterruptCause) != 0;
    return (tvec & ~u64{3}) + (vectored ? 4 * (cause & ~kInterruptCause) : 0);
}

void enter_supervisor(Cpu& cpu, u64 cause, u64 tval) {
    HartState& s = cpu.s;
    s.scause = cause;
    s.sepc = s.pc;
    s.stval = tval;
    u64 status = s.mstatus & ~(mstatus::kSpp | mstatus::kSpie | mstatus::kSie);
    if (s.privilege == Privilege::Supervisor) status |= mstatus::kSpp;
    if ((s.mstatus & mstatus::kSie) != 0) status |= mstatus::kSpie;
    s.mstatus = status;
    s.pc = vector(s.stvec, cause);
    set_privilege(cpu, Privilege::Supervisor);
}

void enter_machine(Cpu& cpu, u64 cause, u64 tval) {
    HartState& s = cpu.s;
    s.mcause = cause;
    s.mepc = s.pc;
    s.mtval = tval;
    u64 status = s.mstatus & ~(mstatus::kMpp | mstatus::kMpie | mstatus::kMie);
    status |= static_cast<u64>(s.privilege) << mstatus::kMppShift;
    if ((s.mstatus & mstatus::kMie) != 0) status |= mstatus::kMpie;
    s.mstatus = status;
    s.pc = vector(s.mtvec, cause);
    set_privilege(cpu, Privilege::Machine);
}

Regime regime_of(const HartState& s, Privilege privilege) {
    return {.satp = privilege == Privilege::Machine ? 0 : s.satp,
            .privilege = privilege,
            .hardware_ad = (s.menvcfg & envcfg::kAdue) != 0,
            .pbmt = (s.menvcfg & envcfg::kPbmte) != 0};
}

// SUM and MXR concern data only, so that setting them leaves the fetch context alone.
KnownRegimes regimes_of(Cpu& cpu, u64 status) {
    const HartState& s = cpu.s;
    const bool modified = (s.mstatus & mstatus::kMprv) != 0;
    const auto mpp = static_cast<Privilege>(bits(s.mstatus, mstatus::kMppShift + 1, mstatus::kMppShift));
    KnownRegimes made;
    made.satp = s.satp;
    made.status = status;
    made.menvcfg = s.menvcfg;
    made.fetch = regime_of(s, s.privilege);
    made.data = regime_of(s, modified ? mpp : s.privilege);
    made.data.sum = (s.mstatus & mstatus::kSum) != 0;
    made.data.mxr = (s.mstatus & mstatus::kMxr) != 0;
    made.fetch_context = cpu.tlb.context(made.fetch);
    made.data_context = cpu.tlb.context(made.data);
    made.data_twins = cpu.tlb.twins(made.data, made.data_context);
    made.version = cpu.tlb.contexts_version();
    return made;
}
}  // namespace

void take_trap(Cpu& cpu, const Trap& trap) {
    const u64 cause = static_cast<u64>(trap.cause);
    cpu.s.waiting = false;
    if (cpu.s.privilege != Privilege::Machine && bit(cpu.s.medeleg, static_cast<unsigned>(cause)) != 0)
        enter_supervisor(cpu, cause, trap.tval);
    else
        enter_machine(cpu, cause, trap.tval);
}

bool take_interrupt(Cpu& cpu) {
    const Deliverable due = deliverable(cpu);
    if (due.interrupts == 0) return false;
    for (const Interrupt interrupt : kPriority) {
        if ((due.interrupts & line_bit(interrupt)) == 0) continue;
        const u64 cause = kInterruptCause | static_cast<u64>(interrupt);
        cpu.s.waiting = false;
        if (due.to == Privilege::Machine)
            enter_machine(cpu, cause, 0);
        else
            enter_supervisor(cpu, cause, 0);
        return true;
    }
    return false;
}

bool interrupt_deliverable(const Cpu& cpu) { return deliverable(cpu).interrupts != 0; }
bool interrupt_wakes(const Cpu& cpu) { return (mip(cpu) & cpu.s.mie) != 0; }

// With Sstc in force STIP is the comparator's level alone, which update_timer() keeps among the lines.
u64 mip(const Cpu& cpu) {
    const u64 hidden = (cpu.s.menvcfg & envcfg::kStce) != 0 ? kStip : 0;
    return (cpu.lines.load(std::memory_order_acquire) & kLines) | (cpu.s.mip_software & ~hidden);
}

// Kernels switch between a few of them all the time.
void update_regimes(Cpu& cpu) {
    const HartState& s = cpu.s;
    const auto privilege = static_cast<unsigned>(s.privilege);
    const u64 status = (s.mstatus & mstatus::kOfRegimes) | privilege;
    KnownRegimes& known = cpu.known_regimes[Cpu::known_index(s.privilege, (s.mstatus & mstatus::kSum) != 0)];
    if (known.satp != s.satp || known.status != status || known.menvcfg != s.menvcfg ||
        known.version != cpu.tlb.contexts_version())
        known = regimes_of(cpu, status);
    cpu.data_regime = known.data;
    cpu.fetch_regime = known.fetch;
    cpu.data_context = known.data_context;
    cpu.data_twins = known.data_twins;
    cpu.fetch_context = known.fetch_context;
    cpu.contexts_stale = false;
    if (cpu.tlb.take_fetches_void()) cpu.engine->context_changed();
}

void set_privilege(Cpu& cpu, Privilege privilege) {
    HartState& s = cpu.s;
    if (s.counters_by_mode && s.privilege != privilege) {
        counters::settle(s, cpu.engine->retired_now());
        s.privilege = privilege;
        counters::plan(s);
    }
    s.privilege = privilege;
    update_regimes(cpu);
}

void reset(Cpu& cpu) {
    cpu.s = HartState{};
    reset_csrs(cpu.s);
    cpu.s.pc = cpu.config.reset_pc;
    cpu.pending = {};
    cpu.gave_way = false;
    cpu.lines.fetch_and(~(kSsip | kStip));  // the others are driven from outside
    cpu.port.cancel(kTimerEvent);
    pmp_changed(cpu);
    update_regimes(cpu);
    cpu.engine->context_changed();
}

u64 timer_now(const Cpu& cpu) { return cpu.port.now() / kNsPerTick + cpu.port.time_offset(); }

// priv, "Supervisor Timer (stimecmp) Register". A time that nanoseconds cannot express never comes.
void update_timer(Cpu& cpu) {
    const u64 time = timer_now(cpu), compare = cpu.s.stimecmp;
    const bool compares = (cpu.s.menvcfg & envcfg::kStce) != 0;
    const bool due = compares && time >= compare;
    if (due)
        cpu.lines.fetch_or(kStip);
    else
        cpu.lines.fetch_and(~kStip);
    const u64 start = cpu.port.now() / kNsPerTick;
    if (compares && !due && compare - time <= ~u64{0} / kNsPerTick - start)
        cpu.port.schedule((start + (compare - time)) * kNsPerTick, kTimerEvent);
    else
        cpu.port.cancel(kTimerEvent);
}
}  // namespace hartline
