// The shared pieces, made once a cache.
#include "cpu/jit/stubs.hpp"

#include <stdexcept>

#include "cpu/csr.hpp"
#include "cpu/jit/helpers.hpp"
#include "cpu/jit/registers.hpp"

namespace hartline::jit {
namespace {
using namespace asmjit;

class Maker {
public:
    Maker(CodeCache& cache, const JitContext& context) : cache_(cache), c_(context) {
        const u64 base = cache.base() + cache.used();
        code_.init(Environment::host(), base);
        code_.attach(&a);
    }

    Stubs make() {
        enter();
        leave_ = a.newLabel();
        go_on_ = a.newLabel();
        way_out(Leave::Link, stubs_.leave_link, [this] { a.mov(at(c_.leave_detail), x86::eax); });
        way_out(Leave::Interpret, stubs_.leave_interpret, [this] {
            a.movsxd(x86::rax, x86::eax);
            a.add(x86::rax, at(c_.page));
            a.mov(at(c_.leave_pc), x86::rax);
        });
        indirect();
        leave();
        go_on();
        for (unsigned i = 0; i < 4; ++i) {
            start(stubs_.load[i]);
            access(reinterpret_cast<u64>(load_for_code), 1u << i, false);
            start(stubs_.store[i]);
            access(reinterpret_cast<u64>(store_for_code), 1u << i, true);
        }
        start(stubs_.handed);
        handed();
        start(stubs_.crossing);
        ask(reinterpret_cast<u64>(check_crossing));
        start(stubs_.fp_on);
        fp_on();
        start(stubs_.change_sum);
        change_sum();
        start(stubs_.call_supervisor);
        change_mode(Privilege::User, Privilege::Supervisor);
        start(stubs_.return_to_user);
        change_mode(Privilege::Supervisor, Privilege::User);
        finish();
        return stubs_;
    }

private:
    template <class T>
    x86::Mem at(const T& field) const {
        return cell(c_, &field, sizeof(T));
    }
    x86::Mem x(u8 guest) const { return cell(c_, &c_.cpu.s.x[guest], 8); }
    u64 here() const { return code_.baseAddress() + a.offset(); }
    void start(u64& address) {
        a.align(AlignMode::kCode, 16);
        address = here();
    }
    void spill() {
        for (const Pin& pin : kPinned) a.mov(x(pin.guest), pin.host);
        a.mov(at(c_.left), kBudget);
        const Label off = a.newLabel();
        a.cmp(at(c_.fp_live), 0);
        a.je(off);
        a.stmxcsr(at(c_.mxcsr_guest));
        a.ldmxcsr(at(c_.mxcsr_host));
        a.mov(at(c_.fp_live), 0);
        a.bind(off);
    }
    // An access that hit by itself has called nothing: then the newest flags are in the host's register only.
    void fp_on() {
        const Label on = a.newLabel();
        a.cmp(at(c_.fp_live), 0);
        a.jne(on);
        a.ldmxcsr(at(c_.mxcsr_guest));
        a.mov(at(c_.fp_live), 1);
        a.bind(on);
        a.ret();
    }
    void fill() {
        for (const Pin& pin : kPinned) a.mov(pin.host, x(pin.guest));
    }
    void call(u64 function) {
        a.mov(x86::rax, function);
        a.call(x86::rax);
    }

    void enter() {
        start(stubs_.enter);
        for (const auto& reg : {x86::rbp, x86::rbx, x86::r12, x86::r13, x86::r14, x86::r15}) a.push(reg);
        a.sub(x86::rsp, 8);
        a.lea(x86::rbp, x86::ptr(x86::rdi, kBias));
        a.mov(x86::rcx, x86::rsi);
        a.mov(kBudget, at(c_.left));
        fill();
        a.jmp(x86::rcx);
    }
    template <class First>
    void way_out(Leave why, u64& address, First first) {
        start(address);
        first();
        a.mov(x86::eax, static_cast<u32>(why));
        a.jmp(leave_);
    }
    // To the address in rax, which the jump cache's entry is not for.
    void indirect() {
        const Label nowhere = a.newLabel();
        const Label found = a.newLabel();
        start(stubs_.leave_far);
        a.mov(at(c_.leave_detail), x86::eax);
        spill();
        a.lea(x86::rdi, x86::ptr(kContext, -kBias));
        call(reinterpret_cast<u64>(find_far));
        a.jmp(found);
        start(stubs_.leave_indirect);
        const Label unknown = a.newLabel();
        a.and_(x86::rax, -2);
        find_jump_entry(a, c_);
        a.cmp(x86::rax, jump_cell(c_, &c_.jumps_before[0].pc, 8));
        a.jne(unknown);
        const x86::Mem now = jump_cell(c_, &c_.jump_entries[0], 16),
                       before = jump_cell(c_, &c_.jumps_before[0], 16);
        a.vmovdqu(x86::xmm0, now);
        a.vmovdqu(x86::xmm1, before);
        a.vmovdqu(now, x86::xmm1);
        a.vmovdqu(before, x86::xmm0);
        a.jmp(jump_cell(c_, &c_.jump_entries[0].code, 8));
        a.bind(unknown);
        a.mov(at(c_.leave_pc), x86::rax);
        spill();
        a.lea(x86::rdi, x86::ptr(kContext, -kBias));
        call(reinterpret_cast<u64>(find_way));
        a.bind(found);
        a.mov(x86::rcx, x86::rax);
        fill();
        a.mov(x86::rax, at(c_.leave_pc));
        a.test(x86::rcx, x86::rcx);
        a.jz(nowhere);
        a.jmp(x86::rcx);
        a.bind(nowhere);
        a.mov(x86::eax, static_cast<u32>(Leave::Indirect));
        a.jmp(leave_);
    }
    void leave() {
        a.bind(leave_);
        spill();
        a.add(x86::rsp, 8);
        for (const auto& reg : {x86::r15, x86::r14, x86::r13, x86::r12, x86::rbx, x86::rbp}) a.pop(reg);
        a.ret();
    }
    // What a table of the TLB has for the index in rsi.
    x86::Mem entry(const void* table) const {
        return x86::ptr(kContext, x86::rsi, 3, displacement(c_, table), 8);
    }
    // Members of a group whose probe failed may hit by themselves; and contexts that take turns at a page
    // need but another tag. Leaves rax and rcx where neither is so.
    void try_alone(u32 bytes, bool store) {
        const Label hit = a.newLabel(), other = a.newLabel(), miss = a.newLabel();
        const Access kind = store ? Access::Store : Access::Load;
        const Tlb& tlb = c_.cpu.tlb;
        a.push(x86::rsi);
        a.lea(x86::rdx, x86::ptr(x86::rax, static_cast<i32>(bytes) - 1));
        a.bextr(x86::esi, x86::eax, kBudget.r32());
        a.and_(x86::rdx, -static_cast<i32>(kFrameBytes));
        a.or_(x86::rdx, at(c_.cpu.data_context));
        a.cmp(x86::rdx, entry(tlb.tags(kind)));
        a.jne(other);
        a.bind(hit);
        a.add(x86::rax, entry(tlb.addends(kind)));
        a.pop(x86::rsi);
        move(bytes, store);
        a.ret();
        a.bind(other);
        take_over(kind, miss);
        a.jmp(hit);
        a.bind(miss);
        a.pop(x86::rsi);
    }
    // Makes the entry of index rsi, whose tag is not rdx, that of rdx, where it is a twin's: see
    // Tlb::twins().
    void take_over(Access kind, const Label& miss) {
        const Tlb& tlb = c_.cpu.tlb;
        const Label global = a.newLabel(), taken = a.newLabel();
        x86::Mem page = entry(tlb.frames(kind));
        page.addOffset(Tlb::kKindByte);
        page.setSize(1);
        a.xor_(x86::rdx, entry(tlb.tags(kind)));
        a.test(page, Tlb::kUser);
        a.jz(global);
        a.cmp(x86::rdx, at(c_.cpu.data_twins.users));
        a.jne(miss);
        a.jmp(taken);
        a.bind(global);
        a.cmp(x86::rdx, at(c_.cpu.data_twins.global));
        a.jne(miss);
        a.test(page, Tlb::kGlobal);
        a.jz(miss);
        a.bind(taken);
        a.xor_(entry(tlb.tags(kind)), x86::rdx);
        a.mov(x86::edx, x86::esi);
        a.shr(x86::edx, std::countr_zero(Tlb::kGroup));
        a.add(x86::rdx, at(c_.cpu.data_twins.first_group));
        a.bts(cell(c_, tlb.groups(kind), 8), x86::rdx);
    }
    void move(u32 bytes, bool store) {
        const x86::Mem place = x86::ptr(x86::rax, 0, bytes);
        switch (bytes) {
            case 1: store ? a.mov(place, x86::cl) : a.movzx(x86::eax, place); break;
            case 2: store ? a.mov(place, x86::cx) : a.movzx(x86::eax, place); break;
            case 4: store ? a.mov(place, x86::ecx) : a.mov(x86::eax, place); break;
            default: store ? a.mov(place, x86::rcx) : a.mov(x86::rax, place);
        }
    }
    // Which instruction it is follows from the return address, for whoever asks.
    void access(u64 function, u32 bytes, bool store) {
        try_alone(bytes, store);
        a.mov(x86::rdx, x86::ptr(x86::rsp));
        a.mov(at(c_.site), x86::rdx);
        spill();
        a.lea(x86::rdi, x86::ptr(kContext, -kBias));
        a.mov(x86::rsi, x86::rax);
        if (store) a.mov(x86::rdx, x86::rcx);
        a.mov(store ? x86::ecx : x86::edx, bytes);
        a.sub(x86::rsp, 8);
        call(function);
        a.add(x86::rsp, 8);
        fill();
        const Label out = a.newLabel();
        if (store) a.mov(x86::rdx, x86::rax);
        a.test(x86::edx, x86::edx);
        a.jnz(out);
        a.ret();
        a.bind(out);
        a.add(x86::rsp, 8);
        if (!store) a.mov(at(c_.loaded), x86::rax);
        settle_as(Leave::Trap, store ? Leave::Stop : Leave::StopLoaded, x86::edx);
    }
    void ask(u64 function) {
        spill();
        a.lea(x86::rdi, x86::ptr(kContext, -kBias));
        a.mov(x86::rsi, x86::rax);
        a.sub(x86::rsp, 8);
        call(function);
        a.add(x86::rsp, 8);
        fill();
        a.test(x86::eax, x86::eax);
        a.ret();
    }
    void settle_as(Leave trapped, Leave stopped, x86::Gp status) {
        a.cmp(status, static_cast<u32>(Status::Trap));
        a.mov(x86::esi, static_cast<u32>(trapped));
        a.mov(x86::ecx, static_cast<u32>(stopped));
        a.cmovne(x86::esi, x86::ecx);
        a.jmp(go_on_);
    }
    // Behind an instruction that trapped, or after which something must be looked at (esi): goes on where
    // that leads, by the jump cache, if it knows the place.
    void go_on() {
        a.bind(go_on_);
        a.lea(x86::rdi, x86::ptr(kContext, -kBias));
        call(reinterpret_cast<u64>(settle_and_go_on));
        a.mov(x86::rcx, x86::rax);
        fill();
        a.mov(kBudget, at(c_.left));
        a.mov(x86::rax, at(c_.leave_pc));
        a.test(x86::rcx, x86::rcx);
        const Label stay = a.newLabel();
        a.jz(stay);
        a.jmp(x86::rcx);
        a.bind(stay);
        a.mov(x86::eax, static_cast<u32>(Leave::Settled));
        a.jmp(leave_);
    }
    // What update_regimes() does in S-mode where it knows the regimes.
    void change_sum() {
        constexpr std::size_t kWithout = Cpu::known_index(Privilege::Supervisor, false);
        constexpr std::size_t kWith = Cpu::known_index(Privilege::Supervisor, true);
        const Label out = a.newLabel();
        const Cpu& cpu = c_.cpu;
        const KnownRegimes& first = cpu.known_regimes[kWithout];
        const auto known = [&](const auto& field) {
            return x86::ptr(kContext, x86::rdx, 0, displacement(c_, &field), sizeof field);
        };
        a.cmp(at(cpu.s.privilege), static_cast<u32>(Privilege::Supervisor));
        a.jne(out);
        a.mov(x86::edx, x86::ecx);
        a.shr(x86::edx, std::countr_zero(mstatus::kSum));
        a.imul(x86::edx, x86::edx, static_cast<i32>((kWith - kWithout) * sizeof(KnownRegimes)));
        a.mov(x86::rax, at(cpu.s.mstatus));
        a.and_(x86::rax, ~static_cast<i32>(mstatus::kSum));
        a.or_(x86::rcx, x86::rax);
        check_known(first, known, Privilege::Supervisor, out);
        a.mov(at(cpu.s.mstatus), x86::rcx);
        take_data(first, known);
        a.cmp(x86::eax, x86::eax);
        a.bind(out);
        a.ret();
    }
    // Are the known regimes those of the hart in a mode, under the mstatus in rcx? Changes rax.
    template <class Known>
    void check_known(const KnownRegimes& regimes, Known known, Privilege mode, const Label& out) {
        const auto same = [&](const u64& now, const u64& then) {
            a.mov(x86::rax, at(now));
            a.cmp(x86::rax, known(then));
            a.jne(out);
        };
        same(c_.cpu.s.satp, regimes.satp);
        same(c_.cpu.s.menvcfg, regimes.menvcfg);
        same(c_.cpu.tlb.contexts_version(), regimes.version);
        a.mov(x86::eax, x86::ecx);
        a.and_(x86::eax, static_cast<i32>(mstatus::kOfRegimes));
        a.or_(x86::eax, static_cast<i32>(mode));
        a.cmp(x86::rax, known(regimes.status));
        a.jne(out);
    }
    template <class Known>
    void take_data(const KnownRegimes& regimes, Known known) {
        take(c_.cpu.data_context, known(regimes.data_context));
        take(c_.cpu.data_twins, known(regimes.data_twins));
        take(c_.cpu.data_regime, known(regimes.data));
    }
    template <class T>
    void take(const T& now, x86::Mem then) {
        static_assert(sizeof now % 8 == 0 && std::is_trivially_copyable_v<T>);
        for (std::size_t i = 0; i < sizeof now; i += 8) {
            a.mov(x86::rax, then.cloneAdjusted(static_cast<i64>(i)).cloneResized(8));
            a.mov(at(now).cloneAdjusted(static_cast<i64>(i)).cloneResized(8), x86::rax);
        }
    }
    // System calls and the way back from them, where nothing but the mode changes: no interrupt is due, no
    // counter asks for the mode, and the other mode's regimes are known. As HartEngine::go_on(), take_trap()
    // and system::sret() do it.
    void change_mode(Privilege from, Privilege to) {
        const Cpu& cpu = c_.cpu;
        const HartState& s = cpu.s;
        const KnownRegimes& regimes = cpu.known_regimes[Cpu::known_index(to, false)];
        const auto known = [&](const auto& field) { return at(field); };
        const bool calls = to == Privilege::Supervisor;
        constexpr auto kSie = static_cast<i32>(mstatus::kSie), kSpie = static_cast<i32>(mstatus::kSpie),
                       kSpp = static_cast<i32>(mstatus::kSpp);
        constexpr unsigned kUp = std::countr_zero(mstatus::kSpie) - std::countr_zero(mstatus::kSie);
        const Label out = a.newLabel(), stalled = a.newLabel();
        a.cmp(at(s.privilege), static_cast<u32>(from));
        a.jne(out);
        a.mov(x86::rcx, at(s.mstatus));
        a.test(x86::ecx, static_cast<i32>(mstatus::kMprv | mstatus::kSum |
                                          (calls ? 0 : mstatus::kSpp | mstatus::kTsr)));
        a.jnz(out);
        if (calls) {
            a.mov(x86::rax, at(s.medeleg));
            a.not_(x86::eax);
            a.test(x86::eax, 1 << static_cast<u32>(Cause::EcallU));
            a.jnz(out);
        }
        for (const bool* const more : {&s.counters_by_mode, &cpu.tlb.fetches_void()}) {
            a.cmp(at(*more), 0);
            a.jne(out);
        }
        a.mov(x86::rax, at(cpu.lines));
        a.or_(x86::rax, at(s.mip_software));
        a.test(at(s.mie), x86::rax);
        a.jnz(out);
        a.mov(x86::edx, x86::ecx);
        a.and_(x86::edx, calls ? kSie : kSpie);
        calls ? a.shl(x86::edx, kUp) : a.shr(x86::edx, kUp);
        a.and_(x86::rcx, ~(kSie | kSpie | kSpp));
        a.or_(x86::rcx, x86::rdx);
        if (!calls) a.or_(x86::rcx, kSpie);
        check_known(regimes, known, to, out);
        if (calls) {  // it does not retire
            a.add(kBudget, 1 << kBudgetShift);
            a.mov(x86::rdx, kBudget);
            a.shr(x86::rdx, kBudgetShift);
            a.mov(x86::rax, at(c_.limit_at_entry));
            a.sub(x86::rax, x86::rdx);
            a.cmp(x86::rax, at(s.trapped_at));
            a.je(stalled);
            a.mov(at(s.trapped_at), x86::rax);
            a.mov(at(s.scause), static_cast<i32>(Cause::EcallU));
            a.mov(at(s.stval), 0);
        } else {
            a.mov(at(s.reserved), 0);
        }
        a.mov(at(s.mstatus), x86::rcx);
        a.mov(at(s.privilege), static_cast<i32>(to));
        take_data(regimes, known);
        take(cpu.fetch_regime, known(regimes.fetch));
        take(cpu.fetch_context, known(regimes.fetch_context));
        set_jump_tags();
        a.cmp(x86::eax, x86::eax);
        a.bind(out);
        a.ret();
        a.bind(stalled);  // a trap on the heels of a trap takes a tick
        a.sub(kBudget, 1 << kBudgetShift);
        a.test(x86::rsp, x86::rsp);
        a.ret();
    }
    // As Engine::set_jump_tags() does it, in the same generation. The fetch context is in rax.
    void set_jump_tags() {
        a.mov(x86::rcx, at(c_.jump_tag));
        a.and_(x86::rcx, -static_cast<i32>(kFrameBytes));
        a.or_(x86::rcx, x86::rax);
        a.mov(at(c_.jump_tag), x86::rcx);
        a.shr(x86::eax, Tlb::kContextShift);
        a.mov(x86::ecx, at(c_.jump_tag32));
        a.and_(x86::ecx, -(1 << kTagContextBits));
        a.or_(x86::ecx, x86::eax);
        a.mov(at(c_.jump_tag32), x86::ecx);
        a.mov(x86::eax, x86::ecx);
        a.and_(x86::ecx, kJumpEntries - 1);
        a.add(x86::ecx, x86::ecx);
        a.mov(at(c_.jump_key), x86::rcx);
        a.and_(x86::eax, kFarKeys - 1);
        a.lea(x86::eax, x86::ptr(x86::rax, x86::rax, 0, 1));
        a.mov(at(c_.far_key), x86::rax);
    }
    void handed() {
        const Label out = a.newLabel();
        spill();
        a.lea(x86::rdi, x86::ptr(kContext, -kBias));
        a.mov(x86::rsi, x86::rax);
        a.sub(x86::rsp, 8);
        call(reinterpret_cast<u64>(run_handed));
        a.add(x86::rsp, 8);
        fill();
        a.test(x86::eax, x86::eax);
        a.jnz(out);
        a.ret();
        a.bind(out);
        a.add(x86::rsp, 8);
        settle_as(Leave::HandedTrap, Leave::HandedStop, x86::eax);
    }
    void finish() {
        code_.flatten();
        code_.resolveUnresolvedLinks();
        code_.relocateToBase(code_.baseAddress());
        const std::size_t bytes = code_.codeSize();
        if (code_.copyFlattenedData(cache_.writable(cache_.used()), bytes) != kErrorOk)
            throw std::logic_error("translator: the shared code was not made");
        cache_.take(bytes);
    }

    CodeCache& cache_;
    const JitContext& c_;
    CodeHolder code_;
    x86::Assembler a;
    Stubs stubs_;
    Label leave_, go_on_;
};
}  // namespace

Stubs make_stubs(CodeCache& cache, const JitContext& context) { return Maker(cache, context).make(); }
}  // namespace hartline::jit
