// Packets, and a connection that waits for answers.
#include "frontend/diff/gdb.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "frontend/session/errors.hpp"

namespace hartline::gdb {
namespace {
constexpr std::size_t kMostPacket = 1 << 20;
constexpr int kPatienceMs = 20'000;

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

u8 sum_of(std::string_view bytes) {
    unsigned sum = 0;
    for (const char c : bytes) sum += static_cast<u8>(c);
    return static_cast<u8>(sum);
}

// "}x" is x ^ 0x20; "x*n" is x and n - 29 more of it.
std::optional<std::string> plain(std::string_view body) {
    std::string out;
    for (std::size_t i = 0; i < body.size(); ++i) {
        if (body[i] == '}') {
            if (++i == body.size()) return {};
            out += static_cast<char>(body[i] ^ 0x20);
        } else if (body[i] == '*') {
            if (++i == body.size() || out.empty() || body[i] < ' ') return {};
            out.append(static_cast<std::size_t>(body[i] - 29), out.back());
        } else {
            out += body[i];
        }
    }
    return out;
}

// The value of an attribute of the element that `text` begins with.
std::string attribute(std::string_view text, std::string_view name) {
    text = text.substr(0, text.find('>'));
    std::string key(" ");
    key.append(name).append("=\"");
    const std::size_t at = text.find(key);
    if (at == std::string_view::npos) return "";
    text.remove_prefix(at + key.size());
    return std::string(text.substr(0, text.find('"')));
}

HostError gone(const char* what) { return HostError("the GDB port", what, "see what its program says"); }
}  // namespace

std::string frame(std::string_view payload) {
    char sum[4];
    std::snprintf(sum, sizeof sum, "#%02x", sum_of(payload));
    std::string out("$");
    return out.append(payload).append(sum);
}

Unframed unframe(std::string_view bytes) {
    const std::size_t begin = bytes.find_first_not_of("+");
    if (begin == std::string_view::npos) return {Unframed::Kind::Incomplete, "", bytes.size()};
    if (bytes[begin] != '$') return {Unframed::Kind::Broken, "", begin + 1};
    const std::size_t end = bytes.find('#', begin);
    if (end == std::string_view::npos) {
        const bool endless = bytes.size() - begin > kMostPacket;
        return {endless ? Unframed::Kind::Broken : Unframed::Kind::Incomplete, "",
                endless ? bytes.size() : begin};
    }
    if (end + 3 > bytes.size()) return {Unframed::Kind::Incomplete, "", begin};
    const std::string_view body = bytes.substr(begin + 1, end - begin - 1);
    const int high = digit(bytes[end + 1]), low = digit(bytes[end + 2]);
    const auto payload = plain(body);
    if (high < 0 || low < 0 || high * 16 + low != sum_of(body) || !payload)
        return {Unframed::Kind::Broken, "", end + 3};
    return {Unframed::Kind::Packet, *payload, end + 3};
}

std::vector<u64> register_values(std::string_view reply, unsigned bytes) {
    if (bytes == 0 || bytes > 8 || reply.size() % (2 * bytes) != 0) return {};
    std::vector<u64> values;
    for (std::size_t at = 0; at < reply.size(); at += 2 * bytes) {
        u64 value = 0;
        for (unsigned i = 0; i < bytes; ++i) {
            const int high = digit(reply[at + 2 * i]), low = digit(reply[at + 2 * i + 1]);
            if (high < 0 || low < 0) return {};
            value |= static_cast<u64>(high * 16 + low) << (8 * i);
        }
        values.push_back(value);
    }
    return values;
}

void add_registers(std::string_view xml, std::map<std::string, unsigned>& registers, unsigned& next) {
    for (std::size_t at = xml.find("<reg "); at != std::string_view::npos; at = xml.find("<reg ", at + 1)) {
        const std::string number = attribute(xml.substr(at), "regnum");
        if (!number.empty()) std::from_chars(number.data(), number.data() + number.size(), next);
        registers[attribute(xml.substr(at), "name")] = next++;
    }
}

std::vector<std::string> includes(std::string_view xml) {
    std::vector<std::string> files;
    for (std::size_t at = xml.find("<xi:include "); at != std::string_view::npos;
         at = xml.find("<xi:include ", at + 1))
        files.push_back(attribute(xml.substr(at), "href"));
    return files;
}

void Client::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) throw gone("was closed");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void Client::tell(std::string_view payload) { send(frame(payload)); }

std::string Client::ask(std::string_view payload) {
    send(frame(payload));
    while (true) {
        const Unframed found = unframe(received_);
        received_.erase(0, found.used);
        if (found.kind == Unframed::Kind::Packet) {
            send("+");
            return found.payload;
        }
        if (found.kind == Unframed::Kind::Broken) throw gone("sent a damaged packet");
        pollfd wait{socket_.get(), POLLIN, 0};
        if (::poll(&wait, 1, kPatienceMs) == 0) throw gone("does not answer");
        char buffer[8192];
        const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) throw gone("was closed");
        received_.append(buffer, static_cast<std::size_t>(got));
    }
}

std::string Client::read_file(const std::string& name) {
    std::string whole;
    while (whole.size() < kMostPacket) {
        char range[32];
        std::snprintf(range, sizeof range, ":%zx,fff", whole.size());
        std::string piece = ask(std::string("qXfer:features:read:").append(name).append(range));
        if (piece.empty() || (piece[0] != 'm' && piece[0] != 'l')) break;
        whole += piece.substr(1);
        if (piece[0] == 'l') break;
    }
    return whole;
}

std::map<std::string, unsigned> Client::registers() {
    std::map<std::string, unsigned> all;
    unsigned next = 0;
    ask("qSupported:xmlRegisters=riscv");
    const std::string target = read_file("target.xml");
    add_registers(target, all, next);
    for (const std::string& file : includes(target)) add_registers(read_file(file), all, next);
    return all;
}
}  // namespace hartline::gdb
