// Every row's text against Capstone's, an outside oracle for what it knows: each difference has its line
// here.
#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <regex>
#include <set>

#include "cpu/csr.hpp"
#include "cpu/decode.hpp"
#include "cpu/disassembler.hpp"
#include "cpu/print.hpp"

namespace hartline {
namespace {

constexpr const char* kAlias = "alias of assembly programs, which the table does not use";

// Ours that matches `ours` becomes theirs. Numbers are decimal here and targets are offsets: see plain().
struct Spelling {
    const char *ours, *theirs, *why;
};
const Spelling kSpellings[]{
    {R"(addi zero,zero,0)", "nop", kAlias},
    {R"(addi (\w+),(\w+),0)", "mv $1,$2", kAlias},
    {R"(addiw (\w+),(\w+),0)", "sext.w $1,$2", kAlias},
    {R"(xori (\w+),(\w+),-1)", "not $1,$2", kAlias},
    {R"(sltiu (\w+),(\w+),1)", "seqz $1,$2", kAlias},
    {R"(sub(w?) (\w+),zero,(\w+))", "neg$1 $2,$3", kAlias},
    {R"(slt (\w+),zero,(\w+))", "sgtz $1,$2", kAlias},
    {R"(slt (\w+),(\w+),zero)", "sltz $1,$2", kAlias},
    {R"(sltu (\w+),zero,(\w+))", "snez $1,$2", kAlias},
    {R"(jal zero,(-?\d+))", "j $1", kAlias},
    {R"(jal ra,(-?\d+))", "jal $1", kAlias},
    {R"(jalr zero,0\(ra\))", "ret", kAlias},
    {R"(jalr zero,0\((\w+)\))", "jr $1", kAlias},
    {R"(jalr ra,0\((\w+)\))", "jalr $1", kAlias},
    {R"(jalr (\w+),(-?\d+)\((\w+)\))", "jalr $1,$3,$2", "operand order: an address in ours, as in binutils"},
    {R"(b(eq|ne|lt|ge) (\w+),zero,(-?\d+))", "b$1z $2,$3", kAlias},
    {R"(blt zero,(\w+),(-?\d+))", "bgtz $1,$2", kAlias},
    {R"(bge zero,(\w+),(-?\d+))", "blez $1,$2", kAlias},
    {R"(fsgnj\.(.) (\w+),(\w+),\3)", "fmv.$1 $2,$3", kAlias},
    {R"(fsgnjn\.(.) (\w+),(\w+),\3)", "fneg.$1 $2,$3", kAlias},
    {R"(fsgnjx\.(.) (\w+),(\w+),\3)", "fabs.$1 $2,$3", kAlias},
    {R"(sfence\.vma zero,zero)", "sfence.vma", kAlias},
    {R"(sfence\.vma (\w+),zero)", "sfence.vma $1", kAlias},
    {R"(fence iorw,iorw)", "fence", kAlias},
    {R"(csrrw (\w+),fcsr,(\w+))", "fscsr $1,$2", kAlias},
    {R"(csrrw (\w+),frm,(\w+))", "fsrm $1,$2", kAlias},
    {R"(csrrw (\w+),fflags,(\w+))", "fsflags $1,$2", kAlias},
    {R"(csrrw zero,fcsr,(\w+))", "fscsr $1", kAlias},
    {R"(csrrw zero,frm,(\w+))", "fsrm $1", kAlias},
    {R"(csrrw zero,fflags,(\w+))", "fsflags $1", kAlias},
    {R"(csrrwi (\w+),frm,(\d+))", "fsrmi $1,$2", kAlias},
    {R"(csrrwi (\w+),fflags,(\d+))", "fsflagsi $1,$2", kAlias},
    {R"(csrrwi zero,frm,(\d+))", "fsrmi $1", kAlias},
    {R"(csrrwi zero,fflags,(\d+))", "fsflagsi $1", kAlias},
    {R"(csrrs (\w+),fcsr,zero)", "frcsr $1", kAlias},
    {R"(csrrs (\w+),frm,zero)", "frrm $1", kAlias},
    {R"(csrrs (\w+),fflags,zero)", "frflags $1", kAlias},
    {R"(csrrs (\w+),(cycle|time|instret),zero)", "rd$2 $1", kAlias},
    {R"(csrrs (\w+),(cycle|time|instret)h,zero)", "rd$2h $1",
     "RV32's aliases, which Capstone uses on RV64 too"},
    {R"(csrrs (\w+),(\w+),zero)", "csrr $1,$2", kAlias},
    {R"(csrr(w|s|c) zero,(\w+),(\w+))", "csr$1 $2,$3", kAlias},
    {R"(csrr(w|s|c)i zero,(\w+),(\d+))", "csr$1i $2,$3", kAlias},
    {R"(fence (\w+),0)", "fence $1,unknown", "Capstone has no text for an empty set, binutils prints 0"},
    {R"(fence 0,(\w+))", "fence unknown,$1", "Capstone has no text for an empty set, binutils prints 0"},
    {R"(fence 0,0)", "fence unknown,unknown", "Capstone has no text for an empty set, binutils prints 0"},
    {R"(csrrw zero,cycle,zero)", "unimp", kAlias},
    {R"(pause)", "fence w,unknown", "Zihintpause is younger than Capstone's table: the FENCE that it is"},
    {R"(c\.mop (\w+))", "c.lui $1,0", "Zcmop is younger than Capstone's table: reserved C.LUIs"},
};
// CSRs whose names differ, and why.
struct Naming {
    unsigned first, last;
    const char* why;
};
const Naming kNamings[]{
    {0x000, 0x005, "fcsr's fields have aliases; N (ustatus to utvec) was withdrawn"},
    {0x040, 0x044, "N (uscratch to uip) was withdrawn"},
    {0x102, 0x103, "sedeleg and sideleg went with N"},
    {0x10a, 0x10a, "senvcfg is younger than Capstone's table"},
    {0x14d, 0x14d, "stimecmp is younger than Capstone's table"},
    {0x30a, 0x30a, "menvcfg is younger than Capstone's table"},
    {0x320, 0x320, "mcountinhibit is younger than Capstone's table"},
    {0x3a1, 0x3a1, "pmpcfg1 is RV32's"},
    {0x3a3, 0x3a3, "pmpcfg3 is RV32's"},
    {0x3a4, 0x3ae, "more than 16 PMP entries are younger than Capstone's table"},
    {0x3bd, 0x3be, "a bug of Capstone: it exchanges pmpaddr13 and pmpaddr14"},
    {0x3c0, 0x3ef, "more than 16 PMP entries are younger than Capstone's table"},
    {0x747, 0x747, "mseccfg is younger than Capstone's table"},
    {0x7a4, 0x7a4, "tinfo is younger than Capstone's table"},
    {0x7b0, 0x7b2, "the registers of debug mode, which harts here have not"},
    {0xb80, 0xb9f, "upper halves of counters, which are RV32's"},
    {0xc80, 0xc9f, "upper halves of counters, which are RV32's"},
    {0xda0, 0xda0, "scountovf is younger than Capstone's table"},
    {0xf15, 0xf15, "mconfigptr is younger than Capstone's table"},
};
// What Capstone does not know, and may not know.
const std::set<Extension> kYounger{Extension::Zawrs,  Extension::Zacas, Extension::Zabha,   Extension::Zfhmin,
                                   Extension::Zfh,    Extension::Zfa,   Extension::Zba,     Extension::Zbb,
                                   Extension::Zbc,    Extension::Zbs,   Extension::Zicond,  Extension::Zicbom,
                                   Extension::Zicboz, Extension::Zimop, Extension::Svinval, Extension::Zcb};
struct Gap {
    bool (*is)(const Row& row, u32 word);
    const char* why;
};
const Gap kGaps[]{
    {[](const Row& row, u32 word) {
         return (row.format == Format::Fp || row.format == Format::Fp4) && field(word, 13, 12) != 3 &&
                field(word, 14, 12) > 4;
     },
     "reserved rounding modes, which we print and execute as illegal instructions"},
    {[](const Row& row, u32 word) {
         return (row.op == Op::FCVT_D_W || row.op == Op::FCVT_D_WU || row.op == Op::FCVT_D_S) &&
                field(word, 14, 12) != 0;
     },
     "exact conversions with another rounding mode than 0, which assemblers do not emit"},
    {[](const Row& row, u32 word) { return row.op == Op::FENCE && (word & 0xf00f'8f80) != 0; },
     "reserved fields of FENCE, which are to be ignored"},
    {[](const Row& row, u32 word) { return row.op == Op::FENCE_I && (word & 0xffff'8f80) != 0; },
     "reserved fields of FENCE.I, which are to be ignored"},
};
struct CompressedGap {
    const char* mnemonic;
    u32 mask, value;
    const char* why;
};
constexpr u32 kRd = 0xf80;
const CompressedGap kCompressedGaps[]{
    {"c.nop", 0x1000, 0x1000, "HINTs with a negative immediate"},
    {"c.li", kRd, 0, "HINTs with rd = x0"},
    {"c.lui", kRd, 0, "HINTs with rd = x0"},
    {"c.slli", kRd, 0, "HINTs with rd = x0"},
    {"c.mv", kRd, 0, "HINTs with rd = x0"},
    {"c.add", kRd, 0, "HINTs with rd = x0"},
};

// Numbers as signed decimal ones: Capstone prints those from 10 on as hexadecimal.
std::string plain(const std::string& text) {
    static const std::regex number(R"((^|[ ,(])(-?)(0x[0-9a-f]+|[0-9]+)(?=$|[,( ]))");
    std::string out;
    auto from = text.cbegin();
    for (std::sregex_iterator at(text.begin(), text.end(), number), end; at != end; ++at) {
        const std::smatch& match = *at;
        out.append(from, match[0].first);
        const i64 value =
            static_cast<i64>(std::stoull(match[3], nullptr, match.str(3).starts_with("0x") ? 16 : 10));
        out += match.str(1) + std::to_string(match.length(2) != 0 ? -value : value);
        from = match[0].second;
    }
    return out.append(from, text.cend());
}

// Capstone's name of a CSR; the number where it has none.
std::string their_csr(Disassembler& disassembler, unsigned number) {
    const std::string text = *disassembler.capstone(number << 20 | 1 << 15 | 6 << 12 | 5 << 7 | 0x73, 0);
    return plain(text.substr(10, text.size() - 12));  // "csrrsi t0,NAME,1"
}
std::string replaced(std::string text, const std::string& what, const std::string& by) {
    const std::size_t at = text.find(',' + what + ',');
    return at == std::string::npos ? text : text.replace(at + 1, what.size(), by);
}

class Comparison {
public:
    // A word of a row, which is `row` or what `compressed` stands for.
    void add(u32 word, const Row& row, const CompressedRow* compressed) {
        const std::string ours = plain(print(word, 0));
        const std::optional<std::string> text = disassembler_.capstone(word, 0);
        if (!text) return unknown(word, row, compressed, ours);
        const std::string theirs = plain(*text);
        known_.insert(compressed == nullptr ? row.mnemonic : compressed->mnemonic);
        if (ours == theirs) {
            ++same_;
            return;
        }
        std::string renamed = ours;
        if (row.format == Format::Csr) {
            const std::string name = csr_name(word >> 20);
            renamed = replaced(ours, name.empty() ? std::to_string(word >> 20) : name,
                               their_csr(disassembler_, word >> 20));
        }
        if (compressed != nullptr && row.op == Op::MOP_R)  // whose number is where C.LUI has rd
            renamed += " " + std::string(x_name(field(word, 11, 7)));
        if (renamed == theirs || spelled(ours, theirs) || spelled(renamed, theirs)) {
            ++alias_;
            return;
        }
        differences_ += ours + "  |  " + theirs + "\n";
    }
    std::string summary() const {
        return std::to_string(same_) + " same, " + std::to_string(alias_) + " spelled otherwise, " +
               std::to_string(unknown_) + " unknown to Capstone; " + std::to_string(known_.size()) + " of " +
               std::to_string(kIsa.size() + kCompressed.size()) + " rows known";
    }
    const std::string& differences() const { return differences_; }
    bool all_used() const { return used_.size() == std::size(kSpellings); }
    std::string unused() const {
        std::string text;
        for (const Spelling& spelling : kSpellings)
            if (!used_.contains(&spelling)) text += std::string(spelling.ours) + "\n";
        return text;
    }

private:
    bool spelled(const std::string& ours, const std::string& theirs) {
        for (std::size_t i = 0; i < std::size(kSpellings); ++i) {
            if (!std::regex_match(ours, patterns_[i])) continue;
            if (std::regex_replace(ours, patterns_[i], kSpellings[i].theirs) != theirs) continue;
            used_.insert(&kSpellings[i]);
            return true;
        }
        return false;
    }
    void unknown(u32 word, const Row& row, const CompressedRow* compressed, const std::string& ours) {
        ++unknown_;
        if (kYounger.contains(compressed == nullptr ? row.extension : compressed->extension)) return;
        if (compressed == nullptr)
            for (const Gap& gap : kGaps)
                if (gap.is(row, word)) return;
        if (compressed != nullptr)
            for (const CompressedGap& gap : kCompressedGaps)
                if (gap.mnemonic == compressed->mnemonic && (word & gap.mask) == gap.value) return;
        differences_ += ours + "  |  unknown\n";
    }

    static std::vector<std::regex> compiled() {
        std::vector<std::regex> patterns;
        for (const Spelling& spelling : kSpellings) patterns.emplace_back(spelling.ours);
        return patterns;
    }

    Disassembler disassembler_;
    const std::vector<std::regex> patterns_ = compiled();
    std::size_t same_ = 0, alias_ = 0, unknown_ = 0;
    std::set<std::string_view> known_;
    std::set<const Spelling*> used_;
    std::string differences_;
};

// Free bits that are random, all, none, or few: aliases are about x0, x1 and small numbers.
u32 random_bits(std::mt19937& random) {
    const u32 word = static_cast<u32>(random()),
              few = word & static_cast<u32>(random()) & static_cast<u32>(random());
    switch (random() % 8) {
        case 0: return few;
        case 1: return few & static_cast<u32>(random());
        case 2: return word & 0xfff0'7fff;                           // rs1 = x0
        case 3: return word & 0xfe0f'ffff;                           // rs2 = x0
        case 4: return (word & 0xffff'f07f) | (word & 0x80);         // rd = x0 or x1
        case 5: return (word & 0x000f'ffff) | (random() % 4) << 20;  // CSRs 0 to 3, small immediates
        default: return word;
    }
}

TEST_CASE("capstone: every row prints as Capstone prints it, or differs as listed", "[print]") {
    constexpr int kRounds = 2000;
    std::mt19937 random{1};
    Comparison comparison;
    for (const Row& row : kIsa)
        for (int i = 0; i < kRounds; ++i) {
            const u32 word = (random_bits(random) & ~row.mask) | row.match;
            if (decode(word).op == row.op) comparison.add(word, row, nullptr);
        }
    for (u32 half = 0; half < 0x10000; ++half)
        if (const CompressedRow* const row =
                (half & 3) == 3 ? nullptr : find_compressed(static_cast<u16>(half)))
            comparison.add(half, hartline::row(row->target), row);
    for (const u32 rare : {0x0ff0'000fu, 0xc800'2573u})  // fence iorw,iorw and rdcycleh a0
        comparison.add(rare, hartline::row(decode(rare).op), nullptr);
    INFO(comparison.differences());
    CHECK(comparison.differences().empty());
    INFO("never seen:\n" << comparison.unused());
    CHECK(comparison.all_used());
    WARN("Capstone: " << comparison.summary());
}

TEST_CASE("capstone: CSRs have Capstone's names, or differ as listed", "[print]") {
    Disassembler disassembler;
    for (unsigned number = 0; number < 4096; ++number) {
        const std::string name = csr_name(number), ours = name.empty() ? std::to_string(number) : name;
        const auto covers = [&](const Naming& n) { return n.first <= number && number <= n.last; };
        const bool listed = std::any_of(std::begin(kNamings), std::end(kNamings), covers);
        CAPTURE(number);
        CHECK((ours == their_csr(disassembler, number) || listed));
    }
    CHECK(their_csr(disassembler, 0x3bd) == "pmpaddr14");
}

TEST_CASE("the disassembler takes Capstone's text, or the table's where that says more", "[print]") {
    Disassembler disassembler;
    const std::pair<u32, const char*> samples[]{
        {0x0000'8067, "ret"},
        {0x0005'0593, "mv a1,a0"},
        {0x00a5'8533, "add a0,a1,a0"},
        {0x852e, "c.mv a0,a1"},
        {0x0000'006f, "jal zero,0x80000000"},      // Capstone: j 0
        {0x14d5'1073, "csrrw zero,stimecmp,a0"},   // Capstone: 333
        {0x0100'000f, "pause"},                    // Capstone: fence w, unknown
        {0x0010'000f, "fence 0,w"},                // Capstone: fence unknown, w
        {0x6481, "c.mop"},                         // Capstone: c.lui s1, 0
        {0x20b5'2533, "sh1add a0,a0,a1"},          // unknown to Capstone
        {0x0020'0073, ".4byte 0x200073  # uret"},  // no instruction here
        {0x0205'0057, ".4byte 0x2050057  # vadd.vv"},
        {0x0000'0000, ".2byte 0x0  # c.unimp"},
    };
    for (const auto& [word, text] : samples) CHECK(disassembler.text(word, 0x8000'0000) == text);
}
}  // namespace
}  // namespace hartline
