// Asks Capstone, and puts names in the place of numbers.
#include "cpu/jit/host_text.hpp"

#include <capstone/capstone.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

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

struct HostText::Handle {
    Handle() {
        if (cs_open(CS_ARCH_X86, CS_MODE_64, &engine) != CS_ERR_OK)
            throw std::runtime_error("Capstone does not start for x86-64");
        insn = cs_malloc(engine);
        if (insn != nullptr) return;
        cs_close(&engine);
        throw std::bad_alloc();
    }
    ~Handle() {
        cs_free(insn, 1);
        cs_close(&engine);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    csh engine = 0;
    cs_insn* insn = nullptr;
};

HostText::HostText(const JitContext& c, const Stubs& stubs) : handle_(std::make_unique<Handle>()) {
    stubs_ = {{stubs.leave_link, "leave_link"},
              {stubs.leave_interpret, "leave_interpret"},
              {stubs.leave_indirect, "leave_indirect"},
              {stubs.leave_far, "leave_far"},
              {stubs.handed, "handed"},
              {stubs.fp_on, "fp_on"}};
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

std::string HostText::operands(const Code& unit) const {
    std::string text = handle_->insn->op_str;
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
    while (left != 0 && cs_disasm_iter(handle_->engine, &bytes, &left, &address, handle_->insn)) {
        const std::string at = hex(handle_->insn->address - unit.address);
        to.push_back(std::string(at.size() < 5 ? 5 - at.size() : 0, ' ') + at + "  " +
                     handle_->insn->mnemonic + " " + operands(unit));
    }
    if (left != 0) to.emplace_back("    ?");
}
}  // namespace hartline::jit
