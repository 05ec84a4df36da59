// Ctrl-A and what follows it.
#include "frontend/host/escape.hpp"

namespace hartline {

EscapeParser::Result EscapeParser::parse(std::span<const u8> typed) {
    Result result;
    for (const u8 key : typed) {
        if (!escaped_) {
            escaped_ = key == kEscape;
            if (!escaped_) result.bytes.push_back(key);
            continue;
        }
        escaped_ = false;
        switch (key) {
            case 'a':
            case kEscape: result.bytes.push_back(kEscape); break;
            case 'x': result.commands.push_back(ConsoleCommand::Leave); break;
            case 'h':
            case '?': result.commands.push_back(ConsoleCommand::Help); break;
            case 'r': result.commands.push_back(ConsoleCommand::Reset); break;
            case 'c': result.commands.push_back(ConsoleCommand::Continue); break;
            case 'i': result.commands.push_back(ConsoleCommand::Status); break;
            case 'b': result.commands.push_back(ConsoleCommand::Balloon); break;
            case '-': result.commands.push_back(ConsoleCommand::LessMemory); break;
            case '+': result.commands.push_back(ConsoleCommand::MoreMemory); break;
            default: result.commands.push_back(ConsoleCommand::Unknown); break;
        }
    }
    return result;
}

const char* escape_help() {
    return "\n"
           "Ctrl-A x  leave Hartline (the guest is switched off at once)\n"
           "Ctrl-A r  reset the guest\n"
           "Ctrl-A c  go on, where the guest's watchdog paused it\n"
           "Ctrl-A i  instructions so far, and how fast\n"
           "Ctrl-A b  memory: what the balloon holds, what the guest has, what the host gives\n"
           "Ctrl-A -  ask the guest for an eighth of its memory\n"
           "Ctrl-A +  let the guest have an eighth again\n"
           "Ctrl-A a  send Ctrl-A to the guest\n"
           "Ctrl-A h  this help\n";
}
}  // namespace hartline
