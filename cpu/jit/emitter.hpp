// Host code for one unit: guest instructions are lifted to IR one by one, and each IR operation is put into
// x86-64.
//
// Between guest instructions all state is where the plan says: registers with a home in host registers (some
// in their lower half only: emit_word.cpp), everything else in memory. What may fault does so before its
// instruction changed anything.
#pragma once
#include <asmjit/x86.h>

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "cpu/ir.hpp"
#include "cpu/jit/plan.hpp"
#include "cpu/jit/registers.hpp"
#include "cpu/jit/stubs.hpp"

namespace hartline::jit {

namespace x86 = asmjit::x86;

// Is it done by a call, or by code for the whole instruction (atomic())?
constexpr bool has_no_lowering(IrOp op) {
    switch (op) {
        case IrOp::Illegal:
        case IrOp::Call:
        case IrOp::Amo:
        case IrOp::LoadReserved:
        case IrOp::StoreConditional:
        case IrOp::CompareSwap: return true;
        default: return false;
    }
}
constexpr bool is_floating(IrOp op) {
    switch (op) {
        case IrOp::FpGuard:
        case IrOp::RoundingGuard:
        case IrOp::GetF:
        case IrOp::SetF:
        case IrOp::Box:
        case IrOp::Unbox:
        case IrOp::Fp: return true;
        default: return false;
    }
}

// A value of the instruction under way.
struct Value {
    enum class Kind : u8 { None, Immediate, Register, Memory, Float, Stored };
    Kind kind = Kind::None;
    bool temporary = false;  // in a register that is given back after its last use
    u8 guest = 32;           // the guest register that it is the value of, as long as that is not written
    u8 uses = 0;             // still to come
    x86::Gp reg{};
    x86::Xmm xmm{};
    x86::Mem mem{};
    u64 immediate = 0;
};

// An operand of a floating-point operation: an f register, unboxed where it is a single one.
struct FloatSource {
    u8 guest = 0;
    bool single = false;
    bool negative = false;  // with its sign changed
};

class Emitter {
public:
    struct Place {
        u64 base;                   // the executable address that the code will start at
        u32 offset;                 // the same from the start of the cache
        u32 unit;                   // its number
        std::array<u64, 2> frames;  // physical addresses of its pages
    };
    Emitter(const JitContext& context, const Stubs& stubs, const Plan& plan, const Place& place);

    struct Result {
        std::size_t bytes = 0;
        u32 near_entry = 0, far_entry = 0;
        std::vector<Site> sites;
        std::vector<Piece> pieces;
        std::vector<Link> links;
        std::vector<std::unique_ptr<Handed>> handed;
    };
    // Emits all; false: it did not work out (then the unit is not made).
    bool emit(Result& result);
    asmjit::CodeHolder& code() { return code_; }

private:
    using Gp = x86::Gp;
    using Xmm = x86::Xmm;
    struct Cold {  // what is emitted behind the main path
        asmjit::Label entry;
        u32 item;
        u32 unchecked, unextended;
        std::function<void()> body;
    };
    struct Access {  // of memory
        x86::Gp base;
        i32 offset = 0;
        unsigned bytes = 0;
    };

    struct Group {  // of accesses that share a probe: emit_group.cpp
        u32 first = 0, last = 0;
        i32 low = 0, high = 0;  // bytes from the first access's base, the last one included
        hartline::Access kind{};
        std::vector<u32> members;
        std::vector<asmjit::Label> copies;  // of each item, and of the end
    };

    // --- emitter.cpp: the unit as a whole
    void entry();
    void item(u32 index);
    void lower(const IrBlock& ir);
    bool lowerable(const IrBlock& ir) const;
    void hand_over(u32 index);
    void hand_over_at(const asmjit::Label& entry, u32 index, const asmjit::Label& back);  // out of the way
    void cold(std::function<void()> body, const asmjit::Label& entry);
    void note_site(u32 after_offset);
    void note_piece(u16 item, bool cold);
    bool uses_fp() const { return fp_state_ || fp_arithmetic_; }

    // --- emit_registers.cpp
    std::array<u32, 32> weigh_registers() const;
    void choose_registers();
    void fill_homes();
    std::optional<Gp> home(u8 guest) const;
    void borrow_pins();
    void load_lent();
    void give_pins_back();

    // --- emit_values.cpp
    void count_uses(const IrBlock& ir);
    Value& value(u32 id) { return values_[id]; }
    void used(u32 id);
    Gp take_temporary();
    void give_back(Gp reg);
    x86::Mem memory_of(u8 guest, u32 bytes = 8) const;
    x86::Mem float_memory(u8 guest, u32 bytes = 8) const;
    Gp in_register(u32 id);  // loads it if need be
    x86::Mem as_memory(const Value& v, u32 bytes) const;
    void move_to(Gp to, const Value& v);
    Gp destination(const IrBlock& ir, u32 id);  // where the result is wanted
    bool wanted_later(const IrInst& inst, Gp reg, u32 end) const;
    void result(u32 id, Gp reg);
    void set_x(const IrBlock& ir, u32 id);

    // --- emit_integer.cpp
    void integer(const IrBlock& ir, u32 id);
    bool folded(const IrBlock& ir, u32 id);
    bool in_place(const IrBlock& ir, u32 id);
    void add(Gp d, u32 first, u32 second);
    void arithmetic(x86::Inst::Id op, Gp d, u32 first, u32 second, bool commutes);
    void shift(IrOp op, Gp d, u32 first, u32 second);
    void rotate(IrOp op, Gp d, u32 first, u32 second);
    void multiply(IrOp op, Gp d, u32 first, u32 second);
    void divide(IrOp op, Gp d, u32 first, u32 second);
    void compare(u32 first, u32 second);
    static x86::CondCode condition_of(IrOp op);
    bool fused_with_branch(const IrBlock& ir, u32 id) const;
    void set_on(IrOp op, Gp d, u32 first, u32 second);
    void select(const IrInst& inst, Gp d);
    void unary(const IrInst& inst, Gp d);
    void carryless(const IrInst& inst, Gp d);
    void extend(const IrInst& inst, Gp d);

    // --- emit_word.cpp
    void start_words_of_item(u32 index);
    void extend_sources(const IrBlock& ir);
    bool low_half_does(const IrBlock& ir, const IrInst& user, u32 id) const;
    void extend_home(u8 guest);
    void extend_homes();
    bool is_word(const IrBlock& ir, u32 id) const;
    void note_written(u8 guest, bool is_word);
    bool makes_word(const IrBlock& ir, const IrInst& set, bool extends) const;
    bool word(const IrBlock& ir);
    asmjit::Operand low_half(const IrInst& leaf) const;
    void word_into(Gp d, IrOp op, asmjit::Operand x, asmjit::Operand y);

    // --- emit_memory.cpp
    Access access_of(const IrBlock& ir, u32 address, unsigned bytes);
    x86::Mem probe(const Access& access, hartline::Access kind, const asmjit::Label& miss);
    void probe_into(Gp addend, const Access& access, hartline::Access kind, const asmjit::Label& miss);
    static Gp index_of(const Access& access);
    static x86::Mem place(Gp addend, const Access& access);
    void call_load(const Access& access);
    asmjit::Label miss_here();
    void call_store(const Access& access, const Value& v);

    // --- emit_group.cpp
    void find_targets();
    bool follows(u32 index) const;
    bool keeps_group(const Item& item);
    bool writes_x(const Item& item) const;
    void start_group(u32 index);
    // A register's value as the sum of something unknown and a constant.
    struct Symbol {
        u32 root = 0;
        i32 offset = 0;
    };
    using Symbols = std::array<Symbol, 32>;
    void forget_symbols();
    void follow_symbols(const Item& item, Symbols& symbols);
    std::optional<Group> group_from(u32 index, Symbols symbols, u32 end);
    void end_group();
    bool in_group() const;
    x86::Mem locate(const Access& access, hartline::Access kind, const asmjit::Label& miss);
    bool is_sum(const IrBlock& ir, u32 id) const;
    void load(const IrBlock& ir, u32 id);
    void store(const IrBlock& ir, u32 id);
    void store_value(const x86::Mem& to, const IrBlock& ir, const IrInst& inst);
    void load_from_memory(Gp d, const x86::Mem& from, bool is_signed);
    void load_from_rax(Gp d, const IrInst& inst);
    void address_into_rax(const Access& access);
    void after_slow();

    // --- emit_control.cpp
    u32 rest(u32 index) const { return plan_.items[index].remaining - 1u; }
    void pc_into(Gp d, i64 offset);
    void terminator(const IrBlock& ir, u32 index);
    void branch(const IrBlock& ir, u32 index);
    x86::CondCode condition(const IrBlock& ir);
    void edge(u32 from, i32 offset);  // unconditional, here
    void edge_if(x86::CondCode condition, u32 from, i32 offset);
    void charge(i32 instructions);
    void check_crossing();
    void leave_for_budget(i32 undo, i32 offset);
    void leave_at_entry();
    void exit_to(i32 offset);  // budget is settled
    void exit_far(i32 offset);
    void place_cells();
    void indirect();  // budget is settled
    void by_jump_cache();
    void indirect_at(u32 index);
    i32 fixed_target_at(u32 index) const;
    bool is_void(u32 index) const;
    void jump_register(u32 index);
    void segment_end(const Segment& segment);

    // --- emit_system.cpp
    bool system(u32 index);
    bool zero_block(u32 index);
    const u64* plain_csr(i32 number) const;
    void change_sum(u8 register_number, bool sets, const asmjit::Label& away, const asmjit::Label& back);
    void sstatus_into_rax();
    void clear_fs(const Operands& o, const asmjit::Label& away);
    void restore_status(u8 source, const asmjit::Label& away);
    bool change_mode(u32 index);
    void exchange_csr(const u64* plain, const Operands& o, bool reads);
    void mask_interrupts(const Operands& o, bool sets, bool by_register, bool reads,
                         const asmjit::Label& away);
    void write_x(u8 guest, Gp from);
    void read_x(Gp to, u8 guest);

    // --- emit_atomic.cpp
    bool atomic(const IrBlock& ir, u32 index);
    void probe_aligned(u8 address, unsigned bytes, hartline::Access kind, const asmjit::Label& miss);
    void paddr_into_rcx(u8 address, hartline::Access kind);
    void amo(const IrInst& inst, u8 operand, bool wanted);
    void amo_locked(const IrInst& inst, u8 operand, bool wanted);
    void combine(AmoOp op);
    void load_reserved(const IrInst& inst, u8 address);
    void store_conditional(const IrInst& inst, u8 address, u8 operand);
    void compare_swap(const IrInst& inst, u8 expected, u8 desired);
    void sign_extend(Gp reg, unsigned bytes);
    void fence(const IrInst& inst);
    bool parallel() const { return c_.cpu.port.parallel(); }

    // --- emit_float.cpp
    bool float_lowerable(const IrInst& inst) const;
    bool float_shapes(const IrBlock& ir) const;
    void choose_float_homes();
    void float_guard();
    static bool accesses_fflags(const Item& item);
    bool exchange_fflags(u32 index);
    void load_float_homes();
    void load_float_home(u32 home);
    void store_float_homes();
    void start_floats_of_item(u32 index);
    void start_floats(const IrBlock& ir);
    void end_floats(u32 index);
    const asmjit::Label& handed_over();
    void reload_floats();

    // --- emit_float_values.cpp
    std::optional<Xmm> float_home(u8 guest) const;
    bool single_home(u8 guest) const;
    FloatSource float_source(const IrBlock& ir, u32 id) const;
    asmjit::Operand float_operand(const FloatSource& source);
    Xmm in_xmm(const FloatSource& source, Xmm temporary);
    void move_float(Xmm to, const FloatSource& source);
    Xmm float_target(u8 guest, bool single) const;
    bool kept(u8 guest) const { return (kept_ >> guest & 1) != 0; }
    void check_nan(u8 guest);
    void check_nans();
    u32 take_checked(u32 guests);
    void make_canonical(u8 first, u8 second);
    void make_each_canonical(u32 guests);
    u32 sources_of(const IrBlock& ir, u32 id) const;
    u32 implied_by(u32 guests) const;
    void check_boxed(const FloatSource& source);
    void check_rounding(const IrInst& inst);
    void set_float(u8 guest, bool single, Xmm from);
    void set_float_bits(u8 guest, bool single, Gp from);
    void floating(const IrBlock& ir, u32 id);
    void get_f(const IrBlock& ir, u32 id);
    void set_f(const IrBlock& ir, u32 id);
    bool loads_float(const IrBlock& ir, u32 id) const;
    void load_float(const IrBlock& ir, u32 id);
    std::optional<Xmm> stored_float(const IrBlock& ir, u32 id, u8 width) const;

    // --- emit_float_arithmetic.cpp
    static bool is_single(fp::Op op) { return fp::name(op).back() == 'S'; }
    void float_result(const IrBlock& ir, u32 id, Xmm d);
    void float_binary(const IrBlock& ir, u32 id, Xmm d);
    void float_unary(const IrBlock& ir, u32 id, Xmm d);
    void multiply_add(const IrBlock& ir, u32 id, Xmm d);
    void check_sum(Xmm sum, const FloatSource& x, const FloatSource& y, u32 sources);
    void pick(const IrBlock& ir, u32 id, Xmm d);
    void sign(const IrBlock& ir, u32 id, Xmm d);
    void make_canonical(Xmm d, bool single);
    void check_result(Xmm d, bool single);

    // --- emit_float_convert.cpp
    void float_to_integer(const IrBlock& ir, u32 id);
    void compare_floats(const IrBlock& ir, u32 id, Gp d);
    void to_signed(const IrBlock& ir, u32 id, Gp d);
    void to_unsigned(const IrBlock& ir, u32 id, Gp d);
    void from_integer(const IrBlock& ir, u32 id, Xmm d);

    x86::Mem cell_of(const void* address, u32 bytes = 8) const { return cell(c_, address, bytes); }
    static bool fits(u64 v) { return static_cast<i64>(v) == static_cast<i32>(v); }

    const JitContext& c_;
    const Stubs& stubs_;
    const Plan& plan_;
    const u64 base_;
    const u32 offset_, unit_;
    const std::array<u64, 2> frames_;
    asmjit::CodeHolder code_;
    x86::Assembler a;
    Result* out_ = nullptr;
    std::vector<asmjit::Label> labels_;
    std::vector<Cold> cold_;
    struct Home {
        u8 guest;
        Gp host;
        bool lent;     // by a pinned register, or flexible: between units the value is in memory
        bool written;  // by the unit
        u8 lender;     // the pinned guest register that is in memory meanwhile; 0: none
    };
    std::vector<Home> homes_;
    std::array<u8, 33> home_of_{};  // by guest register: index in homes_, + 1
    IrBlock ir_;                    // of the instruction under way
    std::array<Value, 64> values_;
    u32 free_temporaries_ = 0;  // bits: rax rcx rdx
    bool failed_ = false;
    u32 item_ = 0;  // under way
    struct Cell {
        asmjit::Label label;
        std::size_t link;  // that it is of
    };
    std::vector<Cell> cells_;
    std::vector<bool> is_target_;  // items that something jumps to
    Symbols symbols_{};
    u32 next_root_ = 1;
    std::optional<Group> group_;
    bool copying_ = false;  // a group, with calls for all accesses
    bool fp_state_ = false, fp_arithmetic_ = false;

    // Of 32-bit results: guest registers, as bits.
    u32 words_ = 0;       // whose value is a sign-extended word, here
    u32 unextended_ = 0;  // of these, what has only the lower half of it in its home
    struct WordsAt {
        u32 words = 0, unextended = 0;
    };
    std::vector<WordsAt> words_at_;  // by item

    // Of floating point. An f register's home has all of it, and memory the same unless the unit writes that
    // register: then memory has it when C++ is called or the unit is left. Or, where the unit takes it for a
    // single mostly, the home has its unboxed value, and memory has all of it, always.
    struct FloatHome {
        u8 guest = 32;
        bool single = false;
    };
    std::array<FloatHome, kFloatHomes> float_homes_{};
    u32 float_homes_used_ = 0;
    std::array<u8, 32> float_home_of_{};  // index + 1
    u32 kept_ = 0;                        // f registers that are in their homes alone
    u32 unchecked_ = 0;                   // of these, results that may be a NaN, here
    u32 unchecked_before_ = 0;            // the instruction under way
    std::array<u32, 32> implied_{};       // by f register: those that are no NaN when it is none
    std::vector<u32> unchecked_at_;       // by item
    bool result_unchecked_ = false;
    u32 boxed_ = 0;                              // f registers that are known to be boxed, here
    u64 float_values_ = 0;                       // values that are part of a SetF
    asmjit::Label handed_over_, behind_handed_;  // of the instruction under way
    asmjit::Label reload_floats_, store_floats_;
    bool reloads_ = false;
};
}  // namespace hartline::jit
