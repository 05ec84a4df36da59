// Two machines' states side by side: the fields and the memory that differ.
#pragma once
#include <string>
#include <vector>

#include "core/machine.hpp"

namespace hartline {

struct FieldDifference {
    std::string name;  // "hart.hart.x[10]"
    std::string a, b;  // hexadecimal
};
std::vector<FieldDifference> differing_fields(Machine& a, Machine& b);

struct MemoryDifference {
    u64 paddr = 0;  // of eight aligned bytes
    u64 a = 0, b = 0;
};
// The first `most` of them. Both have the same RAM.
std::vector<MemoryDifference> differing_memory(Machine& a, Machine& b, std::size_t most);
}  // namespace hartline
