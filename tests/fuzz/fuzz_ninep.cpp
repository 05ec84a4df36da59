// 9P requests of any content are answered, and touch nothing but the shared folder.

// floor: devices
#include "tests/devices/ninep_fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const hartline::u8* input, std::size_t size) {
    hartline::test::fuzz_ninep({input, size});
    return 0;
}
