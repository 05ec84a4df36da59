// Formatting by hand, into a buffer: a log has hundreds of bytes an instruction, and printf would be all that
// runs.
#include "cpu/commit_log.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/csr.hpp"

namespace hartline {
namespace {
constexpr std::size_t kBufferBytes = 1 << 20;
constexpr std::size_t kMostLineBytes = 4096;  // cbo.zero: 64 stores
constexpr unsigned kCsrs = 4096;

// Two digits for each byte.
constexpr std::array<char, 512> kHex = [] {
    std::array<char, 512> digits{};
    for (std::size_t i = 0; i < 256; ++i) {
        digits[2 * i] = "0123456789abcdef"[i >> 4];
        digits[2 * i + 1] = "0123456789abcdef"[i & 15];
    }
    return digits;
}();

// Writes where there is room for a line.
class Line {
public:
    explicit Line(u8* to) : to_(reinterpret_cast<char*>(to)) {}
    u8* end() const { return reinterpret_cast<u8*>(to_); }

    void text(std::string_view text) {
        std::memcpy(to_, text.data(), text.size());
        to_ += text.size();
    }
    void character(char c) { *to_++ = c; }
    template <unsigned kBytes>
    void digits(u64 value) {
        for (unsigned i = 0; i < kBytes; ++i)
            std::memcpy(to_ + 2 * i, &kHex[2 * (value >> 8 * (kBytes - 1 - i) & 0xff)], 2);
        to_ += std::size_t{2} * kBytes;
    }
    void hex(u64 value, unsigned bytes) {
        text("0x");
        switch (bytes) {
            case 1: return digits<1>(value);
            case 2: return digits<2>(value);
            case 4: return digits<4>(value);
            default: return digits<8>(value);
        }
    }
    // %4d
    void hart(unsigned number) {
        for (unsigned least = 1000; least > 1 && number < least; least /= 10) character(' ');
        number_left(number);
    }
    // %-2d
    void reg(unsigned number) {
        if (number >= 10) character(static_cast<char>('0' + number / 10));
        character(static_cast<char>('0' + number % 10));
        if (number < 10) character(' ');
    }

private:
    void number_left(unsigned number) {
        if (number >= 10) number_left(number / 10);
        character(static_cast<char>('0' + number % 10));
    }

    char* to_;
};

// Spike keeps what was written in a map from number * 16 + kind, and prints it in this order.
struct Written {
    u32 key = 0;
    u64 value = 0;
};
enum Kind : u32 { kX = 0, kF = 1, kCsr = 4 };

Few<Written, 8> written(const Commit& commit) {
    Few<Written, 8> all;
    for (const RegisterWrite& reg : commit.registers)
        all.add({reg.number * 16u + (reg.floating ? kF : kX), reg.value});
    for (const CsrWrite& csr : commit.csrs) all.add({csr.number * 16u + kCsr, csr.value});
    if (all.size() > 1) std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.key < b.key; });
    return all;
}

void put_memory(Line& line, const MemoryAccess& access) {
    if (!access.store) {
        line.text(" mem ");
        return line.hex(access.vaddr, 8);
    }
    // Spike stores what is wider than a register in pieces: a block by bytes, a pair of registers one by one.
    const unsigned piece = access.bytes > 16 ? 1 : std::min<unsigned>(access.bytes, 8);
    for (unsigned at = 0; at < access.bytes; at += piece) {
        line.text(" mem ");
        line.hex(access.vaddr + at, 8);
        line.character(' ');
        line.hex(at == 8 ? access.high : access.value, piece);
    }
}
}  // namespace

bool CommitFilter::passes(const Commit& commit) const {
    if (bit(privileges, static_cast<unsigned>(commit.privilege)) == 0) return false;
    if (commit.number < window.first || commit.number >= window.end) return false;
    const auto holds = [&](const Range& range) { return commit.pc >= range.first && commit.pc < range.end; };
    return addresses.empty() || std::any_of(addresses.begin(), addresses.end(), holds);
}

CommitLog::CommitLog(ByteSink& sink, CommitFilter filter)
    : sink_(sink), filter_(std::move(filter)), csr_names_(kCsrs), buffer_(kBufferBytes) {
    for (unsigned number = 0; number < kCsrs; ++number)
        csr_names_[number] = " c" + std::to_string(number) + "_" + csr_name(number) + " ";
}

void CommitLog::committed(const Commit& commit) {
    if (!filter_.passes(commit)) return;
    if (buffer_.size() - used_ < kMostLineBytes) flush();
    Line line(buffer_.data() + used_);
    line.text("core");
    line.hart(commit.hart);
    line.text(": ");
    line.character(static_cast<char>('0' + static_cast<unsigned>(commit.privilege)));
    line.character(' ');
    line.hex(commit.pc, 8);
    line.text(" (");
    line.hex(commit.bits, commit.length);
    line.character(')');
    for (const Written& each : written(commit)) {
        if ((each.key & 15) == kCsr) {
            line.text(csr_names_[each.key >> 4]);
        } else {
            line.text((each.key & 15) == kX ? " x" : " f");
            line.reg(each.key >> 4);
            line.character(' ');
        }
        line.hex(each.value, 8);
    }
    for (const MemoryAccess& access : commit.memory)
        if (!access.store) put_memory(line, access);
    for (const MemoryAccess& access : commit.memory)
        if (access.store) put_memory(line, access);
    line.character('\n');
    used_ = static_cast<std::size_t>(line.end() - buffer_.data());
}

void CommitLog::flush() {
    sink_.write(std::span(buffer_).first(used_));
    used_ = 0;
}
}  // namespace hartline
