// Asks Capstone, and puts names in the place of numbers.
#include "cpu/jit/host_text.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "cpu/capstone.hpp"
#include "cpu/jit/registers.hpp"

namespace hartline::jit {
namespace {
constexpr const char* kCell = "[rbp ";  // the context's, by a constant alone

std::string hex(u64 value) {
    char text[24];
    std::snprintf(text, sizeof text, "%" PRIx64, value);
    return text;
}
}  // namespace

HostText::HostText(const JitContext& c, const Stubs& stubs)
    : capstone_(std::make_unique<Capstone>(CS_ARCH_X86, CS_MODE_64, "x86-64")) {
    stubs_ = {{stubs.leave_link, "leave_link"},
              {stubs.leave_interpret, "leave_interpret"},
              {stubs.leave_indirect, "leave_indirect"},
              {stubs.leave_far, "leave_far"},
              {stubs.handed, "handed"},
              {stubs.fp_on, "fp_on"},
              {stubs.change_sum, "change_sum"},
              {stubs.call_supervisor, "call_supervisor"},
              {stubs.return_to_user, "return_to_user"}};
    for (std::size_t i = 0; i < stubs.load.size(); ++i) {
        stubs_.emplace_back(stubs.load[i], "load" + std::to_string(8 << i));
        stubs_.emplace_back(stubs.store[i], "store" + std::to_string(8 << i));
    }
    const auto cell = [&](const void* at, const std::string& name) {
        cells_.emplace_back(displacement(c, at), name);
    };
    for (unsigned i = 0; i < 32; ++i) {
        cell(&c.cpu.s.x[i], "x" + std::to_string(i));
        cell(&c.cpu.s.f[i], "f" + std::to_string(i));
    }
    cell(&c.page, "page");
    cell(&c.cpu.data_context, "data_context");
    cell(&c.jump_tag32, "jump_tag");
    cell(&c.jump_key, "jump_key");
    cell(&c.far_key, "far_key");
    cell(&c.far_misses, "far_misses");
    cell(&c.code_base, "code_base");
    cell(&c.cpu.s.mstatus, "mstatus");
    cell(&c.cpu.s.privilege, "privilege");
}
HostText::~HostText() = default;

const std::string* HostText::name_of(u64 address) const {
    const auto found =
        std::find_if(stubs_.begin(), stubs_.end(), [&](const auto& stub) { return stub.first == address; });
    return found == stubs_.end() ? nullptr : &found->second;
}

std::string HostText::operands(std::string text, const Code& unit) const {
    if (text.starts_with("0x")) {  // where it jumps
        const u64 target = std::strtoull(text.c_str(), nullptr, 16);
        if (target - unit.address < unit.size) return hex(target - unit.address);
        const std::string* const name = name_of(target);
        return name == nullptr ? "other code at " + text : *name;
    }
    const std::size_t at = text.find(kCell);
    const std::size_t end = at == std::string::npos ? at : text.find(']', at);
    if (end == std::string::npos) return text;
    const std::string inside = text.substr(at + std::string_view(kCell).size() + 2, end - at - 7);
    char* stop = nullptr;
    const i64 distance = std::strtoll(inside.c_str(), &stop, 0);
    if (*stop != '\0') return text;
    const i64 displacement = text[at + std::string_view(kCell).size()] == '-' ? -distance : distance;
    for (const auto& [place, name] : cells_)
        if (place == displacement) return text.replace(at + 1, end - at - 1, name);
    return text;
}

void HostText::lines(const Code& code, const Code& unit, std::vector<std::string>& to) {
    const u8* bytes = code.bytes;
    std::size_t left = code.size;
    u64 address = code.address;
    while (left != 0) {
        const cs_insn* const insn = capstone_->next(bytes, left, address);
        if (insn == nullptr) break;
        const std::string at = hex(insn->address - unit.address);
        to.push_back(std::string(at.size() < 5 ? 5 - at.size() : 0, ' ') + at + "  " + insn->mnemonic + " " +
                     operands(insn->op_str, unit));
    }
    if (left != 0) to.emplace_back("    ?");
}
}  // namespace hartline::jit
