// The snapshot file: header, machine summary, pending input, state.
#include "frontend/session/snapshot.hpp"

#include <array>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr u64 kMagic = 0x50414e53'54524148;  // "HARTSNAP"
constexpr u32 kVersion = 3;  // of the file; what is in the state tells itself, see LoadArchive
constexpr u32 kInputOpen = 1;
constexpr u64 kMostFileBytes = u64{96} << 30;

struct Header {
    u64 magic = kMagic;
    u32 version = kVersion;
    u32 flags = 0;
    u64 machine_bytes = 0;
    u64 input_bytes = 0;
    u64 state_bytes = 0;
    u64 checksum = 0;  // XXH3 of this header with checksum 0, and all that follows
};
static_assert(sizeof(Header) == 48, "the file's header changed: raise kVersion");

u64 checksum(Header header, std::span<const std::span<const u8>> parts) {
    header.checksum = 0;
    XXH3_state_t* state = XXH3_createState();
    if (state == nullptr) throw std::bad_alloc();
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, &header, sizeof header);
    for (const auto part : parts) XXH3_64bits_update(state, part.data(), part.size());
    const u64 digest = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return digest;
}

std::span<const u8> bytes_of(const std::string& text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

// Cuts a field off the front of `rest`.
std::span<const u8> cut(const std::string& path, std::span<const u8>& rest, u64 bytes) {
    if (bytes > rest.size()) throw InputError(path, "is a truncated snapshot", "copy or save it again");
    const auto front = rest.first(static_cast<std::size_t>(bytes));
    rest = rest.subspan(front.size());
    return front;
}
}  // namespace

std::string machine_summary(const Machine& machine, const std::string& facts) {
    std::string text = "memory " + std::to_string(machine.config().ram_bytes) + ", harts " +
                       std::to_string(machine.harts()) + ", " + facts + ", devices";
    for (const Machine::Attached& attached : machine.devices()) {
        char place[32];
        std::snprintf(place, sizeof place, "@%llx", static_cast<unsigned long long>(attached.base));
        text += ' ';
        text += attached.device->name();
        text += place;
    }
    return text;
}

void write_snapshot(const std::string& path, const Snapshot& snapshot) {
    Header header;
    header.flags = snapshot.input_open ? kInputOpen : 0;
    header.machine_bytes = snapshot.machine.size();
    header.input_bytes = snapshot.pending_input.size();
    header.state_bytes = snapshot.state.size();
    const std::array<std::span<const u8>, 3> body = {bytes_of(snapshot.machine), snapshot.pending_input,
                                                     snapshot.state};
    header.checksum = checksum(header, body);
    const std::array<std::span<const u8>, 4> file = {
        std::span(reinterpret_cast<const u8*>(&header), sizeof header), body[0], body[1], body[2]};
    write_file(path, file);
}

Snapshot parse_snapshot(const std::string& path, std::span<const u8> file, const std::string& machine) {
    std::span<const u8> rest = file;
    Header header;
    if (rest.size() < 8 || std::memcmp(rest.data(), &kMagic, 8) != 0)
        throw InputError(path, "is not a snapshot of Hartline", "save one with --save-at TICK:FILE");
    std::memcpy(&header, cut(path, rest, sizeof header).data(), sizeof header);
    if (header.version != kVersion)
        throw InputError(path,
                         "is a snapshot of version " + std::to_string(header.version) + ", not " +
                             std::to_string(kVersion),
                         "save it again with this Hartline");
    const auto made_of = cut(path, rest, header.machine_bytes);
    const auto input = cut(path, rest, header.input_bytes);
    const auto state = cut(path, rest, header.state_bytes);
    const std::array<std::span<const u8>, 3> body = {made_of, input, state};
    if (!rest.empty() || (header.flags & ~kInputOpen) != 0 || checksum(header, body) != header.checksum)
        throw InputError(path, "is a damaged snapshot", "copy or save it again");
    Snapshot snapshot;
    snapshot.machine.assign(made_of.begin(), made_of.end());
    snapshot.pending_input.assign(input.begin(), input.end());
    snapshot.input_open = (header.flags & kInputOpen) != 0;
    snapshot.state.assign(state.begin(), state.end());
    if (snapshot.machine != machine)
        throw InputError(path, "is of another machine (" + snapshot.machine + ")",
                         "give the options that it was saved with; now they make (" + machine + ")");
    return snapshot;
}

Snapshot read_snapshot(const std::string& path, const std::string& machine) {
    return parse_snapshot(path, read_file(path, kMostFileBytes, "is too large for a snapshot"), machine);
}
}  // namespace hartline
