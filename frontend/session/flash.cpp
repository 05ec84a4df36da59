// Reading what flash banks begin with.
#include "frontend/session/flash.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <string_view>

#include "devices/flash.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
std::vector<u8> read_bank(const std::string& path) {
    return read_file(path, kFlashBankBytes, "is larger than a flash bank of 32 MiB");
}

// UEFI PI specification, volume 3: EFI_FIRMWARE_VOLUME_HEADER.
bool is_firmware_volume(std::span<const u8> bytes) {
    constexpr std::string_view kSignature = "_FVH";
    constexpr std::size_t kSignatureAt = 40;
    return bytes.size() >= kSignatureAt + kSignature.size() &&
           std::equal(kSignature.begin(), kSignature.end(), bytes.begin() + kSignatureAt);
}

void open_store(FlashBankConfig& bank, const std::string& path) {
    std::error_code error;
    const bool there = std::filesystem::exists(path, error);
    if (!there && path.ends_with(",ro"))
        throw InputError("--efi-vars", "',ro' is for disks, and EDK2 writes its variables", "leave it out");
    if (there && ::access(path.c_str(), W_OK) != 0)
        throw InputError("--efi-vars: " + path, "cannot be written, and EDK2 writes its variables",
                         "use a copy of your own");
    if (!there) write_file(path, bank.contents);
    try {
        bank.file = open_host_file(path, {});
    } catch (const std::runtime_error& failure) {
        throw InputError("--efi-vars: " + std::string(failure.what()));
    }
    const u64 bytes = bank.file->size().value_or(0);
    if (bytes == 0 || bytes > kFlashBankBytes)
        throw InputError(path,
                         "is no variable store: it has " + std::to_string(bytes) + " bytes, not up to 32 MiB",
                         "name a file that is not there yet: it is made");
    bank.contents.resize(static_cast<std::size_t>(bytes));
    if (!bank.file->read(0, bank.contents)) throw HostError(path, "cannot be read");
    if (!is_firmware_volume(bank.contents))
        throw InputError(path, "is no variable store, and EDK2 would overwrite it",
                         "name a file that is not there yet: it is made");
    // A store behind its end would leave zeroes before it, where flash that was never written is 0xff.
    const std::vector<u8> rest(kFlashBankBytes - bytes, 0xff);
    if (!rest.empty() && !bank.file->write(bytes, rest)) throw HostError(path, "cannot be made 32 MiB long");
}
}  // namespace

DeviceFactory firmware_flash(const LoaderFiles& loader, const std::string& variables) {
    FlashBankConfig code{.contents = read_bank(loader.code), .read_only = true};
    FlashBankConfig store{.contents = read_bank(loader.variables)};
    if (!variables.empty()) open_store(store, variables);
    return flash({std::move(code), std::move(store)});
}
}  // namespace hartline
