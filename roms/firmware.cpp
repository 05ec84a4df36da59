// Gives the linked-in bytes of firmware.S a length.
#include "roms/firmware.hpp"

extern "C" {
extern const hartline::u8 hartline_firmware_begin[];
extern const hartline::u8 hartline_firmware_end[];
}

namespace hartline {
std::span<const u8> embedded_firmware() { return {hartline_firmware_begin, hartline_firmware_end}; }
}  // namespace hartline
