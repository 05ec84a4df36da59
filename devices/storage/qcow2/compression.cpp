// One compressed cluster, by zlib or zstd.
#include "devices/storage/qcow2/compression.hpp"

#include <zlib.h>
#include <zstd.h>

#include <memory>

namespace hartline::qcow2 {
namespace {
// "Compressed clusters" are raw deflate streams. QEMU reads windows of 4 KiB only.
constexpr int kWindowToRead = -15, kWindowToWrite = -12, kMemoryLevel = 9;

bool inflate_into(std::span<const u8> in, std::span<u8> out) {
    z_stream stream{};
    if (inflateInit2(&stream, kWindowToRead) != Z_OK) return false;
    stream.next_in = const_cast<u8*>(in.data());  // zlib's type; it only reads
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    const int status = inflate(&stream, Z_FINISH);
    const bool whole = stream.avail_out == 0 && (status == Z_STREAM_END || status == Z_BUF_ERROR);
    inflateEnd(&stream);
    return whole;
}

bool unpack_zstd(std::span<const u8> in, std::span<u8> out) {
    const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                               ZSTD_freeDStream);
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    while (stream && to.pos < to.size) {
        const auto before = std::pair(from.pos, to.pos);
        const std::size_t status = ZSTD_decompressStream(stream.get(), &to, &from);
        if (ZSTD_isError(status) != 0 || before == std::pair(from.pos, to.pos)) return false;
    }
    return to.pos == to.size && stream;
}

std::optional<std::vector<u8>> deflated(std::span<const u8> in) {
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kWindowToWrite, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return std::nullopt;
    std::vector<u8> out(in.size() - 1);
    stream.next_in = const_cast<u8*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    const int status = deflate(&stream, Z_FINISH);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    if (status != Z_STREAM_END) return std::nullopt;
    return out;
}
}  // namespace

bool decompress(Compression method, std::span<const u8> in, std::span<u8> out) {
    return method == Compression::Zstd ? unpack_zstd(in, out) : inflate_into(in, out);
}

std::optional<std::vector<u8>> compress(Compression method, std::span<const u8> in) {
    if (method == Compression::Zlib) return deflated(in);
    std::vector<u8> out(ZSTD_compressBound(in.size()));
    const std::size_t bytes =
        ZSTD_compress(out.data(), out.size(), in.data(), in.size(), ZSTD_CLEVEL_DEFAULT);
    if (ZSTD_isError(bytes) != 0 || bytes >= in.size()) return std::nullopt;
    out.resize(bytes);
    return out;
}
}  // namespace hartline::qcow2
