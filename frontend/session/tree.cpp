// Writing the device tree's frame; devices fill in their nodes.
#include "frontend/session/tree.hpp"

#include <array>
#include <cstdio>

namespace hartline {
namespace {
constexpr u32 kCacheBlockBytes = 64;

std::string at(const char* name, u64 address) {
    char text[64];
    std::snprintf(text, sizeof text, "%s@%llx", name, static_cast<unsigned long long>(address));
    return text;
}

// splitmix64: a short, well mixed sequence from any seed.
u64 next_random(u64& state) {
    u64 z = state += 0x9e37'79b9'7f4a'7c15;
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
}

void chosen(DeviceTree& tree, const TreeFacts& facts) {
    tree.begin("chosen");
    if (!facts.stdout_path.empty()) tree.text("stdout-path", facts.stdout_path);
    if (!facts.bootargs.empty()) tree.text("bootargs", facts.bootargs);
    if (facts.initrd_start != facts.initrd_end) {
        tree.number("linux,initrd-start", facts.initrd_start);
        tree.number("linux,initrd-end", facts.initrd_end);
    }
    std::array<u32, 8> seed{};
    u64 state = facts.seed;
    for (u32& word : seed) word = static_cast<u32>(next_random(state) >> 32);
    tree.cells("rng-seed", seed);
    tree.end();
}

void memory(DeviceTree& tree, const MachineConfig& config) {
    tree.begin(at("memory", config.ram_base));
    tree.text("device_type", "memory");
    tree.reg(config.ram_base, config.ram_bytes);
    tree.end();
}

struct Phandles {
    std::vector<u32> cpus;
    std::vector<u32> hart_controllers;
    u32 controller = 0;
};

void cpu(DeviceTree& tree, const TreeFacts& facts, const Phandles& phandles, u32 number) {
    tree.begin(at("cpu", number));
    tree.phandle(phandles.cpus[number]);
    tree.text("device_type", "cpu");
    tree.cells("reg", {number});
    tree.text("status", "okay");
    tree.text("compatible", "riscv");
    tree.text("riscv,isa", facts.isa);
    tree.text("riscv,isa-base", "rv64i");
    tree.texts("riscv,isa-extensions", facts.extensions);
    tree.cells("riscv,cbom-block-size", {kCacheBlockBytes});
    tree.cells("riscv,cboz-block-size", {kCacheBlockBytes});
    tree.cells("riscv,cbop-block-size", {kCacheBlockBytes});
    tree.text("mmu-type", "riscv,sv57");
    tree.begin("interrupt-controller");
    tree.cells("#interrupt-cells", {1});
    tree.flag("interrupt-controller");
    tree.text("compatible", "riscv,cpu-intc");
    tree.phandle(phandles.hart_controllers[number]);
    tree.end();
    tree.end();
}

void cpus(DeviceTree& tree, const TreeFacts& facts, const Phandles& phandles) {
    tree.begin("cpus");
    tree.cells("#address-cells", {1});
    tree.cells("#size-cells", {0});
    tree.cells("timebase-frequency", {facts.timebase_hz});
    for (u32 i = 0; i < phandles.cpus.size(); ++i) cpu(tree, facts, phandles, i);
    tree.begin("cpu-map");
    tree.begin("cluster0");
    for (u32 i = 0; i < phandles.cpus.size(); ++i) {
        tree.begin("core" + std::to_string(i));
        tree.cells("cpu", {phandles.cpus[i]});
        tree.end();
    }
    tree.end();
    tree.end();
    tree.end();
}

void soc(DeviceTree& tree, const Machine& machine, const Phandles& phandles) {
    tree.begin("soc");
    tree.cells("#address-cells", {2});
    tree.cells("#size-cells", {2});
    tree.text("compatible", "simple-bus");
    tree.flag("ranges");
    for (const Machine::Attached& attached : machine.devices())
        attached.device->describe_node(
            tree, {attached.base, attached.irq, phandles.controller, phandles.hart_controllers});
    tree.end();
}
}  // namespace

std::vector<u8> device_tree(const Machine& machine, const TreeFacts& facts) {
    DeviceTree tree;
    Phandles phandles;
    for (unsigned i = 0; i < machine.harts(); ++i) {
        phandles.cpus.push_back(tree.new_phandle());
        phandles.hart_controllers.push_back(tree.new_phandle());
    }
    phandles.controller = tree.new_phandle();
    tree.begin("");
    tree.cells("#address-cells", {2});
    tree.cells("#size-cells", {2});
    tree.text("compatible", "riscv-virtio");
    tree.text("model", "riscv-virtio,hartline");
    chosen(tree, facts);
    memory(tree, machine.config());
    cpus(tree, facts, phandles);
    soc(tree, machine, phandles);
    tree.end();
    return tree.finish();
}
}  // namespace hartline
