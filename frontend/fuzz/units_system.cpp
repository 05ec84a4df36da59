// Units of the privileged architecture.
#include "cpu/decode.hpp"
#include "frontend/fuzz/dialect.hpp"
#include "frontend/fuzz/frame.hpp"
#include "frontend/fuzz/units.hpp"
#include "frontend/fuzz/values.hpp"

namespace hartline::fuzz {
namespace {
constexpr u32 kSstatus = 0x100, kSepc = 0x141, kSatp = 0x180, kMstatus = 0x300, kMedeleg = 0x302,
              kMie = 0x304, kMepc = 0x341, kMip = 0x344, kPmpcfg0 = 0x3a0, kPmpaddr0 = 0x3b0;
constexpr u64 kMpp = 3 << 11, kMpie = 1 << 7, kMprv = 1 << 17, kSum = 1 << 18, kMxr = 1 << 19;
constexpr u64 kLarge = kBase + 0x20'0000;  // of RAM: two MiB behind the program
constexpr u64 kNowhere = 0x2'0000;         // physical addresses from here on belong to nobody, on any board

void csr(Writer& w, Op op, u8 rd, u32 number, u8 rs1) {
    w.put(op, {.rd = rd, .rs1 = rs1, .imm = static_cast<i32>(number)});
}
void restore_pointer(Writer& w) { w.li(kPointer, w.pointer()); }
bool is_illegal(u32 word) {
    return decode(word).op == Op::Illegal && find_todo(word) == nullptr && (word & 3) == 3;
}
// An opcode that no extension has, or a reserved funct of one.
u32 illegal_word(Writer& w) {
    constexpr std::array<u32, 6> kOpcodes{0x33, 0x3b, 0x1b, 0x53, 0x73, 0x2f};
    for (;;) {
        const u32 word = (static_cast<u32>(w.random.next()) & ~u32{0x7f}) | w.random.of(kOpcodes);
        if (is_illegal(word)) return word;
    }
}
void fence(Writer& w, u8 address) {
    switch (w.random.below(3)) {
        case 0: w.put(Op::SFENCE_VMA, {}); break;
        case 1: w.put(Op::SFENCE_VMA, {.rs1 = address}); break;
        default:
            w.put(Op::SFENCE_W_INVAL, {});
            w.put(Op::SINVAL_VMA, {});
            w.put(Op::SFENCE_INVAL_IR, {});
    }
}
u64 leaf_flags(Writer& w) {
    Random& random = w.random;
    u64 flags = pte::kV;
    if (random.one_in(20)) flags = 0;
    flags |= random.next() & (pte::kR | pte::kW | pte::kX | pte::kU | pte::kG);
    if (random.one_in(2)) flags |= pte::kR | pte::kX;
    if (!random.one_in(6)) flags |= pte::kA;
    if (!random.one_in(6)) flags |= pte::kD;
    // QEMU 7.2 with Svnapot does not look at what is reserved.
    const bool reserved = w.program.recipe.dialect != Dialect::Qemu;
    if (random.one_in(16)) flags |= u64{random.below(reserved ? 4 : 3)} << 61;     // PBMT
    if (reserved && random.one_in(20)) flags |= u64{1} << (54 + random.below(7));  // reserved
    flags |= u64{random.below(4)} << 8;                                            // for software
    return flags;
}
u64 leaf(Writer& w, unsigned index) {
    const u64 flags = leaf_flags(w);
    if (index >= kWindowPages) return pte::of(kIsland + w.random.below(kIslandPages) * 0x1000, flags);
    if (w.random.one_in(16)) return pte::of(kNowhere + w.random.below(4) * 0x1000, flags);
    if (w.random.one_in(12)) return pte::of(kWindow | 0x8000, flags | pte::kN);  // Svnapot: 64 KiB
    return pte::of(kWindow + w.random.below(kWindowPages) * 0x1000, flags);
}
u8 pmp_cfg(Writer& w) {
    u32 cfg = w.random.below(32);
    if (w.program.recipe.dialect == Dialect::Qemu && (cfg & 0x18) == 0x10)
        cfg ^= 0x18;               // NA4: less than a page
    if ((cfg & 3) == 2) cfg |= 1;  // W without R is reserved
    return static_cast<u8>(cfg | (w.random.one_in(200) ? 0x80 : 0));
}
u64 pmp_address(Writer& w) {
    const u64 page = w.random.below(kWindowPages + kIslandPages);
    u64 address = kWindow + page * 0x1000 + (w.random.one_in(2) ? 0 : w.random.below(0x1000));
    if (w.random.one_in(3)) address = kWindow + kMiddle + static_cast<u64>(w.random.between(-64, 64));
    address >>= 2;
    // QEMU 7.2 takes a whole page for what its first access met.
    if (w.program.recipe.dialect == Dialect::Qemu) address &= ~u64{0x3ff};
    const u32 ones = w.program.recipe.dialect == Dialect::Qemu ? 9 + w.random.below(7) : w.random.below(16);
    return w.random.one_in(2) ? address : (address & ~u64{0} << ones) | ((u64{1} << ones) - 1);
}
}  // namespace

// Writes, reads back, and where the frame or the mode depends on it puts back what was there.
void csr_probe(Writer& w, const Rows&) {
    const CsrProbe& probe = w.random.of(probes(w.program.recipe.dialect));
    if (probe.machine_only && w.mode != Mode::Machine)
        return csr_illegal(w, {Rows(w.program.recipe.dialect)});
    w.grouped([&] {
        const u8 old = w.other_than(0);
        w.use(old);
        const u8 value = w.other_than(0), seen = w.other_than(value);
        csr(w, Op::CSRRS, old, probe.number, 0);
        w.li(value, any_integer(w.random) & probe.bits);
        constexpr std::array kOps{Op::CSRRW, Op::CSRRS, Op::CSRRC};
        Op op = w.random.of(kOps);
        // A whole write would clear what the frame needs of a status register.
        if ((probe.number == kMstatus || probe.number == kSstatus) && op == Op::CSRRW) op = Op::CSRRS;
        csr(w, op, kScratch, probe.number, value);
        csr(w, Op::CSRRS, seen, probe.number, 0);
        if (probe.machine_only) csr(w, Op::CSRRW, 0, probe.number, old);
        w.li(old, probe.bits);
        w.put(Op::AND, {.rd = seen, .rs1 = seen, .rs2 = old});
        w.unuse();
    });
}

// No such CSR, a read-only one, or one of a higher mode.
void csr_illegal(Writer& w, const Rows&) {
    constexpr std::array<u32, 10> kNumbers{0x004, 0x0ff, 0x400, 0x5a9, 0x800,
                                           0xc21, 0xcff, 0xf11, 0xf14, 0xfff};
    constexpr std::array kOps{Op::CSRRW, Op::CSRRWI};
    constexpr std::array<u32, 5> kMachine{0x300, 0x305, 0x340, 0x3a0, 0xb00};
    const u32 number =
        w.mode != Mode::Machine && w.random.one_in(2) ? w.random.of(kMachine) : w.random.of(kNumbers);
    csr(w, w.random.of(kOps), w.destination(), number, w.source());
}

void exception(Writer& w, const Rows& rows) {
    switch (w.random.below(6)) {
        case 0: w.put(Op::ECALL, {}); return;
        case 1: w.put(Op::EBREAK, {}); return;
        case 2: w.put(0x9002, 2); return;
        case 3: w.put(illegal_word(w)); return;
        case 4: w.put(0, 2); return;
        default: break;
    }
    w.grouped([&] {
        const u8 base = w.other_than(0);
        w.put(Op::LUI, {.rd = base, .imm = static_cast<i32>(kNowhere + w.random.below(4) * 0x1000)});
        const Op op = w.random.of(w.random.one_in(4) ? rows.access_fp : rows.access);
        Operands o = extract(row(op).format, random_word(w, op));
        o.rs1 = base;
        o.imm = w.random.between(0, 255) * 8;
        w.put(op, o);
    });
}

void delegate(Writer& w, const Rows&) {
    if (w.mode != Mode::Machine) return;
    w.grouped([&] {
        w.li(kScratch, w.random.next() & 0xb1fe & ~u64{1 << 1});
        csr(w, Op::CSRRW, w.random.one_in(2) ? w.destination() : u8{0}, kMedeleg, kScratch);
    });
}

// sret back into S-mode; in U-mode, and M-mode's mret outside of it, illegal.
void supervisor_return(Writer& w, const Rows&) {
    if (w.mode != Mode::Supervisor) {
        if (w.mode == Mode::User) w.put(w.random.one_in(2) ? Op::SRET : Op::MRET, {});
        return;
    }
    if (w.random.one_in(3)) return void(w.put(Op::MRET, {}));
    w.grouped([&] {
        w.put(Op::AUIPC, {.rd = kScratch});
        w.put(Op::ADDI, {.rd = kScratch, .rs1 = kScratch, .imm = 24});
        csr(w, Op::CSRRW, 0, kSepc, kScratch);
        w.put(Op::ADDI, {.rd = kScratch, .imm = 0x100});
        csr(w, Op::CSRRS, 0, kSstatus, kScratch);
        w.put(Op::SRET, {});
    });
}

// Loads and stores of M-mode as if of another.
void modified_privilege(Writer& w, const Rows& rows) {
    if (w.mode != Mode::Machine) return;
    w.grouped([&] {
        w.li(kScratch, kMpp);
        csr(w, Op::CSRRC, 0, kMstatus, kScratch);
        w.li(kScratch, kMprv | (w.random.one_in(2) ? 1 << 11 : 0));
        csr(w, Op::CSRRS, 0, kMstatus, kScratch);
        const Op op = w.random.of(rows.access);
        Operands o = extract(row(op).format, random_word(w, op));
        o.rs1 = kPointer;
        o.imm = w.random.between(-1536, -8) & -8;
        w.put(op, o);
        w.li(kScratch, kMprv);
        csr(w, Op::CSRRC, 0, kMstatus, kScratch);
    });
}

// With an interrupt pending and enabled but for the mode, wfi goes on at once.
void wait(Writer& w, const Rows&) {
    if (w.mode != Mode::Machine) return;
    w.grouped([&] {
        csr(w, Op::CSRRWI, 0, kMie, 2);
        csr(w, Op::CSRRWI, 0, kMip, 2);
        w.put(Op::WFI, {});
        csr(w, Op::CSRRWI, 0, kMip, 0);
        csr(w, Op::CSRRWI, 0, kMie, 0);
    });
}

// Entry 0 keeps the frame, and entry 15 mostly allows what no other matches.
void protect(Writer& w, const Rows&) {
    if (w.mode != Mode::Machine) return;
    w.grouped([&] {
        const u32 which = w.random.below(16);
        if (which != 0) {
            w.li(kScratch, pmp_address(w));
            csr(w, Op::CSRRW, 0, kPmpaddr0 + which, kScratch);
        }
        u64 cfg = 0;
        for (unsigned i = 0; i < 8; ++i) cfg |= u64{pmp_cfg(w)} << 8 * i;
        const bool low = w.random.one_in(2);
        if (low)
            cfg = (cfg & ~u64{0xff}) | 0x0f;
        else if (!w.random.one_in(4))
            cfg = (cfg & ~u64{0} >> 8) | u64{0x1f} << 56;
        w.li(kScratch, cfg);
        csr(w, Op::CSRRW, 0, low ? kPmpcfg0 : kPmpcfg0 + 2, kScratch);
        if (!low && w.random.one_in(2)) {
            w.li(kScratch, ~u64{0} >> 10);
            csr(w, Op::CSRRW, 0, kPmpaddr0 + 15, kScratch);
        }
        w.put(Op::SFENCE_VMA, {});
    });
}

void remap(Writer& w, const Rows&) {
    if (w.mode == Mode::User) return;
    w.grouped([&] {
        const unsigned index = w.random.below(kLeaves);
        const bool middle = w.random.one_in(24);
        // A large page (misaligned now and then), or the way to the small ones.
        const u64 large = pte::of(kLarge, leaf_flags(w) & ~pte::kX) | (w.random.one_in(3) ? 1 << 10 : 0);
        const u64 entry = !middle              ? leaf(w, index)
                          : w.random.one_in(3) ? large
                                               : pte::of(kLeafTable, pte::kV);
        w.li(kPointer, middle ? kMiddleTable : kLeafTable + index * 8);
        w.li(kScratch, entry);
        w.put(Op::SD, {.rs1 = kPointer, .rs2 = kScratch});
        w.li(kPointer, kWindowVirtual + (middle ? 0 : index * 0x1000));
        if (middle)
            w.put(Op::SFENCE_VMA, {});
        else
            fence(w, kPointer);
        restore_pointer(w);
    });
}

void status_bits(Writer& w, const Rows&) {
    if (w.mode == Mode::User) return;
    w.grouped([&] {
        w.li(kScratch, w.random.one_in(2) ? kSum : w.random.one_in(2) ? kMxr : kSum | kMxr);
        csr(w, w.random.one_in(2) ? Op::CSRRS : Op::CSRRC, 0, kSstatus, kScratch);
    });
}

void to_island(Writer& w, const Rows&) {
    w.grouped([&] {
        const u8 base = w.other_than(1);
        const bool second = w.random.one_in(2);
        w.put(Op::LUI, {.rd = base, .imm = second ? 0x5000 : 0x4000});
        w.put(Op::ADD, {.rd = base, .rs1 = base, .rs2 = kPointer});
        const i32 offset = second ? (w.random.one_in(2) ? -2 : 0) : w.random.below(512) * 2;
        w.put(Op::JALR, {.rd = 1, .rs1 = base, .imm = offset});
    });
}

// The size of what lies between auipc and the next instruction must not depend on values: mret goes behind
// it.
void enter(Writer& w, Mode mode, u64 satp) {
    w.grouped([&] {
        w.paged = satp != 0;
        w.mode = mode;
        std::vector<u32> rest;
        const auto append = [&](std::initializer_list<u32> words) { rest.insert(rest.end(), words); };
        const auto constant = [&](u8 rd, u64 value) {
            for (const u32 word : load_constant(rd, value)) rest.push_back(word);
        };
        const auto write = [&](Op op, u32 number) {
            append({encode(op, {.rs1 = kScratch, .imm = static_cast<i32>(number)})});
        };
        const bool alias = w.paged && mode == Mode::User;
        constant(kPointer, alias ? kUserAlias : 0);
        append({encode(Op::ADD, {.rd = kScratch, .rs1 = kScratch, .rs2 = kPointer})});
        write(Op::CSRRW, kMepc);
        constant(kScratch, satp);
        write(Op::CSRRW, kSatp);
        append({encode(Op::SFENCE_VMA, {})});
        constant(kScratch, kMpp | kMpie);  // interrupts stay off in M-mode
        write(Op::CSRRC, kMstatus);
        constant(kScratch, mode == Mode::Supervisor ? 1 << 11 : 0);
        write(Op::CSRRS, kMstatus);
        constant(kPointer, w.pointer());
        append({encode(Op::MRET, {})});
        w.put(Op::AUIPC, {.rd = kScratch});
        w.put(Op::ADDI, {.rd = kScratch, .rs1 = kScratch, .imm = static_cast<i32>(8 + rest.size() * 4)});
        for (const u32 word : rest) w.put(word);
    });
}

void leave(Writer& w) {
    if (w.mode != Mode::Machine)
        w.grouped([&] {
            w.put(Op::ECALL, {});
            w.put(kToMachine);
        });
    w.mode = Mode::Machine;
    w.paged = false;
}

void checkpoint(Writer& w) { w.put(encode(Op::JAL, {.rd = kScratch})).door = kDoorCheckpoint; }
}  // namespace hartline::fuzz
