// Finding out what a file is, and placing it.
#include "support.hpp"

#include <zlib.h>

#include "frontend/session/inflate.hpp"
#include "frontend/session/layout.hpp"
#include "frontend/session/loader.hpp"
#include "frontend/session/sniff.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
std::vector<u8> gzip(std::span<const u8> plain) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::vector<u8> packed(deflateBound(&stream, plain.size()) + 64);
    stream.next_in = const_cast<u8*>(plain.data());
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = packed.data();
    stream.avail_out = static_cast<uInt>(packed.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed.resize(packed.size() - stream.avail_out);
    deflateEnd(&stream);
    return packed;
}

std::vector<u8> zboot(const std::vector<u8>& payload, const char* method) {
    std::vector<u8> file(64);
    put(file, 0, u32{0x5a4d});
    std::memcpy(file.data() + 4, "zimg", 4);
    put(file, 8, u32{64});
    put(file, 12, static_cast<u32>(payload.size()));
    std::memcpy(file.data() + 24, method, std::strlen(method));
    file.insert(file.end(), payload.begin(), payload.end());
    return file;
}

LoadRules small_memory() {
    LoadRules rules;
    rules.ram_bytes = u64{16} << 20;
    return rules;
}

std::string refusal(std::vector<u8> contents, const LoadRules& rules = {}) {
    return complaint_of([&] { load_image("FILE", std::move(contents), rules); });
}
std::vector<u8> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }
}  // namespace

TEST_CASE("kinds_are_known_by_content", "[frontend]") {
    CHECK(sniff(make_image(4096, 4096)).kind == FileKind::Image);
    auto stub = make_image(4096, 4096);
    stub[0] = 'M', stub[1] = 'Z';
    CHECK(sniff(stub).kind == FileKind::Image);
    CHECK(sniff(gzip(stub)).kind == FileKind::Gzip);
    CHECK(sniff(zboot({}, "gzip")).kind == FileKind::Zboot);
    CHECK(sniff(make_elf({})).kind == FileKind::Elf);
    CHECK(sniff({}).kind == FileKind::Foreign);
    CHECK(sniff(bytes_of("070701xxxx")).description == "a cpio archive");
    CHECK(sniff(bytes_of("hello")).kind == FileKind::Unknown);
}

TEST_CASE("an_Image_goes_where_its_header_says", "[frontend]") {
    const LoadedImage image = load_image("Image", make_image(5000, 0x10'0000), {});
    CHECK(image.kind == LoadedImage::Kind::Kernel);
    CHECK(image.entry == 0x8020'0000);
    CHECK(image.start == 0x8020'0000);
    CHECK(image.end == 0x8030'0000);
    CHECK(load_image("Image", make_image(5000, 5000, 0x40'0000), {}).entry == 0x8040'0000);
    // Firmware lies below: text_offset 0 is moved out of its way, and is honoured without firmware.
    CHECK(load_image("Image", make_image(5000, 5000, 0), {}).entry == 0x8020'0000);
    LoadRules bare;
    bare.kernel_without_firmware = true;
    bare.kernel_offset = 0;
    CHECK(load_image("Image", make_image(5000, 5000, 0), bare).entry == 0x8000'0000);
}

TEST_CASE("packed_Images_are_unpacked", "[frontend]") {
    const auto plain = make_image(200'000, 0x10'0000);
    CHECK(load_image("Image.gz", gzip(plain), {}).bytes == plain);
    CHECK(load_image("vmlinuz", zboot(gzip(plain), "gzip"), {}).bytes == plain);
    CHECK(refusal(zboot(gzip(plain), "zstd22")).find("packed with zstd22") != std::string::npos);
    CHECK(refusal(zboot(gzip(bytes_of("no kernel")), "gzip")).find("nothing that Hartline knows") !=
          std::string::npos);
    CHECK(refusal(gzip(gzip(plain))).find("gzip within gzip") != std::string::npos);
    auto cut = zboot(gzip(plain), "gzip");
    cut.resize(cut.size() - 1);
    CHECK(refusal(cut).find("truncated EFI zboot") != std::string::npos);
}

TEST_CASE("damaged_gzip_is_refused_at_every_length", "[frontend]") {
    const auto packed = gzip(make_image(3000, 3000));
    for (std::size_t length = 2; length < packed.size(); ++length) {
        const auto line =
            refusal(std::vector<u8>(packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(length)));
        CHECK(line.find("truncated gzip") != std::string::npos);
    }
    for (std::size_t at = 0; at < packed.size(); ++at) {
        auto flipped = packed;
        flipped[at] ^= 0x10;
        CHECK_NOTHROW(complaint_of([&] { load_image("FILE", flipped, {}); }));
    }
}

TEST_CASE("gzip_members_join_and_bombs_are_bounded", "[frontend]") {
    auto two = gzip(bytes_of("ab"));
    const auto more = gzip(bytes_of("cd"));
    two.insert(two.end(), more.begin(), more.end());
    two.push_back(0);
    CHECK(gunzip("f", two, 100) == bytes_of("abcd"));
    const auto bomb = gzip(std::vector<u8>(u64{20} << 20));
    CHECK(complaint_of([&] { gunzip("f", bomb, u64{16} << 20); }) ==
          "f: unpacks to more than 16M: give more with --memory");
}

TEST_CASE("what_does_not_fit_into_memory_is_refused", "[frontend]") {
    CHECK(refusal(make_image(4096, u64{15} << 20), small_memory()).find("give more with --memory") !=
          std::string::npos);
    CHECK(refusal(make_image(4096, ~u64{0})).find("--memory") != std::string::npos);
    CHECK(refusal(make_image(4096, 4096, ~u64{0})).find("--memory") != std::string::npos);
    ElfPlan plan;
    plan.code.resize(64);
    plan.memory_bytes = u64{17} << 20;
    CHECK(refusal(make_elf(plan), small_memory()).find("give more with --memory") != std::string::npos);
    plan = {};
    plan.code.resize(64);
    plan.vaddr = plan.paddr = 0x1000;
    CHECK(refusal(make_elf(plan)).find("0x1000") != std::string::npos);
}

TEST_CASE("foreign_files_are_called_by_name", "[frontend]") {
    auto arm = make_image(4096, 4096);
    put(arm, 0x30, u64{0});
    put(arm, 0x38, u32{0x644d5241});
    CHECK(refusal(arm) == "FILE: is an arm64 Linux Image: give a kernel for riscv64");
    CHECK(refusal({}).starts_with("FILE: is an empty file"));
    CHECK(refusal(bytes_of("QFI\xfbxxxxxxxx")).find("qcow2") != std::string::npos);
    CHECK(refusal(std::vector<u8>(3, 'x')).find("nothing that Hartline knows") != std::string::npos);
    auto big = make_image(4096, 4096);
    put(big, 24, u64{1});
    CHECK(refusal(big).find("big-endian") != std::string::npos);
    auto tiny = make_image(64, 64);
    tiny.resize(0x3c);
    CHECK(refusal(tiny).find("truncated Linux Image") != std::string::npos);
}

TEST_CASE("programs_and_kernels_in_ELF_are_told_apart", "[frontend]") {
    ElfPlan plan;
    plan.code.resize(100);
    plan.entry = 0x8000'0010;
    plan.symbols = {{"tohost", 0x8000'0040}, {"other", 1}, {"begin_signature", 0x8000'0050}};
    const LoadedImage program = load_image("test", make_elf(plan), {});
    CHECK(program.kind == LoadedImage::Kind::Program);
    CHECK(program.entry == 0x8000'0010);
    CHECK(program.symbol("tohost") == 0x8000'0040);
    CHECK(program.symbol("begin_signature") == 0x8000'0050);
    CHECK_FALSE(program.symbol("other"));
    CHECK_FALSE(program.symbol("fromhost"));
    plan.vaddr = plan.entry = 0xffff'ffff'8000'0000;
    plan.symbols.clear();
    for (const u64 paddr : {u64{0}, u64{0x8020'0000}, plan.vaddr}) {
        plan.paddr = paddr;
        const LoadedImage kernel = load_image("vmlinux", make_elf(plan), {});
        CHECK(kernel.kind == LoadedImage::Kind::Kernel);
        CHECK(kernel.entry == 0x8020'0000);
        CHECK(kernel.start == 0x8020'0000);
    }
}

TEST_CASE("foreign_ELF_files_are_called_by_name", "[frontend]") {
    ElfPlan plan;
    plan.code.resize(16);
    const auto good = make_elf(plan);
    const auto changed = [&](std::size_t at, auto value) {
        auto bytes = good;
        put(bytes, at, value);
        return refusal(bytes);
    };
    CHECK(refusal(good).empty());
    CHECK(changed(EI_DATA, u8{ELFDATA2MSB}) ==
          "FILE: is a big-endian ELF file: give a 64-bit little-endian RISC-V program");
    CHECK(changed(EI_CLASS, u8{ELFCLASS32}) ==
          "FILE: is a 32-bit ELF file for RISC-V: give a 64-bit little-endian RISC-V program");
    CHECK(changed(18, u16{EM_X86_64}).find("x86-64") != std::string::npos);
    CHECK(changed(18, u16{EM_AARCH64}).find("AArch64") != std::string::npos);
    CHECK(changed(16, u16{ET_REL}).find("not linked") != std::string::npos);
    CHECK(changed(16, u16{ET_CORE}).find("core dump") != std::string::npos);
    CHECK(changed(56, u16{0}).find("without segments") != std::string::npos);
    CHECK(changed(56, u16{0xffff}).find("damaged") != std::string::npos);
    CHECK(changed(32, ~u64{0}).find("damaged") != std::string::npos);          // e_phoff
    CHECK(changed(64 + 8, ~u64{0} - 4).find("damaged") != std::string::npos);  // p_offset
    CHECK(changed(64 + 32, ~u64{0}).find("damaged") != std::string::npos);     // p_filesz
    CHECK(changed(64 + 0, u32{PT_INTERP}).find("dynamic linker") != std::string::npos);
}

TEST_CASE("an_ELF_cut_at_any_length_is_refused_or_complete", "[frontend]") {
    ElfPlan plan;
    plan.code.resize(40);
    plan.symbols = {{"tohost", 0x8000'0000}};
    const auto good = make_elf(plan);
    for (std::size_t length = 0; length < good.size(); ++length) {
        const std::vector<u8> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
        CHECK_FALSE(refusal(cut).empty());
    }
}

TEST_CASE("an_ELF_with_any_bit_flipped_never_harms", "[frontend]") {
    ElfPlan plan;
    plan.code.resize(24);
    plan.symbols = {{"tohost", 0x8000'0000}, {"fromhost", 0x8000'0008}};
    const auto good = make_elf(plan);
    std::size_t refused = 0;
    for (std::size_t bit_number = 0; bit_number < good.size() * 8; ++bit_number) {
        auto flipped = good;
        flipped[bit_number / 8] ^= static_cast<u8>(1 << bit_number % 8);
        const std::string line = refusal(flipped);
        refused += !line.empty();
        CHECK((line.empty() || line.starts_with("FILE: ")));
    }
    CHECK(refused > 100);
}

TEST_CASE("firmware_is_raw_or_ELF", "[frontend]") {
    const LoadedImage raw = load_firmware("fw.bin", std::vector<u8>(100, 1), {});
    CHECK(raw.entry == 0x8000'0000);
    CHECK(raw.end == 0x8000'0064);
    ElfPlan plan;
    plan.code.resize(16);
    plan.entry = 0x8000'0008;
    CHECK(load_firmware("fw.elf", make_elf(plan), {}).entry == 0x8000'0008);
    CHECK_FALSE(complaint_of([] { load_firmware("f", {}, {}); }).empty());
    CHECK_FALSE(complaint_of([] { load_firmware("f", make_image(4096, 4096), {}); }).empty());
}

TEST_CASE("the_layout_places_high_below_a_limit_and_refuses_overlap", "[frontend]") {
    constexpr u64 kMiB = u64{1} << 20;
    Layout layout(0, 64 * kMiB);
    layout.take("kernel", 2 * kMiB, 10 * kMiB);
    CHECK(layout.place("tree", kMiB, 2 * kMiB, 32 * kMiB) == 30 * kMiB);
    CHECK(layout.place("initrd", 19 * kMiB + 1, 4096, 30 * kMiB) == 11 * kMiB - 4096);
    CHECK(layout.place("high", 20 * kMiB, 2 * kMiB, 20 * kMiB) == 32 * kMiB);
    CHECK(complaint_of([&] { layout.take("x", 9 * kMiB, 10 * kMiB); }).find("where kernel is") !=
          std::string::npos);
    CHECK(complaint_of([&] { layout.take("x", 63 * kMiB, 65 * kMiB); }).find("does not lie in memory") !=
          std::string::npos);
    CHECK(
        complaint_of([&] { layout.place("initrd", 40 * kMiB, 4096, 30 * kMiB); }) ==
        "initrd: needs 40M of memory in one piece; the largest that is left is 12M: give more with --memory");
}
