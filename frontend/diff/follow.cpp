// Comparing steps with lines.
#include "frontend/diff/follow.hpp"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <deque>

#include "cpu/csr.hpp"
#include "cpu/print.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr u64 kStart = 0x8000'0000;  // reset vectors differ; what is above does not
constexpr std::size_t kContext = 10;

constexpr CsrMask kMasks[] = {
    {0xb00, 0, "mcycle counts from another moment"},
    {0xb02, 0, "minstret counts from another moment"},
    {0x344, 0, "mip: what comes from outside is shown at other moments"},
    {0x144, 0, "sip: the same"},
};

std::string line_of(const char* what, u64 ours, u64 theirs) {
    char text[160];
    std::snprintf(text, sizeof text, "  %s: ours 0x%016" PRIx64 ", theirs 0x%016" PRIx64 "\n", what, ours,
                  theirs);
    return text;
}
std::string hexadecimal(u64 value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%" PRIx64, value);
    return text;
}
std::string called(const char* letter, unsigned number, std::string_view name) {
    return std::string(letter).append(std::to_string(number)).append(" ").append(name);
}

// Every register: those that the line tells, and those that it says were left alone.
std::string compare_file(const Stepper& stepper, const CommitLine& line, CommitLine::Register::Kind kind) {
    const bool integer = kind == CommitLine::Register::Kind::X;
    const auto* const after = integer ? stepper.after().x.data() : stepper.after().f.data();
    const auto* const before = integer ? stepper.before().x.data() : stepper.before().f.data();
    std::array<u64, 32> expected;
    std::copy_n(before, 32, expected.begin());
    for (const auto& reg : line.registers)
        if (reg.kind == kind) expected[reg.number] = reg.value;
    std::string out;
    for (unsigned i = 0; i < 32; ++i)
        if (expected[i] != after[i])
            out += line_of(called(integer ? "x" : "f", i, integer ? x_name(i) : f_name(i)).c_str(), after[i],
                           expected[i]);
    return out;
}

std::string compare_csrs(const Stepper& stepper, const CommitLine& line) {
    std::string out;
    for (const auto& reg : line.registers) {
        u64 value = 0;
        if (reg.kind != CommitLine::Register::Kind::Csr) continue;
        if (!csr_peek(stepper.cpu(), reg.number, value)) continue;  // theirs alone
        const u64 mask = compared_bits(reg.number);
        if ((value & mask) != (reg.value & mask))
            out += line_of(csr_name(reg.number).c_str(), value, reg.value);
    }
    return out;
}

// Did a device take what was stored (HTIF: tohost reads 0 at once)?
bool is_taken(const Cpu& cpu, u64 vaddr, u64 now) {
    const u64 paddr = look_up(cpu, vaddr, Access::Load).to.paddr;
    return now == 0 && cpu.ram.contains(paddr, 1) &&
           (cpu.ram.marks(cpu.ram.frame_of(paddr)) & Ram::kWatched) != 0;
}

// Devices' registers are not looked at: reading them could change them.
std::string compare_stores(const Stepper& stepper, const CommitLine& line) {
    std::string out;
    for (const auto& memory : line.memory) {
        if (!memory.stored || memory.bytes == 0 || memory.bytes > 8) continue;
        const auto ours = peek(stepper.cpu(), memory.vaddr, memory.bytes, Access::Load);
        if (ours && *ours != *memory.stored && !is_taken(stepper.cpu(), memory.vaddr, *ours)) {
            char what[48];
            std::snprintf(what, sizeof what, "memory 0x%" PRIx64, memory.vaddr);
            out += line_of(what, *ours, *memory.stored);
        }
    }
    return out;
}

// As registers were before it.
std::string describe_step(const Stepper& stepper) {
    char where[64];
    std::snprintf(where, sizeof where, "  0x%016" PRIx64 "  ", stepper.pc());
    std::string out = where;
    if (!stepper.bits()) return out + "cannot be fetched any more\n";
    out += print(*stepper.bits(), stepper.pc()) + "\n";
    const Operands o = decode(*stepper.bits()).operands;
    for (const u8 reg : {o.rs1, o.rs2})
        if (reg % 32 != 0)
            out.append("  ")
                .append(called("x", reg % 32u, x_name(reg)))
                .append(" was ")
                .append(hexadecimal(stepper.before().x[reg % 32u]) + "\n");
    return out;
}

std::string report(const std::deque<std::string>& context, const std::string& before,
                   const std::string& difference) {
    std::string out = "the log's last lines:\n";
    for (const std::string& line : context) out.append("  ").append(line).append("\n");
    return out + "the instruction:\n" + before + "difference:\n" + difference;
}
}  // namespace

u64 compared_bits(unsigned csr) {
    for (const CsrMask& mask : kMasks)
        if (mask.number == csr) return mask.compared;
    return ~u64{0};
}

std::string compare_commit(const Stepper& stepper, const CommitLine& line) {
    if (stepper.pc() != line.pc) return line_of("pc", stepper.pc(), line.pc);
    const auto bits = stepper.bits();
    if (bits && *bits != line.bits) return line_of("instruction", *bits, line.bits);
    if (!stepper.trapped() && static_cast<unsigned>(stepper.before().privilege) != line.privilege)
        return line_of("privilege", static_cast<u64>(stepper.before().privilege), line.privilege);
    if (reads_its_own(decode(line.bits))) return "";
    return compare_file(stepper, line, CommitLine::Register::Kind::X) +
           compare_file(stepper, line, CommitLine::Register::Kind::F) + compare_csrs(stepper, line) +
           compare_stores(stepper, line);
}

Followed follow(Machine& machine, LineReader& log, const std::string& path, u64 most) {
    Stepper stepper(machine);
    std::deque<std::string> context;
    std::string text;
    Followed result;
    if (!stepper.go_up_to(kStart)) throw InputError(path, "the program does not reach 0x80000000");
    bool started = false;
    while (result.instructions < most) {
        if (!log.next(text)) {
            if (result.instructions != 0) return {result.instructions, "", "the log ended"};
            throw InputError(path, "tells of no instruction from 0x80000000 on",
                             "give a log of spike --log-commits");
        }
        const ParsedCommit parsed = parse_commit(text);
        if (!parsed.wrong.empty())
            throw InputError(path + ":" + std::to_string(log.number()), parsed.wrong, "write the log again");
        started = started || (parsed.line && parsed.line->pc >= kStart);
        if (!parsed.line || !started) continue;
        if (parsed.line->hart != 0) throw InputError(path, "tells of more than one hart", "log one");
        context.push_back(text);
        if (context.size() > kContext) context.pop_front();
        if (stepper.stopped()) return {result.instructions, "", "the guest stopped"};
        if (!stepper.step())
            return {result.instructions, report(context, "", "  ours goes no further\n"), ""};
        const std::string difference = compare_commit(stepper, *parsed.line);
        ++result.instructions;
        if (difference.empty()) continue;
        result.difference = report(context, describe_step(stepper), difference);
        return result;
    }
    result.end = "the limit was reached";
    return result;
}
}  // namespace hartline
