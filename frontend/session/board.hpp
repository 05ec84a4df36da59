// The board: a Machine with Hartline's harts and devices, and what is in its memory at the start. The only
// place that names concrete engines and devices.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/machine.hpp"
#include "devices/pci/bus.hpp"
#include "devices/virtio/console.hpp"
#include "devices/virtio/device.hpp"
#include "frontend/session/boot.hpp"
#include "frontend/session/config.hpp"
#include "frontend/session/net.hpp"

namespace hartline {
class IoPool;
class Observer;
class TranslationListener;
namespace share {
class Service;
}

// Who sees what all harts do; null: nobody.
struct Watchers {
    Observer* observer = nullptr;
    TranslationListener* translations = nullptr;
    // Takes a line for the person in front: what of the host's has failed. On the machine's thread.
    std::function<void(std::string_view)> tell = nullptr;
    // Does the host's I/O, for as many boards as like; null: a pool of the board's own.
    std::shared_ptr<IoPool> pool = nullptr;
};

class Board {
public:
    // Builds the machine and switches it on: memory holds what it starts with. Console output goes to `sink`,
    // which outlives the board. Several boards live side by side in a process. Throws InputError, HostError.
    // `watchers` outlive the board.
    Board(const RunConfig& config, ByteSink& sink, const Watchers& watchers = {});

    ~Board();
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;

    Machine& machine() { return *machine_; }
    // Takes what is typed: the UART, HTIF where a program has it, or the virtio console by `virtio_input`.
    const Device& console() const { return *console_; }
    // Posts what was typed to it.
    void type(std::span<const u8> bytes);
    // The terminal before the virtio console, which is chosen, has a size now.
    void resize(ConsoleSize size);
    // Takes the records of devices/virtio/balloon.hpp; null: the machine has none.
    const Device* balloon() const { return balloon_; }
    // Tells the network that this machine is there (again), where it was loaded and not started; and the
    // machine who is at its ports.
    void announce();
    const std::vector<u8>& tree() const { return tree_; }
    const Boot& boot() const { return boot_; }
    // Resets the machine and fills its memory anew, as at power-on.
    void reset();
    // Has the guest asked a shared folder for something that has not come yet?
    bool awaits_answers() const;
    // What a snapshot must have in common with this board.
    std::string summary() const { return summary_; }

private:
    void add_harts(const RunConfig& config, const Watchers& watchers);
    void add_devices(const RunConfig& config, ByteSink& sink, const Watchers& watchers);
    void add_watchdog(WatchdogAction action, const Watchers& watchers);
    void add_pci(const RunConfig& config);
    pci::PciSlot next_function();
    // Where `bus` is MMIO: in its virtio slot of that number, or in the next of those from the first.
    Device& add_virtio(DeviceBus bus, const VirtioFactory& make, std::optional<unsigned> slot = {});
    void add_disks(const RunConfig& config, const Watchers& watchers);
    void add_virtio_devices(const RunConfig& config, ByteSink& sink, const Watchers& watchers);
    void add_network(const RunConfig& config);
    void add_console(const RunConfig& config, ByteSink& sink, const Watchers& watchers);
    void add_vsock(const RunConfig& config);
    void open_hosts();
    void add_balloon(const RunConfig& config, const Watchers& watchers);
    void add_share(const RunConfig& config, const ShareConfig& share);
    void add_htif(ByteSink& sink);
    void write_tree(const RunConfig& config);

    Boot boot_;
    std::unique_ptr<Machine> machine_;
    const Device* console_ = nullptr;
    const Device* virtio_console_ = nullptr;  // null: none
    unsigned typed_port_ = 0;                 // of that, where it is console_
    const Device* vsock_device_ = nullptr;
    std::shared_ptr<stream::VsockHost> vsock_;      // null: none. Closed before the machine goes
    std::vector<ConsolePort> ports_;                // closed before the machine goes
    std::shared_ptr<pci::PciBus> pci_;              // null: no device of the machine is on it
    unsigned last_function_ = 0, next_virtio_ = 0;  // slots: of the bus, and of virtio over MMIO
    const Device* card_ = nullptr;
    const Device* balloon_ = nullptr;
    std::shared_ptr<net::NetBackend> network_;  // null: none. Closed before the machine goes
    std::vector<std::shared_ptr<share::Service>> shares_;
    std::vector<u8> tree_;
    std::string summary_;
};

// The seed of guest entropy where none was given.
u64 default_seed(bool deterministic);
}  // namespace hartline
