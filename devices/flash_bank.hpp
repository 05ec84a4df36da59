// One bank of flash.hpp: two 16-bit chips beside each other, 32 bits wide, which take each command together.
#pragma once
#include <array>
#include <vector>

#include "core/archive.hpp"
#include "devices/flash.hpp"

namespace hartline {

class FlashBank {
public:
    explicit FlashBank(FlashBankConfig config);
    // `bytes` is 1, 2, 4 or 8, aligned, and inside.
    u64 read(u64 offset, unsigned bytes) const;
    void write(u64 offset, unsigned bytes, u64 value);
    void reset() {
        s_ = State{};
        loading_.clear();
    }
    // May harts fetch from the array without asking? Only where it never changes, and while it is what reads
    // show.
    bool fixed() const { return read_only_ && s_.shows == Shows::Array && s_.expects == Expects::Command; }
    const u8* page(u64 offset) const;
    void describe(Archive& archive);
    void loaded();

private:
    // What a read shows.
    enum class Shows : u8 { Array, Status, Identity, Query };
    // What the next write is.
    enum class Expects : u8 {
        Command,
        Data,
        EraseConfirm,
        LockCommand,
        BufferCount,
        BufferData,
        BufferConfirm
    };
    static constexpr u64 kSectors = kFlashBankBytes / kFlashSectorBytes;
    static constexpr u64 kBufferBytes = 4096;  // of both chips
    static constexpr unsigned kMostBufferWrites = kBufferBytes / 4;

    struct Sector {
        std::vector<u8> bytes;  // empty: all are `blank`
        u8 blank = 0xff;
    };

    u32 answer(u64 offset) const;
    u64 array(u64 offset, unsigned bytes) const;
    void write_piece(u64 offset, unsigned bytes, u32 value);
    void command(u8 code);
    void lock_command(u8 code);
    void erase(u64 offset);
    void expect_buffer(u64 offset, u32 count);
    void buffer(u64 offset, unsigned bytes, u32 value);
    void program_buffer();
    void program(u64 offset, std::span<const u8> bytes);
    void done(u8 errors);
    std::vector<u8>& writable(u64 sector);
    bool store(u64 offset, std::span<const u8> bytes);
    bool store_all(std::span<const Sector> sectors);
    static void describe_sector(Archive& archive, Sector& sector);
    void describe_fixed(Archive& archive);

    struct State {
        Shows shows = Shows::Array;
        Expects expects = Expects::Command;
        u8 errors = 0;        // of the status register
        bool astray = false;  // data for the buffer came for another place
        u32 buffer_left = 0;  // writes until it is full; 0 to kMostBufferWrites
        u64 buffer_at = 0;    // offset of the buffer's first byte, a multiple of kBufferBytes
        std::array<u8, kBufferBytes> data = blank_buffer();
    } s_;
    static_assert(sizeof(State) == 16 + kBufferBytes, "FlashBank::State changed: extend describe()");
    static constexpr std::array<u8, kBufferBytes> blank_buffer() {
        std::array<u8, kBufferBytes> blank{};
        blank.fill(0xff);
        return blank;
    }

    std::array<Sector, kSectors> sectors_;  // state
    std::vector<Sector> loading_;           // the same of a snapshot, until all of that was found right
    bool read_only_;
    std::shared_ptr<HostFile> file_;
};
}  // namespace hartline
