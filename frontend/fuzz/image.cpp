// The bytes of a program: its body laid out, the memory that it starts with, and the ELF file around them.
#include <elf.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "cpu/print.hpp"
#include "frontend/fuzz/encode.hpp"
#include "frontend/fuzz/frame.hpp"
#include "frontend/fuzz/random.hpp"
#include "frontend/fuzz/values.hpp"

namespace hartline::fuzz {
namespace {
void put_half(std::vector<u8>& to, u32 half) {
    to.push_back(static_cast<u8>(half));
    to.push_back(static_cast<u8>(half >> 8));
}
void put_word(std::vector<u8>& to, u32 word) {
    put_half(to, word);
    put_half(to, word >> 16);
}
template <class T>
void place(std::vector<u8>& to, u64 at, const T& value) {
    if (to.size() < at + sizeof value) to.resize(at + sizeof value);
    std::memcpy(to.data() + at, &value, sizeof value);
}
void place_bytes(std::vector<u8>& to, u64 at, std::span<const u8> bytes) {
    if (to.size() < at + bytes.size()) to.resize(at + bytes.size());
    std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(at));
}
bool kept(const std::vector<bool>& keep, std::size_t i) { return keep.empty() || keep[i]; }

// Where each instruction lies; one that is left out has the address of the next that is there.
std::vector<u64> place_body(const Program& program, const std::vector<bool>& keep) {
    std::vector<u64> at(program.body.size() + 1);
    u64 pc = kBody;
    for (std::size_t i = 0; i < program.body.size(); ++i) {
        at[i] = pc;
        if (kept(keep, i)) pc += program.body[i].length;
    }
    at.back() = pc;
    return at;
}
u32 final_word(const Program& program, std::size_t i, const std::vector<u64>& at) {
    const Insn& insn = program.body[i];
    if (insn.door != 0)
        return with_branch_offset(insn.word, insn.length, static_cast<i64>(insn.door - at[i]));
    if (insn.target == Insn::kNoTarget) return insn.word;
    return with_branch_offset(insn.word, insn.length, static_cast<i64>(at[insn.target] - at[i]));
}

std::vector<u8> memory_image(const Program& program, const std::vector<bool>& keep) {
    std::vector<u8> image, code;
    for (const u32 word : frame_code(program)) put_word(code, word);
    place_bytes(image, 0, code);
    place_bytes(image, kTables - kBase, first_tables());
    place_bytes(image, kBody - kBase, lay_out(program, keep));
    if (image.size() > kWindow - kBase) throw std::logic_error("a random program is too long");
    place_bytes(image, kWindow - kBase, first_window(program));
    return image;
}

struct Symbol {
    const char* name;
    u64 value, bytes;
};
constexpr std::array<Symbol, 4> kSymbols{Symbol{"tohost", kTohost, 8}, Symbol{"fromhost", kFromhost, 8},
                                         Symbol{"begin_signature", kSignature, 0},
                                         Symbol{"end_signature", kSignature + kSignatureBytes, 0}};

Elf64_Ehdr file_header(u64 sections_at) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = EM_RISCV;
    header.e_version = EV_CURRENT;
    header.e_entry = kBase;
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_shoff = sections_at;
    header.e_flags = EF_RISCV_RVC | EF_RISCV_FLOAT_ABI_DOUBLE;
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 4;
    header.e_shstrndx = 3;
    return header;
}
Elf64_Shdr section(u32 name, u32 type, u64 at, u64 bytes) {
    Elf64_Shdr header{};
    header.sh_name = name;
    header.sh_type = type;
    header.sh_offset = at;
    header.sh_size = bytes;
    header.sh_addralign = 8;
    return header;
}

// One loaded segment, its section, a symbol table and its names.
std::vector<u8> elf_file(std::span<const u8> image) {
    std::string names(1, '\0');
    std::vector<Elf64_Sym> symbols(1);
    for (const Symbol& symbol : kSymbols) {
        Elf64_Sym entry{};
        entry.st_name = static_cast<u32>(names.size());
        entry.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
        entry.st_shndx = 1;
        entry.st_value = symbol.value;
        entry.st_size = symbol.bytes;
        symbols.push_back(entry);
        names += symbol.name + std::string(1, '\0');
    }
    const auto text_name = static_cast<u32>(names.size());
    names += std::string(".text") + '\0';
    const auto symtab_name = static_cast<u32>(names.size());
    names += std::string(".symtab") + '\0';
    const auto strtab_name = static_cast<u32>(names.size());  // Spike looks for these names
    names += std::string(".strtab") + '\0';
    const u64 code_at = 0x1000, symbols_at = code_at + image.size(),
              names_at = symbols_at + symbols.size() * sizeof(Elf64_Sym),
              sections_at = (names_at + names.size() + 7) & ~u64{7};
    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R | PF_W | PF_X;
    segment.p_offset = code_at;
    segment.p_vaddr = segment.p_paddr = kBase;
    segment.p_filesz = image.size();
    segment.p_memsz = image.size();
    segment.p_align = 0x1000;
    std::vector<u8> file;
    place(file, 0, file_header(sections_at));
    place(file, sizeof(Elf64_Ehdr), segment);
    place_bytes(file, code_at, image);
    for (std::size_t i = 0; i < symbols.size(); ++i)
        place(file, symbols_at + i * sizeof(Elf64_Sym), symbols[i]);
    for (std::size_t i = 0; i < names.size(); ++i) place(file, names_at + i, names[i]);
    Elf64_Shdr text = section(text_name, SHT_PROGBITS, code_at, image.size());
    text.sh_flags = SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR;
    text.sh_addr = kBase;
    Elf64_Shdr table = section(symtab_name, SHT_SYMTAB, symbols_at, symbols.size() * sizeof(Elf64_Sym));
    table.sh_link = 3;
    table.sh_info = 1;
    table.sh_entsize = sizeof(Elf64_Sym);
    place(file, sections_at, Elf64_Shdr{});
    place(file, sections_at + sizeof(Elf64_Shdr), text);
    place(file, sections_at + 2 * sizeof(Elf64_Shdr), table);
    place(file, sections_at + 3 * sizeof(Elf64_Shdr),
          section(strtab_name, SHT_STRTAB, names_at, names.size()));
    return file;
}
}  // namespace

std::vector<u8> lay_out(const Program& program, const std::vector<bool>& keep, std::vector<u64>* addresses) {
    const std::vector<u64> at = place_body(program, keep);
    std::vector<u8> code;
    for (std::size_t i = 0; i < program.body.size(); ++i) {
        if (!kept(keep, i)) continue;
        const u32 word = final_word(program, i, at);
        program.body[i].length == 4 ? put_word(code, word) : put_half(code, word);
    }
    const u64 door = kDoorTurnEnd - at.back();
    put_word(code, encode(Op::JAL, {.imm = static_cast<i32>(static_cast<i64>(door))}));
    if (addresses != nullptr) *addresses = at;
    return code;
}

std::string listing(const Program& program, const std::vector<bool>& keep) {
    const std::vector<u64> at = place_body(program, keep);
    std::string text;
    char line[96];
    for (std::size_t i = 0; i < program.body.size(); ++i) {
        if (!kept(keep, i)) continue;
        const u32 word = final_word(program, i, at);
        const bool wide = program.body[i].length == 4;
        std::snprintf(line, sizeof line, "%8llx:  %*s%0*x  ", static_cast<unsigned long long>(at[i]),
                      wide ? 0 : 4, "", wide ? 8 : 4, word);
        text += line + print(word, at[i]) + '\n';
    }
    return text;
}

std::vector<u8> first_tables() {
    std::vector<u8> tables(kLeafTable + 0x1000 - kTables);
    const auto set = [&](u64 table, unsigned index, u64 entry) {
        place(tables, table - kTables + index * 8, entry);
    };
    set(kRoot57, 0, pte::of(kRoot48, pte::kV));
    set(kRoot48, 0, pte::of(kRoot39, pte::kV));
    set(kRoot39, 2, pte::of(kBase, pte::kAll));
    set(kRoot39, 3, pte::of(kBase, pte::kAll | pte::kU));
    set(kRoot39, 5, pte::of(kMiddleTable, pte::kV));
    set(kMiddleTable, 0, pte::of(kLeafTable, pte::kV));
    for (unsigned i = 0; i < kLeaves; ++i)
        set(kLeafTable, i, pte::of(kWindow + i * 0x1000, pte::kAll | (i % 2 ? pte::kU : 0)));
    return tables;
}

std::vector<u8> first_window(const Program& program) {
    Random random(program.recipe.seed ^ 0x77696e64);
    std::vector<u8> bytes(kImageEnd - kWindow);
    for (u64 at = 0; at < kWindowPages * 0x1000; at += 8) place(bytes, at, any_value(random));
    constexpr u16 kReturn = 0x8082;  // c.jr ra
    for (u64 at = kIsland - kWindow; at < bytes.size(); at += 2) place(bytes, at, kReturn);
    // An instruction of four bytes over the border of the two pages.
    place(bytes, kIsland - kWindow + 0xffe, encode(Op::ADDI, {.rd = 5, .rs1 = 5, .imm = 1}));
    return bytes;
}

std::vector<u8> build(const Program& program, const std::vector<bool>& keep) {
    return elf_file(memory_image(program, keep));
}
}  // namespace hartline::fuzz
