// One hart from inside: its state, its TLB and what the functions of its instructions need.
#pragma once
#include <array>
#include <atomic>
#include <memory>

#include "core/hart.hpp"
#include "cpu/engine_kind.hpp"
#include "cpu/hart_state.hpp"
#include "cpu/system.hpp"
#include "mmu/tlb.hpp"
#include "mmu/walk.hpp"

namespace hartline {

class Observer;
class SeenCode;
class TranslationListener;
struct Commit;

// What a hart is made as. Fixed for its life, and no part of its state.
struct HartConfig {
    u64 reset_pc = 0x1000;
    unsigned pmp_entries = 16;  // 0, 16 or 64
    EngineKind engine = EngineKind::Interpreter;
    bool svadu = true;             // may menvcfg.ADUE be set? (Svade otherwise, and while it is clear)
    Observer* observer = nullptr;  // outlives the hart
    u32 translate_after = 100;     // entries of a block; 1: before it first runs
    std::size_t code_cache_bytes = std::size_t{128} << 20;  // for translations
    TranslationListener* listener = nullptr;                // outlives the hart
    std::shared_ptr<SeenCode> code = nullptr;               // see share_code(); null: its own
};

// mcause of synchronous exceptions. priv, "Machine Cause (mcause) Register".
enum class Cause : u8 {
    FetchMisaligned = 0,
    FetchAccess = 1,
    IllegalInstruction = 2,
    Breakpoint = 3,
    LoadMisaligned = 4,
    LoadAccess = 5,
    StoreMisaligned = 6,
    StoreAccess = 7,
    EcallU = 8,
    EcallS = 9,
    EcallM = 11,
    FetchPage = 12,
    LoadPage = 13,
    StorePage = 15,
};
// Interrupt numbers: bits of mip, and the numbers of a hart's input lines.
enum class Interrupt : u8 {
    SupervisorSoftware = 1,
    MachineSoftware = 3,
    SupervisorTimer = 5,
    MachineTimer = 7,
    SupervisorExternal = 9,
    MachineExternal = 11,
    CounterOverflow = 13,
};
constexpr u64 line_bit(Interrupt interrupt) { return u64{1} << static_cast<unsigned>(interrupt); }

struct Trap {
    Cause cause = Cause::IllegalInstruction;
    u64 tval = 0;
};

// The executing side of a hart that functions of instructions must reach: see hart_engine.hpp.
class Engine {
public:
    virtual ~Engine() = default;
    // Instructions of the current block that retired before the current one are counted here exactly.
    virtual u64 retired_now() const = 0;
    virtual u32 instruction_bits() const = 0;  // of the current instruction, for mtval
    virtual void stop_after_this() = 0;  // ends run()'s current block and looks at interrupts and the budget
    virtual void context_changed() = 0;  // an address may lead elsewhere: cached jumps are void
    // fence.i where harts run on threads, and stores to code are not noticed: what was decoded may be stale.
    virtual void code_changed_elsewhere() {}
};

// What update_regimes() made of what regimes depend on.
struct KnownRegimes {
    u64 satp = 0, status = 0, menvcfg = 0, version = ~u64{0};
    u64 data_context = 0, fetch_context = 0;
    Tlb::Twins data_twins;
    Regime data, fetch;
};

struct Cpu;
void note_x(Cpu& cpu, u8 reg, u64 value);  // notes.cpp

struct Cpu {
    Cpu(HartPort& to_machine, unsigned hart_number, const HartConfig& made_as)
        : port(to_machine), ram(to_machine.ram()), number(hart_number), config(made_as) {}

    HartState s;      // first: registers are at small offsets for the handlers
    u64 next_pc = 0;  // where the current system function goes on (set before it is called)
    Trap pending;     // by whatever reported a trap
    // Contexts of the TLB for data (MPRV applied) and for fetch: see update_regimes().
    u64 data_context = 0, fetch_context = 0;
    Tlb::Twins data_twins;  // of data_context
    Regime data_regime, fetch_regime;
    std::array<KnownRegimes, 8> known_regimes;  // by known_index()
    bool contexts_stale = false;                // update_regimes() is due before the next block
    Tlb tlb;
    pmp::Open open;  // derived from the PMP registers: where S and U mode meet no restriction
    HartPort& port;
    Ram& ram;
    Engine* engine = nullptr;
    const unsigned number;
    const HartConfig config;
    bool gave_way = false;  // in this run(): WFI, pause
    // Input lines as levels, and SSIP (which software clears): the part of mip that comes from outside.
    std::atomic<u64> lines{0};
    Commit* notes = nullptr;  // of the instruction under way, where an observer wants them

    static constexpr std::size_t known_index(Privilege privilege, bool sum) {
        return static_cast<std::size_t>(privilege) | (sum ? 4 : 0);
    }

    // Reports a trap; the result is for `return`.
    bool fault(Cause cause, u64 tval) {
        pending = {cause, tval};
        return false;
    }
    Outcome trap(Cause cause, u64 tval) {
        pending = {cause, tval};
        return Outcome::Trap;
    }
    Outcome illegal() { return trap(Cause::IllegalInstruction, engine->instruction_bits()); }
    // x[0] may be asked for as 0 or as 32, the interpreter's place for dropped writes.
    void set_x(u8 reg, u64 value) {
        if (reg % 32 == 0) return;
        s.x[reg] = value;
        if (notes != nullptr) note_x(*this, reg, value);
    }
};

// --- trap.cpp
// Enters the trap handler for a synchronous exception of the instruction at s.pc.
void take_trap(Cpu& cpu, const Trap& trap);
// Takes the interrupt of highest priority that is deliverable now, if any.
bool take_interrupt(Cpu& cpu);
bool interrupt_deliverable(const Cpu& cpu);
bool interrupt_wakes(const Cpu& cpu);  // pending and enabled in mie, whatever the global enables: ends WFI
u64 mip(const Cpu& cpu);
// Recomputes the data and fetch regimes from mstatus, satp, privilege, menvcfg; to be called after fences
// too. Tells the engine of jumps that are void.
void update_regimes(Cpu& cpu);
void set_privilege(Cpu& cpu,
                   Privilege privilege);  // counts what Sscofpmf filters by mode; updates the regimes
void reset(Cpu& cpu);                     // priv, "Reset"
// Sstc: recomputes STIP's level from stimecmp and plans the next event.
void update_timer(Cpu& cpu);
u64 timer_now(const Cpu& cpu);  // what the CSR `time` reads

// To be called when PMP registers have changed.
void pmp_changed(Cpu& cpu);

// --- notes.cpp: for Cpu::notes, where there are some
void note_csr(Cpu& cpu, unsigned number);  // which was written; of a view, the registers behind it
// Around what an instruction does with a CSR that it names.
void note_csr_before(Cpu& cpu, unsigned number);
void note_csr_access(Cpu& cpu, bool reads, bool writes);

// --- memory.cpp: everything that the inlined fast paths do not do. All report traps through cpu.fault().
// Translates and checks PMP; fills the TLB where the verdict holds for the whole page.
bool translate(Cpu& cpu, u64 vaddr, unsigned bytes, Access access, u64& paddr);
bool load_slow(Cpu& cpu, u64 vaddr, unsigned bytes, u64& value);  // zero-extended
bool store_slow(Cpu& cpu, u64 vaddr, unsigned bytes, u64 value);
// The 16 bits at an even address, for execution; and whether the rest of their page may be fetched likewise.
struct Fetched {
    enum class From : u8 {
        Trap,      // reported
        Page,      // RAM that may be fetched from as a whole: `page` is its host address
        Halfword,  // a device (ROM), or a page with more than one PMP verdict: nothing is known of the next
                   // bytes
    };
    From from = From::Trap;
    u16 half = 0;
    u64 paddr = 0;
    const u8* page = nullptr;
};
Fetched fetch(Cpu& cpu, u64 vaddr);
// The instruction at `vaddr`, of which `first` was fetched. The second half of a long one is a fetch of its
// own: it may lie in another page, and its trap is reported for its own address. false: it trapped.
bool fetch_rest(Cpu& cpu, u64 vaddr, const Fetched& first, u32& word);
// The bits of the instruction at offset `at` of a page, which has at least two bytes from there. false: it
// goes on in the next page. Halves are read in one piece each, as other harts may be storing there.
bool instruction_in(const u8* page, u64 at, u32& word);
// The instruction at a physical address that was fetched from.
u32 code_at(const Cpu& cpu, u64 paddr);

// --- atomics.cpp (`bytes` 1, 2, 4 or 8; values zero-extended)
bool amo(Cpu& cpu, AmoOp op, unsigned bytes, u64 vaddr, u64 operand, u64& old);
bool load_reserved(Cpu& cpu, unsigned bytes, u64 vaddr, u64& value);
bool store_conditional(Cpu& cpu, unsigned bytes, u64 vaddr, u64 value, u64& failed);
bool compare_swap(Cpu& cpu, unsigned bytes, u64 vaddr, u64 expected, u64 desired, u64& old);
}  // namespace hartline
