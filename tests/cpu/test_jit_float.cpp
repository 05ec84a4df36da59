// Floating point in translated code: the interpreter's bits and flags, whatever the operands, the rounding
// mode and the registers.
#include "assembly.hpp"

#include <algorithm>
#include <sstream>

using namespace hartline;
using namespace hartline::twins;

namespace {
constexpr u64 kData = kRam + 0x1'0000;
constexpr i32 kDynamic = 7, kFflags = 1;
using Random = std::mt19937_64;

void load(Twins& twins, const std::vector<u32>& program) {
    twins.both([&](Machine& machine, Cpu& cpu) {
        machine.reset();
        cpu.s.mstatus |= mstatus::kFs;
    });
    twins.put_words(kRam, program);
}
// Until the program goes round in its last instruction, a jump to itself.
void run(Twins& twins, u64 ticks) {
    twins.both([&](Machine& machine, Cpu&) { machine.run(ticks); });
}

bool is_float(const Row& row) {
    return is_floating_point(row.extension) && row.operands.find('(') == std::string_view::npos;
}
// Of doubles: NaNs then go from each result to the next.
bool makes_doubles(Op op) {
    constexpr Op kOps[] = {Op::FADD_D, Op::FSUB_D, Op::FMUL_D, Op::FDIV_D, Op::FSQRT_D, Op::FMADD_D};
    return std::find(std::begin(kOps), std::end(kOps), op) != std::end(kOps);
}
bool rounds(const Row& row) { return (row.mask >> 12 & 7) == 0; }

u64 in_format(Random& random, unsigned exponent_bits, unsigned fraction_bits) {
    const u64 last = (u64{1} << exponent_bits) - 1, all = (u64{1} << fraction_bits) - 1;
    const u64 exponents[] = {0,    0,        1,        last - 1, last,
                             last, last / 2, last / 2, random(), last / 2 + random() % 72 - 4};
    const u64 fractions[] = {0,        0,        1,
                             all,      all - 1,  u64{1} << (fraction_bits - 1),
                             random(), random(), u64{1} << random() % fraction_bits};
    return (random() & 1) << (exponent_bits + fraction_bits) |
           (exponents[random() % std::size(exponents)] & last) << fraction_bits |
           (fractions[random() % std::size(fractions)] & all);
}

// Of a double, a boxed single, one that is not boxed, an integer, or a boxed half.
u64 operand(Random& random) {
    constexpr u64 kBox = 0xffff'ffff'0000'0000, kBoxH = 0xffff'ffff'ffff'0000;
    switch (random() % 8) {
        case 0: return random() % 16 == 0 ? in_format(random, 8, 23) : kBoxH | in_format(random, 5, 10);
        case 1: return random() >> random() % 64;
        case 2:
        case 3:
        case 4: return kBox | in_format(random, 8, 23);
        default: return in_format(random, 11, 52);
    }
}

constexpr u64 kCases = 96, kSlot = 64;

void fill_slots(Twins& twins, Random& random) {
    for (u64 i = 0; i < kCases; ++i)
        for (const u64 offset : {0, 8, 16, 24}) {
            const u64 value = offset == 24 ? random() % 32 : operand(random);
            twins.poke(kData + i * kSlot + offset, value);
        }
}

// Of each slot's operands and flags, the result and the flags afterwards.
std::vector<u32> loop_over(const Row& row, i32 rm) {
    const bool from_x = row.operands.find(",rs1") != std::string_view::npos;
    const bool to_x = row.operands.starts_with("rd");
    const auto rd = static_cast<u8>(to_x ? 7 : 4), rs1 = static_cast<u8>(from_x ? 10 : 1);
    return {
        encode(Op::FLD, {.rd = 1, .rs1 = 5}),
        encode(Op::FLD, {.rd = 2, .rs1 = 5, .imm = 8}),
        encode(Op::FLD, {.rd = 3, .rs1 = 5, .imm = 16}),
        encode(Op::LD, {.rd = 10, .rs1 = 5}),
        encode(Op::LD, {.rd = 9, .rs1 = 5, .imm = 24}),
        encode(Op::CSRRW, {.rs1 = 9, .imm = kFflags}),
        encode(row.op, {.rd = rd, .rs1 = rs1, .rs2 = 2, .rs3 = 3, .imm = rm}),
        encode(Op::CSRRS, {.rd = 8, .imm = kFflags}),
        encode(Op::FSD, {.rs1 = 5, .rs2 = 4, .imm = 32}),
        encode(Op::SD, {.rs1 = 5, .rs2 = 7, .imm = 40}),
        encode(Op::SD, {.rs1 = 5, .rs2 = 8, .imm = 48}),
        encode(Op::ADDI, {.rd = 5, .rs1 = 5, .imm = kSlot}),
        encode(Op::ADDI, {.rd = 6, .rs1 = 6, .imm = -1}),
        encode(Op::BNE, {.rs1 = 6, .rs2 = 0, .imm = -13 * 4}),
        encode(Op::JAL),
    };
}

// Nothing, or the first slot that differs.
std::string difference(Twins& twins) {
    for (u64 at = kData; at < kData + kCases * kSlot; at += 8) {
        u64 ours = 0, theirs = 0;
        twins.interpreted.machine.ram().read(at, ours);
        twins.translated.machine.ram().read(at, theirs);
        if (ours == theirs) continue;
        const u64 slot = (at - kData) / kSlot * kSlot + kData;
        std::ostringstream text;
        text << std::hex;
        for (u64 i = 0; i < 4; ++i) {
            u64 value = 0;
            twins.interpreted.machine.ram().read(slot + 8 * i, value);
            text << value << ' ';
        }
        text << "at " << at % kSlot << ": " << ours << ", not " << theirs;
        return text.str();
    }
    return twins.equal() ? "" : "state";
}
}  // namespace

TEST_CASE("jit: every floating-point row has the interpreter's results and flags", "[jit]") {
    Twins twins;
    Random random{20'1985};
    for (const Row& row : kIsa)
        for (i32 rm = 0; rm <= (is_float(row) ? kDynamic : -1); ++rm) {
            if (rm == 5 || rm == 6 || (rm != kDynamic && !rounds(row))) continue;
            for (u32 frm = 0; frm <= 4; ++frm) {
                load(twins, loop_over(row, rm));
                fill_slots(twins, random);
                twins.both([&](Machine&, Cpu& cpu) {
                    cpu.s.x[5] = kData;
                    cpu.s.x[6] = kCases;
                    cpu.s.frm = frm;
                });
                run(twins, kCases * 15);
                CAPTURE(row.mnemonic, rm, frm);
                REQUIRE(difference(twins) == "");
            }
        }
}

TEST_CASE("jit: floating-point instructions in any order, on any registers", "[jit]") {
    Twins twins;
    Random random{754};
    std::vector<const Row*> all, doubles;
    for (const Row& row : kIsa) {
        if (!is_float(row)) continue;
        all.push_back(&row);
        if (makes_doubles(row.op)) doubles.push_back(&row);
    }
    for (int round = 0; round < 400; ++round) {
        // Of few registers, so that results are operands; of one format mostly.
        const u64 registers = random() % 2 == 0 ? 6 : 32;
        const auto any = [&] { return static_cast<u8>(random() % registers); };
        const std::vector<const Row*>& rows = random() % 4 == 0 ? doubles : all;
        std::vector<u32> program;
        for (u64 left = 4 + random() % 40; left != 0; --left) {
            const Row* row = rows[random() % rows.size()];
            while ((row->extension == Extension::Zfh || row->mnemonic.find(".h") != std::string_view::npos) &&
                   random() % 8 != 0)
                row = rows[random() % rows.size()];
            const i32 rm = rounds(*row) && random() % 3 == 0 ? static_cast<i32>(random() % 5) : kDynamic;
            const bool to_x = row->operands.starts_with("rd");
            const auto rd = static_cast<u8>(to_x ? 8 + random() % 8 : any());
            program.push_back(
                encode(row->op, {.rd = rd, .rs1 = any(), .rs2 = any(), .rs3 = any(), .imm = rm}));
            if (random() % 6 == 0)
                program.push_back(
                    encode(random() % 2 == 0 ? Op::FLD : Op::FLW,
                           {.rd = any(), .rs1 = 5, .imm = static_cast<i32>(random() % 256 * 4)}));
            if (random() % 6 == 0)
                program.push_back(
                    encode(random() % 2 == 0 ? Op::FSD : Op::FSW,
                           {.rs1 = 5, .rs2 = any(), .imm = static_cast<i32>(random() % 256 * 4)}));
        }
        const auto length = static_cast<i32>(program.size());
        program.push_back(encode(Op::ADDI, {.rd = 6, .rs1 = 6, .imm = -1}));
        program.push_back(encode(Op::BNE, {.rs1 = 6, .rs2 = 0, .imm = -(length + 1) * 4}));
        program.push_back(encode(Op::JAL));
        load(twins, program);
        fill_slots(twins, random);
        std::array<u64, 32> f;
        for (u64& value : f) value = operand(random);
        const u32 frm = static_cast<u32>(random() % 5);
        const u64 base = kData + (random() % 2 == 0 ? 0 : 0xe00);  // there, some accesses share a page only
        twins.both([&](Machine&, Cpu& cpu) {
            std::copy(f.begin(), f.end(), cpu.s.f.begin());
            for (unsigned i = 8; i < 16; ++i) cpu.s.x[i] = f[i];
            cpu.s.x[5] = base;
            cpu.s.x[6] = 80;
            cpu.s.frm = frm;
        });
        // Whatever is left of a round, the states are equal.
        for (u64 left = 80 * program.size(); left != 0;) {
            const u64 ticks = std::min<u64>(left, 1 + random() % 2'000);
            run(twins, ticks);
            left -= ticks;
            CAPTURE(round, registers, frm, left);
            REQUIRE(twins.equal());
        }
    }
}
