// Starting QEMU, and comparing what its GDB port tells after each step.
#include "frontend/diff/qemu.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cpu/csr.hpp"
#include "cpu/effects.hpp"
#include "cpu/print.hpp"
#include "frontend/diff/gdb.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr u64 kStart = 0x8000'0000;
constexpr unsigned kPc = 32;

// --- What QEMU is known to tell otherwise, and is not compared.
// Not masked, and therefore told: it takes no interrupts while it steps, has triggers, sets A and D bits
// always (7.2), steps over wfi and what follows at once, and counts minstret one higher after a write. Bits
// of CSRs that are left out after they were written or a trap wrote them.
constexpr CsrMask kMasks[] = {
    {0x300, ~(mstatus::kFs | mstatus::kSd | mstatus::kUxl64 | mstatus::kSxl64),
     "FS becomes dirty by other rules"},
    {0x100, ~(mstatus::kFs | mstatus::kSd | mstatus::kUxl64), "the same"},
    {0x301, 0, "misa: other extensions"},
    {0x302, 0, "medeleg: other causes can be delegated (H)"},
    {0x303, 0, "mideleg: the same"},
    {0x306, 0, "mcounteren: other counters"},
    {0x106, 0, "scounteren: the same"},
    {0x30a, 0, "menvcfg: other extensions"},
    {0x10a, 0, "senvcfg: the same"},
    {0x344, 0, "mip: what comes from outside comes at other moments"},
    {0x144, 0, "sip: the same"},
    {0x320, 0, "mcountinhibit: other counters"},
};
u64 compared(unsigned csr) {
    for (const CsrMask& mask : kMasks)
        if (mask.number == csr) return mask.compared;
    return ~u64{0};
}
// CSRs whose values are the make's own: what a read gives is not compared until its register is written
// again.
bool reads_unlike(const Decoded& decoded) {
    if (decoded.op == Op::Illegal || row(decoded.op).format != Format::Csr) return false;
    return reads_its_own(decoded) || compared(static_cast<unsigned>(decoded.operands.imm) & 0xfff) != ~u64{0};
}

// A process that is ended with this object, and its socket's folder.
class Process {
public:
    Process(const std::string& program, const std::string& image, u64 memory) {
        const std::string port = std::string("unix:").append(socket_path()).append(",server=on,wait=off");
        const std::string megabytes = std::to_string(memory >> 20);
        const char* const arguments[] = {
            program.c_str(),   "-M",          "virt",    "-cpu", "rv64,h=false", "-m",
            megabytes.c_str(), "-nographic",  "-serial", "null", "-monitor",     "none",
            "-bios",           image.c_str(), "-S",      "-gdb", port.c_str(),   nullptr};
        const int failed = ::posix_spawnp(&pid_, program.c_str(), nullptr, nullptr,
                                          const_cast<char* const*>(arguments), ::environ);
        if (failed == 0) return;
        throw InputError(program, std::strerror(failed),
                         "install qemu-system-misc, or name it by --qemu=PROGRAM");
    }
    ~Process() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    Descriptor connect() const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path().c_str());
        for (int tries = 0; tries < 400; ++tries) {
            Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
                return socket;
            ::usleep(50'000);
        }
        throw HostError("QEMU", "does not open its GDB port", "see what it says");
    }

private:
    std::string socket_path() const { return folder_.path() + "/gdb"; }
    TemporaryFolder folder_;
    pid_t pid_ = 0;
};

class QemuSteps {
public:
    explicit QemuSteps(Descriptor socket) : client_(std::move(socket)) {
        numbers_ = client_.registers();
        client_.ask("?");
        client_.ask("Qqemu.sstep=0x7");  // one step, no interrupts, no timers
        look();
    }
    void step() {
        client_.ask("s");
        look();
    }
    u64 pc() const { return values_[kPc]; }
    u64 x(unsigned number) const { return values_[number]; }
    // Of a register that is not among those that every step brings.
    std::optional<u64> ask(const std::string& name) {
        const auto found = numbers_.find(name);
        if (found == numbers_.end()) return {};
        char question[24];
        std::snprintf(question, sizeof question, "p%x", found->second);
        const auto values = gdb::register_values(client_.ask(question), 8);
        return values.size() == 1 ? std::optional(values[0]) : std::nullopt;
    }

private:
    void look() {
        values_ = gdb::register_values(client_.ask("g"), 8);
        if (values_.size() <= kPc)
            throw HostError("QEMU", "tells fewer registers than RV64 has", "give another --qemu");
    }
    gdb::Client client_;
    std::map<std::string, unsigned> numbers_;
    std::vector<u64> values_;
};

class Comparison {
public:
    // What the reset vectors left in registers is each make's own.
    Comparison(Stepper& ours, QemuSteps& theirs) : ours_(ours), theirs_(theirs) {
        for (unsigned i = 1; i < 32; ++i)
            if (ours.after().x[i] != theirs.x(i)) unknown_ |= u32{1} << i;
    }

    // One step of both; what differs then.
    std::string step() {
        out_.clear();
        theirs_.step();
        if (ours_.trapped()) {  // theirs stops before the handler
            if (theirs_.pc() != ours_.pc()) note("the trap's handler", ours_.pc(), theirs_.pc());
            for (const unsigned csr : {0x300u, 0x341u, 0x342u, 0x141u, 0x142u}) compare_csr(csr);
            if (!after_breakpoint())
                for (const unsigned csr : {0x343u, 0x143u}) compare_csr(csr);
            if (!out_.empty()) return out_;
            theirs_.step();
        }
        const Decoded decoded = decode(ours_.bits().value_or(0));
        const bool writes_x =
            decoded.op != Op::Illegal && !kEffects[static_cast<std::size_t>(decoded.op)].writes_f;
        const u32 written = writes_x ? u32{1} << decoded.operands.rd % 32 : 0;
        unknown_ = reads_unlike(decoded) ? unknown_ | written : unknown_ & ~written;
        if (theirs_.pc() != ours_.after().pc) note("pc", ours_.after().pc, theirs_.pc());
        for (unsigned i = 1; i < 32; ++i)
            if (bit(unknown_, i) == 0 && ours_.after().x[i] != theirs_.x(i))
                note(std::string(x_name(i)), ours_.after().x[i], theirs_.x(i));
        if (decoded.op != Op::Illegal) compare_more(decoded);
        return out_;
    }

private:
    // QEMU writes 0 to mtval or stval where others write the address of the ebreak.
    bool after_breakpoint() const {
        const HartState& s = ours_.after();
        const bool machine = s.privilege == Privilege::Machine;
        return (machine ? s.mcause : s.scause) == static_cast<u64>(Cause::Breakpoint);
    }
    void note(const std::string& what, u64 ours, u64 theirs) {
        char text[200];
        std::snprintf(text, sizeof text, "  %s: ours 0x%016" PRIx64 ", theirs 0x%016" PRIx64 "\n",
                      what.c_str(), ours, theirs);
        out_ += text;
    }
    void compare_csr(unsigned number) {
        u64 ours = 0;
        const std::string name = csr_name(number);
        if (compared(number) == 0 || !csr_peek(ours_.cpu(), number, ours)) return;
        const auto theirs = theirs_.ask(name);
        if (theirs && ((ours ^ *theirs) & compared(number)) != 0) note(name, ours, *theirs);
    }
    // The f register and the CSR that the instruction names.
    void compare_more(const Decoded& decoded) {
        const Effects& effects = kEffects[static_cast<std::size_t>(decoded.op)];
        if (effects.writes_f) {
            const unsigned number = decoded.operands.rd % 32;
            const auto theirs = theirs_.ask(std::string(f_name(number)));
            if (theirs && *theirs != ours_.after().f[number])
                note(std::string(f_name(number)), ours_.after().f[number], *theirs);
        }
        if (effects.floating_point) compare_csr(1);
        if (row(decoded.op).format == Format::Csr && !reads_its_own(decoded))
            compare_csr(static_cast<unsigned>(decoded.operands.imm) & 0xfff);
    }

    Stepper& ours_;
    QemuSteps& theirs_;
    u32 unknown_ = 0;  // registers that hold something of the make's own
    std::string out_;
};

// Behind both reset vectors, which differ.
void align(Stepper& ours, QemuSteps& theirs, const std::string& image) {
    bool there = ours.go_up_to(kStart);
    for (int i = 0; i < 1000 && theirs.pc() < kStart; ++i) theirs.step();
    there = there && theirs.pc() == ours.after().pc;
    if (!there)
        throw InputError(image, "does not start at the same address in both", "link it to 0x80000000");
}

std::string report(const Stepper& ours, const std::string& difference) {
    char where[48];
    std::snprintf(where, sizeof where, "  0x%016" PRIx64 "  ", ours.pc());
    const std::string word = ours.bits() ? print(*ours.bits(), ours.pc()) : "cannot be fetched any more";
    return std::string("the instruction:\n")
        .append(where)
        .append(word)
        .append("\ndifference after it:\n")
        .append(difference);
}
}  // namespace

Followed follow_qemu(Machine& machine, const std::string& program, const std::string& image, u64 most) {
    Stepper ours(machine);
    const Process process(program, image, machine.config().ram_bytes);
    QemuSteps theirs(process.connect());
    align(ours, theirs, image);
    Comparison comparison(ours, theirs);
    Followed result;
    while (result.instructions < most) {
        if (ours.stopped()) return {result.instructions, "", "the guest stopped"};
        if (!ours.step()) return {result.instructions, "ours goes no further\n", ""};
        ++result.instructions;
        if (ours.stopped()) continue;  // theirs knows nothing of HTIF
        const std::string difference = comparison.step();
        if (!difference.empty()) return {result.instructions, report(ours, difference), ""};
    }
    result.end = "the limit was reached";
    return result;
}
}  // namespace hartline
