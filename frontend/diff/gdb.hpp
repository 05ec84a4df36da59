// The client's side of GDB's remote protocol ("GDB Remote Serial Protocol"), as much as stepping needs.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"
#include "frontend/host/files.hpp"

namespace hartline::gdb {

std::string frame(std::string_view payload);  // $payload#xx

struct Unframed {
    enum class Kind : u8 { Incomplete, Packet, Broken };
    Kind kind = Kind::Incomplete;
    std::string payload;   // escapes and repetitions undone
    std::size_t used = 0;  // bytes that are done with
};
// The first packet of what has come; acknowledgements in front of it are passed over.
Unframed unframe(std::string_view bytes);

// Values of a `g` or `p` reply: little-endian hexadecimal of `bytes` each. Empty: it is none.
std::vector<u64> register_values(std::string_view reply, unsigned bytes);
// Names and numbers of a target description's registers, numbered on from `next`.
void add_registers(std::string_view xml, std::map<std::string, unsigned>& registers, unsigned& next);
// Files that a target description includes.
std::vector<std::string> includes(std::string_view xml);

class Client {
public:
    // A connected socket.
    explicit Client(Descriptor socket) : socket_(std::move(socket)) {}
    // Sends a packet and waits for the reply. Throws HostError.
    std::string ask(std::string_view payload);
    void tell(std::string_view payload);
    // The registers that can be asked for one by one.
    std::map<std::string, unsigned> registers();

private:
    void send(std::string_view bytes);
    std::string read_file(const std::string& name);

    Descriptor socket_;
    std::string received_;
};
}  // namespace hartline::gdb
