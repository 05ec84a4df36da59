// The 16550A as its data sheet and Linux's 8250 driver expect it.
#include <catch2/catch.hpp>

#include "devices/uart.hpp"
#include "tests/devices/fake_port.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
enum : u64 { RBR = 0, THR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum : u64 { DLL = 0, DLM = 1 };  // with DLAB set
constexpr u64 kSecond = 1'000'000'000;

struct Port {
    FakePort port;
    Sink sink;
    std::unique_ptr<Device> device = uart(sink)(port);
    u64 in(u64 reg) { return get(*device, reg, 1); }
    void out(u64 reg, u64 value) { put(*device, reg, value, 1); }
    void pass(u64 ns) { port.advance(*device, ns); }
    void type(std::string_view text) { device->input(bytes_of(text)); }
    void set_divisor(u64 divisor) {
        out(LCR, 0x83);
        out(DLL, divisor & 0xff);
        out(DLM, divisor >> 8);
        out(LCR, 0x03);
    }
    std::string read_all() {
        std::string text;
        while ((in(LSR)&1) != 0) text += static_cast<char>(in(RBR));
        return text;
    }
};
}  // namespace

TEST_CASE("checklist 63: THR-empty interrupt is raised on enabling and cleared by reading IIR") {
    Port p;
    CHECK(p.in(IIR) == 0x01);
    p.out(IER, 2);
    CHECK(p.port.irq);
    CHECK(p.in(IIR) == 0x02);
    CHECK_FALSE(p.port.irq);
    CHECK(p.in(IIR) == 0x01);
    p.out(IER, 2);  // no edge: not raised again
    CHECK(p.in(IIR) == 0x01);
    p.out(IER, 0);
    p.out(IER, 2);  // Linux looks for UART_BUG_THRE in this way
    CHECK(p.in(IIR) == 0x02);
    p.out(THR, 'x');
    CHECK(p.port.irq);
    CHECK(p.in(IIR) == 0x02);
    CHECK(p.sink.text == "x");
}

TEST_CASE("checklist 63: FIFO reset bits clear themselves and the enable bit shows in IIR") {
    Port p;
    p.out(FCR, 0x07);
    CHECK(p.in(IIR) == 0xc1);
    p.out(FCR, 0x06);  // bit 0 clear: the rest is ignored
    CHECK(p.in(IIR) == 0x01);
    p.out(FCR, 0xc1);
    p.out(IER, 1);
    p.type("abc");
    p.pass(kSecond);
    CHECK((p.in(LSR)&1) == 1);
    CHECK(p.in(RBR) == 'a');  // a reset that repeated itself would have taken it back
}

TEST_CASE("checklist 63: DLAB aliases the data and interrupt-enable registers") {
    Port p;
    p.out(IER, 5);
    p.set_divisor(0x1234);
    CHECK(p.sink.text.empty());
    CHECK(p.in(IER) == 5);
    p.out(LCR, 0x80);
    load_into(*p.device, save_of(*p.device));
    CHECK(p.in(DLL) == 0x34);
    CHECK(p.in(DLM) == 0x12);
    CHECK(p.in(LCR) == 0x80);
}

TEST_CASE("checklist 63: LSR error bits clear on reading, and interrupt above all else") {
    Port p;
    p.out(MCR, 0x10);
    p.out(IER, 0x0f);
    for (int i = 0; i < 2; ++i) p.out(THR, 'a');  // FIFO off: the second overruns
    CHECK(p.in(IIR) == 0x06);
    CHECK((p.in(LSR)&0x03) == 0x03);
    CHECK((p.in(LSR)&0x03) == 0x01);
    CHECK(p.in(IIR) == 0x04);
    CHECK(p.in(RBR) == 'a');
    CHECK(p.in(IIR) == 0x02);
    CHECK(p.sink.text.empty());
}

TEST_CASE("checklist 63: a byte below the trigger level interrupts after four characters of silence") {
    Port p;
    p.set_divisor(2);  // 115200: 86.8 us a character
    p.out(FCR, 0x81);  // trigger 8
    p.out(IER, 1);
    p.type("ab");
    p.pass(2 * 86'900);
    CHECK_FALSE(p.port.irq);
    p.pass(3 * 86'800);
    CHECK_FALSE(p.port.irq);
    p.pass(86'900);
    CHECK(p.port.irq);
    CHECK(p.in(IIR) == 0xcc);
    CHECK(p.in(IIR) == 0xcc);  // reading IIR does not clear it
    CHECK(p.in(RBR) == 'a');
    CHECK(p.in(IIR) == 0xc1);
    p.pass(4 * 86'900);
    CHECK(p.in(IIR) == 0xcc);
    CHECK(p.in(RBR) == 'b');
    p.pass(kSecond);
    CHECK(p.in(IIR) == 0xc1);
}

TEST_CASE("the trigger level interrupts at once") {
    Port p;
    p.out(FCR, 0x41);  // trigger 4
    p.out(IER, 1);
    p.set_divisor(1);
    p.type("abcd");
    p.pass(4 * 43'410);
    CHECK(p.in(IIR) == 0xc4);
    CHECK(p.read_all() == "abcd");
    CHECK_FALSE(p.port.irq);
}

TEST_CASE("input comes at the programmed rate") {
    Port p;
    p.set_divisor(24);  // 9600
    p.out(FCR, 0x01);
    p.out(IER, 1);
    p.type(std::string(100, 'x'));
    std::size_t got = 0;
    for (int i = 0; i < 100; ++i) {
        p.pass(1'000'000);
        got += p.read_all().size();
    }
    CHECK(got >= 94);  // 96 characters in 100 ms
    CHECK(got <= 96);
}

TEST_CASE("nothing typed early is lost while Linux probes and starts the port") {
    Port p;
    p.type("login\nroot\n");
    // serial8250_do_startup and autoconfig: FIFOs cleared, everything read, interrupts tested
    for (int i = 0; i < 3; ++i) {
        for (u64 fcr : {1, 7, 0}) p.out(FCR, fcr);
        for (u64 reg : {LSR, RBR, IIR, MSR}) (void)p.in(reg);
        p.out(IER, 2);
        (void)p.in(LSR), (void)p.in(IIR);
        p.out(IER, 0);
        p.pass(kSecond);
    }
    p.out(FCR, 0x81);
    p.out(IER, 5);
    p.pass(10'000'000);
    p.out(FCR, 0x87);  // bytes in the FIFO go back to where they came from
    p.pass(kSecond);
    CHECK(p.read_all() == "login\nroot\n");
}

TEST_CASE("firmware that polls LSR gets its input, one byte at a time") {
    Port p;
    p.type("hi");
    std::string got;
    for (int i = 0; i < 200; ++i) {
        if ((p.in(LSR)&1) != 0) got += static_cast<char>(p.in(RBR));
        p.pass(100'000);
    }
    CHECK(got == "hi");
    Port sender;  // one that only sends never hears anything
    sender.type("hi");
    for (int i = 0; i < 200; ++i) {
        CHECK((sender.in(LSR)&1) == 0);
        sender.out(THR, '.');
        sender.pass(100'000);
    }
}

TEST_CASE("loopback ties the modem lines and the data together") {
    Port p;
    CHECK((p.in(MSR)&0xf0) == 0xb0);
    p.out(MCR, 0x1a);  // Linux's autoconfig: loop, RTS, OUT2
    CHECK((p.in(MSR)&0xf0) == 0x90);
    p.out(IER, 8);
    (void)p.in(MSR);
    p.out(MCR, 0x1e);  // OUT1: RI rises, which is no change that counts
    CHECK(p.in(IIR) == 0x01);
    p.out(MCR, 0x1a);  // RI falls
    CHECK(p.in(IIR) == 0x00);
    CHECK((p.in(MSR)&0x0f) == 0x04);
    CHECK(p.in(IIR) == 0x01);
    p.out(THR, 'z');
    CHECK(p.in(RBR) == 'z');
    CHECK(p.sink.text.empty());
}

TEST_CASE("the backlog is bounded, and the sender can see its room") {
    Port p;
    CHECK(p.device->input_room() == 65536);
    p.type(std::string(70'000, 'x'));
    CHECK(p.device->input_room() == 0);
    p.out(FCR, 1);
    p.out(IER, 1);
    p.set_divisor(1);
    p.pass(kSecond);
    CHECK(p.device->input_room() == 16);
    p.type(std::string(16, 'y'));
    p.out(FCR, 7);  // 16 bytes too many come back, and fit
    CHECK(p.device->input_room() == 0);
    std::string got;
    for (int i = 0; i < 70'000 && got.size() < 66'000; ++i) {
        p.pass(50'000);
        got += p.read_all();
    }
    CHECK(got.size() == 65536 + 16);
    CHECK(got.back() == 'y');
}

TEST_CASE("scratch keeps its value and offsets past the registers are refused") {
    Port p;
    p.out(SCR, 0x5a);
    CHECK(p.in(SCR) == 0x5a);
    u64 value = 0;
    CHECK_FALSE(p.device->read(8, 1, value));
    CHECK_FALSE(p.device->write(0xff, 1, 0));
    put(*p.device, 0, 'w', 4);  // bare-metal programs store words
    CHECK(p.sink.text == "w");
}
