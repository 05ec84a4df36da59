// Sizes, counts, and the small languages of single options.
#include "support.hpp"

#include "frontend/session/config.hpp"
#include "frontend/session/size.hpp"

using namespace hartline;
using test::complaint_of;

TEST_CASE("sizes_are_read_with_binary_units", "[frontend]") {
    CHECK(parse_size("x", "4096") == 4096);
    CHECK(parse_size("x", "16k") == 16384);
    CHECK(parse_size("x", "512M") == u64{512} << 20);
    CHECK(parse_size("x", "2GiB") == u64{2} << 30);
    CHECK(parse_size("x", "1gb") == u64{1} << 30);
    CHECK(parse_size("x", "1T") == u64{1} << 40);
    CHECK(parse_size("x", "0x1000") == 4096);
}

TEST_CASE("sizes_that_are_none_are_refused_with_the_option's_name", "[frontend]") {
    for (const char* text :
         {"", "M", "-1", "1.5G", "12Q", "1Mi", "12 M", "99999999999999999999", "20000000000T", "0x"})
        CHECK(complaint_of([&] { parse_size("--memory", text); }).starts_with("--memory: "));
}

TEST_CASE("counts_are_read_with_decimal_units", "[frontend]") {
    CHECK(parse_count("x", "200M") == 200'000'000);
    CHECK(parse_count("x", "5G") == 5'000'000'000);
    CHECK(parse_count("x", "0") == 0);
    CHECK_FALSE(complaint_of([] { parse_count("x", "1KiB"); }).empty());
    CHECK_FALSE(complaint_of([] { parse_count("x", "18446744073709551616"); }).empty());
}

TEST_CASE("size_text_is_read_back", "[frontend]") {
    for (u64 bytes : {u64{0}, u64{1}, u64{4096}, u64{1} << 30, (u64{1} << 30) + 4096, ~u64{0}})
        CHECK(parse_size("x", size_text(bytes)) == bytes);
}

TEST_CASE("disks_are_named_with_an_option_behind_the_last_comma", "[frontend]") {
    CHECK(parse_disk("a.img") == DiskConfig{"a.img", false});
    CHECK(parse_disk("a.img,ro") == DiskConfig{"a.img", true});
    CHECK(parse_disk("a,b.img,rw") == DiskConfig{"a,b.img", false});
    CHECK(parse_disk("a,b") == DiskConfig{"a,b", false});
    CHECK_FALSE(complaint_of([] { parse_disk(",ro"); }).empty());
    CHECK(parse_disk("a.img,overlay").temporary());
    CHECK(parse_disk("a.img,overlay=b.qcow2").overlay == "b.qcow2");
    CHECK(parse_disk("a.img,serial=X1,discard=off").serial == "X1");
    CHECK_FALSE(parse_disk("a.img,serial=X1,discard=off").discard);
    for (const char* bad :
         {"a,overlay=b", "a,overlay=", "a,ro,overlay", "a,discard=no", "a,serial=123456789012345678901"})
        CHECK_FALSE(complaint_of([&] { parse_disk(bad); }).empty());
    for (const char* good : {"a.img,overlay", "a,b.img,overlay=c.qcow2,format=raw", "a,serial=X,discard=off",
                             "a,serial=X,discard=on,rw,serial=Y"})
        CHECK(parse_disk(disk_text(parse_disk(good))) == parse_disk(good));
}

TEST_CASE("save_at_wants_a_tick_and_a_file", "[frontend]") {
    CHECK(parse_save_at("500M:a:b") == RunConfig::SaveAt{500'000'000, "a:b"});
    CHECK_FALSE(complaint_of([] { parse_save_at("500M"); }).empty());
    CHECK_FALSE(complaint_of([] { parse_save_at("500M:"); }).empty());
    CHECK_FALSE(complaint_of([] { parse_save_at("x:y"); }).empty());
}

TEST_CASE("ranges_and_contradictions_are_refused", "[frontend]") {
    RunConfig good;
    good.image = "Image";
    CHECK_NOTHROW(validate(good));
    const auto refused = [&](auto change) {
        RunConfig bad = good;
        change(bad);
        return !complaint_of([&] { validate(bad); }).empty();
    };
    CHECK(refused([](RunConfig& c) { c.image.clear(); }));
    CHECK(refused([](RunConfig& c) { c.memory = 0; }));
    CHECK(refused([](RunConfig& c) { c.memory = RunConfig::kLeastMemory - 4096; }));
    CHECK(refused([](RunConfig& c) { c.memory = RunConfig::kMostMemory + 4096; }));
    CHECK(refused([](RunConfig& c) { c.memory += 1; }));
    CHECK(refused([](RunConfig& c) { c.harts = 0; }));
    CHECK(refused([](RunConfig& c) { c.harts = 65; }));
    CHECK(refused([](RunConfig& c) { c.disks.resize(7); }));
    CHECK(refused([](RunConfig& c) { c.pmp_entries = 8; }));
    CHECK(refused([](RunConfig& c) { c.signature_granularity = 3; }));
    CHECK(refused([](RunConfig& c) { c.parallel = c.deterministic = true; }));
    CHECK(refused([](RunConfig& c) { c.input_after = "login:"; }));
    CHECK(refused([](RunConfig& c) { c.append.assign(70000, 'x'); }));
}
