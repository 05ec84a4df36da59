// SiFive's test finisher: how a guest powers its machine off or restarts it.
#include "devices/finisher.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "devices/node_name.hpp"

namespace hartline {
namespace {
constexpr u32 kPass = 0x5555, kFail = 0x3333, kReset = 0x7777;

class Finisher final : public Device {
public:
    explicit Finisher(DevicePort& port) : port_(port) {}
    std::string_view name() const override { return "finisher"; }
    u64 size() const override { return 0x1000; }
    bool read(u64, unsigned bytes, u64& value) override {
        value = 0;
        return bytes == 2 || bytes == 4;
    }
    bool write(u64 offset, unsigned bytes, u64 value) override;
    void reset() override {}
    void describe(Archive&) override {}  // it has no state
    void describe_node(DeviceTree& tree, const NodePlace& place) const override;

private:
    DevicePort& port_;
};

bool Finisher::write(u64 offset, unsigned bytes, u64 value) {
    if (bytes != 2 && bytes != 4) return false;
    if (offset != 0) return true;
    const auto code = static_cast<u32>(bits(value, 31, 16));
    switch (bits(value, 15, 0)) {
        case kPass: port_.request_stop({StopRequest::Kind::PowerOff, 0}); break;
        // A failure stays one without a code too: OpenSBI's "shut down, system failure" gives none.
        case kFail: port_.request_stop({StopRequest::Kind::PowerOff, std::max(code, 1u)}); break;
        case kReset: port_.request_stop({StopRequest::Kind::Reset, 0}); break;
        default: break;
    }
    return true;
}

// Linux powers off through syscon-poweroff when its firmware has no SRST.
void Finisher::describe_node(DeviceTree& tree, const NodePlace& place) const {
    const std::array<std::string, 3> compatible{"sifive,test1", "sifive,test0", "syscon"};
    const u32 phandle = tree.new_phandle();
    tree.begin(node_name("test", place.base));
    tree.phandle(phandle);
    tree.reg(place.base, size());
    tree.texts("compatible", compatible);
    tree.end();
    const auto syscon = [&](const char* node, const char* driver, u32 value) {
        tree.begin(node);
        tree.cells("value", {value});
        tree.cells("offset", {0});
        tree.cells("regmap", {phandle});
        tree.text("compatible", driver);
        tree.end();
    };
    syscon("poweroff", "syscon-poweroff", kPass);
    syscon("reboot", "syscon-reboot", kReset);
}
}  // namespace

DeviceFactory finisher() {
    return [](DevicePort& port) { return std::make_unique<Finisher>(port); };
}
}  // namespace hartline
