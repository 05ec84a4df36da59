// An NVMe controller: registers and queues (controller.cpp), administration (admin.cpp), disk (io.cpp),
// completion (completion.cpp).
//
// References are to the NVM Express Base specification, revision 1.4. Queues are guest memory and hostile:
// each entry is read once, what is in flight is bounded, and every address is checked against RAM. As with
// virtio-blk the host's I/O is done by the threads of a pool, and shown at a virtual time that depends on
// nothing but the commands.
#pragma once
#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "devices/pci/endpoint.hpp"
#include "devices/storage/backend.hpp"
#include "devices/storage/block_options.hpp"
#include "devices/storage/disk_queue.hpp"
#include "devices/virtio/queue.hpp"

namespace hartline::nvme {

// "Submission Queue Entry"
struct Command {
    u8 opcode;
    u8 flags;
    u16 id;
    u32 namespace_id;
    u32 dword2, dword3;
    u64 metadata;
    u64 prp1, prp2;
    u32 dword10, dword11, dword12, dword13, dword14, dword15;
};
static_assert(sizeof(Command) == 64);

// "Completion Queue Entry": status code type and code, with Do Not Retry.
enum class Status : u16 {
    Ok = 0,
    InvalidOpcode = 0x4001,
    InvalidField = 0x4002,
    TransferError = 0x4004,
    InternalError = 0x0006,
    InvalidNamespace = 0x400b,
    InvalidPrpOffset = 0x4013,
    LbaOutOfRange = 0x4080,
    InvalidCompletionQueue = 0x4100,
    InvalidQueueId = 0x4101,
    InvalidQueueSize = 0x4102,
    EventLimitExceeded = 0x4105,
    InvalidVector = 0x4108,
    InvalidLogPage = 0x4109,
    InvalidQueueDeletion = 0x410c,
    FeatureNotSaveable = 0x410d,
    ReadOnlyRange = 0x4182,
};

using Segments = std::vector<virtio::Segment>;
using DiskRequests = std::vector<std::shared_ptr<DiskRequest>>;

struct Outcome {
    Status status = Status::Ok;
    u32 result = 0;      // dword 0 of the completion
    u64 moved = 0;       // bytes, for the time that it takes
    bool stays = false;  // no completion: an asynchronous event request
    DiskRequests io{};   // what the host is to do; the status is Ok if all of it succeeds
    Segments to{};       // where the bytes go that are read
};

class Controller final : public pci::Endpoint {
public:
    static constexpr unsigned kQueues = 17;  // pairs, of which 0 is for administration
    static constexpr u32 kMostEntries = 1024;

    Controller(DevicePort& port, const pci::PciSlot& slot, std::shared_ptr<BlockBackend> backend,
               BlockOptions options);
    std::string_view name() const override { return "nvme"; }
    void on_event(u32 tag) override;

private:
    struct InFlight {
        u64 due = 0;
        u32 result = 0;
        u16 queue = 0, id = 0;
        u16 status = 0;
        u16 requests = 0;  // to the disk, and the bytes of their data, as when it was taken: what is left
        u64 held = 0;      // of them depends on when somebody looked
        DiskRequests io{};
        Segments to{};
    };

    // --- registers and queues (controller.cpp)
    u64 read_bar(unsigned bar, u64 offset, unsigned bytes) override;
    void write_bar(unsigned bar, u64 offset, unsigned bytes, u64 value) override;
    void reset_own() override;
    void describe_own(Archive& archive) override;
    void describe_queues(Archive& archive);
    void config_written(u32, unsigned) override { update_interrupt(); }
    u32 read_register(u64 offset) const;
    void write_register(u64 offset, u32 value);
    void write_doorbell(u64 index, u32 value);
    void configure(u32 value);
    bool start();
    void stop();
    bool enabled() const { return (s_.status & 3) == 1; }  // ready, and not failed
    void pump();
    bool fetch(unsigned number);
    void update_interrupt();
    bool queue_fits(u64 base, u64 entries, u64 entry_bytes);
    Outcome perform(unsigned queue, const Command& command);

    // --- completion (completion.cpp)
    void complete_later(unsigned queue, u16 id, Outcome&& outcome);
    void post_due();
    bool post(const InFlight& done);
    bool late(const InFlight& command);
    void settle(InFlight& command);
    void complain(const DiskRequest& io);
    bool full() const;  // so that no other command is taken
    void count_held();
    void describe_commands(Archive& archive, std::string_view name, std::deque<InFlight>& commands);
    void describe_command(Archive& archive, InFlight& command);

    // --- data (io.cpp)
    Status map(const Command& command, u64 bytes, Segments& segments);
    Status map_list(u64 list, u64 bytes, Segments& segments);
    Outcome answer(const Command& command, std::span<const u8> data);
    Outcome perform_io(const Command& command);
    Outcome transfer(const Command& command, bool writing);
    Outcome write_zeroes(const Command& command);
    Outcome manage_dataset(const Command& command);
    bool in_range(u64 block, u64 count) const;
    bool cached() const { return (s_.features[6] & 1) != 0; }  // "Volatile Write Cache"

    // --- administration (admin.cpp)
    Outcome perform_admin(const Command& command);
    Outcome create_completion_queue(const Command& command);
    Outcome create_submission_queue(const Command& command);
    Outcome delete_completion_queue(const Command& command);
    Outcome delete_submission_queue(const Command& command);
    Outcome identify(const Command& command);
    std::array<u8, 4096> identify_controller() const;
    std::array<u8, 4096> identify_namespace() const;
    Outcome get_log(const Command& command);
    Outcome get_feature(const Command& command);
    Outcome set_feature(const Command& command);

    struct SubmissionQueue {
        u64 base = 0;
        u32 entries = 0;  // 0: there is none
        u32 head = 0, tail = 0;
        u32 completions = 0;  // the queue for them
    };
    struct CompletionQueue {
        u64 base = 0;
        u32 entries = 0;
        u32 head = 0, tail = 0;
        u32 vector = 0;
        bool phase = true, interrupts = false;
    };
    static constexpr u32 kReady = 1, kFatal = 2, kShutdownDone = 8;  // "Controller Status"
    static constexpr u64 kBytesANs = 4;                              // of the link, as virtio-blk has it
    enum Event : u32 { kDue = 1, kWork = 2 };
    static constexpr unsigned kFeatures = 12;
    struct State {
        u32 config = 0, status = 0;  // CC, CSTS
        u32 admin_sizes = 0;         // AQA
        u32 mask = 0;                // INTMS
        u64 admin_submission = 0, admin_completion = 0;
        u32 event_requests = 0;
        std::array<u32, kFeatures> features{0, 0, 0, 0, 0x157, 0, 1};
        u64 bytes_read = 0, bytes_written = 0, reads = 0, writes = 0;  // of SMART, since power-on
        u64 link_free = 0;  // when the link has moved all bytes so far
        std::array<SubmissionQueue, kQueues> submissions{};
        std::array<CompletionQueue, kQueues> completions{};
        std::deque<InFlight> in_flight;  // by due
        std::deque<InFlight> held;       // due, but without room in their queues
    } s_;
    static_assert(sizeof(SubmissionQueue) == 24 && sizeof(CompletionQueue) == 32 && sizeof(InFlight) == 80,
                  "Controller::State changed: extend describe_own()");
    u64 held_bytes_ = 0, held_requests_ = 0;  // of all in flight
    u32 told_ = 0;                            // a bit for each kind of request that the host failed at
    BlockOptions options_;
    std::shared_ptr<BlockBackend> backend_;
    DiskQueue disk_;
};
}  // namespace hartline::nvme
