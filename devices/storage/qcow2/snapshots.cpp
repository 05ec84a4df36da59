// Internal snapshots, which are kept as they are.
#include "devices/storage/qcow2/snapshots.hpp"

namespace hartline::qcow2 {
namespace {
constexpr u64 kFixedBytes = 40, kMostExtraBytes = 1024;

std::string text(std::span<const u8> bytes) { return {bytes.begin(), bytes.end()}; }

// At `at` in the file; moves `at` on.
std::optional<Snapshot> read_one(HostFile& file, const Header& header, u64& at) {
    std::array<u8, kFixedBytes> fixed{};
    if (!file.read(at, fixed)) return std::nullopt;
    Snapshot one;
    one.l1_offset = get_be64(&fixed[0]);
    one.l1_entries = get_be32(&fixed[8]);
    const u64 id_bytes = get_be16(&fixed[12]), name_bytes = get_be16(&fixed[14]);
    one.seconds = get_be32(&fixed[16]);
    one.vm_state = get_be32(&fixed[32]);
    one.disk_bytes = header.size;
    const u64 extra = get_be32(&fixed[36]);
    if (extra > kMostExtraBytes) return std::nullopt;
    std::vector<u8> rest(extra + id_bytes + name_bytes);
    if (!file.read(at + kFixedBytes, rest)) return std::nullopt;
    if (extra >= 8) one.vm_state = get_be64(rest.data());
    if (extra >= 16) one.disk_bytes = get_be64(rest.data() + 8);
    one.id = text(std::span(rest).subspan(extra, id_bytes));
    one.name = text(std::span(rest).subspan(extra + id_bytes));
    at += (kFixedBytes + rest.size() + 7) / 8 * 8;
    return one;
}
}  // namespace

std::optional<Snapshots> read_snapshots(HostFile& file, const Header& header) {
    Snapshots snapshots;
    const u64 file_bytes = file.size().value_or(0);
    u64 at = header.snapshots_offset;
    for (u32 i = 0; i < header.snapshots; ++i) {
        const auto one = read_one(file, header, at);
        if (!one || at - header.snapshots_offset > kMostSnapshotTableBytes) return std::nullopt;
        const u64 l1_bytes = u64{one->l1_entries} * 8;
        if (l1_bytes > kMostL1Bytes || one->l1_offset % header.cluster() != 0 ||
            one->l1_offset > file_bytes || l1_bytes > file_bytes - one->l1_offset)
            return std::nullopt;
        snapshots.all.push_back(*one);
    }
    snapshots.bytes = at - header.snapshots_offset;
    return snapshots;
}
}  // namespace hartline::qcow2
