// The cache of decoded blocks.
#include "cpu/interpreter/block.hpp"

#include <new>

namespace hartline {
namespace {
constexpr std::size_t kArenaBytes = 32 << 20;
constexpr std::size_t kFirstSlots = 1 << 12;
constexpr u64 kDead = 2;  // a dropped slot: searches go on past it

std::size_t hash_of(u64 key, std::size_t slots) {
    return static_cast<std::size_t>((key >> 1) * 0x9e37'79b9'7f4a'7c15 >> 20) & (slots - 1);
}
}  // namespace

BlockCache::BlockCache() : arena_(kArenaBytes), slots_(kFirstSlots) {}

Block* BlockCache::find(u64 paddr) const {
    const u64 key = paddr | 1;
    for (std::size_t at = hash_of(key, slots_.size());; at = (at + 1) & (slots_.size() - 1)) {
        if (slots_[at].key == key) return slots_[at].block;
        if (slots_[at].key == 0) return nullptr;
    }
}

void BlockCache::insert(u64 key, Block* block) {
    std::size_t at = hash_of(key, slots_.size());
    while (slots_[at].key != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {key, block};
    ++filled_;
}

void BlockCache::grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    filled_ = 0;
    for (const Slot& slot : old)
        if (slot.key > kDead) insert(slot.key, slot.block);
}

Block* BlockCache::add(u64 paddr, unsigned count) {
    auto* const block = new (arena_.as<u8>() + used_) Block{};
    used_ += rounded_size(count);
    block->paddr = paddr;
    block->count = static_cast<u16>(count);
    if ((filled_ + 1) * 2 > slots_.size()) grow();
    insert(paddr | 1, block);
    by_frame_[paddr / kFrameBytes].push_back(paddr);
    return block;
}

bool BlockCache::drop_frame(u64 frame_address) {
    const auto found = by_frame_.find(frame_address / kFrameBytes);
    if (found == by_frame_.end()) return false;
    for (const u64 paddr : found->second) {
        const u64 key = paddr | 1;
        std::size_t at = hash_of(key, slots_.size());
        while (slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
        slots_[at] = {kDead, nullptr};
    }
    by_frame_.erase(found);
    return true;
}

void BlockCache::clear() {
    slots_.assign(kFirstSlots, Slot{});
    filled_ = 0;
    used_ = 0;
    by_frame_.clear();
    arena_.discard();
}
}  // namespace hartline
