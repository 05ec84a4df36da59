// Words for differences.
#include "frontend/diff/report.hpp"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "cpu/isa.hpp"
#include "cpu/print.hpp"
#include "frontend/diff/fields.hpp"

namespace hartline {
namespace {
constexpr std::size_t kMostFields = 40, kMostMemory = 8;

[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...) {
    char line[512];
    std::va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    return line;
}

const char* name_of(Privilege privilege) {
    return privilege == Privilege::Machine ? "M" : privilege == Privilege::Supervisor ? "S" : "U";
}
const char* name_of(Access access) {
    return access == Access::Fetch ? "fetch" : access == Access::Store ? "store" : "load";
}

std::string operand_values(const HartState& s, const Decoded& decoded) {
    if (decoded.op == Op::Illegal) return "";
    const std::string_view format = row(decoded.op).operands;
    const auto& o = decoded.operands;
    std::string out;
    const std::pair<const char*, u8> registers[] = {{"s1", o.rs1}, {"s2", o.rs2}, {"s3", o.rs3}};
    for (const auto& [key, number] : registers) {
        const unsigned n = number % 32;
        if (format.find(std::string("r").append(key)) != std::string_view::npos)
            out += text("  x%u %s = 0x%016" PRIx64 "\n", n, std::string(x_name(n)).c_str(), s.x[n]);
        if (format.find(std::string("f").append(key)) != std::string_view::npos)
            out += text("  f%u %s = 0x%016" PRIx64 "\n", n, std::string(f_name(n)).c_str(), s.f[n]);
    }
    return out;
}

std::string field_name(const std::string& name) {
    const std::size_t at = name.rfind(".x[");
    if (at == std::string::npos) return name;
    return name + " " + std::string(x_name(static_cast<unsigned>(std::stoul(name.substr(at + 3)))));
}

// Whose turn the tick was: who grew older, and hart 0 if nobody did.
unsigned whose(Machine& machine, const std::vector<u64>& before) {
    for (unsigned i = 0; i < machine.harts(); ++i)
        if (machine.hart(i).retired() != before[i]) return i;
    return 0;
}

std::string outcome(const char* name, const Cpu& cpu, u64 entry, u64 pc) {
    std::string out = text("  %s: goes on at 0x%" PRIx64, name, cpu.s.pc);
    if (entry != pc) out += text(", after a trap or interrupt to 0x%" PRIx64, entry);
    return out + "\n";
}

std::string differences(Machine& a, Machine& b, const std::string& name_a, const std::string& name_b) {
    std::string out = text("differing fields (%s | %s):\n", name_a.c_str(), name_b.c_str());
    const auto fields = differing_fields(a, b);
    for (std::size_t i = 0; i < fields.size() && i < kMostFields; ++i)
        out += text("  %s: %s | %s\n", field_name(fields[i].name).c_str(), fields[i].a.c_str(),
                    fields[i].b.c_str());
    if (fields.empty()) out += "  none\n";
    if (fields.size() > kMostFields) out += text("  and %zu more\n", fields.size() - kMostFields);
    for (const MemoryDifference& memory : differing_memory(a, b, kMostMemory))
        out += text("  memory 0x%" PRIx64 ": %016" PRIx64 " | %016" PRIx64 "\n", memory.paddr, memory.a,
                    memory.b);
    return out;
}
}  // namespace

std::string describe_walk(const Cpu& cpu, u64 vaddr, Access access) {
    const LookUp found = look_up(cpu, vaddr, access);
    std::string out = text("  %s 0x%" PRIx64, name_of(access), vaddr);
    if (!found.regime.translates())
        out += " (not translated)";
    else
        out += text(" (satp 0x%" PRIx64 ", as %s)", found.regime.satp, name_of(found.regime.privilege));
    if (found.to.fault == Fault::Page)
        out += ": page fault\n";
    else if (found.to.fault == Fault::Access || !found.pmp_allows)
        out += ": access fault\n";
    else
        out += text(": physical 0x%" PRIx64 "\n", found.to.paddr);
    for (const LookUp::Step& step : found.steps) {
        out += text("    entry at 0x%" PRIx64 " = 0x%016" PRIx64, step.paddr, step.pte);
        if (step.becomes) out += text(", becomes 0x%016" PRIx64, *step.becomes);
        out += '\n';
    }
    return out;
}

std::string describe_instruction(const Cpu& cpu) {
    const HartState& s = cpu.s;
    const auto word = peek_instruction(cpu, s.pc);
    std::string out = text("  pc 0x%" PRIx64 " (%s-mode)  ", s.pc, name_of(s.privilege));
    if (!word) return out + "cannot be fetched\n" + describe_walk(cpu, s.pc, Access::Fetch);
    const Decoded decoded = decode(*word);
    out += text(decoded.length == 2 ? "%04x  " : "%08x  ", *word) + print(*word, s.pc) + "\n";
    out += operand_values(s, decoded);
    out += describe_walk(cpu, s.pc, Access::Fetch);
    if (const auto use = memory_use(cpu, decoded)) out += describe_walk(cpu, use->vaddr, use->access);
    return out;
}

std::string describe_difference(Lockstep& lockstep, const std::string& name_a, const std::string& name_b) {
    Machine &a = lockstep.a().machine(), &b = lockstep.b().machine();
    const u64 alike_at = lockstep.snapshot_tick(), tick = lockstep.differs_at() - 1;
    if (lockstep.differs_at() == 0)
        return text("difference: behind tick %" PRIu64
                    "; it does not show when both begin there anew. Try --every "
                    "1000, or --translate-after 1.\n",
                    alike_at);
    lockstep.a().go_to(tick);
    std::vector<u64> before;
    std::vector<u64> pcs;
    std::vector<std::string> instructions;
    for (unsigned i = 0; i < a.harts(); ++i) {
        before.push_back(a.hart(i).retired());
        const Cpu* const cpu = inside(a.hart(i));
        pcs.push_back(cpu == nullptr ? 0 : cpu->s.pc);
        instructions.push_back(cpu == nullptr ? "" : describe_instruction(*cpu));
    }
    lockstep.go_to(tick + 1);
    const unsigned hart = whose(a, before);
    std::string out = tick == alike_at ? text("difference: equal at tick %" PRIu64
                                              ", not after the next instruction, of hart %u:\n",
                                              tick, hart)
                                       : text("difference: equal at tick %" PRIu64 ", not at %" PRIu64
                                              " when they go there in one piece, though "
                                              "they are by single steps; the last instruction, of hart %u:\n",
                                              alike_at, tick + 1, hart);
    out += instructions[hart];
    for (const auto& [machine, name] : {std::pair(&a, &name_a), std::pair(&b, &name_b)})
        if (const Cpu* const cpu = inside(machine->hart(hart)))
            out += outcome(name->c_str(), *cpu, last_entry(machine->hart(hart)), pcs[hart]);
    return out + differences(a, b, name_a, name_b);
}
}  // namespace hartline
