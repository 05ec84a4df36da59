// Which units a program of a category is made of.
#include "frontend/fuzz/generate.hpp"

#include <algorithm>

#include "frontend/fuzz/units.hpp"

namespace hartline::fuzz {
namespace {
using Unit = void (*)(Writer&, const Rows&);
struct Choice {
    Unit unit;
    u32 weight;
};
struct Diet {
    std::vector<Choice> choices;
    u32 other_modes;  // segments in a hundred that run in S- or U-mode
    u32 paged;        // of those, in a hundred, with address translation
};

Diet diet_of(Category category) {
    switch (category) {
        case Category::Integer:
            return {{{integer, 60}, {refresh, 8}, {branch, 8}, {jump, 3}, {loop, 2}}, 10, 10};
        case Category::Compressed:
            return {
                {{compressed, 60}, {refresh, 8}, {branch, 8}, {compressed_access, 12}, {jump, 3}}, 10, 10};
        case Category::Memory:
            return {{{access, 40},
                     {access_fp, 12},
                     {compressed_access, 15},
                     {integer, 15},
                     {refresh, 10},
                     {branch, 3},
                     {cache_block, 3},
                     {modified_privilege, 1}},
                    30,
                    30};
        case Category::Float:
            return {{{floating, 60}, {refresh, 20}, {access_fp, 4}, {integer, 5}, {branch, 3}}, 5, 0};
        case Category::Atomic:
            return {{{atomic, 40}, {reserve, 15}, {access, 5}, {refresh, 10}, {integer, 15}, {branch, 3}},
                    20,
                    30};
        case Category::Csr:
            return {
                {{csr_probe, 40}, {csr_illegal, 8}, {integer, 10}, {refresh, 8}, {floating, 5}, {wait, 1}},
                30,
                10};
        case Category::Trap:
            return {{{exception, 30},
                     {delegate, 6},
                     {supervisor_return, 6},
                     {csr_illegal, 6},
                     {integer, 20},
                     {refresh, 6},
                     {branch, 4},
                     {to_island, 3},
                     {wait, 1},
                     {access, 5},
                     {modified_privilege, 2}},
                    70,
                    40};
        case Category::Paging:
            return {{{remap, 15},
                     {access, 30},
                     {access_fp, 5},
                     {atomic, 6},
                     {to_island, 8},
                     {status_bits, 4},
                     {integer, 10},
                     {refresh, 5},
                     {delegate, 2},
                     {modified_privilege, 3},
                     {cache_block, 2}},
                    80,
                    95};
        case Category::Pmp:
            return {{{protect, 8},
                     {access, 40},
                     {access_fp, 5},
                     {atomic, 6},
                     {to_island, 10},
                     {integer, 10},
                     {refresh, 5},
                     {modified_privilege, 4},
                     {delegate, 1},
                     {reserve, 2}},
                    60,
                    30};
        case Category::Selfmod:
            return {
                {{self_modify, 30}, {integer, 30}, {compressed, 10}, {branch, 5}, {refresh, 5}, {loop, 2}},
                20,
                40};
        case Category::Mixed: break;
    }
    return {{{integer, 20},
             {compressed, 10},
             {floating, 15},
             {refresh, 10},
             {branch, 6},
             {jump, 2},
             {loop, 1},
             {access, 12},
             {access_fp, 4},
             {compressed_access, 6},
             {atomic, 4},
             {reserve, 2},
             {cache_block, 1},
             {self_modify, 3},
             {exception, 3},
             {delegate, 1},
             {supervisor_return, 1},
             {modified_privilege, 1},
             {protect, 1},
             {remap, 4},
             {status_bits, 1},
             {to_island, 3}},
            50,
            60};
}

constexpr u64 kMostBody = 6000;  // instructions of a body, about
constexpr std::size_t kSegment = 250;

class Generator {
public:
    explicit Generator(const Recipe& recipe)
        : w_(recipe), rows_(recipe.dialect), diet_(diet_of(recipe.category)) {
        for (const Choice& choice : diet_.choices) weights_ += choice.weight;
    }
    Program run() {
        const u64 wanted = w_.program.recipe.length, body = std::clamp<u64>(wanted, 1, kMostBody);
        while (w_.size() < body) segment(std::min(body - w_.size(), kSegment));
        w_.program.turns = static_cast<u32>(std::max<u64>(1, wanted / body));
        return std::move(w_.program);
    }

private:
    void segment(std::size_t length) {
        if (w_.random.below(100) < diet_.other_modes) enter_mode();
        const std::size_t end = w_.size() + length;
        while (w_.size() < end) {
            w_.begin_unit();
            unit()(w_, rows_);
        }
        w_.land_everything();
        leave(w_);
        checkpoint(w_);
    }
    void enter_mode() {
        u64 satp = 0;
        if (w_.random.below(100) < diet_.paged) {
            const u64 mode = 8 + w_.random.below(3);
            constexpr u64 kRoots[] = {0x8000'6000, 0x8000'5000, 0x8000'4000};
            satp = mode << 60 | u64{w_.random.below(4)} << 44 | kRoots[mode - 8] >> 12;
        }
        enter(w_, w_.random.one_in(2) ? Mode::Supervisor : Mode::User, satp);
    }
    Unit unit() {
        u32 at = w_.random.below(weights_);
        for (const Choice& choice : diet_.choices) {
            if (at < choice.weight) return choice.unit;
            at -= choice.weight;
        }
        return integer;
    }

    Writer w_;
    Rows rows_;
    Diet diet_;
    u32 weights_ = 0;
};
}  // namespace

Program generate(const Recipe& recipe) { return Generator(recipe).run(); }
}  // namespace hartline::fuzz
