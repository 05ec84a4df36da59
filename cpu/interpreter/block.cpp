// The cache of decoded blocks.
#include "cpu/interpreter/block.hpp"

#include <algorithm>
#include <new>

namespace hartline {
namespace {
constexpr std::size_t kArenaBytes = 128 << 20;
constexpr u32 kFirstGrant = 16, kLargestGrant = 1 << 16;  // stores
}  // namespace

BlockCache::BlockCache() : arena_(kArenaBytes) {}

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
    blocks_.put(paddr, block);
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
        blocks_.erase(block->paddr);
        block->paddr = Block::kDropped;
        block->entry = entry;
        block->unit = 0;
        return true;
    });
    frame.dropped |= all;
    return {dropped != 0, frame.blocks.empty()};
}

void BlockCache::clear() {
    blocks_.clear();
    used_ = 0;
    by_frame_.clear();
    arena_.discard();
}
}  // namespace hartline
