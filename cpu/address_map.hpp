// What is known by physical addresses of instructions: a table with open addressing.
#pragma once
#include <cstddef>
#include <vector>

#include "core/types.hpp"

namespace hartline {

template <class Value>
class AddressMap {
public:
    // Null: nothing. Until the next change.
    const Value* find(u64 paddr) const {
        const u64 key = key_of(paddr);
        for (std::size_t at = home(key);; at = next(at)) {
            if (slots_[at].key == key) return &slots_[at].value;
            if (slots_[at].key == 0) return nullptr;
        }
    }
    // In the place of what the address had.
    void put(u64 paddr, Value value) {
        if ((filled_ + 1) * 2 > slots_.size()) grow();
        Slot& slot = slots_[place_of(key_of(paddr))];
        filled_ += slot.key == 0;
        slot = {key_of(paddr), value};
    }
    void erase(u64 paddr) {
        std::size_t hole = place_of(key_of(paddr));
        if (slots_[hole].key == 0) return;
        // What follows moves up, where it may: searches end at the first empty slot.
        for (std::size_t at = next(hole); slots_[at].key != 0; at = next(at)) {
            if (distance(home(slots_[at].key), at) < distance(hole, at)) continue;
            slots_[hole] = slots_[at];
            hole = at;
        }
        slots_[hole] = {};
        --filled_;
    }
    void clear() {
        slots_.assign(kFirstSlots, Slot{});
        filled_ = 0;
    }

private:
    static constexpr std::size_t kFirstSlots = 1 << 12;  // a power of two, as is every size
    struct Slot {
        u64 key = 0;  // 0: empty
        Value value{};
    };
    static u64 key_of(u64 paddr) { return paddr | 1; }  // instructions are at even addresses
    std::size_t mask() const { return slots_.size() - 1; }
    std::size_t home(u64 key) const {
        return static_cast<std::size_t>((key >> 1) * 0x9e37'79b9'7f4a'7c15 >> 20) & mask();
    }
    std::size_t next(std::size_t at) const { return (at + 1) & mask(); }
    std::size_t distance(std::size_t from, std::size_t to) const { return (to - from) & mask(); }
    // Where the key is, or would be.
    std::size_t place_of(u64 key) const {
        std::size_t at = home(key);
        while (slots_[at].key != 0 && slots_[at].key != key) at = next(at);
        return at;
    }
    void grow() {
        std::vector<Slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old)
            if (slot.key != 0) slots_[place_of(slot.key)] = slot;
    }

    std::vector<Slot> slots_ = std::vector<Slot>(kFirstSlots);
    std::size_t filled_ = 0;
};
}  // namespace hartline
