// A 9P2000.L client for tests: a call a message, answers as values. It asks whatever it is told to ask.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "devices/share/server.hpp"
#include "tests/folder.hpp"

namespace hartline::test {

class NinepClient {
public:
    static constexpr u32 kNoFid = ~u32{0};
    share::Server server;
    std::vector<u8> answer;  // to the last request, without header

    explicit NinepClient(const std::filesystem::path& folder, bool read_only = false,
                         std::size_t most_open = 0)
        : server({.path = folder.string(), .read_only = read_only, .most_open = most_open}) {
        if (version() != 0 || attach(0) != 0) throw std::runtime_error("client: no session");
    }

    // Sends a message; 0, or the error number of the answer.
    template <class... Parts>
    u32 ask(u8 type, const Parts&... parts) {
        share::Writer out;
        out.number<u32>(0);
        out.number(type);
        out.number<u16>(1);
        (put(out, parts), ...);
        out.patch(0, static_cast<u32>(out.size()));
        return send(out.take());
    }
    u32 send(const std::vector<u8>& request) {
        const std::vector<u8> whole = server.answer(request);
        share::Reader in(whole);
        const u32 size = in.number<u32>();
        const u8 type = in.number<u8>();
        if (size != whole.size()) throw std::runtime_error("client: an answer of another size than it says");
        answer.assign(whole.begin() + share::kHeaderBytes, whole.end());
        if (type != share::kRlerror) return 0;
        return share::Reader(answer).number<u32>();
    }

    u32 version(u32 bytes = 65536) { return ask(share::kTversion, bytes, "9P2000.L"); }
    u32 attach(u32 fid, u32 user = 0) { return ask(share::kTattach, fid, kNoFid, "", "", user); }
    u32 walk(u32 fid, u32 to, const std::vector<std::string>& names = {}) {
        share::Writer out;
        out.number<u32>(0);
        out.number<u8>(share::kTwalk);
        out.number<u16>(1);
        put(out, fid), put(out, to), put(out, static_cast<u16>(names.size()));
        for (const auto& name : names) out.text(name);
        out.patch(0, static_cast<u32>(out.size()));
        const u32 error = send(out.take());
        if (error != 0) return error;
        return share::Reader(answer).number<u16>() == names.size() ? 0 : 2;
    }
    u32 clunk(u32 fid) { return ask(share::kTclunk, fid); }
    u32 open(u32 fid, u32 flags) { return ask(share::kTlopen, fid, flags); }
    u32 create(u32 fid, const std::string& name, u32 flags, u32 mode = 0644) {
        return ask(share::kTlcreate, fid, name, flags, mode, u32{0});
    }
    u32 write(u32 fid, u64 offset, const std::string& bytes) {
        share::Writer out;
        out.number<u32>(0);
        out.number<u8>(share::kTwrite);
        out.number<u16>(1);
        put(out, fid), put(out, offset), put(out, static_cast<u32>(bytes.size()));
        std::memcpy(out.room(bytes.size()).data(), bytes.data(), bytes.size());
        out.patch(0, static_cast<u32>(out.size()));
        return send(out.take());
    }
    u32 read(u32 fid, u64 offset, u32 count) { return ask(share::kTread, fid, offset, count); }
    std::string data() const {  // of a read
        share::Reader in(answer);
        const auto bytes = in.bytes(in.number<u32>());
        return {bytes.begin(), bytes.end()};
    }
    u32 mkdir(u32 fid, const std::string& name, u32 mode = 0755) {
        return ask(share::kTmkdir, fid, name, mode, u32{0});
    }
    u32 symlink(u32 fid, const std::string& name, const std::string& target) {
        return ask(share::kTsymlink, fid, name, target, u32{0});
    }
    u32 mknod(u32 fid, const std::string& name, u32 mode) {
        return ask(share::kTmknod, fid, name, mode, u32{1}, u32{3}, u32{0});
    }
    u32 link(u32 folder, u32 fid, const std::string& name) { return ask(share::kTlink, folder, fid, name); }
    u32 renameat(u32 from, const std::string& old_name, u32 to, const std::string& new_name) {
        return ask(share::kTrenameat, from, old_name, to, new_name);
    }
    u32 unlinkat(u32 fid, const std::string& name, bool folder = false) {
        return ask(share::kTunlinkat, fid, name, folder ? u32{0x200} : u32{0});
    }
    u32 setattr(u32 fid, u32 valid, u32 mode, u64 size) {
        return ask(share::kTsetattr, fid, valid, mode, ~u32{0}, ~u32{0}, size, u64{0}, u64{0}, u64{0},
                   u64{0});
    }
    struct Status {
        u8 type;
        u32 mode;
        u64 links, size, qid;
    };
    Status status(u32 fid) {
        if (ask(share::kTgetattr, fid, u64{0x7ff}) != 0) throw std::runtime_error("client: no status");
        share::Reader in(answer);
        in.number<u64>();
        const u8 type = in.number<u8>();
        in.number<u32>();
        const u64 path = in.number<u64>();
        const u32 mode = in.number<u32>();
        in.number<u32>(), in.number<u32>();
        const u64 links = in.number<u64>();
        in.number<u64>();
        return {type, mode, links, in.number<u64>(), path};
    }
    std::vector<std::string> list(u32 fid, u32 count = 4096) {  // an open folder
        std::vector<std::string> names;
        for (u64 offset = 0;;) {
            if (ask(share::kTreaddir, fid, offset, count) != 0) throw std::runtime_error("client: no list");
            share::Reader in(answer);
            const auto entries = in.bytes(in.number<u32>());
            if (entries.empty()) return names;
            for (share::Reader entry(entries); !entry.done();) {
                entry.bytes(13);
                offset = entry.number<u64>();
                entry.number<u8>();
                names.emplace_back(entry.text());
            }
        }
    }

private:
    static void put(share::Writer& out, std::string_view text) { out.text(text); }
    template <class T>
    requires std::is_unsigned_v<T>
    static void put(share::Writer& out, T number) { out.number(number); }
};
}  // namespace hartline::test
