// Whoever wants to know of host code as it is made.
#pragma once
#include "core/types.hpp"

namespace hartline {

struct Translated {
    unsigned hart = 0;
    u64 vaddr = 0, paddr = 0;  // of its first instruction; vaddr as it was then
    u64 code = 0, bytes = 0;   // where the host executes it
};

class TranslationListener {
public:
    virtual ~TranslationListener() = default;
    // On the thread of the hart: harts of a parallel machine call at the same time.
    virtual void translated(const Translated& unit) = 0;
};
}  // namespace hartline
