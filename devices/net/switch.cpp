// Ports and the table of addresses.
#include "devices/net/switch.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "devices/net/link.hpp"

namespace hartline::net {
namespace {

class Port;

class LearningSwitch final : public Switch {
public:
    std::shared_ptr<NetBackend> port() override;
    std::size_t known() override {
        const std::lock_guard lock(lock_);
        return where_.size();
    }
    void forward(const Port& from, const Frame& frame);
    void unplug(const Port& port);

private:
    void learn(const Mac& source, const Port& from);

    std::mutex lock_;
    std::vector<std::weak_ptr<Port>> ports_;
    std::map<Mac, const Port*> where_;
};

// Frames go on at once, on the sender's thread: there is nobody to wake, and so no queue on the way out.
class Port final : public NetBackend {
public:
    explicit Port(std::shared_ptr<LearningSwitch> owner) : switch_(std::move(owner)) {}
    ~Port() override { switch_->unplug(*this); }
    void open(Deliver deliver) override { link_.open(std::move(deliver)); }
    void close() override { link_.close(); }
    void send(Frame frame) override { switch_->forward(*this, frame); }
    void taken(u64 bytes) override { link_.taken(bytes); }
    void receive(const Frame& frame) { link_.deliver(frame); }

private:
    std::shared_ptr<LearningSwitch> switch_;
    Link link_;
};

Mac mac_at(const Frame& frame, std::size_t at) {
    Mac mac;
    std::copy_n(frame.bytes.begin() + static_cast<std::ptrdiff_t>(at), mac.size(), mac.begin());
    return mac;
}

std::shared_ptr<NetBackend> LearningSwitch::port() {
    auto made = std::make_shared<Port>(std::static_pointer_cast<LearningSwitch>(shared_from_this()));
    const std::lock_guard lock(lock_);
    ports_.push_back(made);
    return made;
}

void LearningSwitch::unplug(const Port& port) {
    const std::lock_guard lock(lock_);
    std::erase_if(ports_, [](const std::weak_ptr<Port>& plugged) { return plugged.expired(); });
    std::erase_if(where_, [&](const auto& entry) { return entry.second == &port; });
}

void LearningSwitch::learn(const Mac& source, const Port& from) {
    if ((source[0] & 1) != 0) return;  // no group is a sender
    if (where_.size() >= kMostMacs && !where_.contains(source)) where_.clear();
    where_[source] = &from;
}

// The receivers are held while the lock is not: a port that goes would want it.
void LearningSwitch::forward(const Port& from, const Frame& frame) {
    if (frame.bytes.size() < kEthernetBytes) return;
    const Mac to = mac_at(frame, 0);
    std::vector<std::shared_ptr<Port>> receivers;
    {
        const std::lock_guard lock(lock_);
        learn(mac_at(frame, to.size()), from);
        const auto known = (to[0] & 1) == 0 ? where_.find(to) : where_.end();
        for (const std::weak_ptr<Port>& plugged : ports_) {
            auto port = plugged.lock();
            if (port == nullptr || port.get() == &from) continue;
            if (known == where_.end() || known->second == port.get()) receivers.push_back(std::move(port));
        }
    }
    for (const auto& port : receivers) port->receive(frame);
}
}  // namespace

std::shared_ptr<Switch> Switch::make() { return std::make_shared<LearningSwitch>(); }
}  // namespace hartline::net
