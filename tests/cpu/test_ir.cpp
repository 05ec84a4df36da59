// Every row through both of its machines: the interpreter, and lifting with the evaluator as the reference.
#include <catch2/catch.hpp>

#include <random>

#include "cpu/decode.hpp"
#include "cpu/interpreter/engine.hpp"
#include "cpu/ir_evaluator.hpp"
#include "cpu/lift.hpp"
#include "cpu/print.hpp"
#include "tests/cpu/fake_cpu.hpp"

namespace hartline {
namespace {

constexpr u64 kBase = 0x8000'0000, kCode = kBase + 0x1000, kHandler = kBase + 0x2000, kData = kBase + 0x4000;
constexpr u64 kDataBytes = 2 * kFrameBytes;
constexpr u32 kNop = 0x0000'0013;

// RAM with an instruction, a handler that is a NOP, and data.
struct Memory {
    Memory() { ram.write(kHandler, kNop); }
    void load(u32 word, const std::vector<u8>& data) {
        ram.write(kCode, word);
        ram.write(kData, std::span(data));
    }
    std::vector<u8> data() {
        std::vector<u8> bytes(kDataBytes);
        ram.read(kData, std::span(bytes));
        return bytes;
    }
    Ram ram{kBase, 0x10000};
    FakePort port{ram};
};

std::vector<u8> saved(HartState& s) {
    SaveArchive archive;
    s.describe(archive);
    return archive.take();
}
std::string text_of(HartState& s) {
    PrintArchive archive;
    s.describe(archive);
    return archive.text();
}
// The lines that differ.
std::string difference(HartState& a, HartState& b) {
    const std::string left = text_of(a), right = text_of(b);
    std::string out;
    for (std::size_t i = 0, k = 0; i < left.size() && k < right.size();) {
        const std::size_t i_end = left.find('\n', i), k_end = right.find('\n', k);
        const std::string mine = left.substr(i, i_end - i), theirs = right.substr(k, k_end - k);
        if (mine != theirs) out += mine + "  |  " + theirs + "\n";
        i = i_end + 1;
        k = k_end + 1;
    }
    return out;
}

class Engines {
public:
    Engines() {
        cpu_.engine = &engine_;
        reset(cpu_);
    }
    // One instruction (and the handler's NOP, if it traps) on both, from the same state. Did it retire?
    bool compare(u32 word, const HartState& from, const std::vector<u8>& data) {
        HartState interpreted = interpret(word, from, data);
        HartState evaluated = evaluate_lifted(word, from, data);
        if (saved(interpreted) == saved(evaluated) && memory_a_.data() == memory_b_.data()) return retired_;
        FAIL(print(word, kCode) << " (" << std::hex << word << "): interpreter | evaluator\n"
                                << difference(interpreted, evaluated) << "memory "
                                << (memory_a_.data() == memory_b_.data() ? "equal" : "differs") << "\n"
                                << print(block_));
        return false;
    }
    HartState reset_state() { return hart_.cpu().s; }

private:
    HartState interpret(u32 word, const HartState& from, const std::vector<u8>& data) {
        memory_a_.load(word, data);
        hart_.drop_derived();
        start(hart_.cpu(), from);
        hart_.run(1);
        return hart_.cpu().s;
    }
    HartState evaluate_lifted(u32 word, const HartState& from, const std::vector<u8>& data) {
        memory_b_.load(word, data);
        cpu_.tlb.flush_all();
        start(cpu_, from);
        const Decoded decoded = decode(word);
        engine_.instruction = decoded.length == 2 ? word & 0xffff : word;
        engine_.retired = from.retired;
        block_.clear();
        lift(decoded.op, decoded.operands, kCode, decoded.length, block_);
        REQUIRE(verify(block_) == "");
        const Evaluation result = evaluate(block_, cpu_);
        REQUIRE(result.retired == (result.trapped ? 0 : 1));
        retired_ = !result.trapped;
        if (result.trapped) {
            cpu_.s.trapped_at = cpu_.s.retired;
            take_trap(cpu_, cpu_.pending);
            cpu_.s.pc += 4;  // the handler's NOP
            ++cpu_.s.retired;
        }
        check_overflow(cpu_);
        return cpu_.s;
    }
    static void start(Cpu& cpu, const HartState& from) {
        cpu.s = from;
        cpu.lines = 0;
        cpu.gave_way = false;
        update_regimes(cpu);
    }

    Memory memory_a_, memory_b_;
    Interpreter hart_{memory_a_.port, 0, {}};
    FakeEngine engine_;
    Cpu cpu_{memory_b_.port, 0, HartConfig{}};
    IrBlock block_;
    bool retired_ = false;
};

class Chance {
public:
    explicit Chance(u32 seed) : random_(seed) {}
    u64 below(u64 limit) { return word() % limit; }
    u64 word() { return random_(); }
    u64 integer() {
        constexpr u64 kEdges[]{0,
                               1,
                               2,
                               31,
                               32,
                               63,
                               64,
                               0x7f,
                               0x80,
                               0x7fff'ffff,
                               0x8000'0000,
                               0xffff'ffff,
                               u64{1} << 32,
                               u64{1} << 63,
                               (u64{1} << 63) - 1,
                               ~u64{0},
                               0xffff'ffff'8000'0000};
        switch (below(4)) {
            case 0: return kEdges[below(std::size(kEdges))];
            case 1: return word() >> below(64);
            case 2: return sign_extend(word(), 32);
            default: return word();
        }
    }
    u64 data_address() { return kData + below(kDataBytes) / 8 * 8 + (below(4) == 0 ? below(8) : 0); }
    // Boxed and unboxed values of all formats, the special ones often.
    u64 floating() {
        constexpr u64 kHalves[]{0, 0x8000, 0x3c00, 0x7c00, 0xfc00, 0x7e00, 0x7d00, 1, 0x7bff, 0x0400};
        constexpr u64 kSingles[]{0,           0x8000'0000, 0x3f80'0000, 0x7f80'0000, 0xff80'0000,
                                 0x7fc0'0000, 0x7fa0'0000, 1,           0x7f7f'ffff, 0x0080'0000};
        constexpr u64 kDoubles[]{0,
                                 u64{1} << 63,
                                 u64{0x3ff} << 52,
                                 u64{0x7ff} << 52,
                                 u64{0xfff} << 52,
                                 u64{0x7ff8} << 48,
                                 u64{0x7ff4} << 48,
                                 1,
                                 (u64{0x7ff} << 52) - 1,
                                 u64{1} << 52};
        const bool special = below(3) == 0;
        switch (below(4)) {
            case 0: return ~u64{0xffff} | (special ? kHalves[below(10)] : below(0x10000));
            case 1: return ~u64{0xffff'ffff} | (special ? kSingles[below(10)] : near_one(8, 23));
            case 2: return special ? kDoubles[below(10)] : near_one(11, 52);
            default: return word();
        }
    }

private:
    // Of moderate exponent, so that sums and products meet.
    u64 near_one(unsigned exponent_bits, unsigned fraction_bits) {
        const u64 bias = (u64{1} << (exponent_bits - 1)) - 1;
        const u64 fraction = word() >> (64 - fraction_bits);
        return below(2) << (exponent_bits + fraction_bits) | (bias - 20 + below(40)) << fraction_bits |
               fraction;
    }
    std::mt19937_64 random_;
};

// Sets up a state in which the word has something to do.
HartState random_state(Chance& chance, const HartState& reset, const Decoded& decoded) {
    HartState s = reset;
    for (std::size_t r = 1; r < 32; ++r) s.x[r] = chance.integer();
    for (u64& f : s.f) f = chance.floating();
    const Operands& o = decoded.operands;
    const bool access = decoded.op != Op::Illegal && row(decoded.op).format != Format::R;
    if (access && o.rs1 != 0 && chance.below(8) != 0) {
        const i64 offset =
            row(decoded.op).format == Format::I || row(decoded.op).format == Format::S ? o.imm : 0;
        if (chance.below(2) == 0 || row(decoded.op).format == Format::Amo ||
            row(decoded.op).format == Format::S)
            s.x[o.rs1] = chance.data_address() - static_cast<u64>(offset);
    }
    if (chance.below(2) == 0 && o.rs2 != 0) s.x[o.rs2] = s.x[o.rs1];
    s.x[0] = 0;
    s.pc = kCode;
    s.retired = chance.below(1000);
    s.mtvec = kHandler;
    s.mstatus = (s.mstatus & ~mstatus::kFs) | chance.below(4) << mstatus::kFsShift;
    if (chance.below(4) != 0) s.mstatus |= mstatus::kFs;
    s.fflags = static_cast<u32>(chance.below(32));
    s.frm = static_cast<u32>(chance.below(4) == 0 ? chance.below(8) : chance.below(5));
    s.mcause = chance.word();
    s.mepc = kHandler;
    return s;
}

std::vector<u8> random_data(Chance& chance) {
    std::vector<u8> data(kDataBytes);
    for (u8& byte : data) byte = static_cast<u8>(chance.word());
    return data;
}

TEST_CASE("checklist 21, seen 8: every row does the same in the interpreter and as IR", "[ir]") {
    const auto engines = std::make_unique<Engines>();
    Chance chance{1};
    const HartState reset = engines->reset_state();
    for (const Row& row : kIsa) {
        const std::vector<u8> data = random_data(chance);
        int retired = 0;
        for (int i = 0; i < 300; ++i) {
            const u32 word = (static_cast<u32>(chance.word()) & ~row.mask) | row.match;
            retired += engines->compare(word, random_state(chance, reset, decode(word)), data);
        }
        CAPTURE(row.mnemonic);
        CHECK((retired > 0) == (row.op != Op::ECALL && row.op != Op::EBREAK));
    }
}

TEST_CASE("every halfword does the same in the interpreter and as IR", "[ir]") {
    const auto engines = std::make_unique<Engines>();
    Chance chance{2};
    const HartState reset = engines->reset_state();
    const std::vector<u8> data = random_data(chance);
    for (u32 halfword = 0; halfword < 0x10000; ++halfword)
        if (length_of(halfword) == 2)
            engines->compare(halfword, random_state(chance, reset, decode(halfword)), data);
}

TEST_CASE("illegal words do the same in the interpreter and as IR", "[ir]") {
    const auto engines = std::make_unique<Engines>();
    Chance chance{3};
    const HartState reset = engines->reset_state();
    const std::vector<u8> data = random_data(chance);
    for (int i = 0; i < 2000; ++i) {
        const u32 word = static_cast<u32>(chance.word()) | 3;
        if (decode(word).op == Op::Illegal) engines->compare(word, random_state(chance, reset, {}), data);
    }
}

// SC succeeds only after LR, which one instruction at a time never shows.
TEST_CASE("seen 30: a reservation is the same in the interpreter and as IR", "[ir]") {
    const auto engines = std::make_unique<Engines>();
    Chance chance{4};
    const HartState reset = engines->reset_state();
    for (int i = 0; i < 2000; ++i) {
        const std::vector<u8> data = random_data(chance);
        const u32 word = 0x18c5'25af | (chance.below(2) != 0 ? 1u << 12 : 0);  // sc.w or sc.d a1,a2,(a0)
        HartState s = random_state(chance, reset, decode(word));
        const u64 at = chance.below(kDataBytes) / 8 * 8;
        s.x[10] = kData + at;
        s.reserved = chance.below(4) != 0;
        s.reservation_bytes = chance.below(2) != 0 ? 4 : 8;
        s.reservation_paddr = s.x[10];
        s.reservation_value = 0;
        for (unsigned n = 0; n < s.reservation_bytes; ++n)
            s.reservation_value |= u64{data[at + n]} << (8 * n);
        engines->compare(word, s, data);
    }
}

// --- the evaluator's integers against results written down
TEST_CASE("checklist 5, seen 8: the evaluator's division follows the table", "[ir]") {
    constexpr u64 kMinus1 = ~u64{0}, kMost = u64{1} << 63;
    CHECK(evaluate_integer(IrOp::Div, 7, 0) == kMinus1);
    CHECK(evaluate_integer(IrOp::Rem, 7, 0) == 7);
    CHECK(evaluate_integer(IrOp::Div, kMost, kMinus1) == kMost);
    CHECK(evaluate_integer(IrOp::Rem, kMost, kMinus1) == 0);
    CHECK(evaluate_integer(IrOp::Div, ~u64{6}, 2) == ~u64{2});
    CHECK(evaluate_integer(IrOp::Rem, ~u64{6}, 2) == kMinus1);
    CHECK(evaluate_integer(IrOp::DivU, kMinus1, 0) == kMinus1);
    CHECK(evaluate_integer(IrOp::DivW, 0x8000'0000, 0xffff'ffff) == 0xffff'ffff'8000'0000);
    CHECK(evaluate_integer(IrOp::RemW, 0x8000'0000, 0) == 0xffff'ffff'8000'0000);
    CHECK(evaluate_integer(IrOp::DivUW, 0xffff'ffff, 1) == kMinus1);
    CHECK(evaluate_integer(IrOp::RemUW, 0x8000'0001, 0) == 0xffff'ffff'8000'0001);
}

TEST_CASE("the evaluator's products and bits", "[ir]") {
    constexpr u64 kMinus1 = ~u64{0};
    CHECK(evaluate_integer(IrOp::MulH, kMinus1, kMinus1) == 0);
    CHECK(evaluate_integer(IrOp::MulHU, kMinus1, kMinus1) == kMinus1 - 1);
    CHECK(evaluate_integer(IrOp::MulHSU, kMinus1, kMinus1) == kMinus1);
    CHECK(evaluate_integer(IrOp::MulHSU, u64{1} << 63, 2) == kMinus1);
    CHECK(evaluate_integer(IrOp::ClMul, kMinus1, kMinus1) == 0x5555'5555'5555'5555);
    CHECK(evaluate_integer(IrOp::ClMulH, u64{1} << 63, u64{1} << 63) == u64{1} << 62);
    CHECK(evaluate_integer(IrOp::ClMulR, u64{1} << 63, u64{1} << 63) == u64{1} << 63);
    CHECK(evaluate_integer(IrOp::Rev8, 0x0102'0304'0506'0708, 0) == 0x0807'0605'0403'0201);
    CHECK(evaluate_integer(IrOp::OrcB, 0x0100'8000'0000'0010, 0) == 0xff00'ff00'0000'00ff);
    CHECK(evaluate_integer(IrOp::SarW, 0x8000'0000, 31) == kMinus1);
    CHECK(evaluate_integer(IrOp::ShlW, 1, 63) == 0xffff'ffff'8000'0000);
    CHECK(evaluate_integer(IrOp::RorW, 1, 1) == 0xffff'ffff'8000'0000);
    CHECK(evaluate_integer(IrOp::Ror, 1, 64) == 1);
    CHECK(evaluate_integer(IrOp::Clz, 0, 0) == 64);
    CHECK(evaluate_integer(IrOp::CtzW, u64{1} << 32, 0) == 32);
    CHECK(evaluate_integer(IrOp::PopcountW, kMinus1, 0) == 32);
}

// --- the IR itself
IrBlock lifted(std::initializer_list<u32> words) {
    IrBlock block;
    u64 pc = kCode;
    for (const u32 word : words) {
        const Decoded decoded = decode(word);
        lift(decoded.op, decoded.operands, pc, decoded.length, block);
        pc += decoded.length;
    }
    return block;
}

TEST_CASE("a block of several instructions runs to its end", "[ir]") {
    Memory memory;
    FakeEngine engine;
    const auto cpu = std::make_unique<Cpu>(memory.port, 0, HartConfig{});
    cpu->engine = &engine;
    reset(*cpu);
    cpu->s.pc = kCode;
    // addi a0,zero,5; c.addi a0,-1; bne a0,zero,.-6
    const IrBlock block = lifted({0x0050'0513, 0x157d, 0xfe05'1de3});
    REQUIRE(verify(block) == "");
    const Evaluation result = evaluate(block, *cpu);
    CHECK_FALSE(result.trapped);
    CHECK(result.retired == 3);
    CHECK(cpu->s.x[10] == 4);
    CHECK(cpu->s.pc == kCode);
}

TEST_CASE("a fault leaves the block where it happened", "[ir]") {
    Memory memory;
    FakeEngine engine;
    const auto cpu = std::make_unique<Cpu>(memory.port, 0, HartConfig{});
    cpu->engine = &engine;
    reset(*cpu);
    // addi a1,zero,1; ld a1,0(zero); addi a1,zero,2
    const Evaluation result = evaluate(lifted({0x0010'0593, 0x0000'3583, 0x0020'0593}), *cpu);
    CHECK(result.trapped);
    CHECK(result.retired == 1);
    CHECK(cpu->s.x[11] == 1);
    CHECK(cpu->s.pc == kCode + 4);
    CHECK(cpu->pending.cause == Cause::LoadAccess);
}

TEST_CASE("the verifier refuses broken blocks", "[ir]") {
    const IrBlock good = lifted({0x00b5'0533, 0x02b5'7553});  // add a0,a0,a1; fadd.d fa0,fa0,fa1
    REQUIRE(verify(good) == "");
    const auto broken = [&](auto change) {
        IrBlock block = good;
        change(block);
        return verify(block) != "";
    };
    const auto find = [](IrBlock& block, IrOp op) -> IrInst& {
        for (IrInst& inst : block)
            if (inst.op == op) return inst;
        throw std::logic_error("not in the block");
    };
    CHECK_FALSE(broken([](IrBlock&) {}));
    CHECK(broken([](IrBlock& b) { b.pop_back(); }));                      // no terminator
    CHECK(broken([](IrBlock& b) { b.insert(b.end(), b.back()); }));       // two
    CHECK(broken([](IrBlock& b) { b.erase(b.begin()); }));                // no Begin
    CHECK(broken([&](IrBlock& b) { find(b, IrOp::Add).a = 100; }));       // not defined
    CHECK(broken([&](IrBlock& b) { find(b, IrOp::Add).a = 3; }));         // defined by itself
    CHECK(broken([&](IrBlock& b) { find(b, IrOp::Add).a = 0; }));         // no value
    CHECK(broken([&](IrBlock& b) { find(b, IrOp::Add).a = kNoValue; }));  // missing
    CHECK(broken([&](IrBlock& b) { find(b, IrOp::Add).c = 1; }));         // too many
    CHECK(broken([&](IrBlock& b) { find(b, IrOp::SetX).reg = 0; }));      // x0
    CHECK(broken([&](IrBlock& b) { find(b, IrOp::GetX).reg = 32; }));
    CHECK(broken([&](IrBlock& b) { find(b, IrOp::Fp).rounding = 5; }));
    CHECK(broken([&](IrBlock& b) { find(b, IrOp::RoundingGuard).op = IrOp::FpGuard; }));  // unguarded frm
    CHECK(broken([&](IrBlock& b) { find(b, IrOp::End).op = IrOp::Illegal; }));            // something follows
    CHECK(broken([](IrBlock& b) { b.front().imm += 2; }));                                // a gap
    CHECK(broken([](IrBlock& b) { b.front().width = 3; }));
    CHECK(broken([](IrBlock& b) { b.front().op = static_cast<IrOp>(250); }));
}

TEST_CASE("IR prints", "[ir]") {
    CHECK(print(lifted({0x1005'252f, 0x0080'00ef})) ==  // lr.w a0,(a0); jal ra,.+8
          "Begin 0x80001000 +4\n"
          "  v1 = GetX x10\n"
          "  v2 = LoadReserved 32 v1\n"
          "  SetX x10 v2\n"
          "  End\n"
          "Begin 0x80001004 +4\n"
          "  v6 = PcPlus 0x4\n"
          "  SetX x1 v6\n"
          "  v8 = PcPlus 0x8\n"
          "  Jump v8\n");
}
}  // namespace
}  // namespace hartline
