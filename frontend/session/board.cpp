// Puts concrete harts and devices together.
#include "frontend/session/board.hpp"

#include <sys/random.h>

#include <chrono>

#include "cpu/hart.hpp"
#include "cpu/jit/make.hpp"
#include "devices/aclint.hpp"
#include "devices/board.hpp"
#include "devices/finisher.hpp"
#include "devices/htif.hpp"
#include "devices/nvme/nvme.hpp"
#include "devices/pci/host.hpp"
#include "devices/plic.hpp"
#include "devices/rom.hpp"
#include "devices/rtc.hpp"
#include "devices/storage/raw.hpp"
#include "devices/uart.hpp"
#include "devices/virtio/block.hpp"
#include "devices/virtio/console.hpp"
#include "devices/virtio/entropy.hpp"
#include "devices/virtio/mmio.hpp"
#include "devices/virtio/pci.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/snapshot.hpp"
#include "frontend/session/tree.hpp"

namespace hartline {
namespace {
static_assert(RunConfig::kMostHarts <= kMostHarts);
static_assert(RunConfig::kMostMmioDisks + 2 <= kVirtioSlots);
static_assert(RunConfig::kMostDisks + 3 <= pci::PciBus::kSlots);
constexpr unsigned kEntropySlot = kVirtioSlots - 1;
constexpr unsigned kConsoleSlot = kVirtioSlots - 2;
constexpr u64 kTohostBytes = 8;
// 2026-01-01 00:00 UTC: what the time of day is at virtual time 0 of a deterministic machine.
constexpr u64 kFixedEpochNs = u64{1'767'225'600} * 1'000'000'000;

u64 monotonic_ns() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

u64 epoch_ns(bool deterministic) {
    if (deterministic) return kFixedEpochNs;
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

u64 seed_of(const RunConfig& config) { return config.seed.value_or(default_seed(config.deterministic)); }

MachineConfig machine_config(const RunConfig& config) {
    MachineConfig machine;
    machine.ram_bytes = config.memory;
    machine.parallel = config.parallel;
    machine.wall = monotonic_ns;
    return machine;
}

HartConfig hart_config(const RunConfig& config) {
    HartConfig hart;
    hart.reset_pc = place_of("rom").base;
    hart.pmp_entries = config.pmp_entries;
    hart.svadu = config.hardware_ad;
    hart.engine = engine_of(config);
    hart.translate_after = config.translate_after;
    hart.code_cache_bytes = config.code_cache;
    return hart;
}

std::unique_ptr<BlockBackend> open_disk(const DiskConfig& disk) {
    try {
        return open_raw(disk.path, disk.read_only);
    } catch (const std::runtime_error& error) {
        throw InputError(error.what());
    }
}

Device& attach(Machine& machine, const BoardPlace& place, const DeviceFactory& make) {
    return machine.attach(place.base, place.irq, make);
}
}  // namespace

u64 default_seed(bool deterministic) {
    u64 seed = 1;
    if (!deterministic && ::getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed))
        throw HostError("getrandom", "the host gives no random numbers", "give --seed N");
    return seed;
}

Board::Board(const RunConfig& config, ByteSink& sink, const Watchers& watchers)
    : boot_(config, MachineConfig{}.ram_base), machine_(std::make_unique<Machine>(machine_config(config))) {
    RunConfig seeded = config;
    seeded.seed = seed_of(config);
    add_harts(seeded, watchers);
    add_devices(seeded, sink);
    write_tree(seeded);
    summary_ = machine_summary(*machine_, "pmp " + std::to_string(config.pmp_entries) + ", a/d bits by " +
                                              (config.hardware_ad ? "hardware" : "fault"));
    reset();
}

void Board::add_harts(const RunConfig& config, const Watchers& watchers) {
    HartConfig hart = hart_config(config);
    hart.observer = watchers.observer;
    hart.listener = watchers.translations;
    try {
        for (unsigned i = 0; i < config.harts; ++i)
            machine_->add_hart(
                [&](HartPort& port, unsigned number) { return make_hart(port, number, hart); });
    } catch (const jit::NoMemoryForCode&) {
        throw HostError("--code-cache", "the host refuses memory for translated code",
                        "give less (it is of each hart), or --engine interpreter");
    }
}

void Board::add_devices(const RunConfig& config, ByteSink& sink) {
    Machine& machine = *machine_;
    attach(machine, place_of("rom"), rom(reset_vector(boot_.hand_over()), kRomBytes));
    attach(machine, place_of("finisher"), finisher());
    attach(machine, place_of("rtc"), rtc(epoch_ns(config.deterministic)));
    attach(machine, place_of("aclint"), aclint());
    attach(machine, place_of("aclint_sswi"), aclint_sswi());
    machine.set_interrupt_controller(attach(machine, place_of("plic"), plic()));
    console_ = &attach(machine, place_of("uart"), uart(sink));
    add_pci(config);
    add_disks(config);
    add_virtio(config, sink);
    add_htif(sink);
}

void Board::add_pci(const RunConfig& config) {
    Machine& machine = *machine_;
    const u64 high = pci_high_base(machine.config().ram_base + config.memory);
    pci_ = std::make_shared<pci::PciBus>();
    attach(machine, place_of("pci_ecam"), pci_ecam(pci_, high));
    attach(machine, place_of("pci_io"), pci_io(pci_));
    attach(machine, place_of("pci_memory"), pci_memory(pci_, place_of("pci_memory").base));
    machine.attach(high, place_of("pci_ecam").irq + 3, pci_high_memory(pci_, high));
    add_on_pci(pci_host_function(pci_));
}

// A function has no place of its own on the machine's bus.
Device& Board::add_on_pci(const DeviceFactory& make) {
    ++next_slot_;
    return machine_->attach(0, 0, make);
}

void Board::add_disks(const RunConfig& config) {
    unsigned slot = 0, number = 0;
    for (const DiskConfig& disk : config.disks) {
        const std::string serial = "hartline-" + std::to_string(number++);
        auto backend = open_disk(disk);
        const pci::PciSlot place{pci_, next_slot_};
        switch (bus_of(config, disk)) {
            case DeviceBus::Mmio:
                attach(*machine_, virtio_place(slot++),
                       virtio_mmio(virtio_block(std::move(backend), serial)));
                break;
            case DeviceBus::Pci:
                add_on_pci(virtio_pci(place, virtio_block(std::move(backend), serial)));
                break;
            case DeviceBus::Nvme: add_on_pci(nvme_controller(place, std::move(backend), serial)); break;
        }
    }
}

void Board::add_virtio(const RunConfig& config, ByteSink& sink) {
    const auto add = [&](unsigned slot, VirtioFactory make) -> Device& {
        if (config.bus == DeviceBus::Pci) return add_on_pci(virtio_pci({pci_, next_slot_}, std::move(make)));
        return attach(*machine_, virtio_place(slot), virtio_mmio(std::move(make)));
    };
    const Device& console = add(kConsoleSlot, virtio_console(sink));
    add(kEntropySlot, virtio_entropy(*config.seed));
    if (config.virtio_input) console_ = &console;
}

void Board::add_htif(ByteSink& sink) {
    const auto tohost = boot_.image().symbol("tohost");
    if (!tohost) return;
    Device& device =
        machine_->attach(0, 0, htif(sink, *tohost, boot_.image().symbol("fromhost").value_or(0)));
    machine_->watch(*tohost, kTohostBytes, device);
    console_ = &device;
}

void Board::write_tree(const RunConfig& config) {
    TreeFacts facts;
    facts.bootargs = config.append;
    facts.initrd_start = boot_.initrd_start();
    facts.initrd_end = boot_.initrd_end();
    facts.seed = *config.seed;
    facts.stdout_path = "/soc/serial@10000000";
    facts.isa = isa_string(hart_config(config));
    facts.extensions = isa_extensions(hart_config(config));
    facts.timebase_hz = static_cast<u32>(kTimebaseHz);
    tree_ = device_tree(*machine_, facts);
}

void Board::reset() {
    machine_->reset();
    boot_.place(machine_->ram(), tree_);
}
}  // namespace hartline
