// Host code for one unit: guest instructions are lifted to IR one by one, and each IR operation is put into
// x86-64.
//
// Between guest instructions all state is where the plan says: pinned registers in host registers, everything
// else in memory (and copies of it in flexible registers). What may fault does so before its instruction
// changed anything.
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

// A value of the instruction under way.
struct Value {
    enum class Kind : u8 { None, Immediate, Register, Memory, Float };
    Kind kind = Kind::None;
    bool temporary = false;  // in a register that is given back after its last use
    u8 guest = 32;           // the guest register that it is the value of, as long as that is not written
    u8 uses = 0;             // still to come
    x86::Gp reg{};
    x86::Mem mem{};
    u64 immediate = 0;
};

class Emitter {
public:
    // `base` is the executable address that the code will start at, `offset` the same from the start of the
    // cache.
    Emitter(const JitContext& context, const Stubs& stubs, const Plan& plan, u64 base, u32 offset,
            u32 first_link);

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
    struct Cold {  // what is emitted behind the main path
        asmjit::Label entry;
        u32 item;
        std::function<void()> body;
    };
    struct Access {  // of memory
        x86::Gp base;
        i32 offset = 0;
        unsigned bytes = 0;
    };

    struct Group {  // of accesses that share a probe: emit_group.cpp
        u32 first = 0, last = 0;
        u8 base = 0;
        i32 low = 0, high = 0;  // bytes from the base, the last one included
        hartline::Access kind{};
        std::vector<u32> members;
        std::vector<asmjit::Label> copies;  // of each item, and of the end
    };

    // --- emitter.cpp: the unit as a whole
    void choose_flexible();
    void entry();
    void item(u32 index);
    void lower(const IrBlock& ir);
    bool lowerable(const IrBlock& ir) const;
    void hand_over(u32 index);
    void cold(std::function<void()> body, const asmjit::Label& entry);
    void note_site(u32 after_offset);
    void note_piece(u16 item, bool cold);
    void load_flexible();
    bool uses_fp() const { return fp_state_ || fp_arithmetic_; }

    // --- emit_values.cpp
    void count_uses(const IrBlock& ir);
    Value& value(u32 id) { return values_[id]; }
    void used(u32 id);
    Gp take_temporary();
    void give_back(Gp reg);
    std::optional<Gp> home(u8 guest) const;
    static bool is_flexible(Gp reg);
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
    void extend(const IrInst& inst, Gp d);

    // --- emit_memory.cpp
    Access access_of(const IrBlock& ir, u32 address, unsigned bytes);
    x86::Mem probe(const Access& access, hartline::Access kind, const asmjit::Label& miss);
    void probe_into(Gp addend, const Access& access, hartline::Access kind, const asmjit::Label& miss);
    static Gp index_of(const Access& access);
    void call_load(Gp d, const Access& access, const IrInst& inst);
    void call_store(const Access& access, const Value& v);

    // --- emit_group.cpp
    void find_targets();
    bool follows(u32 index) const;
    bool keeps_group(const Item& item) const;
    bool writes_x(const Item& item) const;
    void start_group(u32 index);
    void end_group();
    bool in_group() const;
    x86::Mem locate(const Access& access, hartline::Access kind, const asmjit::Label& miss);
    bool is_sum(const IrBlock& ir, u32 id) const;
    void load(const IrBlock& ir, u32 id);
    void store(const IrBlock& ir, u32 id);
    void store_value(const x86::Mem& to, const Value& v);
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
    void leave_for_budget(i32 undo, i32 offset);
    void exit_to(i32 offset);  // budget is settled
    void indirect(Gp target);  // budget is settled
    void indirect_at(u32 index, Gp target);
    void segment_end(const Segment& segment);

    // --- emit_system.cpp
    bool system(u32 index);
    const u64* plain_csr(i32 number) const;
    void exchange_csr(const u64* plain, const Operands& o, bool reads);
    void mask_interrupts(const Operands& o, bool sets, bool by_register, bool reads,
                         const asmjit::Label& away);
    void write_x(u8 guest, Gp from);
    void read_x(Gp to, u8 guest);

    // --- emit_float.cpp
    bool float_lowerable(const IrInst& inst) const;
    void floating(const IrBlock& ir, u32 id);
    void float_guard();

    x86::Mem cell_of(const void* address, u32 bytes = 8) const { return cell(c_, address, bytes); }
    static bool fits(u64 v) { return static_cast<i64>(v) == static_cast<i32>(v); }

    const JitContext& c_;
    const Stubs& stubs_;
    const Plan& plan_;
    u64 base_;
    u32 offset_, first_link_;
    asmjit::CodeHolder code_;
    x86::Assembler a;
    Result* out_ = nullptr;
    std::vector<asmjit::Label> labels_;
    std::vector<Cold> cold_;
    std::array<u8, kFlexible.size()> flexible_{};  // guest registers; 0: unused
    std::array<Value, 64> values_;
    u32 free_temporaries_ = 0;  // bits: rax rcx rdx
    bool failed_ = false;
    u32 item_ = 0;                 // under way
    std::vector<bool> is_target_;  // items that something jumps to
    std::optional<Group> group_;
    bool copying_ = false;  // a group, with calls for all accesses
    bool fp_state_ = false, fp_arithmetic_ = false;
};
}  // namespace hartline::jit
