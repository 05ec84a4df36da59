// Guest instructions, their IR, and the host's instructions beside them.
#include "cpu/jit/dump.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "cpu/disassembler.hpp"
#include "cpu/jit/registers.hpp"
#include "cpu/lift.hpp"

namespace hartline::jit {
namespace {
using Lines = std::vector<std::string>;
constexpr std::size_t kLeftColumns = 52;

template <class... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
    char text[256];
    std::snprintf(text, sizeof text, pattern, arguments...);
    return text;
}

class Dump {
public:
    Dump(const Unit& unit, const HostText::Code& code, u64 page, HostText& host)
        : unit_(unit), code_(code), page_(page), host_(host) {}

    std::string text() {
        text_ = format("unit at %016" PRIx64 " (physical %" PRIx64 "): %zu instructions, %" PRIu64
                       " bytes at %" PRIx64 ", linked to by %zu\n",
                       address(0), unit_.paddr, unit_.items.size(), code_.size, code_.address,
                       unit_.incoming.size());
        text_ += "pinned:";
        for (const Pin& pin : kPinned) text_ += format(" x%u=%s", pin.guest, name(pin.host));
        text_ += "\n";
        beside({"(entered here)"}, host_of(Piece::kEntry));
        for (u16 i = 0; i < unit_.items.size(); ++i) beside(guest_of(i), host_of(i));
        return text_;
    }

private:
    static const char* name(const asmjit::x86::Gp& reg) {
        constexpr std::array kNames{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
        return kNames[reg.id()];
    }
    u64 address(std::size_t item) const {
        return page_ + static_cast<u64>(static_cast<i64>(unit_.items[item].offset));
    }

    Lines guest_of(std::size_t index) {
        const Item& item = unit_.items[index];
        const u64 pc = address(index);
        const bool compressed = item.decoded.length == 2;
        const u32 word = compressed ? item.word & 0xffff : item.word;
        const std::string bits = compressed ? format("%04" PRIx32 "    ", word) : format("%08" PRIx32, word);
        Lines lines{format("%" PRIx64 "  %s  ", pc, bits.c_str()) + guest_.text(word, pc)};
        IrBlock ir;
        lift(item.decoded.op, item.decoded.operands, pc, item.decoded.length, ir);
        const std::string text = print(ir);
        for (std::size_t at = text.find('\n') + 1; at < text.size();) {  // behind Begin
            const std::size_t end = text.find('\n', at);
            lines.push_back("  " + text.substr(at, end - at));
            at = end + 1;
        }
        return lines;
    }

    // All pieces that belong to it, wherever they lie.
    Lines host_of(u16 item) {
        Lines lines;
        for (std::size_t i = 0; i < unit_.pieces.size(); ++i) {
            const Piece& piece = unit_.pieces[i];
            const u64 end = i + 1 < unit_.pieces.size() ? unit_.pieces[i + 1].begin : code_.size;
            if (piece.item != item || piece.begin == end) continue;
            if (piece.cold) lines.emplace_back("       behind:");
            host_.lines({code_.bytes + piece.begin, code_.address + piece.begin, end - piece.begin}, code_,
                        lines);
        }
        return lines;
    }

    void beside(const Lines& left, const Lines& right) {
        for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
            std::string line = i < left.size() ? left[i] : "";
            if (i < right.size()) {
                if (line.size() < kLeftColumns) line.resize(kLeftColumns, ' ');
                line += "  " + right[i];
            }
            text_ += line + "\n";
        }
    }

    const Unit& unit_;
    const HostText::Code code_;
    const u64 page_;
    HostText& host_;
    Disassembler guest_;
    std::string text_;
};
}  // namespace

std::string describe_unit(const Unit& unit, const HostText::Code& code, u64 page, HostText& host) {
    return Dump(unit, code, page, host).text();
}
}  // namespace hartline::jit
