// The host's side of sockets between host and guest, and the records by which it enters the machine.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace hartline::stream {

// What enters a machine for its vsock device: a kind, a connection's number, and what is behind it.
enum class VsockRecord : u8 {
    Connect,   // u32: somebody at the host wants to reach that port of the guest. The number is even
    Accepted,  // a connection that the guest asked for is there
    Data,      // bytes for the guest
    Credit,    // u32: so many bytes of what the guest sent have gone on
    End,       // nothing more comes for the guest
    Closed,    // the connection is gone, or could not be made
    Lost,      // all of them are, and the guest is to know: it was loaded
};
std::vector<u8> vsock_record(VsockRecord kind, u32 connection, std::span<const u8> rest = {});
std::vector<u8> vsock_record(VsockRecord kind, u32 connection, u32 number);

// Bytes of one connection that are on their way at most, in each direction.
inline constexpr u32 kVsockWindow = 64 * 1024;
// Connections at a time.
inline constexpr std::size_t kMostConnections = 128;

class VsockHost {
public:
    virtual ~VsockHost() = default;
    // Records go there from now on; called on any thread.
    virtual void open(std::function<void(std::span<const u8>)> /*deliver*/) {}
    // Nothing is delivered any more when this returns. Before the machine goes.
    virtual void close() {}

    // --- by the device, on its machine's threads. What is said of a connection that is gone is nothing.
    virtual void connect(u32 connection, u32 port) = 0;  // the guest asks for it. Odd
    virtual void established(u32 connection) = 0;        // the guest has taken who came
    virtual void send(u32 connection, std::span<const u8> bytes) = 0;
    virtual void end(u32 connection) = 0;     // the guest sends no more
    virtual void finish(u32 connection) = 0;  // it is closed when what was sent has gone on
    virtual void abort(u32 connection) = 0;   // it is closed now, whatever has not gone on
    virtual void taken(u32 connection, u64 bytes) = 0;
    virtual void drop_all() = 0;
};

// Sockets in a folder: FOLDER/connect takes who wants to reach the guest and writes "CONNECT PORT\n", to
// which "OK PORT\n" is the answer when he has; FOLDER/PORT is where the guest's connections to the host's
// PORT lead. Throws std::runtime_error, which names the folder and what to do.
std::shared_ptr<VsockHost> vsock_folder(const std::string& folder);
}  // namespace hartline::stream
