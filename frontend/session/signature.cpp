// Writing of signatures.
#include "frontend/session/signature.hpp"

#include "core/ram.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {

std::string signature_text(std::span<const u8> memory, unsigned granularity) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(memory.size() * 2 + memory.size() / granularity + 1);
    for (std::size_t line = 0; line < memory.size(); line += granularity) {
        for (std::size_t i = granularity; i-- > 0;) {
            const u8 byte = line + i < memory.size() ? memory[line + i] : u8{0};
            text += kDigits[byte >> 4];
            text += kDigits[byte & 15];
        }
        text += '\n';
    }
    return text;
}

std::string signature_of(Ram& ram, const LoadedImage& image, unsigned granularity) {
    const auto begin = image.symbol("begin_signature"), end = image.symbol("end_signature");
    if (!begin || !end)
        throw InputError("--signature", "the program has no symbols begin_signature and end_signature",
                         "give a test of riscv-arch-test");
    if (*end < *begin || !ram.contains(*begin, *end - *begin))
        throw InputError("--signature", "the signature does not lie in memory",
                         "check the program's linker script");
    std::vector<u8> memory(static_cast<std::size_t>(*end - *begin));
    ram.read(*begin, memory);
    return signature_text(memory, granularity);
}

void write_signature(const std::string& path, Ram& ram, const LoadedImage& image, unsigned granularity) {
    const std::string text = signature_of(ram, image, granularity);
    write_file(path, std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
}
}  // namespace hartline
