// Fills in a row's operand string. Its keys, longest first where one begins another:
//   rd rs1 rs2 rs3  fd fs1 fs2 fs3   registers
//   rm rm0                           rounding mode, left out where it is the usual one: dynamic, or none
//   (rm0) imm uimm zimm fli                immediates: plain, of the upper 20 bits, of CSR instructions,
//   constant of fli target csr pred succ             pc-relative address, CSR, sets of fences
#include "cpu/print.hpp"

#include <cstdio>

#include "cpu/csr.hpp"
#include "cpu/decode.hpp"

namespace hartline {
namespace {
constexpr std::array<std::string_view, 32> kX{
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
    "a6",   "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
constexpr std::array<std::string_view, 32> kF{"ft0", "ft1", "ft2",  "ft3",  "ft4", "ft5", "ft6",  "ft7",
                                              "fs0", "fs1", "fa0",  "fa1",  "fa2", "fa3", "fa4",  "fa5",
                                              "fa6", "fa7", "fs2",  "fs3",  "fs4", "fs5", "fs6",  "fs7",
                                              "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11"};
constexpr std::array<std::string_view, 8> kRoundings{"rne", "rtz", "rdn", "rup", "rmm", "5", "6", "dyn"};
constexpr std::array<std::string_view, 4> kOrders{"", ".rl", ".aq", ".aqrl"};
constexpr std::array<std::string_view, 32> kFli{"-1.0",
                                                "min",
                                                "1.52587890625e-05",
                                                "3.0517578125e-05",
                                                "0.00390625",
                                                "0.0078125",
                                                "0.0625",
                                                "0.125",
                                                "0.25",
                                                "0.3125",
                                                "0.375",
                                                "0.4375",
                                                "0.5",
                                                "0.625",
                                                "0.75",
                                                "0.875",
                                                "1.0",
                                                "1.25",
                                                "1.5",
                                                "1.75",
                                                "2.0",
                                                "2.5",
                                                "3.0",
                                                "4.0",
                                                "8.0",
                                                "16.0",
                                                "128.0",
                                                "256.0",
                                                "32768.0",
                                                "65536.0",
                                                "inf",
                                                "nan"};

std::string hex(u64 value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}
std::string fence_set(u64 set) {
    std::string text;
    for (unsigned i = 0; i < 4; ++i)
        if (bit(set, 3 - i) != 0) text += "iorw"[i];
    return text.empty() ? "0" : text;
}
std::string csr(u32 number) {
    const std::string name = csr_name(number);
    return name.empty() ? hex(number) : name;
}

class Printer {
public:
    Printer(const Operands& operands, u64 pc) : o_(operands), pc_(pc) {}

    std::string fill(std::string_view format) {
        while (!format.empty()) {
            if (take(format)) continue;
            text_ += format.front();
            format.remove_prefix(1);
        }
        return text_;
    }

private:
    bool take(std::string_view& format) {
        const u32 imm = static_cast<u32>(o_.imm);
        const auto is = [&](std::string_view key) {
            if (!format.starts_with(key)) return false;
            format.remove_prefix(key.size());
            return true;
        };
        if (is(",rm0")) return imm == 0 || (put(",") && put(kRoundings[imm % 8]));
        if (is(",rm")) return imm == 7 || (put(",") && put(kRoundings[imm % 8]));
        if (is("rd")) return put(x_name(o_.rd));
        if (is("rs1")) return put(x_name(o_.rs1));
        if (is("rs2")) return put(x_name(o_.rs2));
        if (is("fd")) return put(f_name(o_.rd));
        if (is("fs1")) return put(f_name(o_.rs1));
        if (is("fs2")) return put(f_name(o_.rs2));
        if (is("fs3")) return put(f_name(o_.rs3));
        if (is("imm")) return put(std::to_string(o_.imm));
        if (is("uimm")) return put(hex(imm >> 12));
        if (is("zimm")) return put(std::to_string(o_.rs1));
        if (is("fli")) return put(kFli[o_.rs1 % 32u]);
        if (is("target")) return put(hex(pc_ + static_cast<u64>(i64{o_.imm})));
        if (is("csr")) return put(csr(imm));
        if (is("pred")) return put(fence_set(bits(imm, 7, 4)));
        if (is("succ")) return put(fence_set(bits(imm, 3, 0)));
        return false;
    }
    bool put(std::string_view text) {
        text_ += text;
        return true;
    }

    const Operands& o_;
    const u64 pc_;
    std::string text_;
};

std::string join(std::string text, std::string_view more) {
    text += more;
    return text;
}
std::string assemble(std::string mnemonic, std::string_view format, const Operands& operands, u64 pc) {
    if (format.empty()) return mnemonic;
    return join(join(std::move(mnemonic), " "), Printer(operands, pc).fill(format));
}
}  // namespace

std::string_view x_name(unsigned reg) { return kX[reg % 32]; }
std::string_view f_name(unsigned reg) { return kF[reg % 32]; }

std::string print(u32 word, u64 pc) {
    const Decoded decoded = decode(word);
    if (decoded.length == 2) {
        const CompressedRow* const compressed = find_compressed(static_cast<u16>(word));
        if (compressed == nullptr) return join(".2byte ", hex(word & 0xffff));
        return assemble(std::string(compressed->mnemonic), compressed->operands, decoded.operands, pc);
    }
    if (decoded.op == Op::Illegal) {
        const TodoRow* const todo = find_todo(word);
        std::string text = join(".4byte ", hex(word));
        return todo == nullptr ? text : join(join(std::move(text), "  # "), todo->mnemonic);
    }
    const Row& found = row(decoded.op);
    std::string mnemonic(found.mnemonic);
    if (found.format == Format::Amo) mnemonic += kOrders[static_cast<u32>(decoded.operands.imm) % 4];
    return assemble(mnemonic, found.operands, decoded.operands, pc);
}
}  // namespace hartline
