// Where the boot loaders are that Hartline does not carry: Debian's U-Boot and EDK2.
#pragma once
#include <optional>
#include <string>

namespace hartline {

enum class Loader : unsigned char {
    UBoot,  // u-boot.bin, which runs in S-mode at 0x80200000
    Edk2,   // UEFI: what the first flash bank holds, and runs in S-mode from there
};

struct LoaderFiles {
    std::string code;
    std::string variables;  // EDK2's empty variable store, the second flash bank; empty for U-Boot
};

// What --firmware names, where it is a loader; throws nothing.
std::optional<Loader> loader_named(std::string_view option);
std::string_view name(Loader loader);  // as people write it: U-Boot, EDK2
// What `tools/guest` made beside the build, else what Debian's package has installed; nothing: neither is
// there.
std::optional<LoaderFiles> find_loader(Loader loader);
// The same. Throws InputError that says what to install.
LoaderFiles require_loader(Loader loader);
}  // namespace hartline
