// Capstone for one architecture, with room for one instruction.
#pragma once
#include <capstone/capstone.h>

#include <cstddef>

#include "core/types.hpp"

namespace hartline {

class Capstone {
public:
    // Throws std::runtime_error, which names `architecture`, where the library was built without it.
    Capstone(cs_arch arch, cs_mode mode, const char* architecture);
    ~Capstone();
    Capstone(const Capstone&) = delete;
    Capstone& operator=(const Capstone&) = delete;

    // Takes an instruction from the front of the `left` bytes at `at`, and moves all three behind it.
    // nullptr: it knows none that begins so. What is pointed to holds until the next call.
    const cs_insn* next(const u8*& at, std::size_t& left, u64& address) {
        return cs_disasm_iter(engine_, &at, &left, &address, insn_) ? insn_ : nullptr;
    }

private:
    csh engine_ = 0;
    cs_insn* insn_ = nullptr;
};
}  // namespace hartline
