// virtio-blk over virtio-mmio (version 2): negotiation, reads and writes, flush, errors, indirect
// descriptors, event index, the interrupt; and rings that no driver would make, after which a reset must
// bring the device back.
//
// The disk has 2048 sectors; sectors 0 to 7 are filled with 'A' to 'H'. Sectors 1 and 9 to 20 are written.
//
// oracle: QEMU 7.2 (-global virtio-mmio.force-legacy=false); Spike has no virtio. Checks 4 and 6 rest on
// virtio 1.2 alone ("MMIO Device Register Layout"; "Driver Requirements: Device Initialization").
#include "runtime.h"

enum {
    MAGIC = 0x00,
    VERSION = 0x04,
    DEVICE_ID = 0x08,
    FEATURES = 0x10,
    FEATURES_SEL = 0x14,
    ACCEPT = 0x20,
    ACCEPT_SEL = 0x24,
    QUEUE_SEL = 0x30,
    QUEUE_MAX = 0x34,
    QUEUE_NUM = 0x38,
    QUEUE_READY = 0x44,
    NOTIFY = 0x50,
    INTERRUPT_STATUS = 0x60,
    INTERRUPT_ACK = 0x64,
    STATUS = 0x70,
    DESC = 0x80,
    DRIVER = 0x90,
    DEVICE = 0xa0,
    CONFIG = 0x100,
};
enum { ACKNOWLEDGE = 1, DRIVER_THERE = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
#define F_FLUSH BIT(9)
#define F_INDIRECT BIT(28)
#define F_EVENT_IDX BIT(29)
#define F_VERSION_1 BIT(32)
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8 };
enum { OK = 0, IO_ERROR = 1, UNSUPPORTED = 2, UNTOUCHED = 0x77 };
#define SIZE 8

struct descriptor {
    u64 address;
    u32 length;
    u16 flags, next;
};
static struct {
    struct descriptor descriptors[SIZE] __attribute__((aligned(16)));
    struct {
        u16 flags, index, ring[SIZE], used_event;
    } driver __attribute__((aligned(2)));
    struct {
        u16 flags, index;
        struct {
            u32 id, length;
        } ring[SIZE];
        u16 available_event;
    } device __attribute__((aligned(4)));
} volatile queue __attribute__((aligned(4096)));
static volatile struct descriptor table[SIZE] __attribute__((aligned(16)));
static volatile struct {
    u32 type, reserved;
    u64 sector;
} header __attribute__((aligned(16)));
static u8 buffer[4096] __attribute__((aligned(4096)));
static volatile u8 status;
static u64 base, irq, offered;

static u32 get(u64 at) { return read32(base + at); }
static void put(u64 at, u32 value) { write32(base + at, value); }
static void put64(u64 at, u64 value) {
    put(at, (u32)value);
    put(at + 4, (u32)(value >> 32));
}
static void accept(u64 features) {
    for (u32 half = 0; half < 2; ++half) {
        put(ACCEPT_SEL, half);
        put(ACCEPT, (u32)(features >> 32 * half));
    }
}

// --- finding and starting
static bool find(void) {
    for (u64 slot = 0; slot < 8; ++slot) {
        base = VIRTIO + slot * 0x1000;
        irq = slot + 1;
        // A slot may have nothing behind it at all.
        if (attempt_in(M, probe_lwu, base) != NO_TRAP) continue;
        if (get(MAGIC) == 0x74726976 && get(VERSION) == 2 && get(DEVICE_ID) == 2) return true;
    }
    return false;
}
static void reset(void) {
    put(STATUS, 0);
    for (u32 i = 0; i < 1000000 && get(STATUS) != 0; ++i) {}
    memset((void*)&queue, 0, sizeof queue);
}
static void features(void) {
    reset();
    check(2, get(STATUS) == 0 && get(INTERRUPT_STATUS) == 0);
    put(STATUS, ACKNOWLEDGE);
    put(STATUS, ACKNOWLEDGE | DRIVER_THERE);
    check(3, get(STATUS) == (ACKNOWLEDGE | DRIVER_THERE));
    put(FEATURES_SEL, 0);
    offered = get(FEATURES);
    put(FEATURES_SEL, 1);
    offered |= (u64)get(FEATURES) << 32;
    put(FEATURES_SEL, 2);
    check_unless(ORACLE_QEMU, 4, get(FEATURES) == 0);
    check(5, (offered & F_VERSION_1) != 0 && (offered & F_FLUSH) != 0 && (offered & F_INDIRECT) != 0);
    // What was not offered cannot be had.
    accept(F_VERSION_1 | BIT(63) | BIT(50));
    put(STATUS, ACKNOWLEDGE | DRIVER_THERE | FEATURES_OK);
    check_unless(ORACLE_QEMU, 6, (get(STATUS) & FEATURES_OK) == 0);
    // One queue.
    put(QUEUE_SEL, 0);
    check(7, get(QUEUE_MAX) >= SIZE && get(QUEUE_READY) == 0);
    put(QUEUE_SEL, 1000);
    check(8, get(QUEUE_MAX) == 0 && get(QUEUE_READY) == 0);
    put(QUEUE_SEL, 0);
    // Without DRIVER_OK nothing is served; with a queue that is not ready neither.
    put(NOTIFY, 0);
    put(NOTIFY, 77);
    check(9, read64(base + CONFIG) == 2048 || (get(CONFIG) == 2048 && get(CONFIG + 4) == 0));
    check(10, read8(base + CONFIG) == 0 && read8(base + CONFIG + 1) == 8 && read16(base + CONFIG) == 2048);
}
static void negotiate(u64 wanted) {
    reset();
    put(STATUS, ACKNOWLEDGE | DRIVER_THERE);
    accept(wanted);
    put(STATUS, ACKNOWLEDGE | DRIVER_THERE | FEATURES_OK);
    check(11, get(STATUS) == (ACKNOWLEDGE | DRIVER_THERE | FEATURES_OK));
}
static void set_up(u64 descriptors, u64 driver, u64 device, u32 size) {
    put(QUEUE_SEL, 0);
    put(QUEUE_NUM, size);
    put64(DESC, descriptors);
    put64(DRIVER, driver);
    put64(DEVICE, device);
    put(QUEUE_READY, 1);
    put(STATUS, ACKNOWLEDGE | DRIVER_THERE | FEATURES_OK | DRIVER_OK);
}
static void start(u64 wanted) {
    negotiate(wanted);
    set_up((u64)queue.descriptors, (u64)&queue.driver, (u64)&queue.device, SIZE);
    check(12, get(QUEUE_READY) == 1);
    check(13, get(STATUS) == (ACKNOWLEDGE | DRIVER_THERE | FEATURES_OK | DRIVER_OK));
}

// --- requests
static void describe(volatile struct descriptor* to, u64 address, u64 length, u16 flags, u16 next) {
    to->address = address;
    to->length = (u32)length;
    to->flags = flags;
    to->next = next;
}
// Makes a chain available, and waits: until it is used, the device gives up, or time is over.
static u64 patience = 10000000;
static bool submit(u16 head) {
    const u16 before = queue.device.index;
    queue.driver.ring[queue.driver.index % SIZE] = head;
    fence();
    queue.driver.index = queue.driver.index + 1;
    fence();
    put(NOTIFY, 0);
    for (const u64 start = mtime(); mtime() - start < patience;) {
        fence();
        if (queue.device.index != before) return true;
        if ((get(STATUS) & NEEDS_RESET) != 0) return false;
    }
    return false;
}
static u32 used_length(void) { return queue.device.ring[(u16)(queue.device.index - 1) % SIZE].length; }
static void begin(u32 type, u64 sector) {
    header.type = type;
    header.reserved = 0;
    header.sector = sector;
    status = UNTOUCHED;
}
// A request with one buffer; gives its status.
static u8 request(u32 type, u64 sector, u64 bytes) {
    const u16 writable = type == IN || type == GET_ID ? WRITE : 0;
    begin(type, sector);
    describe(&queue.descriptors[0], (u64)&header, 16, NEXT, 1);
    if (bytes != 0) describe(&queue.descriptors[1], (u64)buffer, bytes, NEXT | writable, 2);
    if (bytes == 0) queue.descriptors[0].next = 2;
    describe(&queue.descriptors[2], (u64)&status, 1, WRITE, 0);
    const bool used = submit(0);
    if (!used) {
        show("request", type);
        show("sector", sector);
        show("bytes", bytes);
        show("device status", get(STATUS));
    }
    check(19, used && queue.device.ring[(u16)(queue.device.index - 1) % SIZE].id == 0);
    return status;
}
static bool all_are(u8 byte, u64 from, u64 bytes) {
    for (u64 i = 0; i < bytes; ++i)
        if (buffer[from + i] != byte) return false;
    return true;
}
static void fill(u8 byte, u64 from, u64 bytes) { memset(buffer + from, byte, bytes); }

static void reads_and_writes(u64 wanted) {
    start(wanted);
    for (u8 i = 0; i < 8; ++i) {
        if (i == 1) continue;
        fill(0, 0, 1024);
        check(20, request(IN, i, 512) == OK && all_are((u8)('A' + i), 0, 512) && all_are(0, 512, 512));
        check(21, used_length() == 513);
    }
    // Writing.
    for (u8 round = 0; round < 3; ++round) {
        fill((u8)(0x90 + round), 0, 512);
        check(22, request(OUT, 1, 512) == OK && used_length() == 1);
        fill(0, 0, 512);
        check(23, request(IN, 1, 512) == OK && all_are((u8)(0x90 + round), 0, 512));
    }
    check(24, request(IN, 0, 512) == OK && all_are('A', 0, 512));
    check(25, request(IN, 2, 512) == OK && all_are('C', 0, 512));
    // Eight sectors at once.
    check(26, request(IN, 0, 4096) == OK && used_length() == 4097 && all_are('A', 0, 512) &&
                  all_are('H', 3584, 512));
    for (u64 i = 0; i < 8; ++i) fill((u8)(0x30 + i), 512 * i, 512);
    check(27, request(OUT, 9, 4096) == OK);
    fill(0, 0, 4096);
    check(28, request(IN, 12, 512) == OK && all_are(0x33, 0, 512) && request(IN, 16, 512) == OK &&
                  all_are(0x37, 0, 512));
    // Flush and the serial number.
    if ((wanted & F_FLUSH) != 0) check(29, request(FLUSH, 0, 0) == OK && used_length() == 1);
    fill(0xee, 0, 64);
    check(30, request(GET_ID, 0, 20) == OK && buffer[20] == 0xee);
    // The last sector; beyond it; a range that runs over the end; one that wraps.
    check(31, request(IN, 2047, 512) == OK && request(IN, 2048, 512) == IO_ERROR);
    check(32, request(IN, 2044, 4096) == IO_ERROR && request(OUT, 2044, 4096) == IO_ERROR);
    check(33, request(IN, -1ul, 512) == IO_ERROR && request(OUT, 1ul << 55, 512) == IO_ERROR);
    check(34, request(IN, (1ul << 55) - 1, 512) == IO_ERROR);
    // Not a whole sector; what no device knows.
    check(35, request(IN, 0, 100) == IO_ERROR);
    check(36, request(99, 0, 512) == UNSUPPORTED);
    check(37, request(IN, 0, 512) == OK && all_are('A', 0, 512));
}

// Buffers in pieces, of which none is aligned; parts of the header and the status apart.
static void pieces(void) {
    begin(IN, 2);
    fill(0, 0, 1024);
    describe(&queue.descriptors[3], (u64)&header, 7, NEXT, 5);
    describe(&queue.descriptors[5], (u64)&header + 7, 9, NEXT, 1);
    describe(&queue.descriptors[1], (u64)buffer + 1, 500, NEXT | WRITE, 7);
    describe(&queue.descriptors[7], (u64)buffer + 501, 5, NEXT | WRITE, 0);
    describe(&queue.descriptors[0], (u64)buffer + 506, 7, NEXT | WRITE, 2);
    describe(&queue.descriptors[2], (u64)&status, 1, WRITE, 0);
    check(40, submit(3) && status == OK && used_length() == 513);
    check(41, buffer[0] == 0 && all_are('C', 1, 512) && buffer[513] == 0);
    // Many requests, so that the indices go around.
    for (u32 i = 0; i < 3 * SIZE; ++i) {
        const u8 sector = i % 2 == 0 ? 3 : 5;
        check(42, request(IN, sector, 512) == OK && all_are((u8)('A' + sector), 0, 512));
    }
    // Three at once, in one kick.
    static volatile u8 codes[2];
    const u16 before = queue.device.index;
    begin(IN, 4);
    for (u16 i = 0; i < 2; ++i) {
        codes[i] = UNTOUCHED;
        describe(&queue.descriptors[3 * i], (u64)&header, 16, NEXT, 3 * i + 1);
        describe(&queue.descriptors[3 * i + 1], (u64)buffer + 512 * i, 512, NEXT | WRITE, 3 * i + 2);
        describe(&queue.descriptors[3 * i + 2], (u64)&codes[i], 1, WRITE, 0);
    }
    fill(0, 0, 1024);
    queue.driver.ring[queue.driver.index % SIZE] = 0;
    queue.driver.index = queue.driver.index + 1;
    check(43, submit(3));
    for (const u64 start = mtime(); mtime() - start < 100000 && (u16)(queue.device.index - before) != 2;) {}
    check(44, (u16)(queue.device.index - before) == 2 && codes[0] == OK && codes[1] == OK &&
                  all_are('E', 0, 1024));
}

static void indirect(void) {
    start(F_VERSION_1 | F_INDIRECT);
    begin(IN, 6);
    fill(0, 0, 512);
    describe(&table[0], (u64)&header, 16, NEXT, 2);
    describe(&table[2], (u64)buffer, 512, NEXT | WRITE, 1);
    describe(&table[1], (u64)&status, 1, WRITE, 0);
    describe(&queue.descriptors[5], (u64)table, 48, INDIRECT, 0);
    check(50, submit(5) && status == OK && used_length() == 513 && all_are('G', 0, 512));
    check(51, queue.device.ring[0].id == 5);
}

// --- the interrupt, as the PLIC sees it
static void interrupt(u64 wanted) {
    start(wanted);
    write32(PLIC + 4 * irq, 1);
    write32(PLIC + 0x2000, 1u << irq);
    // A gateway keeps what it has let in, though the line has fallen since: earlier requests may have left
    // one.
    for (u32 claimed; (claimed = read32(PLIC + 0x200004)) != 0;) write32(PLIC + 0x200004, claimed);
    check(55, (csr_read(mip) & BIT(MEI)) == 0);
    queue.driver.used_event = 0;  // "tell me of the first"
    check(56, request(IN, 0, 512) == OK);
    for (u32 i = 0; i < 100000 && (csr_read(mip) & BIT(MEI)) == 0; ++i) {}
    check(57, (csr_read(mip) & BIT(MEI)) != 0 && get(INTERRUPT_STATUS) == 1);
    check(58, read32(PLIC + 0x200004) == irq);
    put(INTERRUPT_ACK, 1);
    check(59, get(INTERRUPT_STATUS) == 0);
    write32(PLIC + 0x200004, (u32)irq);
    check(60, (csr_read(mip) & BIT(MEI)) == 0);
    if ((wanted & F_EVENT_IDX) != 0) {
        // "Tell me of the fourth": the second and third are silent.
        queue.driver.used_event = 3;
        check(61, request(IN, 0, 512) == OK && request(IN, 0, 512) == OK && get(INTERRUPT_STATUS) == 0);
        check(62, request(IN, 0, 512) == OK);
        for (u32 i = 0; i < 100000 && get(INTERRUPT_STATUS) == 0; ++i) {}
        check(63, get(INTERRUPT_STATUS) == 1);
        check(64, queue.device.available_event == queue.driver.index);
    } else {
        queue.driver.flags = 1;
        check(65, request(IN, 0, 512) == OK && get(INTERRUPT_STATUS) == 0);
    }
    write32(PLIC + 0x2000, 0);
    reset();
    check(66, get(INTERRUPT_STATUS) == 0 && get(QUEUE_READY) == 0);
}

// --- what no driver would do. Nothing is asked of the device but to live: it may want a reset, report an
// error or be silent. Then a reset makes it good again.
static u64 wild;
static void begin_wild(void) {
    ++wild;
    start(F_VERSION_1 | F_INDIRECT);
    begin(IN, 0);
    describe(&queue.descriptors[0], (u64)&header, 16, NEXT, 1);
    describe(&queue.descriptors[1], (u64)buffer, 512, NEXT | WRITE, 2);
    describe(&queue.descriptors[2], (u64)&status, 1, WRITE, 0);
}
static void end_wild(void) {
    patience = 5000;
    submit(0);
    patience = 10000000;
    if (wild > 0 && status == OK) show("a wild request was taken as good", wild);
    start(F_VERSION_1 | F_INDIRECT);
    fill(0, 0, 512);
    const u8 code = request(IN, 3, 512);
    if (code != OK) show("after wild request", wild);
    check(70, code == OK && all_are('D', 0, 512));
}
static void wild_addresses(void) {
    const u64 nowhere[] = {0,         HOLE, RAM_END, RAM_END - 1, RAM - 0x1000, 1ul << 40,
                           1ul << 63, -1ul, -8ul,    UART,        base};
    for (u64 i = 0; i < sizeof nowhere / sizeof *nowhere; ++i) {
        for (u64 which = 0; which < 3; ++which) {
            begin_wild();
            queue.descriptors[which].address = nowhere[i];
            end_wild();
        }
        begin_wild();
        describe(&queue.descriptors[0], nowhere[i], 48, INDIRECT, 0);
        end_wild();
        for (u64 which = 0; which < 3; ++which) {
            begin_wild();
            negotiate(F_VERSION_1);
            const u64 d = (u64)queue.descriptors, a = (u64)&queue.driver, u = (u64)&queue.device;
            set_up(which == 0 ? nowhere[i] : d, which == 1 ? nowhere[i] : a, which == 2 ? nowhere[i] : u,
                   SIZE);
            end_wild();
        }
    }
}
static void wild_chains(void) {
    begin_wild();
    queue.descriptors[1].next = 1;  // a circle
    end_wild();
    begin_wild();
    describe(&queue.descriptors[2], (u64)&status, 1, WRITE | NEXT, 0);
    end_wild();
    begin_wild();
    queue.descriptors[0].next = SIZE;  // outside of the table
    end_wild();
    begin_wild();
    queue.descriptors[0].next = 0xffff;
    end_wild();
    begin_wild();
    queue.descriptors[0].flags = 0;  // nothing but a header
    end_wild();
    begin_wild();
    queue.descriptors[0].length = 3;
    queue.descriptors[0].next = 2;
    end_wild();
    begin_wild();
    queue.descriptors[0].flags = NEXT | WRITE;  // a header that is written
    end_wild();
    begin_wild();
    queue.descriptors[2].flags = 0;  // a status that is read
    end_wild();
    for (u64 which = 0; which < 3; ++which) {
        begin_wild();
        queue.descriptors[which].length = 0;
        end_wild();
        begin_wild();
        queue.descriptors[which].length = 0xffffffff;
        end_wild();
    }
    begin_wild();
    for (u16 i = 0; i < SIZE; ++i)
        describe(&queue.descriptors[i], (u64)buffer, 0xffffffff, NEXT | WRITE, i + 1);
    end_wild();
    // Indirect tables: no length, not a whole number, too long, nested, with NEXT, circular.
    const u32 lengths[] = {0, 15, 17, 0xffffffff, 0xfffffff0, 16 * 65536};
    for (u64 i = 0; i < 6; ++i) {
        begin_wild();
        describe(&table[0], (u64)&header, 16, NEXT, 0);
        describe(&queue.descriptors[0], (u64)table, lengths[i], INDIRECT, 0);
        end_wild();
    }
    begin_wild();
    describe(&table[0], (u64)table, 16, INDIRECT, 0);
    describe(&queue.descriptors[0], (u64)table, 16, INDIRECT, 0);
    end_wild();
    begin_wild();
    describe(&table[0], (u64)&header, 16, NEXT, 1000);
    describe(&queue.descriptors[0], (u64)table, 32, INDIRECT | NEXT, 1);
    end_wild();
    begin_wild();
    describe(&table[0], (u64)&header, 16, NEXT, 1);
    describe(&table[1], (u64)buffer, 512, NEXT | WRITE, 0);
    describe(&queue.descriptors[0], (u64)table, 32, INDIRECT, 0);
    end_wild();
}
static void wild_indices(void) {
    const u16 jumps[] = {SIZE + 1, 0x7fff, 0x8000, 0xffff};
    for (u64 i = 0; i < 4; ++i) {
        begin_wild();
        queue.driver.index = jumps[i];
        end_wild();
    }
    const u16 heads[] = {SIZE, 0x8000, 0xffff};
    for (u64 i = 0; i < 3; ++i) {
        begin_wild();
        for (u64 j = 0; j < SIZE; ++j) queue.driver.ring[j] = heads[i];
        queue.driver.index = 1;
        put(NOTIFY, 0);
        end_wild();
    }
    // Queue sizes that are none.
    const u32 sizes[] = {0, 3, 7, 0x8000, 0x10000, 0xffffffff};
    for (u64 i = 0; i < 6; ++i) {
        begin_wild();
        negotiate(F_VERSION_1);
        set_up((u64)queue.descriptors, (u64)&queue.driver, (u64)&queue.device, sizes[i]);
        end_wild();
    }
    // Registers out of order, and queues that are not there.
    begin_wild();
    for (u32 i = 1; i < 2000; i += 333) put(NOTIFY, i);
    put(QUEUE_SEL, 0xffffffff);
    put(QUEUE_NUM, 8);
    put(QUEUE_READY, 1);
    put64(DESC, -1ul);
    put(STATUS, 0xff);
    put(INTERRUPT_ACK, 0xffffffff);
    put(ACCEPT_SEL, 77);
    put(ACCEPT, 0xffffffff);
    end_wild();
    // A reset while a request is on its way: it must not come back.
    for (u32 i = 0; i < 20; ++i) {
        start(F_VERSION_1);
        begin(IN, 4);
        describe(&queue.descriptors[0], (u64)&header, 16, NEXT, 1);
        describe(&queue.descriptors[1], (u64)buffer, 512, NEXT | WRITE, 2);
        describe(&queue.descriptors[2], (u64)&status, 1, WRITE, 0);
        queue.driver.ring[0] = 0;
        queue.driver.index = 1;
        put(NOTIFY, 0);
        reset();
        check(71, get(STATUS) == 0);
        const u16 index = queue.device.index;
        for (const u64 start = mtime(); mtime() - start < 2000;) {}
        check(72, index == 0 && queue.device.index == 0 && get(INTERRUPT_STATUS) == 0);
    }
    end_wild();
}

int main(void) {
    check(1, find());
    features();
    reads_and_writes(F_VERSION_1 | F_FLUSH);
    pieces();
    reads_and_writes(F_VERSION_1);
    reads_and_writes(offered & (F_VERSION_1 | F_FLUSH | F_INDIRECT | F_EVENT_IDX));
    pieces();
    indirect();
    interrupt(F_VERSION_1);
    interrupt(F_VERSION_1 | (offered & F_EVENT_IDX));
    wild_addresses();
    wild_chains();
    wild_indices();
    // What was written has stayed through all of this.
    start(F_VERSION_1 | F_FLUSH);
    check(80, request(IN, 1, 512) == OK && all_are(0x92, 0, 512));
    check(81, request(IN, 0, 4096) == OK && all_are('A', 0, 512) && all_are('H', 3584, 512));
    return 0;
}
