// Programs for tests, instruction by instruction, and machines that run them on two engines side by side.
#pragma once
#include <catch2/catch.hpp>

#include <memory>
#include <random>
#include <vector>

#include "core/machine.hpp"
#include "cpu/hart.hpp"
#include "cpu/hart_engine.hpp"
#include "cpu/inspect.hpp"
#include "rig.hpp"

namespace hartline::twins {

constexpr u64 kRam = 0x8000'0000, kRamBytes = u64{4} << 20, kDevice = 0x1000'0000;
// A register by its number in the calling convention.
constexpr u8 zero = 0, ra = 1, sp = 2, t0 = 5, t1 = 6, t2 = 7, s0 = 8, s1 = 9, a0 = 10, a1 = 11, a2 = 12,
             a3 = 13, a4 = 14, a5 = 15, a6 = 16, a7 = 17, s2 = 18, s3 = 19, s4 = 20, s5 = 21, s6 = 22,
             s7 = 23, t3 = 28, t4 = 29, t5 = 30, t6 = 31;

class Assembly {
public:
    explicit Assembly(u64 at) : at_(at) {}

    u64 here() const { return at_ + words_.size() * 4; }
    u64 start() const { return at_; }
    const std::vector<u32>& words() const { return words_; }
    void word(u32 bits) { words_.push_back(bits); }
    void op(Op op, u8 rd, u8 rs1, u8 rs2) { word(encode(op, {.rd = rd, .rs1 = rs1, .rs2 = rs2})); }
    void imm(Op op, u8 rd, u8 rs1, i32 value) { word(encode(op, {.rd = rd, .rs1 = rs1, .imm = value})); }
    void store(Op op, u8 rs2, i32 offset, u8 rs1) {
        word(encode(op, {.rs1 = rs1, .rs2 = rs2, .imm = offset}));
    }
    void branch(Op op, u8 rs1, u8 rs2, u64 to) {
        word(encode(op, {.rs1 = rs1, .rs2 = rs2, .imm = static_cast<i32>(to - here())}));
    }
    void jal(u8 rd, u64 to) { word(encode(Op::JAL, {.rd = rd, .imm = static_cast<i32>(to - here())})); }
    // By AUIPC and JALR, as far as 2 GiB.
    void far(u8 rd, u8 by, u64 to) {
        const i32 distance = static_cast<i32>(to - here()),
                  low = static_cast<i32>(sign_extend(to - here(), 12));
        word(encode(Op::AUIPC, {.rd = by, .imm = distance - low}));
        imm(Op::JALR, rd, by, low);
    }
    void ret() { imm(Op::JALR, zero, ra, 0); }
    void nop() { imm(Op::ADDI, zero, zero, 0); }
    void plain(Op op) { word(encode(op)); }
    // A value of 32 bits, zero-extended from 31.
    void li(u8 rd, u64 value) {
        const u64 low = sign_extend(value, 12);
        word(encode(Op::LUI, {.rd = rd, .imm = static_cast<i32>(value - low)}));
        imm(Op::ADDIW, rd, rd, static_cast<i32>(low));
        if (value >= 0x8000'0000) {
            imm(Op::SLLI, rd, rd, 32);
            imm(Op::SRLI, rd, rd, 32);
        }
    }
    void csrw(unsigned csr, u8 rs1) { imm(Op::CSRRW, zero, rs1, static_cast<i32>(csr)); }
    void csrr(u8 rd, unsigned csr) { imm(Op::CSRRS, rd, zero, static_cast<i32>(csr)); }

private:
    u64 at_;
    std::vector<u32> words_;
};

// Answers with the time, and keeps when it was asked: it sees whether harts are exact.
class Witness final : public Device {
public:
    explicit Witness(DevicePort& port) : port_(port) {}
    std::string_view name() const override { return "witness"; }
    u64 size() const override { return kFrameBytes; }
    bool read(u64, unsigned, u64& value) override {
        value = port_.now();
        return true;
    }
    bool write(u64, unsigned, u64 value) override {
        seen_ = seen_ * 31 + port_.now() + value;
        return true;
    }
    void reset() override { seen_ = 0; }
    void describe(Archive& archive) override { archive.field("seen", seen_); }

private:
    DevicePort& port_;
    u64 seen_ = 0;
};

class One {
public:
    One(EngineKind engine, unsigned harts, HartConfig config)
        : machine({.ram_bytes = kRamBytes, .turn = 777}) {
        machine.attach(kDevice, 0, [](DevicePort& port) { return std::make_unique<Witness>(port); });
        config.engine = engine;
        config.reset_pc = kRam;
        for (unsigned i = 0; i < harts; ++i)
            machine.add_hart([&](HartPort& port, unsigned number) {
                auto made = make_hart(port, number, config);
                cpus_.push_back(&dynamic_cast<HartEngine&>(*made).cpu());
                return made;
            });
    }
    Cpu& cpu(unsigned hart = 0) { return *cpus_[hart]; }
    Machine machine;

private:
    std::vector<Cpu*> cpus_;
};

// The same machine by the interpreter and by the translator.
class Twins {
public:
    explicit Twins(unsigned harts = 1, const HartConfig& config = {.translate_after = 1})
        : interpreted(EngineKind::Interpreter, harts, config), translated(EngineKind::Jit, harts, config) {}

    template <class Change>
    void both(Change change) {
        change(interpreted.machine, interpreted.cpu());
        change(translated.machine, translated.cpu());
    }
    template <class... Code>
    void put(const Code&... code) {
        (put_words(code.start(), code.words()), ...);
    }
    void put_words(u64 at, const std::vector<u32>& words) {
        for (u64 i = 0; i < words.size(); ++i) poke(at + 4 * i, words[i]);
    }
    template <class T>
    void poke(u64 at, T value) {
        interpreted.machine.ram().write(at, value);
        translated.machine.ram().write(at, value);
    }
    bool equal() { return interpreted.machine.hash() == translated.machine.hash(); }
    // Runs both, the translator in pieces of its own, and compares.
    void run(u64 ticks, u64 piece = ~u64{0}) {
        interpreted.machine.run(ticks);
        for (u64 left = ticks; left != 0; left -= std::min(left, piece))
            translated.machine.run(std::min(left, piece));
        REQUIRE(equal());
    }
    // Runs both for 1 tick, 2 and so on up to `most`, and then from 1 again, in all so many `times`.
    void run_times(u64 times, u64 most) {
        for (u64 i = 0; i < times; ++i) run(1 + i % most);
    }
    u64 x(u8 reg) { return translated.cpu().s.x[reg]; }
    TranslatorStats stats() { return *translator_stats(translated.machine.hart(0)); }

    One interpreted, translated;
};
}  // namespace hartline::twins
