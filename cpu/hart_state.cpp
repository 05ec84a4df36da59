// Names every field of a hart's state, once.
#include "cpu/hart_state.hpp"

#include <algorithm>

#include "cpu/counters.hpp"
#include "cpu/csr.hpp"

namespace hartline {
namespace {
void describe_registers(HartState& s, Archive& a) {
    std::array<u64, 32> x{};  // without the place for dropped writes
    std::copy_n(s.x.begin(), x.size(), x.begin());
    a.field("x", x);
    a.require(x[0] == 0, "x");
    std::copy(x.begin(), x.end(), s.x.begin());
    a.field("f", s.f);
    a.field("fflags", s.fflags);
    a.field("frm", s.frm);
    a.field("pc", s.pc);
    a.require(s.pc % 2 == 0, "pc");
    a.field("retired", s.retired);
    a.field("privilege", s.privilege);
    a.require(s.privilege <= Privilege::Supervisor || s.privilege == Privilege::Machine, "privilege");
    a.field("waiting", s.waiting);
    a.field("trapped_at", s.trapped_at);
    a.field("reserved", s.reserved);
    a.field("reservation_bytes", s.reservation_bytes);
    a.require(s.reservation_bytes <= 8, "reservation_bytes");
    a.field("reservation_paddr", s.reservation_paddr);
    a.field("reservation_value", s.reservation_value);
}

void describe_csrs(HartState& s, Archive& a) {
    a.field("mstatus", s.mstatus);
    a.field("medeleg", s.medeleg);
    a.field("mideleg", s.mideleg);
    a.field("mie", s.mie);
    a.field("mip_software", s.mip_software);
    a.field("mtvec", s.mtvec);
    a.field("mscratch", s.mscratch);
    a.field("mepc", s.mepc);
    a.field("mcause", s.mcause);
    a.field("mtval", s.mtval);
    a.field("stvec", s.stvec);
    a.field("sscratch", s.sscratch);
    a.field("sepc", s.sepc);
    a.field("scause", s.scause);
    a.field("stval", s.stval);
    a.field("satp", s.satp);
    a.field("mcounteren", s.mcounteren);
    a.field("scounteren", s.scounteren);
    a.field("menvcfg", s.menvcfg);
    a.field("senvcfg", s.senvcfg);
    a.field("stimecmp", s.stimecmp);
    a.field("mcountinhibit", s.mcountinhibit);
    a.field("counter", s.counter);
    a.field("mhpmevent", s.event);
    a.field("counters_at", s.counters_at);
    a.require(s.counters_at == s.retired, "counters_at");
    a.field("pmpcfg", s.pmp.cfg);
    a.field("pmpaddr", s.pmp.addr);
    a.field("mseccfg", s.pmp.mseccfg);
    a.require(csrs_legal(s), "csrs");
}
}  // namespace

// Counters are brought forward first, so that equal harts are described alike whenever they last were.
void HartState::describe(Archive& archive) {
    if (!archive.loading()) counters::settle(*this, retired);
    const Section section(archive, "hart");
    describe_registers(*this, archive);
    describe_csrs(*this, archive);
    if (archive.loading()) counters::plan(*this);
}
}  // namespace hartline
