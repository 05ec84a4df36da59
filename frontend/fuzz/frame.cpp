// The machine code around a random program.
#include "frontend/fuzz/frame.hpp"

#include "frontend/fuzz/encode.hpp"

namespace hartline::fuzz {
namespace {
// Offsets in the save area.
enum Save : i32 { kX5 = 0, kTrapHash = 40, kTraps = 48, kTurns = 56, kNext = 64, kReturn = 72, kFactor = 80 };
constexpr u64 kMixFactor = 0x9e37'79b9'7f4a'7c15;
constexpr u64 kFinisher = 0x10'0000, kUart = 0x1000'0000;
constexpr u32 kMstatus = 0x300, kMedeleg = 0x302, kMideleg = 0x303, kMie = 0x304, kMtvec = 0x305,
              kMenvcfg = 0x30a, kMscratch = 0x340, kMepc = 0x341, kMcause = 0x342, kMtval = 0x343,
              kPmpcfg0 = 0x3a0, kPmpaddr0 = 0x3b0, kSstatus = 0x100, kStvec = 0x105, kSenvcfg = 0x10a,
              kSepc = 0x141, kScause = 0x142, kStval = 0x143, kSatp = 0x180, kFcsr = 3;
constexpr u64 kFsDirty = 3 << 13, kMpp = 3 << 11, kMprv = 1 << 17;
// SIE, MIE, SPIE, MPIE, SPP, MPP, FS, SUM, MXR, TVM, TW, TSR.
constexpr u64 kStatusSeen = 0x7c'79aa;

class Frame {
public:
    explicit Frame(const Program& program) : program_(program) {}
    std::vector<u32> code() {
        a_.jump(0, "start");
        a_.jump(0, "checkpoint");
        a_.jump(0, "turn_end");
        a_.put(Op::ECALL, {});  // kDoorStub
        start();
        handler();
        checkpoint();
        turn_end();
        program_.recipe.exit == Exit::Htif ? exit_htif() : exit_finisher();
        return a_.finish();
    }

private:
    void csr_set(u32 csr, u64 value) {
        a_.li(5, value);
        csrw(csr, 5);
    }
    void csrw(u32 csr, u8 rs1) { a_.put(Op::CSRRW, {.rs1 = rs1, .imm = static_cast<i32>(csr)}); }
    void csrr(u8 rd, u32 csr) { a_.put(Op::CSRRS, {.rd = rd, .imm = static_cast<i32>(csr)}); }
    void ld(u8 rd, u8 base, i32 at) { a_.put(Op::LD, {.rd = rd, .rs1 = base, .imm = at}); }
    void sd(u8 from, u8 base, i32 at) { a_.put(Op::SD, {.rs1 = base, .rs2 = from, .imm = at}); }
    // x5 = rotate((x5 ^ value) * x9)
    void mix(u8 value) {
        a_.put(Op::XOR, {.rd = 5, .rs1 = 5, .rs2 = value});
        a_.put(Op::MUL, {.rd = 5, .rs1 = 5, .rs2 = 9});
        a_.put(Op::RORI, {.rd = 5, .rs1 = 5, .imm = 29});
    }
    void mix_csr(u32 csr) {
        csrr(8, csr);
        mix(8);
    }
    void mix_status(u32 csr) {
        csrr(8, csr);
        a_.li(6, kStatusSeen);
        a_.put(Op::AND, {.rd = 8, .rs1 = 8, .rs2 = 6});
        mix(8);
    }
    // What ebreak leaves there is an implementation's choice (0 or the address), and QEMU's is another than
    // ours.
    void mix_value(u32 csr, const std::string& name) {
        a_.put(Op::ADDI, {.rd = 8, .rs1 = 6, .imm = -3});
        a_.branch(Op::BEQ, 8, 0, name);
        mix_csr(csr);
        a_.label(name);
    }
    void save(u8 base) {
        for (u8 reg = 5; reg <= 9; ++reg) sd(reg, base, kX5 + (reg - 5) * 8);
    }
    void restore(u8 base) {
        for (u8 reg = 5; reg <= 9; ++reg) ld(reg, base, kX5 + (reg - 5) * 8);
    }

    void start() {
        a_.label("start");
        a_.li(30, kSave);
        csrw(kMscratch, 30);
        csr_set(kMtvec, handler_at());
        csr_set(kStvec, kDoorStub);
        for (const u32 csr : {kMedeleg, kMideleg, kMie, kSatp}) csrw(csr, 0);
        csr_set(kPmpaddr0, kWindow >> 2);
        csr_set(kPmpaddr0 + 1, ~u64{0} >> 10);
        csr_set(kPmpcfg0, 0x1f0f);  // all below the window: TOR; everything: NAPOT
        csr_set(kMstatus, kFsDirty);
        // Cache-block instructions everywhere, PBMT; QEMU 7.2 always updates A and D by hardware.
        const u64 hardware_ad = program_.recipe.dialect == Dialect::Qemu ? u64{1} << 61 : 0;
        csr_set(kMenvcfg, u64{1} << 62 | hardware_ad | 0xf0);
        csr_set(kSenvcfg, 0xf0);
        for (const auto& [at, value] : {std::pair<i32, u64>{kTurns, program_.turns},
                                        {kNext, kSignature},
                                        {kFactor, kMixFactor},
                                        {kTrapHash, 0},
                                        {kTraps, 0}}) {
            a_.li(5, value);
            sd(5, 30, at);
        }
        a_.li(kPointer, kWindow + kMiddle);
        for (u8 reg = 0; reg < 32; ++reg) a_.put(Op::FLD, {.rd = reg, .rs1 = kPointer, .imm = reg * 8 + 256});
        csrw(kFcsr, 0);
        for (u8 reg = 1; reg < 30; ++reg) ld(reg, kPointer, reg * 8);
        a_.jump(0, kBody);
    }
    static u64 handler_at() { return kBase + 0x400; }

    // Notes the trap, and goes on behind the instruction; where it cannot be fetched, at x1.
    void handler() {
        while (a_.pc() < handler_at()) a_.word(encode(Op::ADDI, {}));
        a_.li(30, kMprv);
        a_.put(Op::CSRRC, {.rs1 = 30, .imm = kMstatus});
        csrr(30, kMscratch);
        save(30);
        ld(5, 30, kTrapHash);
        ld(9, 30, kFactor);
        mix_status(kMstatus);
        csrr(7, kMepc);
        mix(7);
        csrr(6, kMcause);
        mix(6);
        mix_value(kMtval, "value");
        handle_delegated();
        find_return();
        a_.label("return");
        csrw(kMepc, 7);
        sd(5, 30, kTrapHash);
        ld(5, 30, kTraps);
        a_.put(Op::ADDI, {.rd = 5, .rs1 = 5, .imm = 1});
        sd(5, 30, kTraps);
        restore(30);
        a_.put(Op::MRET, {});
    }
    // The stub's ecall: the trap is the one that S-mode got. mstatus.MPP becomes SPP.
    void handle_delegated() {
        a_.li(8, kDoorStub);
        a_.branch(Op::BNE, 7, 8, "own");
        a_.put(Op::ADDI, {.rd = 8, .rs1 = 6, .imm = -9});
        a_.branch(Op::BNE, 8, 0, "own");
        mix_status(kSstatus);
        csrr(7, kSepc);
        mix(7);
        csrr(6, kScause);
        mix(6);
        mix_value(kStval, "supervisor_value");
        a_.li(8, kMpp);
        a_.put(Op::CSRRC, {.rs1 = 8, .imm = kMstatus});
        csrr(8, kSstatus);
        a_.put(Op::ANDI, {.rd = 8, .rs1 = 8, .imm = 0x100});
        a_.put(Op::SLLI, {.rd = 8, .rs1 = 8, .imm = 3});
        a_.put(Op::CSRRS, {.rs1 = 8, .imm = kMstatus});
        a_.label("own");
    }
    // x6: cause, x7: epc.
    void find_return() {
        a_.put(Op::SLTIU, {.rd = 8, .rs1 = 6, .imm = 2});
        a_.branch(Op::BNE, 8, 0, "unfetched");
        a_.put(Op::ADDI, {.rd = 8, .rs1 = 6, .imm = -12});
        a_.branch(Op::BEQ, 8, 0, "unfetched");
        a_.li(8, kUserAlias);
        a_.put(Op::ANDN, {.rd = 8, .rs1 = 7, .rs2 = 8});
        a_.put(Op::LHU, {.rd = 9, .rs1 = 8});
        a_.put(Op::ANDI, {.rd = 9, .rs1 = 9, .imm = 3});
        a_.put(Op::ADDI, {.rd = 7, .rs1 = 7, .imm = 2});
        a_.put(Op::SLTIU, {.rd = 9, .rs1 = 9, .imm = 3});
        a_.branch(Op::BNE, 9, 0, "return");
        a_.put(Op::ADDI, {.rd = 7, .rs1 = 7, .imm = 2});
        a_.put(Op::ANDI, {.rd = 6, .rs1 = 6, .imm = -4});  // ecalls: 8, 9, 11
        a_.put(Op::ADDI, {.rd = 6, .rs1 = 6, .imm = -8});
        a_.branch(Op::BNE, 6, 0, "return");
        a_.put(Op::LHU, {.rd = 6, .rs1 = 8, .imm = 4});
        a_.put(Op::LHU, {.rd = 9, .rs1 = 8, .imm = 6});
        a_.put(Op::SLLI, {.rd = 9, .rs1 = 9, .imm = 16});
        a_.put(Op::OR, {.rd = 6, .rs1 = 6, .rs2 = 9});
        a_.li(9, kToMachine);
        a_.branch(Op::BNE, 6, 9, "return");
        a_.put(Op::ADDI, {.rd = 7, .rs1 = 8, .imm = 8});
        a_.li(8, kMpp);
        a_.put(Op::CSRRS, {.rs1 = 8, .imm = kMstatus});
        a_.jump(0, "return");
        a_.label("unfetched");
        a_.put(Op::ADDI, {.rd = 7, .rs1 = 1});
    }

    // Appends a hash of all registers to the signature.
    void checkpoint() {
        a_.label("checkpoint");
        csrr(kPointer, kMscratch);
        sd(30, kPointer, kReturn);
        save(kPointer);
        ld(9, kPointer, kFactor);
        a_.li(5, 0);
        for (u8 reg = 1; reg < 30; ++reg) {
            if (reg >= 5 && reg <= 9) {
                ld(8, kPointer, kX5 + (reg - 5) * 8);
                mix(8);
            } else {
                mix(reg);
            }
        }
        mix_status(kMstatus);
        a_.li(8, kFsDirty);
        a_.put(Op::CSRRS, {.rs1 = 8, .imm = kMstatus});
        for (u8 reg = 0; reg < 32; ++reg) {
            a_.put(Op::FMV_X_D, {.rd = 8, .rs1 = reg});
            mix(8);
        }
        mix_csr(kFcsr);
        append();
        ld(30, kPointer, kReturn);
        restore(kPointer);
        a_.li(kPointer, kWindow + kMiddle);
        a_.put(Op::JALR, {.rs1 = 30});
    }
    // x5, what traps have left, and their number.
    void append() {
        ld(8, kPointer, kTrapHash);
        mix(8);
        ld(8, kPointer, kTraps);
        mix(8);
        ld(8, kPointer, kNext);
        sd(5, 8, 0);
        a_.put(Op::ADDI, {.rd = 8, .rs1 = 8, .imm = 8});
        sd(8, kPointer, kNext);
    }

    // A checksum of memory; then the next turn, or the end.
    void turn_end() {
        a_.label("turn_end");
        csrr(kPointer, kMscratch);
        save(kPointer);
        ld(9, kPointer, kFactor);
        a_.li(5, 1);
        mix_memory("window", kWindow + 0x3000, kWindow + 0x5000);
        mix_memory("leaves", kMiddleTable, kMiddleTable + 64);
        mix_memory("middle", kLeafTable, kLeafTable + 8 * kLeaves);
        append();
        ld(8, kPointer, kTurns);
        a_.put(Op::ADDI, {.rd = 8, .rs1 = 8, .imm = -1});
        sd(8, kPointer, kTurns);
        a_.branch(Op::BEQ, 8, 0, "exit");
        restore(kPointer);
        a_.li(kPointer, kWindow + kMiddle);
        a_.jump(0, kBody);
    }
    void mix_memory(const std::string& name, u64 from, u64 to) {
        a_.li(6, from);
        a_.li(7, to);
        a_.label(name);
        ld(8, 6, 0);
        mix(8);
        a_.put(Op::ADDI, {.rd = 6, .rs1 = 6, .imm = 8});
        a_.branch(Op::BNE, 6, 7, name);
    }

    void exit_htif() {
        a_.label("exit");
        a_.li(5, kTohost);
        a_.li(6, 1);
        a_.label("again");
        sd(6, 5, 0);
        a_.jump(0, "again");
    }
    void exit_finisher() {
        a_.label("exit");
        a_.li(5, kSignature);
        ld(6, kPointer, kNext);
        a_.li(7, kUart);
        a_.label("byte");
        a_.put(Op::LBU, {.rd = 8, .rs1 = 7, .imm = 5});
        a_.put(Op::ANDI, {.rd = 8, .rs1 = 8, .imm = 0x20});  // transmitter empty
        a_.branch(Op::BEQ, 8, 0, "byte");
        a_.put(Op::LBU, {.rd = 8, .rs1 = 5});
        a_.put(Op::SB, {.rs1 = 7, .rs2 = 8});
        a_.put(Op::ADDI, {.rd = 5, .rs1 = 5, .imm = 1});
        a_.branch(Op::BNE, 5, 6, "byte");
        a_.li(5, kFinisher);
        a_.li(6, 0x5555);
        a_.put(Op::SW, {.rs1 = 5, .rs2 = 6});
        a_.label("for_ever");
        a_.jump(0, "for_ever");
    }

    const Program& program_;
    Assembler a_{kBase};
};
}  // namespace

std::vector<u32> frame_code(const Program& program) { return Frame(program).code(); }
}  // namespace hartline::fuzz
