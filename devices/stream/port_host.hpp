// The host's end of a console's port, and the records by which it enters the machine.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "core/types.hpp"

namespace hartline::stream {

// What enters a machine for a console with ports: a kind, the port's number, and what is behind it.
enum class PortRecord : u8 {
    Data,     // bytes for the guest
    Open,     // somebody is there now: u32, the number of his connection
    Closed,   // he is gone
    Credit,   // u32: so many bytes of what the guest sent have gone on
    Resized,  // of the console, port 0: u16 columns, u16 rows
};
std::vector<u8> port_record(PortRecord kind, u8 port, std::span<const u8> rest = {});
std::vector<u8> port_record(PortRecord kind, u8 port, u32 number);

// Hands a record to the machine: Machine::post() for the console. Called on any thread.
using Deliver = std::function<void(std::span<const u8> record)>;

// How many bytes are on their way at most, in each direction.
inline constexpr u32 kPortWindow = 32 * 1024;

class PortHost {
public:
    virtual ~PortHost() = default;
    // Records of port `number` go there from now on.
    virtual void open(u8 /*number*/, Deliver) {}
    // Nothing is delivered any more when this returns. Before the machine goes.
    virtual void close() {}
    // The machine knows nothing of what was told before (it was reset, or loaded): Closed, and Open when
    // somebody is there.
    virtual void announce() {}
    // Is there always somebody? Such a host takes all it is sent at once, and needs no records.
    virtual bool constant() const = 0;

    // --- by the device, on its machine's threads
    // What the guest sent to connection `number`. Never waits: the device sends no more than a window ahead
    // of Credit, but for what is left of one buffer.
    virtual void send(u32 number, std::span<const u8> bytes) = 0;
    // The device is done with so many bytes of Data.
    virtual void taken(u64 /*bytes*/) {}
};
}  // namespace hartline::stream
