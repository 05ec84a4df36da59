// Lines of the checklist on accesses: pages, halves, devices, holes, tables, PMP.
#include <catch2/catch.hpp>

#include "cpu/decode.hpp"
#include "tests/cpu/rig.hpp"

using namespace hartline;
using namespace hartline::rig;

namespace {
constexpr u64 kPage = 0x10000, kNext = kPage + kFrameBytes;
constexpr u64 kAll = V | R | W | X | A | D;
struct Sized {
    Op load, store;
    unsigned bytes;
};
constexpr Sized kSizes[]{
    {Op::LBU, Op::SB, 1}, {Op::LHU, Op::SH, 2}, {Op::LWU, Op::SW, 4}, {Op::LD, Op::SD, 8}};

bool load_traps(Rig& r, Op op, u64 vaddr, Cause cause, u64 tval) {
    r.x(5) = vaddr;
    r.x(7) = 0x77;
    return r.traps(op, {.rd = 7, .rs1 = 5}, cause, tval) && r.x(7) == 0x77;
}
bool store_traps(Rig& r, Op op, u64 vaddr, Cause cause, u64 tval) {
    r.x(5) = vaddr;
    return r.traps(op, {.rs1 = 5, .rs2 = 6}, cause, tval);
}
bool jump_traps(Rig& r, u64 to, Cause cause, u64 tval) { return !r.run(to) && r.trapped(cause, tval, to); }
bool loads(Rig& r, u64 vaddr) {
    r.x(5) = vaddr;
    return r.step(Op::LD, {.rd = 7, .rs1 = 5});
}
bool stores(Rig& r, u64 vaddr) {
    r.x(5) = vaddr;
    return r.step(Op::SD, {.rs1 = 5, .rs2 = 6});
}

// In M-mode, with S's regime for loads and stores. A trap from M ends it.
void be_supervisor_for_data(Rig& r) {
    r.mode = Privilege::Machine;
    r.s().mstatus = (r.s().mstatus & ~mstatus::kMpp) | mstatus::kMprv | u64{1} << mstatus::kMppShift;
    update_regimes(r.cpu());
}

// A supervisor with one mapped page; the next one is absent.
struct OnePage {
    explicit OnePage(u64 bits = kAll) {
        r.mode = Privilege::Supervisor;
        r.map(kPage, kData, bits);
        pte = r.last_pte;
        r.translation_on();
    }
    Rig r;
    u64 pte = 0;
};
}  // namespace

TEST_CASE(
    "checklist 2, seen 43: an instruction across pages whose second half faults: tval is that half's address") {
    OnePage one;
    Rig& r = one.r;
    r.poke(kData + kFrameBytes - 2, u16{0x0013});  // the first half of a nop
    CHECK_FALSE(r.run(kNext - 2));
    CHECK(r.trapped(Cause::FetchPage, kNext, kNext - 2));
    r.map(kNext, kData + kFrameBytes, V | R | A);  // not executable
    r.fence();
    CHECK_FALSE(r.run(kNext - 2));
    CHECK(r.trapped(Cause::FetchPage, kNext, kNext - 2));
    r.map(kNext, kHole, kAll);
    r.fence();
    CHECK_FALSE(r.run(kNext - 2));
    CHECK(r.trapped(Cause::FetchAccess, kNext, kNext - 2));
    r.map(kNext, kData + 3 * kFrameBytes, kAll);  // elsewhere in memory
    r.poke(kData + 3 * kFrameBytes, u16{0});
    r.fence();
    CHECK(r.run(kNext - 2));
    CHECK(r.s().pc == kNext + 2);
    // Compressed, at the end of the page: no second half.
    r.poke(kData + kFrameBytes - 2, u16{0x0001});
    r.map(kNext, 0, 0);
    r.fence();
    CHECK(r.run(kNext - 2));
    // M-mode, at the end of memory.
    r.mode = Privilege::Machine;
    r.poke(kRam + kRamBytes - 2, u16{0x0013});
    CHECK_FALSE(r.run(kRam + kRamBytes - 2));
    CHECK(r.trapped(Cause::FetchAccess, kRam + kRamBytes, kRam + kRamBytes - 2));
}

TEST_CASE("checklist 49, seen 27: an access across pages stores nothing when the second half faults") {
    OnePage one;
    Rig& r = one.r;
    r.x(6) = 0x1122'3344'5566'7788;
    for (const Sized& size : kSizes)
        for (unsigned first = 1; first < size.bytes; ++first) {
            CAPTURE(size.bytes, first);
            r.poke(kData + kFrameBytes - 8, u64{0x55});
            CHECK(store_traps(r, size.store, kNext - first, Cause::StorePage, kNext));
            CHECK(r.peek(kData + kFrameBytes - 8) == 0x55);
            CHECK(load_traps(r, size.load, kNext - first, Cause::LoadPage, kNext));
            // The page before is not there: the address of the access.
            CHECK(load_traps(r, size.load, kPage - first, Cause::LoadPage, kPage - first));
            CHECK(store_traps(r, size.store, kPage - first, Cause::StorePage, kPage - first));
        }
    CHECK(r.peek(kData) == 0);
    // Two pages of memory that lie apart.
    r.map(kNext, kData + 5 * kFrameBytes, kAll);
    r.fence();
    CHECK(stores(r, kNext - 3));
    CHECK((r.peek<u16>(kData + kFrameBytes - 3) == 0x7788 && r.peek<u8>(kData + kFrameBytes - 1) == 0x66));
    CHECK((r.peek<u32>(kData + 5 * kFrameBytes) == 0x2233'4455 &&
           r.peek<u8>(kData + 5 * kFrameBytes + 4) == 0x11));
    CHECK((loads(r, kNext - 3) && r.x(7) == r.x(6)));
}

TEST_CASE("seen 27 and 53: PMP judges both parts of an access across pages, and a part of a wide one") {
    Rig r;
    r.mode = Privilege::Supervisor;
    r.s().pmp.cfg[1] = r.s().pmp.cfg[0];
    r.s().pmp.addr[1] = r.s().pmp.addr[0];
    r.s().pmp.cfg[0] = 0x18;  // nothing, from the second page on
    r.s().pmp.addr[0] = ((kData + kFrameBytes) >> 2) | 0x1ff;
    pmp_changed(r.cpu());
    r.x(6) = ~u64{0};
    CHECK(store_traps(r, Op::SD, kData + kFrameBytes - 4, Cause::StoreAccess, kData + kFrameBytes));
    CHECK(load_traps(r, Op::LD, kData + kFrameBytes - 4, Cause::LoadAccess, kData + kFrameBytes));
    CHECK(load_traps(r, Op::LD, kData + 2 * kFrameBytes - 4, Cause::LoadAccess, kData + 2 * kFrameBytes - 4));
    CHECK(r.peek(kData + kFrameBytes - 8) == 0);
    r.s().pmp.cfg[0] = 0x10;  // four bytes in the middle of eight
    r.s().pmp.addr[0] = (kData + 4) >> 2;
    pmp_changed(r.cpu());
    CHECK(load_traps(r, Op::LD, kData, Cause::LoadAccess, kData));
    CHECK(load_traps(r, Op::LD, kData + 4, Cause::LoadAccess, kData + 4));
    CHECK(loads(r, kData + 8));
    r.x(5) = kData;
    CHECK(r.step(Op::LW, {.rd = 7, .rs1 = 5}));
}

TEST_CASE("checklist 49, seen 32: devices take no misaligned access, and none is split for them") {
    Rig r;
    for (const Sized& size : kSizes)
        for (unsigned offset = 1; offset < size.bytes; ++offset)
            for (const u64 at : {kDevice + offset, kDevice + kFrameBytes - size.bytes + offset}) {
                CAPTURE(size.bytes, at);
                r.x(5) = at;
                CHECK_FALSE(r.step(size.load, {.rd = 7, .rs1 = 5}));
                CHECK(r.s().mcause == static_cast<u64>(Cause::LoadAccess));
                CHECK(r.s().mtval == at);
                CHECK_FALSE(r.step(size.store, {.rs1 = 5, .rs2 = 6}));
                CHECK(r.s().mcause == static_cast<u64>(Cause::StoreAccess));
                CHECK(r.s().mtval == at);
            }
    CHECK((r.device->reads == 0 && r.device->writes == 0));
    for (const Sized& size : kSizes) {
        r.x(5) = kDevice + 8;
        CHECK(r.step(size.load, {.rd = 7, .rs1 = 5}));
        CHECK(r.step(size.store, {.rs1 = 5, .rs2 = 6}));
    }
    CHECK((r.device->reads == 4 && r.device->writes == 4));
    // Half memory, half device, by translation: the device sees nothing.
    OnePage one;
    one.r.map(kNext, kDevice, kAll);
    one.r.map(kNext + kFrameBytes, kData + kFrameBytes, kAll);
    one.r.fence();
    CHECK(load_traps(one.r, Op::LD, kNext - 4, Cause::LoadAccess, kNext));
    CHECK(store_traps(one.r, Op::SD, kNext - 4, Cause::StoreAccess, kNext));
    const u64 end = kNext + kFrameBytes;
    CHECK(load_traps(one.r, Op::LD, end - 4, Cause::LoadAccess, end - 4));
    CHECK(store_traps(one.r, Op::SD, end - 4, Cause::StoreAccess, end - 4));
    CHECK((one.r.device->reads == 0 && one.r.device->writes == 0));
}

TEST_CASE("checklist 50, seen 33: accesses to nothing fault with their address, also where addresses end") {
    Rig r;
    for (const Privilege mode : {Privilege::User, Privilege::Supervisor, Privilege::Machine}) {
        r.mode = mode;
        for (const u64 at : {u64{0}, kHole, kHole + 0x120, kDevice + 2 * kFrameBytes, kRam + kRamBytes,
                             (u64{1} << 56) - 8, u64{1} << 56, u64{1} << 63, ~u64{0} - 7})
            for (const Sized& size : kSizes) {
                CAPTURE(at, size.bytes);
                CHECK(load_traps(r, size.load, at, Cause::LoadAccess, at));
                CHECK(store_traps(r, size.store, at, Cause::StoreAccess, at));
                CHECK(jump_traps(r, at, Cause::FetchAccess, at));
            }
        CHECK(jump_traps(r, kDevice, Cause::FetchAccess, kDevice));  // is no memory for code
    }
    r.mode = Privilege::Machine;
    CHECK(load_traps(r, Op::LD, ~u64{0} - 3, Cause::LoadAccess, ~u64{0} - 3));  // wraps to 0
    CHECK(store_traps(r, Op::SD, ~u64{0} - 3, Cause::StoreAccess, ~u64{0} - 3));
    CHECK(load_traps(r, Op::LD, kRam - 4, Cause::LoadAccess, kRam - 4));
    CHECK(store_traps(r, Op::SD, kRam + kRamBytes - 4, Cause::StoreAccess, kRam + kRamBytes));
    CHECK(loads(r, kRam + kRamBytes - 8));
}

TEST_CASE("checklist 41, seen 57: canonical addresses, for the second half of an access as well") {
    for (const u64 mode : {u64{8}, u64{9}, u64{10}}) {
        Rig r;
        const u64 top = u64{1} << (38 + 9 * (mode - 8));
        // One table for each level, all of whose entries 0, 255, 256 and 511 lead on; the leaf is the whole
        // page.
        const u64 levels = mode - 5;
        for (u64 level = 0; level < levels; ++level)
            for (const u64 entry : {u64{0}, u64{255}, u64{256}, u64{511}})
                r.poke(
                    kTables + level * kFrameBytes + entry * 8,
                    level + 1 == levels ? kData >> 12 << 10 | kAll : ((kTables >> 12) + level + 1) << 10 | V);
        r.s().satp = mode << 60 | kTables >> 12;
        be_supervisor_for_data(r);
        CAPTURE(mode);
        CHECK(loads(r, top - 8));
        CHECK(loads(r, u64{0} - top));
        for (const auto& [at, tval] :
             {std::pair{top, top}, {top - 4, top}, {u64{0} - top - 4, u64{0} - top - 4}}) {
            CHECK(load_traps(r, Op::LD, at, Cause::LoadPage, tval));
            be_supervisor_for_data(r);
            CHECK(store_traps(r, Op::SD, at, Cause::StorePage, tval));
            be_supervisor_for_data(r);
        }
        r.mode = Privilege::Supervisor;
        CHECK(jump_traps(r, top, Cause::FetchPage, top));
    }
}

TEST_CASE(
    "checklist 37, 51, seen 55 and 62: tables that PMP refuses or that are no memory: access faults of the kind") {
    for (const u64 table : {kHole, kDevice, kRam + kRamBytes}) {
        OnePage one;
        Rig& r = one.r;
        r.poke(kTables + 8, table >> 12 << 10 | V);  // for addresses from 1 GiB on
        const u64 at = (u64{1} << 30) + 0x238;
        CHECK(load_traps(r, Op::LD, at, Cause::LoadAccess, at));
        CHECK(store_traps(r, Op::SD, at, Cause::StoreAccess, at));
        CHECK(jump_traps(r, at, Cause::FetchAccess, at));
        CHECK((r.device->reads == 0 && r.device->writes == 0));
    }
    OnePage one;
    Rig& r = one.r;
    r.s().pmp.cfg[1] = r.s().pmp.cfg[0];
    r.s().pmp.addr[1] = r.s().pmp.addr[0];
    r.s().pmp.addr[0] = (kTables >> 2) | 0x1'ffff;  // a MiB
    const auto protect = [&](u8 bits) {
        r.s().pmp.cfg[0] = static_cast<u8>(0x18 | bits);
        pmp_changed(r.cpu());
    };
    protect(4);  // the tables may be executed, but not read
    CHECK(jump_traps(r, kPage, Cause::FetchAccess, kPage));
    be_supervisor_for_data(r);
    CHECK(load_traps(r, Op::LD, kPage, Cause::LoadAccess, kPage));
    be_supervisor_for_data(r);
    CHECK(store_traps(r, Op::SD, kPage, Cause::StoreAccess, kPage));
    be_supervisor_for_data(r);
    protect(1);  // may be read, and not written: enough until A or D must be set
    CHECK(stores(r, kPage));
    r.poke(one.pte, r.peek(one.pte) & ~D);
    r.s().menvcfg |= envcfg::kAdue;
    update_regimes(r.cpu());
    r.fence();
    CHECK(loads(r, kPage));
    CHECK(store_traps(r, Op::SD, kPage, Cause::StoreAccess, kPage));
    be_supervisor_for_data(r);
    protect(3);
    CHECK(stores(r, kPage));
    CHECK((r.peek(one.pte) & D) != 0);
}

TEST_CASE("checklist 38, seen 37 and 55: MPRV uses MPP for data, never for fetches, and PMP follows") {
    Rig r;
    r.s().mstatus |= mstatus::kMprv;
    r.s().satp = u64{8} << 60 | kTables >> 12;
    update_regimes(r.cpu());
    r.map(kPage, kData, kAll | U);
    CHECK(loads(r, kPage));  // MPP is U, and the page is U's
    r.s().mstatus |= u64{1} << mstatus::kMppShift;
    CHECK(load_traps(r, Op::LD, kPage, Cause::LoadPage, kPage));  // S, without SUM
    r.s().mstatus = (r.s().mstatus & ~mstatus::kMpp) | u64{1} << mstatus::kMppShift | mstatus::kSum;
    CHECK(loads(r, kPage));
    r.s().mstatus |= mstatus::kMpp;
    CHECK(load_traps(r, Op::LD, kPage, Cause::LoadAccess, kPage));  // M: no translation, nothing there
    r.s().mstatus &= ~mstatus::kMpp;
    r.s().pmp.cfg[0] = 0;
    pmp_changed(r.cpu());
    CHECK(load_traps(r, Op::LD, kPage, Cause::LoadAccess, kPage));  // U, without a PMP entry
}

TEST_CASE("checklist 48: a leaf that gained a permission serves at once, without a fence") {
    OnePage one(V | R | A);
    Rig& r = one.r;
    CHECK(loads(r, kPage));
    CHECK(store_traps(r, Op::SD, kPage, Cause::StorePage, kPage));
    CHECK(jump_traps(r, kPage, Cause::FetchPage, kPage));
    r.poke(one.pte, r.peek(one.pte) | W | D);
    CHECK(stores(r, kPage));
    r.poke(one.pte, r.peek(one.pte) | X);
    r.poke(kData, encode(Op::ADDI));
    CHECK(r.run(kPage));
    CHECK(load_traps(r, Op::LD, kNext, Cause::LoadPage, kNext));
    r.map(kNext, kData + kFrameBytes, kAll);  // and one that was not there
    CHECK(loads(r, kNext));
}

TEST_CASE("Svvptc: a leaf and a pointer that become valid are seen without a fence") {
    OnePage one(V | R | A);
    Rig& r = one.r;
    CHECK(loads(r, kPage));  // its table is known now
    CHECK(load_traps(r, Op::LD, kNext, Cause::LoadPage, kNext));
    r.map(kNext, kData + kFrameBytes, kAll);
    CHECK(loads(r, kNext));
    for (const u64 range : {u64{1} << 21, u64{1} << 30}) {
        CHECK(load_traps(r, Op::LD, kPage + range, Cause::LoadPage, kPage + range));
        r.map(kPage + range, kData, kAll);
        CHECK(loads(r, kPage + range));
    }
}

TEST_CASE("checklist 29, seen 50: which of several synchronous exceptions is told") {
    OnePage one(V | R | W | A | D);
    Rig& r = one.r;
    r.poke(kData, u32{0});
    CHECK(jump_traps(r, kPage, Cause::FetchPage, kPage));  // before the illegal instruction that is there
    r.map(kNext, kHole, kAll);
    r.fence();
    CHECK(jump_traps(r, kNext, Cause::FetchAccess, kNext));
    // An illegal instruction before what its access would do.
    set_privilege(r.cpu(), Privilege::Supervisor);
    r.s().mstatus &= ~mstatus::kFs;
    r.x(5) = kNext + kFrameBytes;
    CHECK(r.illegal(encode(Op::FLD, {.rd = 0, .rs1 = 5})));
    CHECK(r.illegal(encode(Op::CBO_ZERO, {.rs1 = 5})));
    CHECK(r.illegal(encode(Op::LR_W, {.rd = 7, .rs1 = 5}) | 1 << 20));
    // Atomics: misaligned before page and access faults.
    r.x(5) = kNext + kFrameBytes + 1;
    CHECK(r.traps(Op::AMOADD_W, {.rd = 7, .rs1 = 5}, Cause::StoreMisaligned, kNext + kFrameBytes + 1));
    // Loads that may be misaligned: the page fault of the first part.
    CHECK(load_traps(r, Op::LD, kNext + kFrameBytes + 1, Cause::LoadPage, kNext + kFrameBytes + 1));
}
