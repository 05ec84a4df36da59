// Puts concrete harts and devices together.
#include "frontend/session/board.hpp"

#include <sys/random.h>

#include <algorithm>
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
#include "devices/share/service.hpp"
#include "devices/uart.hpp"
#include "devices/virtio/block.hpp"
#include "devices/virtio/console.hpp"
#include "devices/virtio/entropy.hpp"
#include "devices/virtio/mmio.hpp"
#include "devices/virtio/net.hpp"
#include "devices/virtio/ninep.hpp"
#include "devices/virtio/pci.hpp"
#include "devices/virtio/vsock.hpp"
#include "frontend/session/disk.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/flash.hpp"
#include "frontend/session/snapshot.hpp"
#include "frontend/session/tree.hpp"

namespace hartline {
namespace {
static_assert(RunConfig::kMostHarts <= kMostHarts);
static_assert(RunConfig::kMostMmio + 2 <= kVirtioSlots);
static_assert(RunConfig::kMostDisks + 7 <= pci::PciBus::kSlots);
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
    add_devices(seeded, sink, watchers);
    open_hosts();
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
        if (config.parallel) hart.code = share_code(hart);
        for (unsigned i = 0; i < config.harts; ++i)
            machine_->add_hart(
                [&](HartPort& port, unsigned number) { return make_hart(port, number, hart); });
    } catch (const jit::NoMemoryForCode&) {
        throw HostError("--code-cache", "the host refuses memory for translated code",
                        "give less (it is of each hart, or of a parallel machine), or --engine interpreter");
    }
}

void Board::add_devices(const RunConfig& config, ByteSink& sink, const Watchers& watchers) {
    Machine& machine = *machine_;
    attach(machine, place_of("rom"), rom(reset_vector(boot_.hand_over()), kRomBytes));
    attach(machine, place_of("finisher"), finisher());
    attach(machine, place_of("rtc"), rtc(epoch_ns(config.deterministic)));
    attach(machine, place_of("aclint"), aclint());
    attach(machine, place_of("aclint_sswi"), aclint_sswi());
    machine.set_interrupt_controller(attach(machine, place_of("plic"), plic()));
    console_ = &attach(machine, place_of("uart"), uart(sink));
    if (config.watchdog) add_watchdog(*config.watchdog, watchers);
    if (boot_.flash()) attach(machine, place_of("flash"), firmware_flash(*boot_.flash(), config.efi_vars));
    add_pci(config);
    add_disks(config, watchers);
    add_virtio_devices(config, sink, watchers);
    add_htif(sink);
}

void Board::add_watchdog(WatchdogAction action, const Watchers& watchers) {
    std::function<void()> expired;
    if (watchers.tell)
        expired = [tell = watchers.tell, action] {
            tell("hartline: the guest's watchdog expired: " + std::string(name(action)));
        };
    attach(*machine_, place_of("watchdog"), watchdog(action, std::move(expired)));
}

// The bridge is there where something is behind it: Linux takes its time to look for that.
void Board::add_pci(const RunConfig& config) {
    if (!has_pci(config)) return;
    Machine& machine = *machine_;
    const u64 high = pci_high_base(machine.config().ram_base + config.memory);
    pci_ = std::make_shared<pci::PciBus>();
    attach(machine, place_of("pci_ecam"), pci_ecam(pci_, high));
    attach(machine, place_of("pci_io"), pci_io(pci_));
    attach(machine, place_of("pci_memory"), pci_memory(pci_, place_of("pci_memory").base));
    machine.attach(high, place_of("pci_ecam").irq + 3, pci_high_memory(pci_, high));
    machine.attach(0, 0, pci_host_function(pci_));
}

// A function has no place of its own on the machine's bus. The bridge itself is in slot 0.
pci::PciSlot Board::next_function() { return {pci_, ++last_function_}; }

Device& Board::add_virtio(DeviceBus bus, const VirtioFactory& make, std::optional<unsigned> slot) {
    if (bus == DeviceBus::Pci) return machine_->attach(0, 0, virtio_pci(next_function(), make));
    return attach(*machine_, virtio_place(slot ? *slot : next_virtio_++), virtio_mmio(make));
}

void Board::add_disks(const RunConfig& config, const Watchers& watchers) {
    const auto pool = watchers.pool ? watchers.pool : std::make_shared<IoPool>();
    unsigned number = 0;
    for (const DiskConfig& disk : config.disks) {
        BlockOptions options;
        options.serial = disk.serial.empty() ? "hartline-" + std::to_string(number) : disk.serial;
        ++number;
        options.discard = disk.discard;
        options.pool = pool;
        options.exact = !config.parallel;
        if (watchers.tell)
            options.failed = [tell = watchers.tell, path = disk.path](const std::string& what) {
                tell("hartline: " + path + ": " + what);
            };
        const DeviceBus bus = bus_of(config, disk);
        if (bus == DeviceBus::Nvme)
            machine_->attach(0, 0, nvme_controller(next_function(), open_disk(disk), options));
        else
            add_virtio(bus, virtio_block(open_disk(disk), options));
    }
}

void Board::add_virtio_devices(const RunConfig& config, ByteSink& sink, const Watchers& watchers) {
    if (config.net) add_network(config);
    for (const ShareConfig& share : config.shares) add_share(config, share);
    if (config.balloon && config.balloon->present) add_balloon(config, watchers);
    if (config.vsock) add_vsock(config);
    add_console(config, sink, watchers);
    add_virtio(config.bus, virtio_entropy(*config.seed), kEntropySlot);
}

// Linux has a terminal wherever a console is, and systemd a login prompt on it: so it is there only where it
// is the one that is typed to, and the device only for that or for ports.
void Board::add_console(const RunConfig& config, ByteSink& sink, const Watchers& watchers) {
    if (!config.virtio_input && config.ports.empty()) return;
    ports_ = make_ports(config.ports, sink, watchers.tell);
    typed_port_ = typed_port(config);
    const ConsoleOptions options{.ports = ports_, .typed = typed_port_, .console = config.virtio_input};
    virtio_console_ = &add_virtio(config.bus, virtio_console(sink, options), kConsoleSlot);
    if (config.virtio_input || typed_port_ != 0) console_ = virtio_console_;
}

void Board::add_vsock(const RunConfig& config) {
    vsock_ = make_vsock(*config.vsock);
    vsock_device_ = &add_virtio(config.bus, virtio_vsock(config.vsock->cid, vsock_));
}

void Board::type(std::span<const u8> bytes) {
    if (console_ != virtio_console_) return machine_->post(*console_, bytes);
    machine_->post(*console_,
                   stream::port_record(stream::PortRecord::Data, static_cast<u8>(typed_port_), bytes));
}

void Board::resize(ConsoleSize size) {
    const u32 both = u32{size.rows} << 16 | size.columns;
    machine_->post(*virtio_console_, stream::port_record(stream::PortRecord::Resized, 0, both));
}

void Board::add_network(const RunConfig& config) {
    network_ = make_network(*config.net, config.publish);
    if (network_ == nullptr) return;
    const NetCardConfig card{config.net->mac, static_cast<u16>(config.net->mtu)};
    card_ = &add_virtio(bus_of(config, *config.net), virtio_net(network_, card));
}

void Board::announce() {
    if (card_ != nullptr) machine_->post(*card_, net::record_of(net::RecordKind::Announce));
    if (vsock_ != nullptr) machine_->post(*vsock_device_, stream::vsock_record(stream::VsockRecord::Lost, 0));
    for (const ConsolePort& port : ports_) port.host->announce();
}

void Board::add_share(const RunConfig& config, const ShareConfig& share) {
    std::shared_ptr<share::Service> service;
    try {
        service = std::make_shared<share::Service>(
            share::FolderOptions{.path = share.path, .read_only = share.read_only});
    } catch (const std::runtime_error& error) {
        throw InputError(std::string("--share: ") + error.what());
    }
    const Device& device = add_virtio(config.bus, virtio_ninep(service, share.tag));
    service->deliver_to(
        [machine = machine_.get(), &device](std::span<const u8> answer) { machine->post(device, answer); });
    shares_.push_back(std::move(service));
}

void Board::add_balloon(const RunConfig& config, const Watchers& watchers) {
    BalloonOptions options{.target_bytes = balloon_bytes(*config.balloon, config.memory)};
    if (watchers.tell)
        options.report = [tell = watchers.tell, memory = config.memory](const BalloonReport& report) {
            tell(balloon_line(report, memory));
        };
    balloon_ = &add_virtio(config.bus, virtio_balloon(options));
}

// Once all devices are there: from now on threads of the host's look for their own among them.
void Board::open_hosts() {
    const auto to = [machine = machine_.get()](const Device* device) {
        return [machine, device](std::span<const u8> record) { machine->post(*device, record); };
    };
    if (network_ != nullptr) network_->open(to(card_));
    if (vsock_ != nullptr) vsock_->open(to(vsock_device_));
    u8 number = 0;
    for (const ConsolePort& port : ports_) port.host->open(++number, to(virtio_console_));
}

bool Board::awaits_answers() const {
    return network_ != nullptr || vsock_ != nullptr ||
           std::ranges::any_of(ports_, [](const ConsolePort& port) { return !port.host->constant(); }) ||
           std::any_of(shares_.begin(), shares_.end(), [](const auto& share) { return share->busy(); });
}

// Threads that answer have the machine to answer to.
Board::~Board() {
    if (network_ != nullptr) network_->close();
    if (vsock_ != nullptr) vsock_->close();
    for (const ConsolePort& port : ports_) port.host->close();
    for (const auto& share : shares_) share->stop();
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
    facts.bootargs = boot_.command_line();
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
    for (const ConsolePort& port : ports_) port.host->announce();
    boot_.place(machine_->ram(), tree_);
}
}  // namespace hartline
