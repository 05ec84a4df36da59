// ddmin over the atoms of a body: single instructions, and groups as one.
#include "frontend/fuzz/reduce.hpp"

#include <algorithm>

namespace hartline::fuzz {
namespace {
using Atoms = std::vector<std::vector<std::size_t>>;  // indexes into the body

Atoms atoms_of(const Program& program, const std::vector<bool>& keep) {
    Atoms atoms;
    u32 group = 0;
    for (std::size_t i = 0; i < program.body.size(); ++i) {
        if (!keep[i]) continue;
        const u32 of = program.body[i].group;
        if (of == 0 || of != group) atoms.emplace_back();
        atoms.back().push_back(i);
        group = of;
    }
    return atoms;
}

// Removes all that can be removed, by ever smaller pieces.
void shrink(const Program& program, std::vector<bool>& keep, const StillFails& still_fails) {
    Atoms atoms = atoms_of(program, keep);
    std::size_t piece = std::max<std::size_t>(1, (atoms.size() + 1) / 2);
    for (;;) {
        bool removed = false;
        for (std::size_t at = 0; at < atoms.size();) {
            const std::size_t end = std::min(at + piece, atoms.size());
            std::vector<bool> tried = keep;
            for (std::size_t i = at; i < end; ++i)
                for (const std::size_t index : atoms[i]) tried[index] = false;
            if (still_fails(program, tried)) {
                keep = std::move(tried);
                atoms.erase(atoms.begin() + static_cast<std::ptrdiff_t>(at),
                            atoms.begin() + static_cast<std::ptrdiff_t>(end));
                removed = true;
            } else {
                at = end;
            }
        }
        if (piece > 1)
            piece /= 2;
        else if (!removed)
            return;
    }
}
}  // namespace

std::size_t Reduced::left() const {
    return static_cast<std::size_t>(std::count(keep.begin(), keep.end(), true));
}

Reduced reduce(Program program, const StillFails& still_fails) {
    Reduced reduced{std::move(program), {}};
    Program& p = reduced.program;
    reduced.keep.assign(p.body.size(), true);
    for (u32 turns = 1; turns < p.turns; turns *= 2) {
        Program fewer = p;
        fewer.turns = turns;
        if (!still_fails(fewer, reduced.keep)) continue;
        p.turns = turns;
        break;
    }
    shrink(p, reduced.keep, still_fails);
    return reduced;
}
}  // namespace hartline::fuzz
