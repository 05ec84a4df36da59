// Reading what flash banks begin with.
#include "frontend/session/flash.hpp"

#include <filesystem>

#include "devices/flash.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
std::vector<u8> read_bank(const std::string& path) {
    return read_file(path, kFlashBankBytes, "is larger than a flash bank of 32 MiB");
}

void open_store(FlashBankConfig& bank, const std::string& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) write_file(path, bank.contents);
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
