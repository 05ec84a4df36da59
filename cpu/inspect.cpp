// Looking without touching: a walk that keeps what it sees and writes nothing.
#include "cpu/inspect.hpp"

#include "cpu/effects.hpp"
#include "cpu/hart_engine.hpp"
#include "mmu/pmp.hpp"

namespace hartline {
namespace {

class Witness final : public WalkMemory {
public:
    Witness(const Cpu& cpu, std::vector<LookUp::Step>& steps) : cpu_(cpu), steps_(steps) {}
    bool load(u64 paddr, u64& pte) override {
        if (!reachable(paddr, Access::Load)) return false;
        pte = cpu_.ram.read_aligned(paddr);
        steps_.push_back({paddr, pte, {}});
        return true;
    }
    bool compare_exchange(u64 paddr, u64, u64 desired, bool& swapped) override {
        if (!reachable(paddr, Access::Store)) return false;
        for (LookUp::Step& step : steps_)
            if (step.paddr == paddr) step.becomes = desired;
        swapped = true;
        return true;
    }

private:
    bool reachable(u64 paddr, Access access) const {
        return cpu_.ram.contains(paddr, 8) &&
               pmp::allows(cpu_.s.pmp, cpu_.config.pmp_entries, paddr, 8, access, Privilege::Supervisor);
    }
    const Cpu& cpu_;
    std::vector<LookUp::Step>& steps_;
};

std::optional<u64> peek_piece(const Cpu& cpu, u64 vaddr, unsigned bytes, Access access) {
    const LookUp found = look_up(cpu, vaddr, access);
    if (found.to.fault != Fault::None || !found.pmp_allows) return {};
    u64 value = 0;
    if (cpu.ram.contains(found.to.paddr, bytes)) {
        if (!cpu.ram.read(found.to.paddr, std::span(reinterpret_cast<u8*>(&value), bytes))) return {};
        return value;
    }
    // Of devices only those that are fetched from: reading them does nothing.
    if (!cpu.port.executable(found.to.paddr) || !std::has_single_bit(bytes) || found.to.paddr % bytes != 0)
        return {};
    if (!cpu.port.read(found.to.paddr, bytes, value)) return {};
    return value;
}
}  // namespace

const Cpu* inside(const Hart& hart) {
    const auto* const engine = dynamic_cast<const HartEngine*>(&hart);
    return engine == nullptr ? nullptr : &engine->cpu();
}

u64 last_entry(const Hart& hart) {
    const auto* const engine = dynamic_cast<const HartEngine*>(&hart);
    return engine == nullptr ? 0 : engine->last_entry();
}

const TranslatorStats* translator_stats(const Hart& hart) {
    const auto* const engine = dynamic_cast<const HartEngine*>(&hart);
    return engine == nullptr ? nullptr : engine->translator_stats();
}

std::string translations_of(const Hart& hart, const CodeRange& range) {
    const auto* const engine = dynamic_cast<const HartEngine*>(&hart);
    return engine == nullptr ? "" : engine->translations_of(range);
}

std::optional<u64> mapped_at(const Cpu& cpu, u64 vaddr) {
    std::vector<LookUp::Step> steps;
    Witness witness(cpu, steps);
    for (const Privilege privilege : {Privilege::Supervisor, Privilege::User}) {
        Regime regime = cpu.fetch_regime;
        regime.satp = cpu.s.satp;
        regime.privilege = privilege;
        if (!regime.translates()) return vaddr;
        const Translation to = walk(regime, vaddr, Access::Fetch, witness);
        if (to.fault == Fault::None) return to.paddr;
    }
    return {};
}

LookUp look_up(const Cpu& cpu, u64 vaddr, Access access) {
    LookUp found;
    found.regime = access == Access::Fetch ? cpu.fetch_regime : cpu.data_regime;
    found.to.paddr = vaddr;
    if (found.regime.translates()) {
        Witness witness(cpu, found.steps);
        found.to = walk(found.regime, vaddr, access, witness);
    }
    found.pmp_allows =
        found.to.fault == Fault::None &&
        pmp::allows(cpu.s.pmp, cpu.config.pmp_entries, found.to.paddr, 1, access, found.regime.privilege);
    return found;
}

std::optional<u64> peek(const Cpu& cpu, u64 vaddr, unsigned bytes, Access access) {
    const u64 left = kFrameBytes - vaddr % kFrameBytes;
    if (left >= bytes) return peek_piece(cpu, vaddr, bytes, access);
    const auto first = static_cast<unsigned>(left);
    const auto low = peek_piece(cpu, vaddr, first, access);
    const auto high = peek_piece(cpu, vaddr + first, bytes - first, access);
    if (!low || !high) return {};
    return *low | *high << (8 * first);
}

std::optional<u32> peek_instruction(const Cpu& cpu, u64 pc) {
    const auto low = peek(cpu, pc, 2, Access::Fetch);
    if (!low) return {};
    if (length_of(static_cast<u32>(*low)) == 2) return static_cast<u32>(*low);
    const auto high = peek(cpu, pc + 2, 2, Access::Fetch);
    if (!high) return {};
    return static_cast<u32>(*low | *high << 16);
}

std::optional<MemoryUse> memory_use(const Cpu& cpu, const Decoded& decoded) {
    if (decoded.op == Op::Illegal) return {};
    const Effects& effects = kEffects[static_cast<std::size_t>(decoded.op)];
    if (!effects.loads && !effects.stores) return {};
    const bool atomic = row(decoded.op).format == Format::Amo;
    const u64 base = cpu.s.x[decoded.operands.rs1 % 32];
    const u64 offset = atomic ? 0 : static_cast<u64>(i64{decoded.operands.imm});
    return MemoryUse{base + offset, effects.stores ? Access::Store : Access::Load};
}
}  // namespace hartline
