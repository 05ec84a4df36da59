// The engines: Hartline's own in this process, QEMU and Spike in theirs.
#include "frontend/fuzz/judge.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>

#include "frontend/fuzz/process.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/board.hpp"
#include "frontend/session/errors.hpp"

namespace hartline::fuzz {
namespace {
constexpr const char* kSpikeIsa =
    "rv64imafdc_zicsr_zifencei_zicntr_zihpm_zba_zbb_zbc_zbs_zcb_zicond_zicbom_zicboz_zicbop_zihintpause_zihintntl_"
    "zawrs_zfa_zfh_zacas_zabha_smepmp_sstc_svinval_svnapot_svpbmt_sscofpmf_zicclsm_zimop_zcmop_svade_svadu";
constexpr const char* kQemuCpu =
    "rv64,zba=on,zbb=on,zbc=on,zbs=on,Zfh=on,svinval=on,svnapot=on,svpbmt=on,sstc=on";
constexpr u64 kNextOffset = 64;  // in the frame's save area

class NoSink final : public ByteSink {
public:
    void write(std::span<const u8>) override {}
};

std::vector<u64> words(std::span<const u8> bytes) {
    std::vector<u64> values(bytes.size() / 8);
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * 8);
    return values;
}

Leavings run_here(const std::string& elf, EngineKind kind, const Engine& engine, const Bounds& bounds) {
    RunConfig config;
    config.image = elf;
    config.memory = RunConfig::kLeastMemory;
    config.deterministic = true;
    config.engine = kind;
    config.translate_after = engine.translate_after;
    NoSink sink;
    Board board(config, sink);
    Machine& machine = board.machine();
    while (!machine.stop() && machine.tick() < bounds.instructions) {
        const Machine::Result result = machine.run(bounds.instructions - machine.tick());
        if (result.why != Machine::Result::Why::Idle) continue;
        if (result.next_event == EventQueue::kNever) break;
        machine.skip_to(result.next_event);
    }
    Leavings left{
        .finished = machine.stop().has_value(), .checkpoints = {}, .instructions = machine.retired()};
    u64 next = 0;
    machine.ram().read(kSave + kNextOffset, next);
    next = std::clamp(next, kSignature, kSignature + kSignatureBytes);
    std::vector<u8> bytes(next - kSignature);
    machine.ram().read(kSignature, bytes);
    left.checkpoints = words(bytes);
    return left;
}

Leavings run_qemu(const Engine& engine, const std::string& folder, const Bounds& bounds) {
    const std::string serial = folder + "/serial";
    const int code = run_process({engine.path, "-M", "virt", "-cpu", kQemuCpu, "-m", "16M", "-accel",
                                  "tcg,tb-size=16", "-display", "none", "-monitor", "none", "-net", "none",
                                  "-serial", "file:" + serial, "-bios", folder + "/program.elf"},
                                 folder + "/output", bounds.seconds);
    Leavings left{.finished = code == 0, .checkpoints = {}};
    left.checkpoints = words(read_file(serial, kSignatureBytes, "is no signature"));
    return left;
}

Leavings run_spike(const Engine& engine, const std::string& folder, const Bounds& bounds) {
    const std::string signature = folder + "/signature";
    { std::ofstream empty(signature); }
    const int code =
        run_process({engine.path, std::string("--isa=") + kSpikeIsa, "-m16", "+signature=" + signature,
                     "+signature-granularity=8", folder + "/program.elf"},
                    folder + "/output", bounds.seconds);
    Leavings left{.finished = code == 0, .checkpoints = {}};
    std::ifstream lines(signature);
    for (std::string line; std::getline(lines, line);)
        left.checkpoints.push_back(std::stoull(line, nullptr, 16));
    while (!left.checkpoints.empty() && left.checkpoints.back() == 0) left.checkpoints.pop_back();
    return left;
}
}  // namespace

Engine parse_engine(const std::string& text) {
    const std::string word = text.substr(0, text.find('='));
    const std::string path = text.size() > word.size() ? text.substr(word.size() + 1) : "";
    if (text == "interpreter") return {Engine::Kind::Interpreter, ""};
    if (text == "ir") return {Engine::Kind::Ir, ""};
    if (text == "jit") {
        require_engine("--against", EngineKind::Jit);
        return {Engine::Kind::Jit, ""};
    }
    if (word == "qemu") return {Engine::Kind::Qemu, path.empty() ? "qemu-system-riscv64" : path};
    if (word == "spike") return {Engine::Kind::Spike, path.empty() ? "spike" : path};
    throw InputError("--against", "'" + text + "' is unknown",
                     "choose jit, ir, qemu, qemu=PATH or spike=PATH");
}
Dialect dialect_of(const Engine& engine) {
    if (engine.kind == Engine::Kind::Qemu) return Dialect::Qemu;
    return engine.kind == Engine::Kind::Spike ? Dialect::Spike : Dialect::Full;
}
Exit exit_of(const Engine& engine) { return engine.kind == Engine::Kind::Qemu ? Exit::Finisher : Exit::Htif; }

Leavings run_program(const Engine& engine, const std::string& folder, const Bounds& bounds) {
    switch (engine.kind) {
        case Engine::Kind::Interpreter:
            return run_here(folder + "/program.elf", EngineKind::Interpreter, engine, bounds);
        case Engine::Kind::Jit: return run_here(folder + "/program.elf", EngineKind::Jit, engine, bounds);
        case Engine::Kind::Ir: return run_here(folder + "/program.elf", EngineKind::Ir, engine, bounds);
        case Engine::Kind::Qemu: return run_qemu(engine, folder, bounds);
        case Engine::Kind::Spike: return run_spike(engine, folder, bounds);
    }
    return {};
}
}  // namespace hartline::fuzz
