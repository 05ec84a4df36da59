// What the fuzzers of virtio devices run: the input is a driver's moves, sound ones and others, one behind
// the other.
#pragma once
#include <algorithm>
#include <cstring>

#include "tests/devices/virtio_driver.hpp"

namespace hartline::test {

// Bytes of the input; zeroes when it has ended.
class Moves {
public:
    explicit Moves(std::span<const u8> input) : left_(input) {}
    bool done() const { return left_.empty(); }
    template <class T>
    T number() {
        T value{};
        const auto taken = bytes(sizeof value);
        std::memcpy(&value, taken.data(), taken.size());
        return value;
    }
    std::span<const u8> bytes(u64 most) {
        const auto taken = left_.first(std::min<u64>(most, left_.size()));
        left_ = left_.subspan(taken.size());
        return taken;
    }

private:
    std::span<const u8> left_;
};

// A device's driver at the mercy of an input. What must hold for any is checked with a trap.
class VirtioGame {
public:
    using Request = void (*)(VirtioGame& game, Moves& moves);
    static constexpr u64 kScratch = 0x8020'0000,
                         kScratchBytes = 0x2'0000;  // of RAM, where buffers mostly lie

    // `make`: the device; `request`: submits one that is nearly sound.
    VirtioGame(const DeviceFactory& make, unsigned queues, Request request)
        : device(make(port)), driver(port, *device), queues_(queues), request_(request) {
        restart(~u64{0}, 4);
    }

    void play(std::span<const u8> input) {
        Moves moves(input);
        for (unsigned left = kMostMoves; left != 0 && !moves.done(); --left) move(moves);
        port.advance(*device, 1'000'000'000, kMostEvents);
        round_trip();
        restart(~u64{0}, 4);  // a reset heals whatever was done
        if (driver.broken()) __builtin_trap();
    }

    // An address in the scratch RAM, and now and then any.
    u64 address(Moves& moves) {
        const u32 number = moves.number<u32>();
        return (number >> 24) == 0xff ? moves.number<u64>() : kScratch + number % kScratchBytes;
    }
    u32 queue(Moves& moves) const { return moves.number<u8>() % queues_; }

    FakePort port;
    std::unique_ptr<Device> device;
    VirtioDriver driver;

private:
    static constexpr unsigned kMostMoves = 256, kMostEvents = 100'000;

    void restart(u64 features, u16 size) {
        driver.free = 0x8010'0000;
        (void)driver.negotiate(driver.offered() & features);
        for (u32 number = 0; number < queues_; ++number) driver.set_up(number, size);
        driver.run();
    }

    void store(Moves& moves) {
        const u64 at = kScratch + moves.number<u16>();
        if (!port.ram.write(at, moves.bytes(moves.number<u8>()))) __builtin_trap();
    }

    void scribble(Moves& moves) {
        const u32 number = queue(moves);
        const auto index = static_cast<u16>(moves.number<u8>() % driver.rings[number].size);
        const u64 at = address(moves);
        driver.set_descriptor(number, index,
                              {at, moves.number<u32>(), moves.number<u16>(), moves.number<u16>()});
    }

    void offer(Moves& moves) {
        const u32 number = queue(moves);
        driver.offer(number, moves.number<u8>());
        driver.kick(number);
    }

    void write_register(Moves& moves) {
        const u64 offset = moves.number<u8>() % 0x50 * 4;
        const unsigned bytes = 1u << moves.number<u8>() % 3;
        (void)device->write(offset, bytes, moves.number<u32>());
        u64 value = 0;
        (void)device->read(offset, bytes, value);
    }

    void round_trip() {
        const auto image = save_of(*device);
        load_into(*device, image);
        if (save_of(*device) != image) __builtin_trap();
    }

    void move(Moves& moves) {
        switch (moves.number<u8>() % 12) {
            case 0: return store(moves);
            case 1: return scribble(moves);
            case 2: return offer(moves);
            case 3: return write_register(moves);
            case 4: return port.advance(*device, moves.number<u32>() % 1'000'000, 1000);
            case 5: return restart(moves.number<u64>(), static_cast<u16>(1u << moves.number<u8>() % 6));
            case 6: return round_trip();
            case 7: return device->input(moves.bytes(moves.number<u16>()));
            case 8: return driver.set_used_event(moves.number<u16>(), queue(moves));
            default:
                request_(*this, moves);
                if ((moves.number<u8>() & 1) != 0) driver.kick(queue(moves));
        }
    }

    unsigned queues_;
    Request request_;
};
}  // namespace hartline::test
