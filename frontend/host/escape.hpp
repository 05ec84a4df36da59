// The escape key of a terminal: what is for the guest, and what is for Hartline.
#pragma once
#include <span>
#include <vector>

#include "core/types.hpp"

namespace hartline {

enum class ConsoleCommand : u8 {
    Leave,
    Help,
    Reset,
    Continue,
    Status,
    Balloon,
    LessMemory,
    MoreMemory,
    Unknown
};

class EscapeParser {
public:
    static constexpr u8 kEscape = 0x01;  // Ctrl-A
    struct Result {
        std::vector<u8> bytes;  // for the guest
        std::vector<ConsoleCommand> commands;
    };
    // Ctrl-A and a key may come in different calls.
    Result parse(std::span<const u8> typed);

private:
    bool escaped_ = false;
};

// What Ctrl-A h prints.
const char* escape_help();
}  // namespace hartline
