// Disassembly in the words of binutils.
#include <catch2/catch.hpp>

#include "cpu/print.hpp"

namespace hartline {
namespace {

TEST_CASE("instructions print as binutils writes them", "[print]") {
    struct Sample {
        u32 word;
        std::string text;
    };
    const Sample samples[]{
        {0x00b5'0533, "add a0,a0,a1"},
        {0xffff'f537, "lui a0,0xfffff"},
        {0x0085'3503, "ld a0,8(a0)"},
        {0xfeb5'3c23, "sd a1,-8(a0)"},
        {0x0000'006f, "jal zero,0x80000000"},
        {0xfe05'0ee3, "beq a0,zero,0x7ffffffc"},
        {0x0ff0'000f, "fence iorw,iorw"},
        {0x0010'000f, "fence 0,w"},
        {0x8330'000f, "fence.tso"},
        {0x0100'000f, "pause"},
        {0x0000'0073, "ecall"},
        {0x3400'd573, "csrrwi a0,mscratch,1"},
        {0x3405'1573, "csrrw a0,mscratch,a0"},
        {0x12b5'0073, "sfence.vma a0,a1"},
        {0x0eb5'252f, "amoswap.w.aqrl a0,a1,(a0)"},
        {0x1405'252f, "lr.w.aq a0,(a0)"},
        {0x02b5'7553, "fadd.d fa0,fa0,fa1"},
        {0x02b5'1553, "fadd.d fa0,fa0,fa1,rtz"},
        {0x6ab5'7543, "fmadd.d fa0,fa0,fa1,fa3"},
        {0xd205'0553, "fcvt.d.w fa0,a0"},
        {0xc205'1553, "fcvt.w.d a0,fa0,rtz"},
        {0xf21f'8553, "fli.d fa0,nan"},
        {0x0015'200f, "cbo.clean (a0)"},
        {0x0001, "c.nop"},
        {0x852e, "c.mv a0,a1"},
        {0x0808, "c.addi4spn a0,sp,16"},
        {0x6505, "c.lui a0,0x1"},
        {0xa001, "c.j 0x80000000"},
        {0x0000, ".2byte 0x0"},
        {0xffff'ffff, ".4byte 0xffffffff"},
        {0x0205'0057, ".4byte 0x2050057  # vadd.vv"},
    };
    for (const Sample& sample : samples) CHECK(print(sample.word, 0x8000'0000) == sample.text);
}
}  // namespace
}  // namespace hartline
