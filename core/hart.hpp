// A hart as its machine sees it, and the machine as a hart sees it. What is inside a hart belongs to cpu/.
#pragma once
#include "core/archive.hpp"
#include "core/ram.hpp"
#include "core/types.hpp"

namespace hartline {

// All that a hart may see of its machine.
class HartPort {
public:
    virtual ~HartPort() = default;
    virtual u64 now() const = 0;  // virtual time in nanoseconds, exact at the current instruction
    virtual u64 time_offset() const { return 0; }  // see DevicePort
    virtual Ram& ram() = 0;
    // A device access, naturally aligned, of 1, 2, 4 or 8 bytes. false: access fault.
    virtual bool read(u64 paddr, unsigned bytes, u64& value) = 0;
    virtual bool write(u64 paddr, unsigned bytes, u64 value) = 0;
    // Is there a device at paddr that harts may fetch from (ROM)?
    virtual bool executable(u64 paddr) const = 0;
    // The page of it at an aligned paddr, where its bytes stay as they are: see Device::fixed_page().
    virtual const u8* fixed_page(u64 /*paddr*/) const { return nullptr; }
    // Calls on_event(tag) of this hart when virtual time reaches `when`; replaces one with the same tag.
    virtual void schedule(u64 when, u32 tag) = 0;
    virtual void cancel(u32 tag) = 0;
    // After a store to a frame whose marks say that somebody must know (Ram::kCode, Ram::kWatched).
    virtual void stored_to_marked(u64 paddr, unsigned bytes) = 0;
    // This hart now holds decoded instructions of a frame: marks it, so that stores to it are noticed.
    virtual void code_decoded(u64 /*frame*/) {}
    virtual bool parallel() const = 0;  // do other harts run at the same time on other threads?
    virtual bool alone() const = 0;     // has the machine no other hart, to which this one could give way?
};

class Hart {
public:
    virtual ~Hart() = default;
    // Runs at most `budget` instructions and returns how many retired. Returns early when the hart waits
    // (WFI), when it gives way (pause), or after cut(). Interrupts are taken at the first instruction
    // boundary at which they are deliverable, so where budgets end changes nothing that a guest can see.
    virtual u64 run(u64 budget) = 0;
    // Instructions retired so far in the current run(): exact in device accesses and CSR reads.
    virtual u64 progress() const = 0;
    // Ends the current run() when `budget` instructions have retired in it (at once after the current
    // instruction, if that is less than progress() + 1).
    virtual void cut(u64 budget) = 0;
    // Waits in WFI, and no line that would wake it is up.
    virtual bool waiting() const = 0;
    // Gave the rest of its turn away in the last run() (WFI, pause).
    virtual bool gave_way() const = 0;
    // An input line as a level. Line numbers are the hart's own. Callable from any thread.
    virtual void set_line(unsigned line, bool level) = 0;
    virtual void on_event(u32 tag) = 0;
    virtual void time_changed() {}  // the guest has set its timer: see DevicePort::set_time_offset
    virtual void reset() = 0;
    virtual void describe(Archive& archive) = 0;
    virtual void drop_derived() = 0;  // TLB, decoded blocks: a guest never notices
    // The turn of another hart begins: a reservation (LR) does not outlive it.
    virtual void turn_ended() = 0;
    // Code was written to, in one frame of RAM. false: the hart holds no decoded instructions of that frame
    // (any more).
    virtual bool code_changed(u64 paddr, u64 bytes) = 0;
    virtual void frame_changed(u64 frame) = 0;  // its host address: what is derived is stale
    virtual void frame_marked(u64 frame) = 0;   // its marks: stores to it must not go unseen
    virtual u64 retired() const = 0;            // since reset
};
}  // namespace hartline
