// Reading ELF by libelf, which is handed a file in memory and not trusted with its ranges.
#include "frontend/session/elf.hpp"

#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr const char* kWanted = "give a 64-bit little-endian RISC-V program";
constexpr std::size_t kMostSegments = 1024;
constexpr u64 kMostSymbols = 16 << 20;

struct ElfEnd {
    void operator()(Elf* elf) const { elf_end(elf); }
};
using ElfHandle = std::unique_ptr<Elf, ElfEnd>;

struct Source {
    const std::string& path;
    std::span<const u8> bytes;
    bool holds(u64 offset, u64 count) const {
        return offset <= bytes.size() && count <= bytes.size() - offset;
    }
    [[noreturn]] void refuse(const std::string& what, const std::string& way_out = kWanted) const {
        throw InputError(path, what, way_out);
    }
    [[noreturn]] void broken(const std::string& what) const {
        refuse("is a truncated or damaged ELF file (" + what + ")", "copy or build it again");
    }
};

std::string machine_name(unsigned machine) {
    switch (machine) {
        case EM_386: return "x86";
        case EM_X86_64: return "x86-64";
        case EM_ARM: return "ARM";
        case EM_AARCH64: return "AArch64";
        case EM_MIPS: return "MIPS";
        case EM_PPC: return "PowerPC";
        case EM_PPC64: return "PowerPC 64";
        case EM_S390: return "S/390";
        case EM_SPARCV9: return "SPARC";
        default: return "machine number " + std::to_string(machine);
    }
}

std::string type_name(unsigned type) {
    switch (type) {
        case ET_REL: return "an object file that is not linked";
        case ET_DYN: return "a shared library or position-independent program";
        case ET_CORE: return "a core dump";
        default: return "an ELF file of type " + std::to_string(type);
    }
}

// Before libelf sees the file: its own header decides how it reads the rest.
void check_identification(const Source& source) {
    const auto bytes = source.bytes;
    if (bytes.size() < EI_NIDENT) source.broken("no header");
    if (std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0) source.refuse("is not an ELF file");
    const u8 order = bytes[EI_DATA];
    if (order == ELFDATA2MSB) source.refuse("is a big-endian ELF file");
    if (order != ELFDATA2LSB) source.broken("byte order");
    if (bytes[EI_CLASS] == ELFCLASS32) {
        u16 machine = 0;
        if (bytes.size() >= 20) std::memcpy(&machine, bytes.data() + 18, 2);
        source.refuse("is a 32-bit ELF file for " + (machine == EM_RISCV ? "RISC-V" : machine_name(machine)));
    }
    if (bytes[EI_CLASS] != ELFCLASS64) source.broken("class");
    if (bytes.size() < sizeof(Elf64_Ehdr)) source.broken("no header");
}

Elf64_Ehdr header(const Source& source) {
    Elf64_Ehdr header;
    std::memcpy(&header, source.bytes.data(), sizeof header);
    if (header.e_machine != EM_RISCV) source.refuse("is an ELF file for " + machine_name(header.e_machine));
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) source.refuse("is " + type_name(header.e_type));
    if (header.e_phnum == 0) source.refuse("is an ELF file without segments", "link it");
    if (header.e_phentsize != sizeof(Elf64_Phdr)) source.broken("size of program headers");
    if (header.e_phnum > kMostSegments) source.broken("number of program headers");
    if (!source.holds(header.e_phoff, u64{header.e_phnum} * sizeof(Elf64_Phdr)))
        source.broken("program headers");
    return header;
}

ElfSegment segment(const Source& source, const GElf_Phdr& from) {
    const ElfSegment segment{from.p_vaddr, from.p_paddr, from.p_offset, from.p_filesz, from.p_memsz};
    u64 end = 0;
    if (!source.holds(segment.offset, segment.file_bytes)) source.broken("a segment beyond the file's end");
    if (segment.file_bytes > segment.memory_bytes)
        source.broken("a segment larger in the file than in memory");
    if (__builtin_add_overflow(segment.paddr, segment.memory_bytes - 1, &end) ||
        __builtin_add_overflow(segment.vaddr, segment.memory_bytes - 1, &end))
        source.broken("a segment beyond the address space");
    return segment;
}

std::vector<ElfSegment> segments(const Source& source, Elf* elf, std::size_t count) {
    std::vector<ElfSegment> found;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr phdr;
        if (gelf_getphdr(elf, static_cast<int>(i), &phdr) == nullptr) source.broken(elf_errmsg(-1));
        if (phdr.p_type == PT_INTERP)
            source.refuse("is a Linux program that needs a dynamic linker",
                          "give a kernel or a bare-metal program");
        if (phdr.p_type == PT_LOAD && phdr.p_memsz != 0) found.push_back(segment(source, phdr));
    }
    if (found.empty()) source.refuse("is an ELF file with nothing to load", "link it");
    // A linker without physical addresses of its own leaves them all zero.
    if (std::all_of(found.begin(), found.end(), [](const ElfSegment& one) { return one.paddr == 0; }))
        for (ElfSegment& one : found) one.paddr = one.vaddr;
    return found;
}

void symbols_of_section(const Source& source, Elf* elf, Elf_Scn* section,
                        std::span<const std::string_view> wanted, ElfFile& file) {
    GElf_Shdr shdr;
    if (gelf_getshdr(section, &shdr) == nullptr || shdr.sh_type != SHT_SYMTAB) return;
    if (!source.holds(shdr.sh_offset, shdr.sh_size)) source.broken("the symbol table");
    if (shdr.sh_entsize != sizeof(Elf64_Sym) || shdr.sh_size / sizeof(Elf64_Sym) > kMostSymbols)
        source.broken("the symbol table");
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr) return;
    const auto count = static_cast<int>(data->d_size / sizeof(Elf64_Sym));
    for (int i = 0; i < count; ++i) {
        GElf_Sym symbol;
        if (gelf_getsym(data, i, &symbol) == nullptr || symbol.st_shndx == SHN_UNDEF) continue;
        const char* name = elf_strptr(elf, shdr.sh_link, symbol.st_name);
        if (name == nullptr) continue;
        for (const std::string_view want : wanted)
            if (want == name) file.symbols.emplace(want, symbol.st_value);
    }
}

// Symbols are a service: a file whose sections are stripped or damaged is loaded without them, unless the
// symbol table itself claims to be where the file is not.
void find_symbols(const Source& source, Elf* elf, const Elf64_Ehdr& header,
                  std::span<const std::string_view> wanted, ElfFile& file) {
    if (header.e_shoff == 0 || header.e_shnum == 0) return;
    if (header.e_shentsize != sizeof(Elf64_Shdr) ||
        !source.holds(header.e_shoff, u64{header.e_shnum} * sizeof(Elf64_Shdr)))
        source.broken("section headers");
    for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
         section = elf_nextscn(elf, section))
        symbols_of_section(source, elf, section, wanted, file);
}
}  // namespace

std::optional<u64> ElfFile::physical(u64 vaddr) const {
    for (const ElfSegment& segment : segments)
        if (vaddr >= segment.vaddr && vaddr - segment.vaddr < segment.memory_bytes)
            return segment.paddr + (vaddr - segment.vaddr);
    return std::nullopt;
}

std::optional<u64> ElfFile::symbol(std::string_view name) const {
    const auto found = symbols.find(name);
    return found == symbols.end() ? std::nullopt : std::optional(found->second);
}

ElfFile read_elf(const std::string& path, std::span<const u8> bytes,
                 std::span<const std::string_view> wanted_symbols) {
    const Source source{path, bytes};
    check_identification(source);
    const Elf64_Ehdr head = header(source);
    if (elf_version(EV_CURRENT) == EV_NONE) throw HostError("libelf", "is too old");
    std::vector<u8> copy(bytes.begin(), bytes.end());  // libelf wants to be allowed to write
    const ElfHandle elf(elf_memory(reinterpret_cast<char*>(copy.data()), copy.size()));
    if (!elf || elf_kind(elf.get()) != ELF_K_ELF) source.broken(elf_errmsg(-1));
    ElfFile file;
    file.entry = head.e_entry;
    file.segments = segments(source, elf.get(), head.e_phnum);
    find_symbols(source, elf.get(), head, wanted_symbols, file);
    return file;
}
}  // namespace hartline
