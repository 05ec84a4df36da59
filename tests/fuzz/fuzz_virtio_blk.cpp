// A disk's driver may do anything: the device answers, touches RAM only, and is itself again after a reset.

// floor: devices
#include "tests/devices/virtio_games.hpp"

extern "C" int LLVMFuzzerTestOneInput(const hartline::u8* input, std::size_t size) {
    hartline::test::fuzz_virtio_blk({input, size});
    return 0;
}
