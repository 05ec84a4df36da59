// Frames to and from /dev/net/tun, with work left on them as Linux describes it (which is as virtio does).
#include "devices/net/tap.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "devices/net/thread.hpp"

#ifndef TUN_F_USO4  // of Linux 6.2: older headers lack the names
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace hartline::net {
namespace {
constexpr const char* kDevice = "/dev/net/tun";
constexpr unsigned kFramesATurn = 64;

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

class TapNetwork final : public ThreadedBackend {
public:
    explicit TapNetwork(const std::string& interface);
    ~TapNetwork() override { close(); }

private:
    void turn() override;
    void read_frames();
    void write_frame(Frame& frame);
    [[noreturn]] static void fail(const std::string& interface, const std::string& what, const char* way_out);

    Descriptor tap_;
    bool udp_segments_ = false;  // does the host cut datagrams?
    std::vector<u8> buffer_;
};

void TapNetwork::fail(const std::string& interface, const std::string& what, const char* way_out) {
    throw std::runtime_error("--net tap=" + interface + ": " + what + ": " + std::strerror(errno) + ": " +
                             way_out);
}

TapNetwork::TapNetwork(const std::string& interface)
    : tap_(::open(kDevice, O_RDWR | O_CLOEXEC | O_NONBLOCK)), buffer_(kMostFrameBytes) {
    if (tap_.get() < 0) fail(interface, kDevice, "load the module tun, and run with the right to use it");
    ifreq request{};
    if (interface.empty() || interface.size() >= sizeof request.ifr_name) {
        errno = EINVAL;
        fail(interface, "the name", "choose 1 to 15 characters");
    }
    interface.copy(request.ifr_name, interface.size());
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (::ioctl(tap_.get(), TUNSETIFF, &request) != 0)
        fail(
            interface, "the host refuses it",
            "make it for yourself with: sudo ip tuntap add NAME mode tap user $USER && sudo ip link set NAME up");
    int header = sizeof(Offload);
    constexpr unsigned kStreams = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    udp_segments_ = ::ioctl(tap_.get(), TUNSETOFFLOAD, kStreams | TUN_F_USO4 | TUN_F_USO6) == 0;
    if (::ioctl(tap_.get(), TUNSETVNETHDRSZ, &header) != 0 ||
        (!udp_segments_ && ::ioctl(tap_.get(), TUNSETOFFLOAD, kStreams) != 0))
        fail(interface, "the host cannot leave checksums to a card", "use a newer Linux");
}

void TapNetwork::read_frames() {
    for (unsigned count = 0; count < kFramesATurn && link().room(); ++count) {
        Frame frame;
        const iovec parts[] = {{&frame.offload, sizeof frame.offload}, {buffer_.data(), buffer_.size()}};
        const ssize_t got = ::readv(tap_.get(), parts, 2);
        if (got < static_cast<ssize_t>(sizeof frame.offload)) return;
        const auto size = static_cast<std::ptrdiff_t>(got) - std::ptrdiff_t{sizeof frame.offload};
        frame.bytes.assign(buffer_.begin(), buffer_.begin() + size);
        link().deliver(frame);
    }
}

// What the host does not take is lost, as on a wire.
void TapNetwork::write_frame(Frame& frame) {
    if (frame.offload.gso_type == kGsoUdp && !udp_segments_) {
        segment(frame, [this](Frame&& piece) { write_frame(piece); });
        return;
    }
    const iovec parts[] = {{&frame.offload, sizeof frame.offload}, {frame.bytes.data(), frame.bytes.size()}};
    while (::writev(tap_.get(), parts, 2) < 0 && errno == EINTR) {}
}

void TapNetwork::turn() {
    std::vector<pollfd> files;
    if (link().room()) files.push_back({tap_.get(), POLLIN, 0});
    wait(files, -1);
    for (Frame& frame : link().collect()) write_frame(frame);
    if (!files.empty() && files[0].revents != 0) read_frames();
}
}  // namespace

std::shared_ptr<NetBackend> tap_network(const std::string& interface) {
    return std::make_shared<TapNetwork>(interface);
}
}  // namespace hartline::net
