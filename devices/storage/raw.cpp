// A disk image that is a plain file, byte for byte.
#include "devices/storage/raw.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "devices/storage/qcow2/format.hpp"

namespace hartline {
namespace {
constexpr u64 kSector = 512;

class RawImage final : public DiskImage {
public:
    RawImage(std::unique_ptr<HostFile> file, u64 bytes, bool guarded)
        : file_(std::move(file)), bytes_(bytes), guarded_(guarded) {}
    u64 bytes() const override { return bytes_; }
    bool read_only() const override { return file_->read_only(); }
    bool read(u64 offset, std::span<u8> out) override;
    bool write(u64 offset, std::span<const u8> in) override;
    bool flush() override { return file_->flush(); }
    bool discard(u64 offset, u64 bytes) override;
    bool zero(u64 offset, u64 bytes) override;
    ImageFormat format() const override { return ImageFormat::Raw; }
    HostFile& file() override { return *file_; }
    std::optional<Extent> extent(u64 offset) override;
    bool resize(u64 bytes) override;

private:
    bool inside(u64 offset, u64 bytes) const { return offset <= bytes_ && bytes <= bytes_ - offset; }
    bool may_write(u64 offset, u64 bytes) const { return !file_->read_only() && inside(offset, bytes); }
    bool makes_qcow2(u64 offset, std::span<const u8> in);

    std::unique_ptr<HostFile> file_;
    std::atomic<u64> bytes_;
    bool guarded_;
    std::mutex start_;  // held by guarded writes into the magic number
};

bool RawImage::read(u64 offset, std::span<u8> out) {
    return inside(offset, out.size()) && file_->read(offset, out);
}

bool RawImage::makes_qcow2(u64 offset, std::span<const u8> in) {
    std::array<u8, qcow2::kMagic.size()> start{};
    if (!file_->read(0, start)) return true;
    for (u64 i = offset; i < start.size() && i - offset < in.size(); ++i) start[i] = in[i - offset];
    return start == qcow2::kMagic;
}

bool RawImage::write(u64 offset, std::span<const u8> in) {
    if (!may_write(offset, in.size())) return false;
    if (!guarded_ || offset >= qcow2::kMagic.size()) return file_->write(offset, in);
    const std::lock_guard lock(start_);
    return !makes_qcow2(offset, in) && file_->write(offset, in);
}

// What a file system cannot do is done the slow way, so that a guest sees the same on all of them.
bool RawImage::discard(u64 offset, u64 bytes) {
    return may_write(offset, bytes) && (file_->punch(offset, bytes) || write_zeroes(*file_, offset, bytes));
}
bool RawImage::zero(u64 offset, u64 bytes) {
    return may_write(offset, bytes) && (file_->zero(offset, bytes) || write_zeroes(*file_, offset, bytes));
}

std::optional<DiskImage::Extent> RawImage::extent(u64 offset) {
    const HostFile::Extent there = file_->extent(offset);
    const u64 rest = bytes_ - std::min<u64>(offset, bytes_);
    const u64 bytes = std::max<u64>(std::min(there.bytes, rest), 1);
    return Extent{bytes, there.data ? Kind::Data : Kind::Zero, true, false, offset};
}

bool RawImage::resize(u64 bytes) {
    if (file_->read_only() || bytes == 0 || bytes % kSector != 0 || !file_->truncate(bytes)) return false;
    bytes_ = bytes;
    return file_->flush();
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw std::runtime_error(path + ": " + why);
}
}  // namespace

std::unique_ptr<DiskImage> open_raw(std::unique_ptr<HostFile> file, const std::string& path) {
    const auto size = file->size();
    if (!size) refuse(path, "cannot tell its size");
    if (*size == 0) refuse(path, "is empty; give it a size, for example: truncate -s 1G " + path);
    if (*size % kSector != 0)
        refuse(path, "its size, " + std::to_string(*size) +
                         " bytes, is no multiple of 512; round it up: truncate -s %512 " + path);
    return std::make_unique<RawImage>(std::move(file), *size, qcow2::named_qcow2(path));
}

std::unique_ptr<DiskImage> open_raw_backing(std::unique_ptr<HostFile> file, const std::string& path) {
    const auto size = file->size();
    if (!size) refuse(path, "cannot tell its size");
    return std::make_unique<RawImage>(std::move(file), *size, qcow2::named_qcow2(path));
}

std::unique_ptr<DiskImage> open_raw(const std::string& path, bool read_only) {
    return open_raw(open_host_file(path, {.read_only = read_only}), path);
}
}  // namespace hartline
