// Building, running and describing a machine.
#include "core/machine.hpp"

#include <algorithm>
#include <cstring>

namespace hartline {
namespace {
constexpr u32 kFirstDevice = 0x1'0000;  // owners below are harts
}

class Machine::DeviceSide final : public DevicePort {
public:
    DeviceSide(Machine& machine, u32 number, u32 irq)
        : machine_(machine), owner_(kFirstDevice + number), irq_(irq) {}
    u64 now() const override { return machine_.now(); }
    void set_irq(bool level) override {
        if (irq_ != 0 && machine_.controller_ != nullptr) machine_.controller_->set_source(irq_, level);
    }
    void set_hart_line(unsigned hart, unsigned line, bool level) override {
        if (hart >= machine_.harts_.size()) return;
        Seat& seat = machine_.harts_[hart];
        seat.hart->set_line(line, level);
        if (machine_.config_.parallel) seat.wake->notify_one();
    }
    unsigned harts() const override { return machine_.harts(); }
    void schedule(u64 when, u32 tag) override { machine_.schedule(when, owner_, tag); }
    void cancel(u32 tag) override { machine_.events_.cancel(owner_, tag); }
    Ram& memory() override { return machine_.ram_; }
    void request_stop(StopRequest request) override { machine_.request_stop(request); }
    void fixed_pages_changed() override { machine_.fixed_pages_changed(); }
    u64 time_offset() const override { return machine_.time_offset_; }
    void set_time_offset(u64 offset) override {
        machine_.time_offset_ = offset;
        for (const Seat& seat : machine_.harts_) {
            seat.hart->time_changed();
            if (machine_.config_.parallel) seat.wake->notify_one();
        }
    }

private:
    Machine& machine_;
    u32 owner_, irq_;
};

class Machine::HartSide final : public HartPort {
public:
    HartSide(Machine& machine, u32 number) : machine_(machine), owner_(number) {}
    u64 now() const override { return machine_.now(); }
    u64 time_offset() const override { return machine_.time_offset_; }
    Ram& ram() override { return machine_.ram_; }
    bool read(u64 paddr, unsigned bytes, u64& value) override {
        const auto lock = machine_.guard();
        return machine_.bus_.read(paddr, bytes, value);
    }
    bool write(u64 paddr, unsigned bytes, u64 value) override {
        const auto lock = machine_.guard();
        return machine_.bus_.write(paddr, bytes, value);
    }
    bool executable(u64 paddr) const override { return machine_.bus_.executable(paddr); }
    const u8* fixed_page(u64 paddr) const override {
        const auto lock = machine_.guard();
        return machine_.bus_.fixed_page(paddr);
    }
    void schedule(u64 when, u32 tag) override {
        const auto lock = machine_.guard();
        machine_.schedule(when, owner_, tag);
    }
    void cancel(u32 tag) override {
        const auto lock = machine_.guard();
        machine_.events_.cancel(owner_, tag);
    }
    void stored_to_marked(u64 paddr, unsigned bytes) override {
        const auto lock = machine_.guard();
        machine_.ram_written(paddr, bytes, machine_.ram_.marks(machine_.ram_.frame_of(paddr)));
    }
    void code_decoded(u64 frame) override { machine_.mark(frame, Ram::kCode); }
    bool parallel() const override { return machine_.config_.parallel; }
    bool alone() const override { return machine_.harts() == 1; }

private:
    Machine& machine_;
    u32 owner_;
};

Machine::Machine(const MachineConfig& config) : config_(config), ram_(config.ram_base, config.ram_bytes) {
    ram_.set_listener(this);
    ram_.set_allocate_on_read(config.parallel);
    s_.turn_left = config_.turn;
    if (config.parallel) wall_base_ = config.wall();
}
Machine::~Machine() = default;

Device& Machine::attach(u64 base, u32 irq, const DeviceFactory& make) {
    auto port = std::make_unique<DeviceSide>(*this, static_cast<u32>(devices_.size()), irq);
    auto device = make(*port);
    if (device->size() != 0) bus_.attach(base, *device);
    devices_.push_back({base, irq, std::move(port), std::move(device)});
    return *devices_.back().device;
}

Hart& Machine::add_hart(const HartFactory& make) {
    const auto number = static_cast<u32>(harts_.size());
    auto port = std::make_unique<HartSide>(*this, number);
    auto hart = make(*port, number);
    harts_.push_back({std::move(port), std::move(hart), std::make_unique<std::condition_variable_any>()});
    return *harts_.back().hart;
}

void Machine::watch(u64 paddr, u64 bytes, Device& device) {
    if (bytes == 0 || !ram_.contains(paddr, bytes)) return;
    watches_.push_back({paddr, bytes, &device});
    for (u64 frame = ram_.frame_of(paddr); frame <= ram_.frame_of(paddr + bytes - 1); ++frame)
        mark(frame, Ram::kWatched);
}

std::unique_lock<std::recursive_mutex> Machine::guard() const {
    return config_.parallel ? std::unique_lock(devices_lock_) : std::unique_lock<std::recursive_mutex>();
}

u64 Machine::now() const {
    if (config_.parallel) return clock_.now(0) + (config_.wall() - wall_base_);
    return clock_.now(s_.tick + (running_ != nullptr ? running_->progress() : 0));
}

u64 Machine::retired() const {
    u64 sum = 0;
    for (const Seat& seat : harts_) sum += seat.hart->retired();
    return sum;
}

void Machine::schedule(u64 when, u32 owner, u32 tag) {
    events_.schedule(when, owner, tag);
    if (config_.parallel) served_.notify_one();
    if (running_ == nullptr) return;
    const u64 due = clock_.tick_at(when);
    running_->cut(due > s_.tick ? due - s_.tick : 0);
}

void Machine::request_stop(StopRequest request) {
    const auto lock = guard();
    if (!stop_) stop_ = request;
    if (running_ != nullptr) running_->cut(0);
    served_.notify_one();
}

void Machine::post(const Device& device, std::span<const u8> payload) {
    for (u32 i = 0; i < devices_.size(); ++i)
        if (devices_[i].device.get() == &device) journal_.post(kFirstDevice + i, payload);
    if (config_.parallel) served_.notify_one();
}

void Machine::skip_to(u64 when) { clock_.retime(s_.tick, when, clock_.rate()); }

void Machine::retime(u64 when, u64 rate) {
    u8 payload[16];
    std::memcpy(payload, &when, 8);
    std::memcpy(payload + 8, &rate, 8);
    journal_.post(kClockOwner, payload);
}

void Machine::take_input() {
    JournalRecord record;
    while (journal_.take(s_.tick, events_.fired(), record)) {
        if (record.owner == kClockOwner && record.payload.size() == 16) {
            u64 when = 0, rate = 0;
            std::memcpy(&when, record.payload.data(), 8);
            std::memcpy(&rate, record.payload.data() + 8, 8);
            clock_.retime(s_.tick, when, rate);
        } else if (record.owner >= kFirstDevice && record.owner - kFirstDevice < devices_.size()) {
            devices_[record.owner - kFirstDevice].device->input(record.payload);
        }
    }
}

void Machine::fire_events() {
    Event event;
    while (events_.take_due(now(), event)) {
        if (event.owner < harts_.size()) {
            harts_[event.owner].hart->on_event(event.tag);
            if (config_.parallel) harts_[event.owner].wake->notify_one();
        } else if (event.owner - kFirstDevice < devices_.size()) {  // else: of a snapshot, for nobody
            devices_[event.owner - kFirstDevice].device->on_event(event.tag);
        }
    }
}

bool Machine::all_waiting() const {
    return std::all_of(harts_.begin(), harts_.end(), [](const Seat& seat) { return seat.hart->waiting(); });
}

void Machine::end_turn() {
    if (harts() > 1) harts_[s_.turn_hart].hart->turn_ended();
    s_.turn_hart = (s_.turn_hart + 1) % harts();
    s_.turn_left = config_.turn;
}

u64 Machine::slice_budget(u64 end) const {
    u64 limit = journal_.next_tick() > s_.tick ? std::min(end, journal_.next_tick()) : end;
    if (events_.next() != EventQueue::kNever) limit = std::min(limit, clock_.tick_at(events_.next()));
    return harts() == 1 ? limit - s_.tick : std::min(limit - s_.tick, s_.turn_left);
}

// A hart that is alone goes on past the ends of its turns, which count on all the same.
void Machine::spend_turn(u64 done) {
    if (done < s_.turn_left) return void(s_.turn_left -= done);
    const u64 beyond = (done - s_.turn_left) % config_.turn;
    end_turn();
    s_.turn_left -= beyond;
}

Machine::Result Machine::run(u64 ticks) {
    const u64 end = ticks > ~u64{0} - s_.tick ? ~u64{0} : s_.tick + ticks;
    while (s_.tick < end && !stop_) {
        take_input();
        fire_events();
        if (stop_) break;
        if (all_waiting()) {
            if (journal_.next_tick() == s_.tick) continue;
            return {Result::Why::Idle, events_.next()};
        }
        follow_pages(harts_[s_.turn_hart]);
        Hart& hart = *harts_[s_.turn_hart].hart;
        if (hart.waiting()) {
            end_turn();
            continue;
        }
        running_ = &hart;
        const u64 done = hart.run(slice_budget(end));
        running_ = nullptr;
        s_.tick += done;
        if (hart.waiting() || hart.gave_way())
            end_turn();
        else
            spend_turn(done);
    }
    return {stop_ ? Result::Why::Stopped : Result::Why::Budget, events_.next()};
}

void Machine::fixed_pages_changed() {
    ++pages_version_;
    if (running_ != nullptr) running_->cut(0);
}

// Before a hart runs: drops what it may have made of pages that are others now.
void Machine::follow_pages(Seat& seat) {
    const u64 version = pages_version_.load(std::memory_order_relaxed);
    if (seat.pages_version == version) return;
    seat.pages_version = version;
    seat.hart->drop_derived();
}

void Machine::ram_written(u64 paddr, u64 bytes, u8 marks) {
    const u64 frame = ram_.frame_of(paddr);
    if ((marks & Ram::kCode) != 0 && !config_.parallel) {
        bool held = false;
        for (const Seat& seat : harts_) held |= seat.hart->code_changed(paddr, bytes);
        if (!held) ram_.unmark(frame, Ram::kCode);
    }
    if ((marks & Ram::kWatched) == 0) return;
    for (const Watch& watch : watches_)
        if (paddr < watch.paddr + watch.bytes && watch.paddr < paddr + bytes)
            watch.device->watched_write(paddr, static_cast<unsigned>(bytes));
}

void Machine::mark(u64 frame, Ram::Mark mark) {
    ram_.mark(frame, mark);
    for (const Seat& seat : harts_) seat.hart->frame_marked(frame);
}

void Machine::ram_moved(u64 frame) {
    for (const Seat& seat : harts_) seat.hart->frame_changed(frame);
}

void Machine::reset() {
    stop_.reset();
    s_ = State{};
    s_.turn_left = config_.turn;
    time_offset_ = 0;
    parallel_ticks_ = 0;
    if (config_.parallel) wall_base_ = config_.wall();
    clock_.reset();
    events_.clear();
    ram_.clear();
    for (const Seat& seat : harts_) seat.hart->reset();
    for (const Attached& attached : devices_) attached.device->reset();
    drop_derived();
}

void Machine::drop_derived() {
    for (const Seat& seat : harts_) seat.hart->drop_derived();
}

void Machine::describe(Archive& archive) {
    describe_but_ram(archive);
    ram_.describe(archive);
}

void Machine::describe_but_ram(Archive& archive) {
    {
        const Section section(archive, "machine");
        archive.field("tick", s_.tick);
        archive.field("turn_left", s_.turn_left);
        archive.field("turn_hart", s_.turn_hart);
        u64 time_offset = time_offset_;
        archive.field("time_offset", time_offset);
        time_offset_ = time_offset;
        archive.require(s_.turn_hart < harts() && s_.turn_left - 1 < config_.turn, "machine.turn");
    }
    clock_.describe(archive);
    events_.describe(archive);
    for (const Seat& seat : harts_) {
        const Section section(archive, "hart");
        seat.hart->describe(archive);
    }
    for (const Attached& attached : devices_) {
        const Section section(archive, attached.device->name());
        attached.device->describe(archive);
    }
}

u64 Machine::hash() {
    HashArchive archive;
    describe(archive);
    return archive.digest();
}

std::vector<u8> Machine::save() {
    SaveArchive archive;
    describe(archive);
    return archive.take();
}

void Machine::load(std::span<const u8> image) {
    reset();
    try {
        LoadArchive archive(image);
        describe(archive);
        archive.finish();
        for (const Attached& attached : devices_) attached.device->loaded();
    } catch (...) {
        reset();
        throw;
    }
    drop_derived();
}
}  // namespace hartline
