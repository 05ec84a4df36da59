// The computing machine: each word of the vocabulary (semantics.hpp) does its work at once.
//
// Assumes two's complement and arithmetic right shift of negative numbers (C++20 promises both).
#pragma once
#include <cstring>

#include "cpu/interpreter/fp_on_host.hpp"
#include "cpu/interpreter/slow.hpp"
#include "cpu/semantics.hpp"

namespace hartline {

// One instruction under way. Lives in registers only: everything is inlined into the instruction's handler.
// kProbing: loads and stores look into the TLB only, and on a miss leave with Exit::Miss before anything was
// done.
template <bool kProbing>
struct Interp {
    Context& c;
    const Insn* in;
    Exit exit = Exit::Next;
    u64 target = 0;  // of a jump or branch

    // --- values
    static u64 imm(i64 v) { return static_cast<u64>(v); }
    u64 x(u8 r) const { return c.cpu.s.x[r]; }
    void set(u8 r, u64 v) { c.cpu.s.x[r] = v; }
    static bool is_x0(u8 r) { return r % 32 == 0; }

    // --- integers
    static u64 add(u64 a, u64 b) { return a + b; }
    static u64 sub(u64 a, u64 b) { return a - b; }
    static u64 and_(u64 a, u64 b) { return a & b; }
    static u64 or_(u64 a, u64 b) { return a | b; }
    static u64 xor_(u64 a, u64 b) { return a ^ b; }
    static u64 not_(u64 a) { return ~a; }
    static u64 neg(u64 a) { return 0 - a; }
    static u64 shl(u64 a, u64 b) { return a << (b & 63); }
    static u64 shr(u64 a, u64 b) { return a >> (b & 63); }
    static u64 sar(u64 a, u64 b) { return static_cast<u64>(static_cast<i64>(a) >> (b & 63)); }
    static u64 word(u64 a) { return static_cast<u64>(static_cast<i64>(static_cast<i32>(a))); }
    static u64 shlw(u64 a, u64 b) { return word(static_cast<u32>(a) << (b & 31)); }
    static u64 shrw(u64 a, u64 b) { return word(static_cast<u32>(a) >> (b & 31)); }
    static u64 sarw(u64 a, u64 b) {
        return static_cast<u64>(static_cast<i64>(static_cast<i32>(a) >> (b & 31)));
    }
    static u64 rol(u64 a, u64 b) { return std::rotl(a, static_cast<int>(b & 63)); }
    static u64 ror(u64 a, u64 b) { return std::rotr(a, static_cast<int>(b & 63)); }
    static u64 rolw(u64 a, u64 b) { return word(std::rotl(static_cast<u32>(a), static_cast<int>(b & 31))); }
    static u64 rorw(u64 a, u64 b) { return word(std::rotr(static_cast<u32>(a), static_cast<int>(b & 31))); }

    __extension__ using i128 = __int128;
    __extension__ using u128 = unsigned __int128;
    static u64 mul(u64 a, u64 b) { return a * b; }
    static u64 mulh(u64 a, u64 b) {
        return static_cast<u64>((static_cast<i128>(static_cast<i64>(a)) * static_cast<i64>(b)) >> 64);
    }
    static u64 mulhu(u64 a, u64 b) { return static_cast<u64>((static_cast<u128>(a) * b) >> 64); }
    static u64 mulhsu(u64 a, u64 b) {
        return static_cast<u64>((static_cast<i128>(static_cast<i64>(a)) * static_cast<i128>(b)) >> 64);
    }
    // "M": division by zero gives all ones, overflow gives the dividend; remainders the dividend and zero.
    template <class Signed>
    static Signed divide(Signed a, Signed b) {
        if (b == 0) return static_cast<Signed>(-1);
        if (b == static_cast<Signed>(-1)) return static_cast<Signed>(0 - static_cast<u64>(a));
        return static_cast<Signed>(a / b);
    }
    template <class Signed>
    static Signed remainder(Signed a, Signed b) {
        if (b == 0) return a;
        if (b == static_cast<Signed>(-1)) return 0;
        return static_cast<Signed>(a % b);
    }
    static u64 div(u64 a, u64 b) {
        return static_cast<u64>(divide(static_cast<i64>(a), static_cast<i64>(b)));
    }
    static u64 divu(u64 a, u64 b) { return b == 0 ? ~u64{0} : a / b; }
    static u64 rem(u64 a, u64 b) {
        return static_cast<u64>(remainder(static_cast<i64>(a), static_cast<i64>(b)));
    }
    static u64 remu(u64 a, u64 b) { return b == 0 ? a : a % b; }
    static u64 divw(u64 a, u64 b) {
        return word(static_cast<u64>(static_cast<i64>(divide(static_cast<i32>(a), static_cast<i32>(b)))));
    }
    static u64 divuw(u64 a, u64 b) {
        return static_cast<u32>(b) == 0 ? ~u64{0} : word(static_cast<u32>(a) / static_cast<u32>(b));
    }
    static u64 remw(u64 a, u64 b) {
        return word(static_cast<u64>(static_cast<i64>(remainder(static_cast<i32>(a), static_cast<i32>(b)))));
    }
    static u64 remuw(u64 a, u64 b) {
        return static_cast<u32>(b) == 0 ? word(a) : word(static_cast<u32>(a) % static_cast<u32>(b));
    }

    static u64 slt(u64 a, u64 b) { return static_cast<i64>(a) < static_cast<i64>(b); }
    static u64 sltu(u64 a, u64 b) { return a < b; }
    static u64 eq(u64 a, u64 b) { return a == b; }
    static u64 ne(u64 a, u64 b) { return a != b; }
    static u64 select(u64 condition, u64 a, u64 b) { return condition != 0 ? a : b; }
    static u64 sext(u64 a, unsigned width) { return sign_extend(a, width); }
    static u64 zext(u64 a, unsigned width) { return bits(a, width - 1, 0); }
    static u64 clz(u64 a) { return static_cast<u64>(std::countl_zero(a)); }
    static u64 ctz(u64 a) { return static_cast<u64>(std::countr_zero(a)); }
    static u64 popcount(u64 a) { return static_cast<u64>(std::popcount(a)); }
    static u64 clzw(u64 a) { return static_cast<u64>(std::countl_zero(static_cast<u32>(a))); }
    static u64 ctzw(u64 a) { return static_cast<u64>(std::countr_zero(static_cast<u32>(a))); }
    static u64 popcountw(u64 a) { return static_cast<u64>(std::popcount(static_cast<u32>(a))); }
    static u64 rev8(u64 a) { return __builtin_bswap64(a); }
    static u64 orcb(u64 a) {
        // A byte's top bit is set when any of its bits is; then spread it over the byte.
        constexpr u64 kLow = 0x7f7f'7f7f'7f7f'7f7f;
        const u64 top = (((a & kLow) + kLow) | a) & ~kLow;
        return (top >> 7) * 0xff;
    }
    static u128 carryless(u64 a, u64 b) {
        u128 product = 0;
        for (unsigned i = 0; i < 64; ++i)
            if (bit(b, i) != 0) product ^= static_cast<u128>(a) << i;
        return product;
    }
    static u64 clmul(u64 a, u64 b) { return static_cast<u64>(carryless(a, b)); }
    static u64 clmulh(u64 a, u64 b) { return static_cast<u64>(carryless(a, b) >> 64); }
    static u64 clmulr(u64 a, u64 b) { return static_cast<u64>(carryless(a, b) >> 63); }

    // --- control. Block building has added the instruction's offset to the immediate of rows that ask for
    // pc_plus.
    u64 pc_plus(i64 n) const { return c.block_pc + static_cast<u64>(n); }
    u64 next_pc() const { return c.block_pc + c.block->bytes; }  // jumps are the last of their block
    void jump(u64 to) { target = to; }
    void branch(u64 condition, u64 to) { target = condition != 0 ? to : next_pc(); }

    // --- memory
    template <class T, class K>
    [[gnu::always_inline]] void load_as(Sign sign, u64 vaddr, K&& k) {
        u64 value = 0;
        if constexpr (kProbing) {
            if (c.cpu.tlb.tag(Access::Load, vaddr) != Tlb::key(vaddr, sizeof(T), c.cpu.data_context))
                [[unlikely]] {
                exit = Exit::Miss;
                return;
            }
            value = __atomic_load_n(reinterpret_cast<const T*>(vaddr + c.cpu.tlb.addend(Access::Load, vaddr)),
                                    __ATOMIC_RELAXED);
        } else {
            const Slow slow = slow_load(c, in, vaddr, sizeof(T));
            exit = slow.exit;
            if (exit == Exit::Trap) return;
            value = slow.value;
        }
        k(sign == Sign::Signed ? sign_extend(value, sizeof(T) * 8) : value);
    }
    template <class K>
    [[gnu::always_inline]] void load(unsigned width, Sign sign, u64 vaddr, K&& k) {
        switch (width) {
            case 8: return load_as<u8>(sign, vaddr, k);
            case 16: return load_as<u16>(sign, vaddr, k);
            case 32: return load_as<u32>(sign, vaddr, k);
            default: return load_as<u64>(sign, vaddr, k);
        }
    }
    template <class T>
    [[gnu::always_inline]] void store_as(u64 vaddr, u64 value) {
        if constexpr (kProbing) {
            if (c.cpu.tlb.tag(Access::Store, vaddr) != Tlb::key(vaddr, sizeof(T), c.cpu.data_context))
                [[unlikely]] {
                exit = Exit::Miss;
                return;
            }
            __atomic_store_n(reinterpret_cast<T*>(vaddr + c.cpu.tlb.addend(Access::Store, vaddr)),
                             static_cast<T>(value), __ATOMIC_RELAXED);
        } else {
            exit = slow_store(c, in, vaddr, sizeof(T), value).exit;
        }
    }
    [[gnu::always_inline]] void store(unsigned width, u64 vaddr, u64 value) {
        switch (width) {
            case 8: return store_as<u8>(vaddr, value);
            case 16: return store_as<u16>(vaddr, value);
            case 32: return store_as<u32>(vaddr, value);
            default: return store_as<u64>(vaddr, value);
        }
    }
    // Atomics are out of line; their result goes on only when there was no trap.
    template <class K>
    void after(Slow slow, unsigned width, K&& k) {
        exit = slow.exit;
        if (exit != Exit::Trap) k(sign_extend(slow.value, width));
    }
    template <class K>
    void amo(AmoOp op, unsigned width, u64 vaddr, u64 operand, K&& k) {
        after(slow_amo(c, in, op, width / 8, vaddr, operand), width, k);
    }
    template <class K>
    void load_reserved(unsigned width, u64 vaddr, K&& k) {
        after(slow_load_reserved(c, in, width / 8, vaddr), width, k);
    }
    template <class K>
    void store_conditional(unsigned width, u64 vaddr, u64 value, K&& k) {
        after(slow_store_conditional(c, in, width / 8, vaddr, value), 64, k);
    }
    template <class K>
    void compare_swap(unsigned width, u64 vaddr, u64 expected, u64 desired, K&& k) {
        after(slow_compare_swap(c, in, width / 8, vaddr, expected, desired), width, k);
    }
    void fence(i32) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

    // --- floating point
    static constexpr u64 kDirty = 3u << 13;  // mstatus.FS
    u64 f(u8 r) const { return c.cpu.s.f[r]; }
    void set_f(u8 r, u64 v) {
        c.cpu.s.f[r] = v;
        c.cpu.s.mstatus |= kDirty;
    }
    static u64 box(u64 v, unsigned width) { return v | (~u64{0} << width); }
    static u64 unbox(u64 v, unsigned width) {
        const u64 nan = width == 32 ? 0x7fc0'0000 : 0x7e00;
        return v >> width == ~u64{0} >> width ? zext(v, width) : nan;
    }
    void illegal() { exit = slow_illegal(c, in).exit; }
    template <class K>
    void rounding(i32 rm, K&& k) {
        const u32 mode = rm == 7 ? c.cpu.s.frm : static_cast<u32>(rm);
        if (mode > 4) return illegal();
        k(static_cast<fp::Rounding>(mode));
    }
    template <class Op>
    u64 fp(Op op, AnyRounding, u64 a, u64 b = 0, u64 d = 0) {
        return fp(op, fp::Rounding::NearestEven, a, b, d);
    }
    template <class Op>
    u64 fp(Op, fp::Rounding mode, u64 a, u64 b = 0, u64 d = 0) {
        u64 result = 0;
        if (fp::on_host<Op::value>(a, b, d, c.cpu.s.fflags, mode, result)) return result;
        return slow_fp(c, fp::function(Op::value), mode, a, b, d);
    }
    // --- the rest
    void call(SystemFunction function, const Operands& o) { exit = slow_call(c, in, function, o); }
};
}  // namespace hartline
