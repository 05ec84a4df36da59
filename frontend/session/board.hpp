// The board: a Machine with Hartline's harts and devices, and what is in its memory at the start. The only
// place that names concrete engines and devices.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/machine.hpp"
#include "frontend/session/boot.hpp"
#include "frontend/session/config.hpp"

namespace hartline {
class Observer;
class TranslationListener;
namespace pci {
class PciBus;
}

// Who sees what all harts do; null: nobody.
struct Watchers {
    Observer* observer = nullptr;
    TranslationListener* translations = nullptr;
};

class Board {
public:
    // Builds the machine and switches it on: memory holds what it starts with. Console output goes to `sink`,
    // which outlives the board. Several boards live side by side in a process. Throws InputError, HostError.
    // `watchers` outlive the board.
    Board(const RunConfig& config, ByteSink& sink, const Watchers& watchers = {});

    Machine& machine() { return *machine_; }
    // Takes what is typed: the UART, HTIF where a program has it, or the virtio console by `virtio_input`.
    const Device& console() const { return *console_; }
    const std::vector<u8>& tree() const { return tree_; }
    const Boot& boot() const { return boot_; }
    // Resets the machine and fills its memory anew, as at power-on.
    void reset();
    // What a snapshot must have in common with this board.
    std::string summary() const { return summary_; }

private:
    void add_harts(const RunConfig& config, const Watchers& watchers);
    void add_devices(const RunConfig& config, ByteSink& sink);
    void add_pci(const RunConfig& config);
    Device& add_on_pci(const DeviceFactory& make);
    void add_disks(const RunConfig& config);
    void add_virtio(const RunConfig& config, ByteSink& sink);
    void add_htif(ByteSink& sink);
    void write_tree(const RunConfig& config);

    Boot boot_;
    std::unique_ptr<Machine> machine_;
    const Device* console_ = nullptr;
    std::shared_ptr<pci::PciBus> pci_;
    unsigned next_slot_ = 0;  // of it
    std::vector<u8> tree_;
    std::string summary_;
};

// The seed of guest entropy where none was given.
u64 default_seed(bool deterministic);
}  // namespace hartline
