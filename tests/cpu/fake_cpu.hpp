// A hart's inside without an engine or a machine: what the functions of privileged instructions need, and no
// more.
#pragma once
#include <map>
#include <string>

#include "cpu/counters.hpp"
#include "cpu/csr.hpp"

namespace hartline {

struct FakePort final : HartPort {
    explicit FakePort(Ram& memory) : memory_(memory) {}
    u64 now() const override { return time; }
    Ram& ram() override { return memory_; }
    bool read(u64, unsigned, u64&) override { return false; }
    bool write(u64, unsigned, u64) override { return false; }
    bool executable(u64) const override { return false; }
    void schedule(u64 when, u32 tag) override { events[tag] = when; }
    void cancel(u32 tag) override { events.erase(tag); }
    void stored_to_marked(u64, unsigned) override {}
    bool parallel() const override { return threads; }
    bool alone() const override { return harts == 1; }

    u64 time = 0;
    std::map<u32, u64> events;
    bool threads = false;
    unsigned harts = 1;

private:
    Ram& memory_;
};

struct FakeEngine final : Engine {
    u64 retired_now() const override { return retired; }
    u32 instruction_bits() const override { return instruction; }
    void stop_after_this() override { ++stops; }
    void context_changed() override { ++context_changes; }
    void code_changed_elsewhere() override { ++code_changes; }

    u64 retired = 0;
    u32 instruction = 0xbadc0de;
    int stops = 0, context_changes = 0, code_changes = 0;
};

struct FakeCpu {
    explicit FakeCpu(const HartConfig& config = {}) : cpu(port, 3, config) {
        cpu.engine = &engine;
        reset(cpu);
    }

    // Runs one instruction as an engine would; false if it trapped, and then the trap was entered.
    bool run(SystemFunction function, const Operands& operands = {}, unsigned bytes = 4) {
        cpu.next_pc = cpu.s.pc + bytes;
        if (function(cpu, operands) == Outcome::Trap) {
            last_trap = cpu.pending;
            take_trap(cpu, cpu.pending);
            check_overflow(cpu);
            return false;
        }
        cpu.s.pc = cpu.next_pc;
        cpu.s.retired = ++engine.retired;
        check_overflow(cpu);
        return true;
    }
    // Other instructions, which only retire.
    void retire(u64 count) {
        cpu.s.retired = engine.retired += count;
        check_overflow(cpu);
    }
    // CSR instructions by number: x5 is the operand, x6 the result.
    static Operands csr(unsigned number, u8 rd = 6, u8 rs1 = 5) {
        return {.rd = rd, .rs1 = rs1, .imm = static_cast<i32>(number)};
    }
    bool write(unsigned number, u64 value) {
        cpu.s.x[5] = value;
        return run(system::csrrw, csr(number, 0));
    }
    bool set(unsigned number, u64 value) {
        cpu.s.x[5] = value;
        return run(system::csrrs, csr(number));
    }
    bool clear(unsigned number, u64 value) {
        cpu.s.x[5] = value;
        return run(system::csrrc, csr(number));
    }
    bool can_read(unsigned number) { return run(system::csrrs, csr(number, 6, 0)); }
    u64 read(unsigned number) {
        cpu.s.x[6] = 0xdead;
        return can_read(number) ? cpu.s.x[6] : ~u64{0xdead};
    }
    void be(Privilege privilege) { set_privilege(cpu, privilege); }
    bool last_was_illegal() const {
        return last_trap.cause == Cause::IllegalInstruction && last_trap.tval == engine.instruction;
    }

    Ram memory{0x8000'0000, u64{16} << 20};
    FakePort port{memory};
    FakeEngine engine;
    Cpu cpu;
    Trap last_trap;
};

inline constexpr Privilege kPrivileges[] = {Privilege::User, Privilege::Supervisor, Privilege::Machine};
}  // namespace hartline
