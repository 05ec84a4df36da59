// Looking for boot loaders where their recipes and packages put them.
#include "frontend/session/firmware.hpp"

#include <array>
#include <filesystem>

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
namespace fs = std::filesystem;

struct Known {
    std::string_view name, option, package;
    LoaderFiles made;       // by tools/guest, in build/guests
    LoaderFiles installed;  // by the package
};

Known known(Loader loader) {
    if (loader == Loader::UBoot)
        return {"U-Boot",
                "uboot",
                "u-boot-qemu",
                {"uboot/u-boot.bin", ""},
                {"/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin", ""}};
    const std::string folder = "/usr/share/qemu-efi-riscv64/";
    return {"EDK2",
            "edk2",
            "qemu-efi-riscv64",
            {"edk2/CODE.fd", "edk2/VARS.fd"},
            {folder + "RISCV_VIRT_CODE.fd", folder + "RISCV_VIRT_VARS.fd"}};
}

// The program lies in build/PRESET, what tools/guest makes in build/guests.
fs::path guests_folder() {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    return error ? fs::path() : program.parent_path().parent_path() / "guests";
}

bool there(const LoaderFiles& files) {
    std::error_code error;
    return fs::is_regular_file(files.code, error) &&
           (files.variables.empty() || fs::is_regular_file(files.variables, error));
}
}  // namespace

std::optional<Loader> loader_named(std::string_view option) {
    for (const Loader loader : {Loader::UBoot, Loader::Edk2})
        if (option == known(loader).option) return loader;
    return std::nullopt;
}

std::string_view name(Loader loader) { return known(loader).name; }

std::optional<LoaderFiles> find_loader(Loader loader) {
    const Known what = known(loader);
    const fs::path folder = guests_folder();
    LoaderFiles made{(folder / what.made.code).string(), ""};
    if (!what.made.variables.empty()) made.variables = (folder / what.made.variables).string();
    for (const LoaderFiles& files : {made, what.installed})
        if (there(files)) return files;
    return std::nullopt;
}

LoaderFiles require_loader(Loader loader) {
    if (auto files = find_loader(loader)) return *files;
    const Known what = known(loader);
    throw InputError("--firmware " + std::string(what.option), std::string(what.name) + " is not here",
                     "run tools/guest " + std::string(what.option) + ", or install Debian's package " +
                         std::string(what.package));
}
}  // namespace hartline
