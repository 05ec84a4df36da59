// Records of a console's ports.
#include "devices/stream/port_host.hpp"

#include <algorithm>
#include <cstring>

namespace hartline::stream {
std::vector<u8> port_record(PortRecord kind, u8 port, std::span<const u8> rest) {
    std::vector<u8> record(2 + rest.size());
    record[0] = static_cast<u8>(kind);
    record[1] = port;
    std::ranges::copy(rest, record.begin() + 2);
    return record;
}
std::vector<u8> port_record(PortRecord kind, u8 port, u32 number) {
    u8 bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    return port_record(kind, port, bytes);
}
}  // namespace hartline::stream
