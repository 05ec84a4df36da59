// What `hartline image` prints.
#include "frontend/cli/image_text.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <ctime>
#include <sstream>

namespace hartline {
namespace {
using Json = nlohmann::ordered_json;

// 1.5 GiB
std::string rounded(u64 bytes) {
    constexpr std::array kUnits{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.3g %s", value, kUnits[unit]);
    return text.data();
}

std::string time_text(u64 seconds) {
    const auto when = static_cast<std::time_t>(seconds);
    std::tm parts{};
    std::array<char, 40> text{};
    ::localtime_r(&when, &parts);
    std::strftime(text.data(), text.size(), "%F %T", &parts);
    return text.data();
}

const char* compression(const qcow2::Header& header) {
    return header.compression == qcow2::Compression::Zstd ? "zstd" : "zlib";
}

void add_qcow2(std::ostream& out, const ImageInfo& info) {
    const qcow2::Header& h = *info.header;
    out << "version: " << h.version << "\ncluster size: " << h.cluster()
        << "\nrefcount bits: " << h.refcount_bits() << "\ncompression: " << compression(h) << '\n';
    if (h.extended_l2()) out << "extended L2 entries: yes\n";
    if ((h.compatible & qcow2::compatible::kLazyRefcounts) != 0) out << "lazy refcounts: yes\n";
    if ((h.incompatible & qcow2::incompatible::kDirty) != 0)
        out << "not closed: refcounts are repaired at open\n";
    if ((h.incompatible & qcow2::incompatible::kCorrupt) != 0) out << "corrupt: yes\n";
    if (h.backing)
        out << "backing file: " << *h.backing << " (" << resolve_backing(info.path, *h.backing) << ")\n";
    if (h.backing) out << "backing format: " << h.backing_format.value_or("not declared") << '\n';
    for (const qcow2::Snapshot& one : info.snapshots)
        out << "snapshot " << one.id << ": " << one.name << ", " << time_text(one.seconds) << ", disk "
            << rounded(one.disk_bytes) << ", machine " << rounded(one.vm_state) << '\n';
}

Json snapshot_json(const qcow2::Snapshot& one) {
    return {{"id", one.id}, {"name", one.name}, {"vm-state-size", one.vm_state}, {"date-sec", one.seconds}};
}
}  // namespace

std::string info_text(const ImageInfo& info) {
    std::ostringstream out;
    out << "image: " << info.path << "\nformat: " << name(info.format) << "\ndisk: " << rounded(info.bytes)
        << " (" << info.bytes << " bytes)\nstored: " << rounded(info.allocated) << '\n';
    if (info.header) add_qcow2(out, info);
    return out.str();
}

std::string info_json(const ImageInfo& info) {
    Json json{{"virtual-size", info.bytes},
              {"filename", info.path},
              {"format", name(info.format)},
              {"actual-size", info.allocated}};
    if (info.header) {
        const qcow2::Header& h = *info.header;
        json["cluster-size"] = h.cluster();
        json["dirty-flag"] = (h.incompatible & qcow2::incompatible::kDirty) != 0;
        if (h.backing) {
            json["backing-filename"] = *h.backing;
            json["full-backing-filename"] = resolve_backing(info.path, *h.backing);
        }
        if (h.backing && h.backing_format) json["backing-filename-format"] = *h.backing_format;
        Json data{{"compat", h.version == 2 ? "0.10" : "1.1"}, {"compression-type", compression(h)}};
        data["lazy-refcounts"] = (h.compatible & qcow2::compatible::kLazyRefcounts) != 0;
        data["refcount-bits"] = h.refcount_bits();
        data["corrupt"] = (h.incompatible & qcow2::incompatible::kCorrupt) != 0;
        data["extended-l2"] = h.extended_l2();
        json["format-specific"] = {{"type", "qcow2"}, {"data", data}};
        for (const auto& one : info.snapshots) json["snapshots"].push_back(snapshot_json(one));
    }
    return json.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string check_text(const Checked& checked) {
    std::ostringstream out;
    for (const std::string& line : checked.before.lines) out << line << '\n';
    if (checked.after)
        out << "Before the repair " << checked.before.corruptions << " errors and " << checked.before.leaks
            << " leaked clusters were found.\n";
    const qcow2::CheckResult& now = checked.after.value_or(checked.before);
    if (now.clean())
        out << "No errors were found on the image.\n";
    else if (now.corruptions == 0 && now.errors == 0)
        out << now.leaks
            << " leaked clusters: they waste space and do no harm. --repair leaks gives them back.\n";
    else
        out << now.corruptions << " errors, " << now.leaks << " leaked clusters, " << now.errors
            << " places could not be read: data may be lost. --repair all sets right what can be.\n";
    const double total = now.total_clusters == 0 ? 1 : static_cast<double>(now.total_clusters);
    const double used = now.allocated_clusters == 0 ? 1 : static_cast<double>(now.allocated_clusters);
    std::array<char, 160> line{};
    std::snprintf(line.data(), line.size(),
                  "%llu/%llu = %.2f%% allocated, %.2f%% fragmented, %.2f%% compressed clusters\n",
                  static_cast<unsigned long long>(now.allocated_clusters),
                  static_cast<unsigned long long>(now.total_clusters),
                  100.0 * static_cast<double>(now.allocated_clusters) / total,
                  100.0 * static_cast<double>(now.fragmented_clusters) / used,
                  100.0 * static_cast<double>(now.compressed_clusters) / used);
    out << line.data() << "Image end offset: " << now.image_end << '\n';
    return out.str();
}

std::string check_json(const Checked& checked, const std::string& path) {
    const qcow2::CheckResult& now = checked.after.value_or(checked.before);
    Json json{{"filename", path},
              {"format", "qcow2"},
              {"check-errors", now.errors},
              {"image-end-offset", now.image_end},
              {"total-clusters", now.total_clusters},
              {"allocated-clusters", now.allocated_clusters}};
    // As qemu-img, not where they are zero.
    if (now.fragmented_clusters != 0) json["fragmented-clusters"] = now.fragmented_clusters;
    if (now.compressed_clusters != 0) json["compressed-clusters"] = now.compressed_clusters;
    if (now.leaks != 0) json["leaks"] = now.leaks;
    if (now.corruptions != 0) json["corruptions"] = now.corruptions;
    if (checked.after && checked.before.leaks > now.leaks)
        json["leaks-fixed"] = checked.before.leaks - now.leaks;
    if (checked.after && checked.before.corruptions > now.corruptions)
        json["corruptions-fixed"] = checked.before.corruptions - now.corruptions;
    return json.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string map_text(const std::vector<MapEntry>& map) {
    std::string text = "Offset          Length          Image           Mapped to\n";
    for (const MapEntry& entry : map) {
        if (!entry.data) continue;
        std::array<char, 100> line{};
        const std::string place = entry.offset ? "" : "compressed";
        std::snprintf(line.data(), line.size(), "0x%-13llx 0x%-13llx %-15u ",
                      static_cast<unsigned long long>(entry.start),
                      static_cast<unsigned long long>(entry.bytes), entry.depth);
        text += line.data();
        std::snprintf(line.data(), line.size(), "0x%llx",
                      static_cast<unsigned long long>(entry.offset.value_or(0)));
        text += (entry.offset ? line.data() : place) + "\n";
    }
    return text;
}

std::string map_json(const std::vector<MapEntry>& map) {
    Json json = Json::array();
    for (const MapEntry& entry : map) {
        Json one{{"start", entry.start},     {"length", entry.bytes}, {"depth", entry.depth},
                 {"present", entry.present}, {"zero", entry.zero},    {"data", entry.data}};
        if (entry.compressed) one["compressed"] = true;
        if (entry.offset) one["offset"] = *entry.offset;
        json.push_back(one);
    }
    return json.dump() + "\n";
}
}  // namespace hartline
