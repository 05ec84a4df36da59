// The cache of decoded blocks.
#include "cpu/interpreter/block.hpp"

#include <algorithm>
#include <new>

namespace hartline {
namespace {
constexpr std::size_t kArenaBytes = 32 << 20;
constexpr std::size_t kFirstSlots = 1 << 12;
constexpr u32 kFirstGrant = 16, kLargestGrant = 1 << 16;  // stores

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
        if (slot.key != 0) insert(slot.key, slot.block);
}

// What follows moves up, where it may: searches end at the first empty slot.
void BlockCache::erase(u64 key) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash_of(key, slots_.size());
    while (slots_[at].key != key) at = (at + 1) & mask;
    for (std::size_t next = (at + 1) & mask; slots_[next].key != 0; next = (next + 1) & mask) {
        const std::size_t home = hash_of(slots_[next].key, slots_.size());
        if (((next - home) & mask) < ((next - at) & mask)) continue;
        slots_[at] = slots_[next];
        at = next;
    }
    slots_[at] = {};
    --filled_;
}

// A bit each.
u64 BlockCache::granules(u64 paddr, u64 bytes) {
    constexpr u64 kGranule = kFrameBytes / 64;
    const u64 first = paddr % kFrameBytes / kGranule, last = (paddr + bytes - 1) % kFrameBytes / kGranule;
    return (~u64{0} << first) & (~u64{0} >> (63 - last));
}

Block* BlockCache::add(u64 paddr, unsigned count, unsigned bytes) {
    auto* const block = new (arena_.as<u8>() + used_) Block{};
    used_ += rounded_size(count);
    block->paddr = paddr;
    block->count = static_cast<u16>(count);
    block->bytes = static_cast<u16>(bytes);
    if ((filled_ + 1) * 2 > slots_.size()) grow();
    insert(paddr | 1, block);
    Frame& frame = by_frame_[paddr / kFrameBytes];
    frame.blocks.push_back(block);
    frame.granules |= granules(paddr, bytes);
    if (frame.dropped) frame.grant = std::clamp(frame.grant * 2, kFirstGrant, kLargestGrant);
    frame.dropped = false;
    frame.left = frame.grant;
    return block;
}

BlockCache::Dropped BlockCache::drop(u64 paddr, u64 bytes, Handler entry) {
    const auto found = by_frame_.find(paddr / kFrameBytes);
    if (found == by_frame_.end() || found->second.blocks.empty()) return {false, true};
    Frame& frame = found->second;
    const bool all = frame.left == 0;
    if (!all) --frame.left;
    if (!all && (frame.granules & granules(paddr, bytes)) == 0) return {};
    frame.granules = 0;
    const std::size_t dropped = std::erase_if(frame.blocks, [&](Block* block) {
        if (!all && !block->overlaps(paddr, bytes)) {
            frame.granules |= granules(block->paddr, block->bytes);
            return false;
        }
        erase(block->paddr | 1);
        block->paddr = Block::kDropped;
        block->entry = entry;
        block->unit = 0;
        return true;
    });
    frame.dropped |= all;
    return {dropped != 0, frame.blocks.empty()};
}

void BlockCache::clear() {
    slots_.assign(kFirstSlots, Slot{});
    filled_ = 0;
    used_ = 0;
    by_frame_.clear();
    arena_.discard();
}
}  // namespace hartline
