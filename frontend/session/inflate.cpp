// Unpacking by zlib.
#include "frontend/session/inflate.hpp"

#include <zlib.h>

#include <algorithm>

#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
constexpr int kGzip = 16 + MAX_WBITS;
constexpr std::size_t kChunk = 1 << 20;

class Inflater {
public:
    Inflater(const std::string& path, std::span<const u8> packed) : path_(path), packed_(packed) {
        if (inflateInit2(&stream_, kGzip) != Z_OK) throw std::bad_alloc();
    }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    // Appends up to a chunk. false: the end.
    bool step(std::vector<u8>& out) {
        feed();
        const std::size_t before = out.size();
        out.resize(before + kChunk);
        stream_.next_out = out.data() + before;
        stream_.avail_out = kChunk;
        const int status = inflate(&stream_, Z_NO_FLUSH);
        out.resize(before + kChunk - stream_.avail_out);
        if (status == Z_STREAM_END) return next_member();
        if (status == Z_MEM_ERROR) throw std::bad_alloc();
        if (status != Z_OK && status != Z_BUF_ERROR)
            throw InputError(path_, "is corrupt gzip data", "copy or download it again");
        if (stream_.avail_in == 0 && packed_.empty() && stream_.avail_out != 0)
            throw InputError(path_, "is truncated gzip data", "copy or download it again");
        return true;
    }

private:
    void feed() {
        if (stream_.avail_in != 0) return;
        const std::size_t bytes = std::min<std::size_t>(packed_.size(), 1 << 30);
        stream_.next_in = const_cast<u8*>(packed_.data());  // zlib's older signature; it only reads
        stream_.avail_in = static_cast<uInt>(bytes);
        packed_ = packed_.subspan(bytes);
    }
    bool next_member() {
        feed();
        if (stream_.avail_in < 2 || stream_.next_in[0] != 0x1f || stream_.next_in[1] != 0x8b) return false;
        return inflateReset(&stream_) == Z_OK;
    }

    const std::string& path_;
    std::span<const u8> packed_;
    z_stream stream_{};
};
}  // namespace

std::vector<u8> gunzip(const std::string& path, std::span<const u8> packed, u64 limit) {
    Inflater inflater(path, packed);
    std::vector<u8> out;
    for (bool more = true; more;) {
        more = inflater.step(out);
        if (out.size() > limit)
            throw InputError(path, "unpacks to more than " + size_text(limit), "give more with --memory");
    }
    return out;
}
}  // namespace hartline
