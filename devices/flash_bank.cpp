// The command set: every operation is done at once, so that the status is always "ready".
#include "devices/flash_bank.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace hartline {
namespace {
// Intel, "Basic Command Set".
enum Command : u8 {
    kProgramAlternate = 0x10,
    kErase = 0x20,
    kProgram = 0x40,
    kClearStatus = 0x50,
    kLock = 0x60,
    kReadStatus = 0x70,
    kReadIdentity = 0x90,
    kReadQuery = 0x98,
    kWriteBuffer = 0xe8,
    kConfirm = 0xd0,
    kReadArray = 0xff,
};
constexpr u8 kLockSet = 0x01, kLockDown = 0x2f;
// Intel, "Status Register Definitions".
constexpr u8 kReady = 0x80, kEraseError = 0x20, kProgramError = 0x10, kLocked = 0x02;
constexpr u8 kSequenceError = kEraseError | kProgramError;

constexpr u8 kManufacturer = 0x89, kDevice = 0x18;  // Intel, as QEMU's
constexpr unsigned kBankWidth = 4;

// Of one chip: 128 sectors of 128 KiB, 2 KiB of buffer. JEDEC JESD68.01, "Query Structure Output".
constexpr std::array<u8, 0x52> query_table() {
    std::array<u8, 0x52> table{};
    table[0x10] = 'Q', table[0x11] = 'R', table[0x12] = 'Y';
    table[0x13] = 0x01;                      // command set
    table[0x15] = 0x31;                      // where the extended table is
    table[0x1b] = 0x45, table[0x1c] = 0x55;  // supply: 4.5 to 5.5 V
    table[0x1f] = 0x07, table[0x20] = 0x07;  // typical times, as powers of two: word, buffer (µs),
    table[0x21] = 0x0a;                      // erase (ms)
    table[0x23] = 0x04, table[0x24] = 0x04, table[0x25] = 0x04;  // the longest, as multiples
    table[0x27] = std::countr_zero(kFlashBankBytes / 2);
    table[0x28] = 0x02;  // x8 and x16
    table[0x2a] = 0x0b;  // buffer: 2^11
    table[0x2c] = 0x01;  // erase regions
    constexpr u64 kBlocks = kFlashBankBytes / kFlashSectorBytes - 1, kBlock = kFlashSectorBytes / 2;
    table[0x2d] = kBlocks & 0xff, table[0x2e] = kBlocks >> 8;
    table[0x2f] = kBlock >> 8 & 0xff, table[0x30] = kBlock >> 16;
    table[0x31] = 'P', table[0x32] = 'R', table[0x33] = 'I', table[0x34] = '1', table[0x35] = '0';
    table[0x3f] = 0x01;  // protection fields
    return table;
}
constexpr auto kQuery = query_table();

constexpr u32 of_both_chips(u8 value) { return value | u32{value} << 16; }
}  // namespace

FlashBank::FlashBank(FlashBankConfig config) : read_only_(config.read_only), file_(std::move(config.file)) {
    for (u64 i = 0; i < kSectors; ++i) {
        const u64 at = std::min<u64>(i * kFlashSectorBytes, config.contents.size());
        const u64 bytes = std::min<u64>(kFlashSectorBytes, config.contents.size() - at);
        const auto part = std::span(config.contents).subspan(at, bytes);
        const bool even =
            bytes == kFlashSectorBytes && std::ranges::all_of(part, [&](u8 b) { return b == part[0]; });
        if (even)
            sectors_[i].blank = part[0];
        else if (bytes != 0)
            std::ranges::copy(part, writable(i).begin());
    }
}

std::vector<u8>& FlashBank::writable(u64 sector) {
    Sector& s = sectors_[sector];
    if (s.bytes.empty()) s.bytes.assign(kFlashSectorBytes, s.blank);
    return s.bytes;
}

u64 FlashBank::array(u64 offset, unsigned bytes) const {
    const Sector& sector = sectors_[offset / kFlashSectorBytes];
    u64 value = 0;
    if (sector.bytes.empty())
        std::memset(&value, sector.blank, bytes);
    else
        std::memcpy(&value, sector.bytes.data() + offset % kFlashSectorBytes, bytes);
    return value;
}

// Null for a sector that is not kept byte by byte.
const u8* FlashBank::page(u64 offset) const {
    const Sector& sector = sectors_[offset / kFlashSectorBytes];
    return sector.bytes.empty() ? nullptr : sector.bytes.data() + offset % kFlashSectorBytes;
}

// What both chips say at an aligned offset.
u32 FlashBank::answer(u64 offset) const {
    const u64 word = offset / kBankWidth;
    if (s_.shows == Shows::Status) return of_both_chips(kReady | s_.errors);
    if (s_.shows == Shows::Query) return word < kQuery.size() ? of_both_chips(kQuery[word]) : 0;
    switch (word & 0xff) {  // the bits above choose a sector, whose lock is read at 2: none is locked
        case 0: return of_both_chips(kManufacturer);
        case 1: return of_both_chips(kDevice);
        default: return 0;
    }
}

u64 FlashBank::read(u64 offset, unsigned bytes) const {
    if (s_.shows == Shows::Array) return array(offset, bytes);
    if (bytes == 8) return answer(offset) | u64{answer(offset + kBankWidth)} << 32;
    const u32 word = answer(offset & ~u64{kBankWidth - 1}) >> (8 * (offset % kBankWidth));
    return bytes == kBankWidth ? word : word & ((u32{1} << (8 * bytes)) - 1);
}

void FlashBank::write(u64 offset, unsigned bytes, u64 value) {
    write_piece(offset, std::min(bytes, kBankWidth), static_cast<u32>(value));
    if (bytes > kBankWidth) write_piece(offset + kBankWidth, kBankWidth, static_cast<u32>(value >> 32));
}

void FlashBank::write_piece(u64 offset, unsigned bytes, u32 value) {
    const auto code = static_cast<u8>(value);
    switch (s_.expects) {
        case Expects::Command: return command(code);
        case Expects::Data: {
            std::array<u8, 4> data{};
            std::memcpy(data.data(), &value, sizeof value);
            return program(offset, std::span(data).first(bytes));
        }
        case Expects::EraseConfirm: return code == kConfirm ? erase(offset) : done(kSequenceError);
        case Expects::LockCommand: return lock_command(code);
        case Expects::BufferCount: return expect_buffer(offset, value & 0xffff);
        case Expects::BufferData: return buffer(offset, bytes, value);
        case Expects::BufferConfirm: return code == kConfirm ? program_buffer() : done(kSequenceError);
    }
}

void FlashBank::command(u8 code) {
    switch (code) {
        case kProgram:
        case kProgramAlternate: s_.expects = Expects::Data; break;
        case kErase: s_.expects = Expects::EraseConfirm; break;
        case kLock: s_.expects = Expects::LockCommand; break;
        case kWriteBuffer: s_.expects = Expects::BufferCount; break;
        case kReadIdentity: s_.shows = Shows::Identity; return;
        case kReadQuery: s_.shows = Shows::Query; return;
        case kReadStatus: break;
        case kClearStatus: s_.errors = 0; [[fallthrough]];
        default: s_.shows = Shows::Array; return;  // kReadArray; and what is unknown, as QEMU does
    }
    s_.shows = Shows::Status;
}

// Locks are taken note of by nobody, as in QEMU: all sectors are always unlocked.
void FlashBank::lock_command(u8 code) {
    if (code == kReadArray) {
        s_.expects = Expects::Command;
        s_.shows = Shows::Array;
        return;
    }
    done(code == kConfirm || code == kLockSet || code == kLockDown ? 0 : kSequenceError);
}

void FlashBank::done(u8 errors) {
    s_.errors |= errors;
    s_.expects = Expects::Command;
    s_.shows = Shows::Status;
}

void FlashBank::erase(u64 offset) {
    if (read_only_) return done(kEraseError | kLocked);
    const u64 sector = offset / kFlashSectorBytes;
    sectors_[sector] = Sector{};
    const std::vector<u8> erased(file_ ? kFlashSectorBytes : 0, 0xff);
    done(store(sector * kFlashSectorBytes, erased) ? 0 : kEraseError);
}

// Programming makes ones zeroes, never zeroes ones.
void FlashBank::program(u64 offset, std::span<const u8> bytes) {
    if (read_only_) return done(kProgramError | kLocked);
    std::vector<u8>& sector = writable(offset / kFlashSectorBytes);
    const auto place = std::span(sector).subspan(offset % kFlashSectorBytes, bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) place[i] &= bytes[i];
    done(store(offset, place) ? 0 : kProgramError);
}

// The class of CVE-2015-3456 (a buffer's index that the guest moves past its end): the count is bounded where
// it comes in, and places are masked into the buffer.
void FlashBank::expect_buffer(u64 offset, u32 count) {
    if (count >= kMostBufferWrites) return done(kSequenceError);
    s_.data = blank_buffer();
    s_.astray = false;
    s_.buffer_left = count + 1;
    s_.buffer_at = offset & ~(kBufferBytes - 1);
    s_.expects = Expects::BufferData;
}

void FlashBank::buffer(u64 offset, unsigned bytes, u32 value) {
    if (s_.buffer_left == 0) return done(kSequenceError);
    if ((offset & ~(kBufferBytes - 1)) == s_.buffer_at)
        std::memcpy(s_.data.data() + offset % kBufferBytes, &value, bytes);
    else
        s_.astray = true;
    if (--s_.buffer_left == 0) s_.expects = Expects::BufferConfirm;
}

void FlashBank::program_buffer() {
    if (s_.astray) return done(kSequenceError);
    program(s_.buffer_at, s_.data);  // what was not written is 0xff, and changes nothing
}

// What the host fails to keep is told to the guest, as a failed operation.
bool FlashBank::store(u64 offset, std::span<const u8> bytes) {
    return file_ == nullptr || bytes.empty() || file_->write(offset, bytes);
}

void FlashBank::describe(Archive& archive) {
    archive.field("shows", s_.shows);
    archive.field("expects", s_.expects);
    archive.field("errors", s_.errors);
    archive.field("astray", s_.astray);
    archive.field("buffer_left", s_.buffer_left);
    archive.field("buffer_at", s_.buffer_at);
    archive.field("data", s_.data);
    archive.require(s_.shows <= Shows::Query && s_.expects <= Expects::BufferConfirm &&
                        (s_.errors & kReady) == 0 && s_.buffer_left <= kMostBufferWrites &&
                        s_.buffer_at % kBufferBytes == 0 && s_.buffer_at < kFlashBankBytes &&
                        (s_.expects == Expects::BufferData) == (s_.buffer_left != 0),
                    "flash.state");
    if (read_only_) return describe_fixed(archive);
    if (archive.loading()) loading_.assign(kSectors, {});
    for (u64 i = 0; i < kSectors; ++i)
        describe_sector(archive, archive.loading() ? loading_[i] : sectors_[i]);
}

// A sector whose bytes are all the same is that byte, in whatever form it is kept.
void FlashBank::describe_sector(Archive& archive, Sector& sector) {
    std::vector<u8>& bytes = sector.bytes;
    if (!bytes.empty() && std::ranges::all_of(bytes, [&](u8 byte) { return byte == bytes[0]; }))
        sector = {.bytes = {}, .blank = bytes[0]};
    bool even = bytes.empty();
    archive.field("even", even);
    archive.field("blank", sector.blank);
    if (even) return;
    bytes.resize(kFlashSectorBytes);
    archive.raw("bytes", bytes.data(), bytes.size(), 1);
}

bool FlashBank::store_all(std::span<const Sector> sectors) {
    for (u64 i = 0; file_ != nullptr && i < sectors.size(); ++i) {
        const Sector& s = sectors[i];
        const auto all = s.bytes.empty() ? std::vector<u8>(kFlashSectorBytes, s.blank) : s.bytes;
        if (!store(i * kFlashSectorBytes, all)) return false;
    }
    return true;
}

// What is programmed outlives a reset, so it becomes what was loaded only when all of it was; and the file,
// which is the machine's flash, with it.
void FlashBank::loaded() {
    if (loading_.empty()) return;
    if (!store_all(loading_)) {
        store_all(sectors_);  // as far as the host can
        throw ArchiveError("snapshot: the file of flash.bytes cannot be written");
    }
    std::ranges::move(loading_, sectors_.begin());
    loading_.clear();
}

// A snapshot goes with the code that it ran with, but does not carry it.
void FlashBank::describe_fixed(Archive& archive) {
    HashArchive contents;
    for (Sector& s : sectors_) {
        contents.raw("blank", &s.blank, 1, 1);
        contents.raw("bytes", s.bytes.data(), s.bytes.size(), 1);
    }
    u64 hash = contents.digest();
    const u64 own = hash;
    archive.field("hash", hash);
    archive.require(hash == own, "flash.hash");
}
}  // namespace hartline
