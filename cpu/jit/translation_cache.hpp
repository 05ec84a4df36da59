// Units, and the memory of their code: of one hart, or of all harts of a machine that run on threads.
//
// All is changed under SeenCode's mutex. Without it harts execute code, and look at units by their numbers.
// A dropped unit is led to no more, but some hart may be executing it, until its own next fence.i. So its
// code, its number and what is known of it stay until their part of the memory is emptied, and that waits
// until every hart has been away from all units since.
#pragma once
#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cpu/interpreter/seen_code.hpp"
#include "cpu/jit/code_cache.hpp"
#include "cpu/jit/stubs.hpp"
#include "cpu/jit/unit.hpp"

namespace hartline::jit {

class TranslationCache final : public SeenCode {
public:
    TranslationCache(std::size_t code_bytes, bool shared);

    // What a hart has seen the end of: what parts held up to this epoch, it neither executes nor remembers.
    struct Presence {
        static constexpr u64 kAway = ~u64{0};
        std::atomic<u64> epoch{kAway};
    };
    // While a hart runs.
    class Visit {
    public:
        Visit(const TranslationCache& cache, Presence& hart) : hart_(hart) { cache.arrive(hart); }
        ~Visit() { hart_.epoch.store(Presence::kAway, std::memory_order_release); }
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;

    private:
        Presence& hart_;
    };

    // Null: there is none of that number. It may be dropped.
    const Unit* unit(u32 number) const { return slot(number).load(std::memory_order_acquire); }

    // --- with the mutex
    void join(Presence& hart, const JitContext& context);
    void leave(Presence& hart) { std::erase(harts_, &hart); }
    CodeCache& code() { return code_; }
    const CodeCache& code() const { return code_; }
    const Stubs& stubs() const { return stubs_; }
    const Unit* find(u64 paddr) const;                   // not dropped
    u32 far_entry_of(u64 paddr) const;                   // of what find() finds; 0: nothing
    const Unit& unit_of_code(u32 offset) const;          // that has the code
    std::vector<const Unit*> units_of(u64 frame) const;  // not dropped
    u32 new_number();
    void give_back(u32 number) { free_numbers_.push_back(number); }
    void add(std::unique_ptr<Unit> unit);
    // Makes the link jump to the unit itself; one with a cell, where that is `page`.
    void connect(u32 link, const Unit& to);
    void connect(u32 link, const Unit& to, u64 page);
    void forget_far();  // no cell holds any more
    const Link& link(u32 number) const { return unit(number / kMostLinks)->links[number % kMostLinks]; }
    // Drops the units of a frame that have any of the bytes, or all of them. How many?
    u64 drop(u64 paddr, u64 bytes, bool all);
    u64 drop_all();

    // Empties a part, if need be. The caller knows no units, and forgets where jumps lead if the epoch is
    // another afterwards.
    struct Room {
        bool made = false;  // false: not yet; some hart may be executing what is to go
        u64 dropped = 0;
        bool evicted = false;
    };
    Room make_room(Presence& caller);

private:
    struct Part {
        std::vector<std::unique_ptr<Unit>> units;  // by `begin`
        u64 condemned = 0;                         // epoch by which all of them were dropped
    };
    std::atomic_ref<Unit*> slot(u32 number) const {
        return std::atomic_ref<Unit*>(slots_.as<Unit*>()[number]);
    }
    Link& link_of(u32 number) { return slot(number / kMostLinks).load()->links[number % kMostLinks]; }
    void arrive(Presence& hart) const;
    void disconnect(u32 link);
    void drop(Unit& unit);
    u64 condemn(Part& part);
    void empty(Part& part);

    CodeCache code_;
    Stubs stubs_;
    HostMapping slots_;  // a Unit* a number, from 1 on
    u32 next_number_ = 1;
    std::vector<u32> free_numbers_;
    std::array<Part, CodeCache::kParts> parts_;
    std::vector<std::unique_ptr<Unit>> looked_at_;  // perhaps, by harts that have not seen the epoch
    u64 looked_at_until_ = 0;
    struct Entry {
        u32 number, far_entry;
    };
    AddressMap<Entry> by_paddr_;
    std::unordered_map<u64, std::vector<u32>> by_frame_;
    std::vector<u32> far_links_;  // connected by a cell since all were last forgotten
    std::atomic<u64> epoch_{1};
    std::vector<Presence*> harts_;
};
}  // namespace hartline::jit
