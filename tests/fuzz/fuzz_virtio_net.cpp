// A network card's driver and its network may do anything: the card answers, touches RAM only, and is itself
// again after a reset.

// floor: devices
#include "tests/devices/virtio_games.hpp"

extern "C" int LLVMFuzzerTestOneInput(const hartline::u8* input, std::size_t size) {
    hartline::test::fuzz_virtio_net({input, size});
    return 0;
}
