// The building blocks of random programs. Each appends one unit: some instructions that run from first to
// last (or trap and go on), whatever the registers hold.
#pragma once
#include "frontend/fuzz/rows.hpp"
#include "frontend/fuzz/writer.hpp"

namespace hartline::fuzz {

// --- units_plain.cpp: computing, branching, memory
void integer(Writer& w, const Rows& rows);     // one instruction
void compressed(Writer& w, const Rows& rows);  // one instruction
void floating(Writer& w, const Rows& rows);    // one instruction, or a write of fcsr
void refresh(Writer& w, const Rows& rows);     // new values for a register
void branch(Writer& w, const Rows& rows);
void jump(Writer& w, const Rows& rows);
void loop(Writer& w, const Rows& rows);
void access(Writer& w, const Rows& rows);
void compressed_access(Writer& w, const Rows& rows);
void access_fp(Writer& w, const Rows& rows);
void atomic(Writer& w, const Rows& rows);
void reserve(Writer& w, const Rows& rows);  // LR/SC
void cache_block(Writer& w, const Rows& rows);
void self_modify(Writer& w, const Rows& rows);
// A register with an address in the window; a group must be open.
u8 window_address(Writer& w, u8 not_this, i32 alignment);

// --- units_system.cpp: privileged state
void csr_probe(Writer& w, const Rows& rows);
void csr_illegal(Writer& w, const Rows& rows);
void exception(Writer& w, const Rows& rows);  // ecall, ebreak, illegal, access faults
void delegate(Writer& w, const Rows& rows);
void supervisor_return(Writer& w, const Rows& rows);
void modified_privilege(Writer& w, const Rows& rows);
void wait(Writer& w, const Rows& rows);
void protect(Writer& w, const Rows& rows);      // PMP
void remap(Writer& w, const Rows& rows);        // page-table entries
void status_bits(Writer& w, const Rows& rows);  // SUM, MXR
void to_island(Writer& w, const Rows& rows);    // calls to where fetching may fault
void enter(Writer& w, Mode mode, u64 satp);     // from M-mode
void leave(Writer& w);                          // to M-mode
void checkpoint(Writer& w);
}  // namespace hartline::fuzz
