// Platform-level interrupt controller: which device interrupt goes to which hart and mode.
#include "devices/plic.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <vector>

#include "devices/board.hpp"
#include "devices/node_name.hpp"

namespace hartline {
namespace {
constexpr unsigned kSources = kInterruptSources + 1;  // with source 0, which does not exist
constexpr unsigned kWords = kSources / 32;
static_assert(kSources % 32 == 0);
constexpr unsigned kContexts = 2 * kMostHarts;  // M and S of hart 0, M and S of hart 1, …
constexpr unsigned kMeip = 11, kSeip = 9;       // lines of a hart, numbered as the bits of mip
constexpr u32 kMostPriority = 7;

constexpr u64 kPending = 0x1000, kEnable = 0x2000, kEnableStep = 0x80, kContext = 0x20'0000,
              kContextStep = 0x1000;

using SourceSet = std::array<u32, kWords>;

bool has(const SourceSet& set, u32 source) { return bit(set[source / 32], source % 32) != 0; }
void put(SourceSet& set, u32 source, bool in) {
    const u32 mask = u32{1} << (source % 32);
    set[source / 32] = in ? set[source / 32] | mask : set[source / 32] & ~mask;
}

class Plic final : public Device {
public:
    explicit Plic(DevicePort& port) : port_(port) {}
    std::string_view name() const override { return "plic"; }
    u64 size() const override { return 0x60'0000; }
    bool read(u64 offset, unsigned bytes, u64& value) override;
    bool write(u64 offset, unsigned bytes, u64 value) override;
    void set_source(u32 irq, bool level) override;
    void reset() override { s_ = State{}; }
    void describe(Archive& archive) override;
    void describe_node(DeviceTree& tree, const NodePlace& place) const override;

private:
    unsigned contexts() const { return std::min(2 * port_.harts(), kContexts); }
    SourceSet enabled(unsigned context) const;
    u32 best(unsigned context, u32 threshold) const;
    u32 claim(unsigned context);
    void complete(unsigned context, u32 source);
    void update();

    struct State {
        std::array<u32, kSources> priority{};
        SourceSet level{};    // of the inputs
        SourceSet pending{};  // requests that their gateways have let in
        SourceSet claimed{};  // gateways that wait for completion
        std::array<u32, kContexts * kWords> enable{};
        std::array<u32, kContexts> threshold{};
        std::array<u32, kContexts / 32> line{};  // as last told to the harts
    } s_;
    static_assert(sizeof(State) ==
                      4 * (kSources + 3 * kWords + kContexts * kWords + kContexts + kContexts / 32),
                  "Plic::State changed: extend describe()");
    DevicePort& port_;
};

SourceSet Plic::enabled(unsigned context) const {
    SourceSet set{};
    for (unsigned word = 0; word < kWords; ++word) set[word] = s_.enable[context * kWords + word];
    return set;
}

// The pending, enabled source of the highest priority above `threshold`, the lowest number among equals; 0:
// none.
u32 Plic::best(unsigned context, u32 threshold) const {
    const SourceSet mask = enabled(context);
    u32 found = 0;
    for (unsigned word = 0; word < kWords; ++word) {
        for (u32 left = s_.pending[word] & mask[word]; left != 0; left &= left - 1) {
            const u32 source = word * 32 + static_cast<u32>(std::countr_zero(left));
            if (s_.priority[source] <= threshold) continue;
            threshold = s_.priority[source];
            found = source;
        }
    }
    return found;
}

// plic, "Interrupt Claim Process": the claim is not affected by the priority threshold. Priority 0 is
// "never".
u32 Plic::claim(unsigned context) {
    const u32 source = best(context, 0);
    if (source == 0) return 0;
    put(s_.pending, source, false);
    put(s_.claimed, source, true);
    update();
    return source;
}

// plic, "Interrupt Completion": ignored when the source is not enabled for the target; any target may
// complete.
void Plic::complete(unsigned context, u32 source) {
    if (source == 0 || source >= kSources || !has(enabled(context), source) || !has(s_.claimed, source))
        return;
    put(s_.claimed, source, false);
    if (has(s_.level, source)) put(s_.pending, source, true);
    update();
}

// plic, "Interrupt Gateways": a request that was let in stays, though its level falls before it is claimed.
void Plic::set_source(u32 irq, bool level) {
    if (irq == 0 || irq >= kSources || has(s_.level, irq) == level) return;
    put(s_.level, irq, level);
    if (!level || has(s_.claimed, irq) || has(s_.pending, irq)) return;
    put(s_.pending, irq, true);
    update();
}

void Plic::update() {
    for (unsigned context = 0; context < contexts(); ++context) {
        const u32 mask = u32{1} << (context % 32);
        const bool line = best(context, s_.threshold[context]) != 0;
        if (((s_.line[context / 32] & mask) != 0) == line) continue;
        s_.line[context / 32] ^= mask;
        port_.set_hart_line(context / 2, context % 2 == 0 ? kMeip : kSeip, line);
    }
}

bool Plic::read(u64 offset, unsigned bytes, u64& value) {
    if (bytes != 4) return false;
    value = 0;
    if (offset < kPending) {
        if (offset / 4 < kSources) value = s_.priority[offset / 4];
    } else if (offset < kEnable) {
        if (const u64 word = (offset - kPending) / 4; word < kWords) value = s_.pending[word];
    } else if (offset < kContext) {
        const u64 context = (offset - kEnable) / kEnableStep, word = (offset - kEnable) % kEnableStep / 4;
        if (context < contexts() && word < kWords) value = s_.enable[context * kWords + word];
    } else if (const u64 context = (offset - kContext) / kContextStep; context < contexts()) {
        const u64 within = (offset - kContext) % kContextStep;
        if (within == 0) value = s_.threshold[context];
        if (within == 4) value = claim(static_cast<unsigned>(context));
    }
    return true;
}

bool Plic::write(u64 offset, unsigned bytes, u64 value) {
    if (bytes != 4) return false;
    const auto word32 = static_cast<u32>(value);
    if (offset < kPending) {
        const u64 source = offset / 4;
        if (source == 0 || source >= kSources) return true;
        s_.priority[source] = word32 & kMostPriority;
        update();
    } else if (offset < kEnable) {
        // Pending bits are read-only.
    } else if (offset < kContext) {
        const u64 context = (offset - kEnable) / kEnableStep, word = (offset - kEnable) % kEnableStep / 4;
        if (context >= contexts() || word >= kWords) return true;
        s_.enable[context * kWords + word] = word == 0 ? word32 & ~u32{1} : word32;
        update();
    } else if (const u64 context = (offset - kContext) / kContextStep; context < contexts()) {
        const u64 within = (offset - kContext) % kContextStep;
        if (within == 0) s_.threshold[context] = word32 & kMostPriority;
        if (within == 0) update();
        if (within == 4) complete(static_cast<unsigned>(context), word32);
    }
    return true;
}

void Plic::describe(Archive& archive) {
    archive.field("priority", s_.priority);
    archive.field("level", s_.level);
    archive.field("pending", s_.pending);
    archive.field("claimed", s_.claimed);
    archive.field("enable", s_.enable);
    archive.field("threshold", s_.threshold);
    archive.field("line", s_.line);
    for (u32 priority : s_.priority) archive.require(priority <= kMostPriority, "plic.priority");
    for (u32 threshold : s_.threshold) archive.require(threshold <= kMostPriority, "plic.threshold");
    archive.require(((s_.level[0] | s_.pending[0] | s_.claimed[0]) & 1) == 0 && s_.priority[0] == 0,
                    "plic.source 0");
    for (unsigned context = 0; context < kContexts; ++context)
        archive.require((s_.enable[context * kWords] & 1) == 0, "plic.enable");
    for (unsigned word = 0; word < kWords; ++word)
        archive.require((s_.pending[word] & s_.claimed[word]) == 0, "plic.claimed");
}

void Plic::describe_node(DeviceTree& tree, const NodePlace& place) const {
    const std::array<std::string, 2> compatible{"sifive,plic-1.0.0", "riscv,plic0"};
    std::vector<u32> interrupts;
    for (u32 hart : place.hart_phandles) interrupts.insert(interrupts.end(), {hart, kMeip, hart, kSeip});
    tree.begin(node_name("plic", place.base));
    tree.phandle(place.controller_phandle);
    tree.cells("riscv,ndev", {kInterruptSources});
    tree.reg(place.base, size());
    tree.cells("interrupts-extended", interrupts);
    tree.flag("interrupt-controller");
    tree.texts("compatible", compatible);
    tree.cells("#address-cells", {0});
    tree.cells("#interrupt-cells", {1});
    tree.end();
}
}  // namespace

DeviceFactory plic() {
    return [](DevicePort& port) { return std::make_unique<Plic>(port); };
}
}  // namespace hartline
