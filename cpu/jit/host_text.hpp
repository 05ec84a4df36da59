// Host code in words, with the names of what it refers to.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cpu/jit/context.hpp"
#include "cpu/jit/stubs.hpp"

namespace hartline {
class Capstone;
}

namespace hartline::jit {

class HostText {
public:
    // Throws std::runtime_error where Capstone was built without x86.
    HostText(const JitContext& context, const Stubs& stubs);
    ~HostText();
    HostText(const HostText&) = delete;
    HostText& operator=(const HostText&) = delete;

    struct Code {
        const u8* bytes = nullptr;
        u64 address = 0, size = 0;
    };
    // A line an instruction. Addresses are shown from the start of `unit`, where they lie in it.
    void lines(const Code& code, const Code& unit, std::vector<std::string>& to);

private:
    std::string operands(std::string text, const Code& unit) const;
    const std::string* name_of(u64 address) const;

    std::unique_ptr<Capstone> capstone_;
    std::vector<std::pair<u64, std::string>> stubs_;
    std::vector<std::pair<i64, std::string>> cells_;  // by displacement
};
}  // namespace hartline::jit
