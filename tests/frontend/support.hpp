// What the frontend's tests share: temporary files, little ELF files, expecting an InputError's words.
#pragma once
#include <elf.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "frontend/session/errors.hpp"
#include "tests/folder.hpp"

namespace hartline::test {

// While it lives the host lets no file grow past `bytes`, as if it were full.
class FileLimit {
public:
    explicit FileLimit(rlim_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit now{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &now);
    }
    ~FileLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, signal_);
    }
    FileLimit(const FileLimit&) = delete;
    FileLimit& operator=(const FileLimit&) = delete;

private:
    rlimit before_{};
    void (*signal_)(int);
};

inline std::string read_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// The line of the InputError that `act` throws; empty if it throws none.
template <class Act>
std::string complaint_of(Act act) {
    try {
        act();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

template <class T>
void append(std::vector<u8>& to, const T& value) {
    const auto* bytes = reinterpret_cast<const u8*>(&value);
    to.insert(to.end(), bytes, bytes + sizeof value);
}
template <class T>
void put(std::vector<u8>& to, std::size_t at, const T& value) {
    if (to.size() < at + sizeof value) to.resize(at + sizeof value);
    std::memcpy(to.data() + at, &value, sizeof value);
}

struct ElfSymbol {
    std::string name;
    u64 value;
};
struct ElfPlan {
    std::vector<u8> code;
    u64 vaddr = 0x8000'0000;
    u64 paddr = 0x8000'0000;
    u64 entry = 0x8000'0000;
    u64 memory_bytes = 0;  // at least the code's
    std::vector<ElfSymbol> symbols;
};

inline Elf64_Ehdr elf_header(u64 entry, u64 sections_at) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = EM_RISCV;
    header.e_version = EV_CURRENT;
    header.e_entry = entry;
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_shoff = sections_at;
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 3;
    header.e_shstrndx = 2;
    return header;
}

inline Elf64_Phdr elf_segment(const ElfPlan& plan, u64 offset) {
    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R | PF_W | PF_X;
    segment.p_offset = offset;
    segment.p_vaddr = plan.vaddr;
    segment.p_paddr = plan.paddr;
    segment.p_filesz = plan.code.size();
    segment.p_memsz = std::max<u64>(plan.memory_bytes, plan.code.size());
    return segment;
}

inline Elf64_Shdr elf_section(u32 type, u64 offset, u64 bytes) {
    Elf64_Shdr section{};
    section.sh_type = type;
    section.sh_offset = offset;
    section.sh_size = bytes;
    section.sh_link = type == SHT_SYMTAB ? 2 : 0;
    section.sh_entsize = type == SHT_SYMTAB ? sizeof(Elf64_Sym) : 0;
    return section;
}

// A linked RV64 program: one segment, and a symbol table.
inline std::vector<u8> make_elf(const ElfPlan& plan) {
    std::string names(1, '\0');
    std::vector<Elf64_Sym> symbols(1);
    for (const ElfSymbol& symbol : plan.symbols) {
        Elf64_Sym entry{};
        entry.st_name = static_cast<u32>(names.size());
        entry.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
        entry.st_shndx = SHN_ABS;
        entry.st_value = symbol.value;
        symbols.push_back(entry);
        names += symbol.name + '\0';
    }
    const u64 code_at = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
    const u64 symbols_at = (code_at + plan.code.size() + 7) & ~u64{7};
    const u64 names_at = symbols_at + symbols.size() * sizeof(Elf64_Sym);
    const u64 sections_at = (names_at + names.size() + 7) & ~u64{7};
    std::vector<u8> file;
    append(file, elf_header(plan.entry, sections_at));
    append(file, elf_segment(plan, code_at));
    file.insert(file.end(), plan.code.begin(), plan.code.end());
    for (std::size_t i = 0; i < symbols.size(); ++i)
        put(file, symbols_at + i * sizeof(Elf64_Sym), symbols[i]);
    file.insert(file.end(), names.begin(), names.end());
    put(file, sections_at, Elf64_Shdr{});
    put(file, sections_at + sizeof(Elf64_Shdr), elf_section(SHT_SYMTAB, symbols_at, names_at - symbols_at));
    put(file, sections_at + 2 * sizeof(Elf64_Shdr), elf_section(SHT_STRTAB, names_at, names.size()));
    return file;
}

// A Linux Image of so many bytes with a header that says so.
inline std::vector<u8> make_image(std::size_t bytes, u64 image_size, u64 text_offset = 0x20'0000) {
    std::vector<u8> image(bytes, 0x13);
    put(image, 8, text_offset);
    put(image, 16, image_size);
    put(image, 24, u64{0});
    put(image, 0x30, u64{0x5643534952});  // "RISCV"
    put(image, 0x38, u32{0x05435352});    // "RSC\5"
    return image;
}
}  // namespace hartline::test
