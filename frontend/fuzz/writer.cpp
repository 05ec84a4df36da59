// Keeping account of what a body consists of.
#include "frontend/fuzz/writer.hpp"

namespace hartline::fuzz {

Writer::Writer(const Recipe& recipe)
    : random(recipe.seed * kCategories + static_cast<u64>(recipe.category)),
      program{.recipe = recipe, .body = {}} {
    random.next();
}

Insn& Writer::put(u32 word, u8 length) {
    program.body.push_back({.word = word, .length = length, .group = group_});
    return program.body.back();
}
void Writer::li(u8 rd, u64 value) {
    for (const u32 word : load_constant(rd, value)) put(word);
}
void Writer::put_forward(u32 word, u8 length) {
    landing_.emplace_back(size(), 1 + random.below(5));
    put(word, length);
}
void Writer::begin_unit() {
    std::erase_if(landing_, [&](auto& entry) {
        if (--entry.second != 0) return false;
        program.body[entry.first].target = static_cast<u32>(size());
        return true;
    });
}
void Writer::land_everything() {
    for (const auto& [from, units] : landing_) program.body[from].target = static_cast<u32>(size());
    landing_.clear();
}
u8 Writer::destination() {
    for (;;) {
        const auto reg = static_cast<u8>(random.below(30));
        if (!is_used(reg)) return reg;
    }
}
u8 Writer::other_than(u8 reg) {
    for (;;) {
        const u8 other = destination();
        if (other != 0 && other != reg) return other;
    }
}
}  // namespace hartline::fuzz
