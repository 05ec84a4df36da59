// ACLINT: the machine timer, and software interrupts for machine and supervisor mode.
#include "devices/aclint.hpp"

#include <array>
#include <string>
#include <vector>

#include "devices/board.hpp"
#include "devices/node_name.hpp"

namespace hartline {
namespace {
// Lines of a hart, numbered as the bits of mip.
constexpr unsigned kSsip = 1, kMsip = 3, kMtip = 7;

constexpr u64 kMtimecmp = 0x4000, kMtime = 0xbff8;
constexpr u64 kTickNs = 1'000'000'000 / kTimebaseHz;

class Aclint final : public Device {
public:
    explicit Aclint(DevicePort& port) : port_(port) { reset(); }
    std::string_view name() const override { return "aclint"; }
    u64 size() const override { return 0x1'0000; }
    bool read(u64 offset, unsigned bytes, u64& value) override;
    bool write(u64 offset, unsigned bytes, u64 value) override;
    void on_event(u32 tag) override { update_timer(tag); }
    void reset() override {
        s_ = State{};
        s_.mtimecmp.fill(~u64{0});
    }
    void describe(Archive& archive) override;
    void describe_node(DeviceTree& tree, const NodePlace& place) const override;

private:
    u64 mtime() const { return port_.time_offset() + port_.now() / kTickNs; }
    bool present(u64 hart) const { return hart < port_.harts() && hart < kMostHarts; }
    void set_mtime(u64 time);
    void update_timer(unsigned hart);

    struct State {
        std::array<u64, kMostHarts> mtimecmp{};
        std::array<u8, kMostHarts> msip{};
    } s_;
    static_assert(sizeof(State) == kMostHarts * 9, "Aclint::State changed: extend describe()");
    DevicePort& port_;
};

// The part of a 64-bit register that an access of 4 or 8 bytes sees.
u64 half_of(u64 whole, u64 offset, unsigned bytes) {
    return bytes == 8 ? whole : bits(whole >> (8 * (offset & 4)), 31, 0);
}
u64 with_half(u64 whole, u64 offset, unsigned bytes, u64 value) {
    const unsigned shift = 8 * static_cast<unsigned>(offset & 4);
    return bytes == 8 ? value : merge(whole, u64{0xffff'ffff} << shift, value << shift);
}

bool Aclint::read(u64 offset, unsigned bytes, u64& value) {
    if (bytes < 4 || (bytes == 8 && offset < kMtimecmp)) return false;
    value = 0;
    if (offset < kMtimecmp) {
        if (present(offset / 4)) value = s_.msip[offset / 4];
    } else if (offset >= kMtime && offset < kMtime + 8) {
        value = half_of(mtime(), offset, bytes);
    } else if (const u64 hart = (offset - kMtimecmp) / 8; present(hart)) {
        value = half_of(s_.mtimecmp[hart], offset, bytes);
    }
    return true;
}

bool Aclint::write(u64 offset, unsigned bytes, u64 value) {
    if (bytes < 4 || (bytes == 8 && offset < kMtimecmp)) return false;
    if (offset < kMtimecmp) {
        const u64 hart = offset / 4;
        if (!present(hart)) return true;
        s_.msip[hart] = value & 1;
        port_.set_hart_line(static_cast<unsigned>(hart), kMsip, (value & 1) != 0);
    } else if (offset >= kMtime && offset < kMtime + 8) {
        set_mtime(with_half(mtime(), offset, bytes, value));
    } else if (const u64 hart = (offset - kMtimecmp) / 8; present(hart)) {
        s_.mtimecmp[hart] = with_half(s_.mtimecmp[hart], offset, bytes, value);
        update_timer(static_cast<unsigned>(hart));
    }
    return true;
}

void Aclint::set_mtime(u64 time) {
    port_.set_time_offset(time - port_.now() / kTickNs);
    for (unsigned hart = 0; present(hart); ++hart) update_timer(hart);
}

// priv, "Machine Timer (mtime and mtimecmp) Registers": pending while mtime >= mtimecmp, as unsigned
// integers.
void Aclint::update_timer(unsigned hart) {
    if (!present(hart)) return;
    const u64 time = mtime(), compare = s_.mtimecmp[hart];
    port_.set_hart_line(hart, kMtip, time >= compare);
    const u64 start = port_.now() / kTickNs;
    if (time < compare && compare - time <= ~u64{0} / kTickNs - start)
        port_.schedule((start + (compare - time)) * kTickNs, hart);
    else
        port_.cancel(hart);  // pending, or beyond the end of virtual time
}

void Aclint::describe(Archive& archive) {
    archive.field("mtimecmp", s_.mtimecmp);
    archive.field("msip", s_.msip);
    for (u8 msip : s_.msip) archive.require(msip <= 1, "aclint.msip");
}

void Aclint::describe_node(DeviceTree& tree, const NodePlace& place) const {
    const std::array<std::string, 2> compatible{"sifive,clint0", "riscv,clint0"};
    std::vector<u32> interrupts;
    for (u32 hart : place.hart_phandles) interrupts.insert(interrupts.end(), {hart, kMsip, hart, kMtip});
    tree.begin(node_name("clint", place.base));
    tree.cells("interrupts-extended", interrupts);
    tree.reg(place.base, size());
    tree.texts("compatible", compatible);
    tree.end();
}

class Sswi final : public Device {
public:
    explicit Sswi(DevicePort& port) : port_(port) {}
    std::string_view name() const override { return "aclint_sswi"; }
    u64 size() const override { return 0x4000; }
    // aclint, "SSWI": SETSSIP reads as zero, for the pending bit is the hart's own.
    bool read(u64, unsigned bytes, u64& value) override {
        value = 0;
        return bytes == 4;
    }
    bool write(u64 offset, unsigned bytes, u64 value) override {
        if (bytes != 4) return false;
        const u64 hart = offset / 4;
        if (hart < port_.harts() && (value & 1) != 0)
            port_.set_hart_line(static_cast<unsigned>(hart), kSsip, true);
        return true;
    }
    void reset() override {}
    void describe(Archive&) override {}  // it has no state: it sends edges
    void describe_node(DeviceTree& tree, const NodePlace& place) const override;

private:
    DevicePort& port_;
};

void Sswi::describe_node(DeviceTree& tree, const NodePlace& place) const {
    std::vector<u32> interrupts;
    for (u32 hart : place.hart_phandles) interrupts.insert(interrupts.end(), {hart, kSsip});
    tree.begin(node_name("sswi", place.base));
    tree.cells("#interrupt-cells", {0});
    tree.flag("interrupt-controller");
    tree.cells("interrupts-extended", interrupts);
    tree.reg(place.base, size());
    tree.text("compatible", "riscv,aclint-sswi");
    tree.end();
}
}  // namespace

DeviceFactory aclint() {
    return [](DevicePort& port) { return std::make_unique<Aclint>(port); };
}
DeviceFactory aclint_sswi() {
    return [](DevicePort& port) { return std::make_unique<Sswi>(port); };
}
}  // namespace hartline
