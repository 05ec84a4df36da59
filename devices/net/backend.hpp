// Where a network card's frames go, and where those for it come from.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/types.hpp"
#include "devices/net/frame.hpp"

namespace hartline::net {

// What enters a machine for its card, as a record of the journal: a kind, and for a frame its Offload and
// bytes.
enum class RecordKind : u8 { Frame, LinkDown, LinkUp, Announce };
inline constexpr u64 kFrameRecordBytes = 1 + sizeof(Offload);  // before a frame's own
std::vector<u8> record_of(const Frame& frame);
std::vector<u8> record_of(RecordKind kind);  // of the others
// The frame of a record whose kind is Frame. false: it is too short.
bool frame_of(std::span<const u8> record, Frame& frame);

// Hands a record to the machine: Machine::post() for the card. Called on any thread.
using Deliver = std::function<void(std::span<const u8> record)>;

class NetBackend {
public:
    virtual ~NetBackend() = default;
    // Frames for the card go there from now on.
    virtual void open(Deliver deliver) = 0;
    // Nothing is delivered any more when this returns. Before the machine goes.
    virtual void close() = 0;

    // --- by the card, on its machine's threads
    // A frame that is sound(). Never waits: when the world is slower than the guest, frames are lost, as a
    // card that waited would show the host's speed to the guest.
    virtual void send(Frame frame) = 0;
    // The card is done with frames whose records were this long together: there is room for more.
    virtual void taken(u64 bytes) = 0;
};
}  // namespace hartline::net
