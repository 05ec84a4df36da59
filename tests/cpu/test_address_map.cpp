// A table by addresses: what it holds, it finds.
#include <catch2/catch.hpp>

#include <random>
#include <unordered_map>

#include "cpu/address_map.hpp"

using namespace hartline;

TEST_CASE("an address map holds what a standard one holds") {
    AddressMap<u32> map;
    std::unordered_map<u64, u32> standard;
    std::mt19937_64 random{3};
    for (const u64 addresses : {64u, 3'000u, 60'000u}) {
        for (u32 i = 0; i < 200'000; ++i) {
            const u64 paddr = 0x8000'0000 + random() % addresses * 2;
            const u32* const found = map.find(paddr);
            const auto wanted = standard.find(paddr);
            REQUIRE((found == nullptr) == (wanted == standard.end()));
            if (found != nullptr) REQUIRE(*found == wanted->second);
            if (random() % 2 == 0) {
                map.put(paddr, i);
                standard[paddr] = i;
            } else {
                map.erase(paddr);
                standard.erase(paddr);
            }
        }
        map.clear();
        standard.clear();
    }
}
