// Random programs: reproducible, complete over the table, well formed; and the reducer.
#include "support.hpp"

#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <set>

#include "cpu/decode.hpp"
#include "frontend/fuzz/dialect.hpp"
#include "frontend/fuzz/encode.hpp"
#include "frontend/fuzz/generate.hpp"
#include "frontend/fuzz/judge.hpp"
#include "frontend/fuzz/reduce.hpp"
#include "frontend/host/files.hpp"

using namespace hartline;
using namespace hartline::fuzz;
using hartline::test::Folder;

namespace {
Recipe recipe(Category category, u64 seed, u64 length = 3000) {
    return {.seed = seed, .category = category, .length = length};
}
// Mnemonics of a program's instructions.
void collect(const Program& program, std::set<std::string_view>& seen) {
    for (const Insn& insn : program.body) {
        if (insn.length == 2) {
            if (const CompressedRow* found = find_compressed(static_cast<u16>(insn.word)))
                seen.insert(found->mnemonic);
        } else if (const Decoded decoded = decode(insn.word); decoded.op != Op::Illegal) {
            seen.insert(row(decoded.op).mnemonic);
        }
    }
}
std::string symbol_name(Elf* elf, const GElf_Shdr& section, const GElf_Sym& symbol) {
    const char* name = elf_strptr(elf, section.sh_link, symbol.st_name);
    return name == nullptr ? "" : name;
}
std::set<std::string> symbols_of(Elf* elf) {
    std::set<std::string> names;
    for (Elf_Scn* scn = elf_nextscn(elf, nullptr); scn != nullptr; scn = elf_nextscn(elf, scn)) {
        GElf_Shdr header;
        REQUIRE(gelf_getshdr(scn, &header) != nullptr);
        if (header.sh_type != SHT_SYMTAB) continue;
        Elf_Data* data = elf_getdata(scn, nullptr);
        for (int i = 0; i < static_cast<int>(header.sh_size / header.sh_entsize); ++i) {
            GElf_Sym symbol;
            REQUIRE(gelf_getsym(data, i, &symbol) != nullptr);
            names.insert(symbol_name(elf, header, symbol));
        }
    }
    return names;
}
}  // namespace

TEST_CASE("equal_seeds_give_equal_programs", "[fuzz]") {
    for (std::size_t i = 0; i < kCategories; ++i) {
        const auto category = static_cast<Category>(i);
        CHECK(build(generate(recipe(category, 7))) == build(generate(recipe(category, 7))));
        CHECK(build(generate(recipe(category, 7))) != build(generate(recipe(category, 8))));
    }
}

TEST_CASE("every_row_is_in_some_program", "[fuzz]") {
    std::set<std::string_view> seen;
    for (u64 seed = 1; seed <= 40; ++seed)
        for (std::size_t i = 0; i < kCategories; ++i)
            collect(generate(recipe(static_cast<Category>(i), seed)), seen);
    for (const Row& r : kIsa) {
        INFO(r.mnemonic);
        CHECK(seen.contains(r.mnemonic));
    }
    for (const CompressedRow& r : kCompressed) {
        INFO(r.mnemonic);
        CHECK(seen.contains(r.mnemonic));
    }
}

TEST_CASE("encoding_is_the_inverse_of_decoding", "[fuzz]") {
    for (const Row& r : kIsa) {
        const u32 word = r.match | (0x0041'0880 & ~r.mask);
        const Decoded decoded = decode(word);
        if (decoded.op != r.op) continue;
        INFO(r.mnemonic);
        CHECK(decode(encode(r.op, decoded.operands)).operands == decoded.operands);
    }
}

TEST_CASE("programs_are_well_formed_elf_files", "[fuzz]") {
    std::vector<u8> file = build(generate(recipe(Category::Mixed, 3)));
    REQUIRE(elf_version(EV_CURRENT) != EV_NONE);
    Elf* elf = elf_memory(reinterpret_cast<char*>(file.data()), file.size());
    REQUIRE(elf != nullptr);
    GElf_Ehdr header;
    REQUIRE(gelf_getehdr(elf, &header) != nullptr);
    CHECK(header.e_entry == kBase);
    CHECK(header.e_machine == EM_RISCV);
    GElf_Phdr segment;
    REQUIRE(gelf_getphdr(elf, 0, &segment) != nullptr);
    CHECK(segment.p_offset + segment.p_filesz <= file.size());
    const auto names = symbols_of(elf);
    for (const char* name : {"tohost", "fromhost", "begin_signature", "end_signature"})
        CHECK(names.contains(name));
    elf_end(elf);
}

TEST_CASE("programs_end_here", "[fuzz]") {
    const Folder folder;
    for (std::size_t i = 0; i < kCategories; ++i)
        for (const Exit exit : {Exit::Htif, Exit::Finisher}) {
            Recipe r = recipe(static_cast<Category>(i), 5, 12'000);
            r.exit = exit;
            const Program program = generate(r);
            write_file(folder.at("program.elf"), build(program));
            const Leavings left = run_program({}, folder.at(""), {});
            INFO(name(r.category));
            CHECK(left.finished);
            CHECK(left.checkpoints.size() > program.turns);
        }
}

TEST_CASE("reducing_leaves_what_fails", "[fuzz]") {
    const Program program = generate(recipe(Category::Integer, 9));
    // The failure: a multiplication that has a division somewhere behind it.
    const auto fails = [](const Program& p, const std::vector<bool>& keep) {
        bool multiplied = false;
        for (std::size_t i = 0; i < p.body.size(); ++i) {
            if (!keep[i] || p.body[i].length != 4 || p.body[i].group != 0) continue;
            const Op op = decode(p.body[i].word).op;
            if (multiplied && op == Op::DIV) return true;
            multiplied = multiplied || op == Op::MUL;
        }
        return false;
    };
    REQUIRE(fails(program, std::vector<bool>(program.body.size(), true)));
    const Reduced reduced = reduce(program, fails);
    CHECK(fails(reduced.program, reduced.keep));
    CHECK(reduced.left() <= 3);
    const std::string text = listing(reduced.program, reduced.keep);
    CHECK(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) == reduced.left());
}
