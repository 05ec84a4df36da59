// A hart on a machine with RAM and a device: runs single instructions and small programs, and tells what they
// trapped with. Instructions are made from the table's rows.
#pragma once
#include <initializer_list>
#include <vector>

#include "core/machine.hpp"
#include "cpu/csr.hpp"
#include "cpu/interpreter/engine.hpp"
#include "cpu/isa.hpp"

namespace hartline {

// The inverse of extract().
constexpr u32 encode(Op op, const Operands& o = {}) {
    const Row& r = row(op);
    const u32 rd = u32{o.rd} << 7, rs1 = u32{o.rs1} << 15, rs2 = u32{o.rs2} << 20,
              imm = static_cast<u32>(o.imm);
    u32 word = 0;
    switch (r.format) {
        case Format::None: break;
        case Format::R: word = rd | rs1 | rs2; break;
        case Format::I:
        case Format::Csr:
        case Format::Shift:
        case Format::ShiftW: word = rd | rs1 | imm << 20; break;
        case Format::S: word = rs1 | rs2 | field(imm, 11, 5) << 25 | field(imm, 4, 0) << 7; break;
        case Format::B:
            word = rs1 | rs2 | field(imm, 12, 12) << 31 | field(imm, 10, 5) << 25 | field(imm, 4, 1) << 8 |
                   field(imm, 11, 11) << 7;
            break;
        case Format::U: word = rd | (imm & 0xffff'f000); break;
        case Format::J:
            word = rd | field(imm, 20, 20) << 31 | field(imm, 10, 1) << 21 | field(imm, 11, 11) << 20 |
                   field(imm, 19, 12) << 12;
            break;
        case Format::Amo: word = rd | rs1 | rs2 | imm << 25; break;
        case Format::Fp: word = rd | rs1 | rs2 | imm << 12; break;
        case Format::Fp4: word = rd | rs1 | rs2 | u32{o.rs3} << 27 | imm << 12; break;
    }
    return (word & ~r.mask) | r.match;
}

namespace rig {
constexpr u64 kRam = 0x8000'0000, kCode = kRam + 0x1000, kHandler = kRam + 0x2000, kData = kRam + 0x1'0000,
              kTables = kRam + 0x10'0000, kRamBytes = u64{16} << 20, kDevice = 0x1000'0000,
              kHole = 0x4000'0000;
// Bits of a page-table entry.
constexpr u64 V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128;
constexpr u64 kNone = ~u64{0};

// Two pages of registers that take every size, and remember how often they were asked. DMA goes through
// port().
class Probe final : public Device {
public:
    explicit Probe(DevicePort& port) : port_(port) {}
    std::string_view name() const override { return "probe"; }
    u64 size() const override { return 2 * kFrameBytes; }
    bool read(u64, unsigned, u64& value) override {
        ++reads;
        value = 0x5a;
        return true;
    }
    bool write(u64, unsigned, u64) override {
        ++writes;
        return true;
    }
    void reset() override {}
    void describe(Archive&) override {}
    DevicePort& port() { return port_; }

    int reads = 0, writes = 0;

private:
    DevicePort& port_;
};

class Rig {
public:
    explicit Rig(const HartConfig& config = {}, bool parallel = false)
        : machine({.ram_bytes = kRamBytes, .parallel = parallel, .wall = [] { return u64{0}; }}),
          config_(config) {
        device = static_cast<Probe*>(
            &machine.attach(kDevice, 0, [](DevicePort& port) { return std::make_unique<Probe>(port); }));
        machine.add_hart([this](HartPort& port, unsigned number) {
            auto made = std::make_unique<Interpreter>(port, number, config_);
            hart = made.get();
            return made;
        });
        put(kHandler, {encode(Op::ADDI), encode(Op::JAL)});  // nop; j .
        cpu().s.mtvec = kHandler;
        cpu().s.pmp.cfg[0] = 0x1f;  // all of memory, for S and U
        cpu().s.pmp.addr[0] = ~u64{0} >> 10;
        pmp_changed(cpu());
        cpu().s.mstatus |= u64{1} << mstatus::kFsShift;
    }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    Cpu& cpu() { return hart->cpu(); }
    HartState& s() { return cpu().s; }
    u64& x(unsigned reg) { return s().x[reg]; }

    void put(u64 at, std::initializer_list<u32> words) {
        for (const u32 word : words) {
            machine.ram().write(at, word);
            at += 4;
        }
    }
    template <class T = u64>
    T peek(u64 at) {
        T value{};
        machine.ram().read(at, value);
        return value;
    }
    template <class T>
    void poke(u64 at, T value) {
        machine.ram().write(at, value);
    }

    // Runs what is at `pc` in `mode` until `count` instructions retired or one trapped. Did all retire?
    bool run(u64 pc, u64 count = 1) {
        s().pc = pc;
        s().waiting = false;
        set_privilege(cpu(), mode);
        for (u64 i = 0; i < count; ++i) {
            s().mcause = kNone;
            hart->run(1);
            if (s().mcause != kNone) return false;
        }
        return true;
    }
    bool step(u32 word) {
        poke(kCode, word);
        return run(kCode);
    }
    bool step(Op op, const Operands& operands = {}) { return step(encode(op, operands)); }
    // Did the instruction trap so?
    bool traps(u32 word, Cause cause, u64 tval) { return !step(word) && trapped(cause, tval, kCode); }
    bool traps(Op op, const Operands& o, Cause cause, u64 tval) { return traps(encode(op, o), cause, tval); }
    bool trapped(Cause cause, u64 tval, u64 epc) {
        return s().mcause == static_cast<u64>(cause) && s().mtval == tval && s().mepc == epc;
    }
    bool illegal(u32 word) {
        return traps(word, Cause::IllegalInstruction, (word & 3) == 3 ? word : word & 0xffff);
    }

    // Maps a page in tables of Sv39; translation_on() makes S and U use them, code included.
    void map(u64 vaddr, u64 paddr, u64 bits) {
        for (unsigned level = 2, table = 0; level != 0; --level) {
            const u64 at = kTables + table * kFrameBytes + (vaddr >> (12 + 9 * level) & 511) * 8;
            if (peek(at) == 0) poke(at, u64{(kTables >> 12) + ++tables_} << 10 | V);
            table = static_cast<unsigned>((peek(at) >> 10) - (kTables >> 12));
            if (level == 1) poke(pte_at(table, vaddr), paddr >> 12 << 10 | bits);
        }
        last_pte = pte_at_last_;
    }
    void translation_on() {
        map(kCode, kCode, V | R | X | A | (mode == Privilege::User ? U : 0));
        s().satp = u64{8} << 60 | kTables >> 12;
        update_regimes(cpu());
        fence();
    }
    void fence() {
        cpu().tlb.flush_all();
        cpu().engine->context_changed();
    }

    Machine machine;
    Interpreter* hart = nullptr;
    Probe* device = nullptr;
    Privilege mode = Privilege::Machine;
    u64 last_pte = 0;  // where map() wrote

private:
    u64 pte_at(unsigned table, u64 vaddr) {
        return pte_at_last_ = kTables + table * kFrameBytes + (vaddr >> 12 & 511) * 8;
    }
    HartConfig config_;
    unsigned tables_ = 0;
    u64 pte_at_last_ = 0;
};
}  // namespace rig
}  // namespace hartline
