// What is told of translations: counters, the map for perf, and the dump.
#include "frontend/session/board.hpp"
#include "frontend/session/perf_map.hpp"
#include "frontend/session/translator_report.hpp"
#include "programs.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
class NoSink final : public ByteSink {
public:
    void write(std::span<const u8>) override {}
};

// A loop of 300 rounds, in M-mode at 0x80000000; then it powers off.
struct Ran {
    explicit Ran(EngineKind engine, TranslationListener* listener = nullptr) {
        const std::vector<u8> program =
            code({addi(t0, zero, 300), addi(t1, t1, 3), addi(t0, t0, 0xfff), bne(t0, zero, -8),
                  lui(t0, 0x100), lui(t1, 0x5), addi(t1, t1, 0x555), sw(t1, t0, 0), kHere});
        RunConfig config = exact(folder.file("loop.elf", elf_of(program)));
        config.engine = engine;
        config.translate_after = 1;
        board.emplace(config, sink, Watchers{.observer = nullptr, .translations = listener});
        board->machine().run(100'000);
    }
    Folder folder;
    NoSink sink;
    std::optional<Board> board;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("ranges_to_dump_are_read", "[frontend]") {
    const auto ranges = parse_dump_ranges("--x", "0x80000000,16:0x20");
    REQUIRE(ranges.size() == 2);
    CHECK((ranges[0].from == 0x8000'0000 && ranges[0].end == 0x8000'0001));
    CHECK((ranges[1].from == 16 && ranges[1].end == 32));
    CHECK(parse_dump_ranges("--x", "").empty());
    CHECK(complaint_of([] {
              (void)parse_dump_ranges("--x", "2:1");
          }).starts_with("--x: '2:1' is empty or too long"));
    CHECK_FALSE(complaint_of([] { (void)parse_dump_ranges("--x", "0:0x100000000"); }).empty());
    CHECK_FALSE(complaint_of([] { (void)parse_dump_ranges("--x", "here"); }).empty());
}

TEST_CASE("interpreters_have_nothing_to_tell_of_translations", "[frontend]") {
    Ran ran(EngineKind::Interpreter);
    REQUIRE(ran.board->machine().stop().has_value());
    CHECK(translator_report(ran.board->machine(), 1000).empty());
    CHECK(dump_translations(ran.board->machine(), {0x8000'0004, 0x8000'0005}) ==
          "no translation of 0x80000004\n");
}

TEST_CASE("translations_are_counted_and_dumped", "[frontend]") {
    if (lacks_translator({})) return;
    Ran ran(EngineKind::Jit);
    Machine& machine = ran.board->machine();
    REQUIRE(machine.stop().has_value());
    const std::string report = translator_report(machine, machine.retired());
    CHECK(report.starts_with("units="));
    for (const char* key :
         {" unit_instructions=", " host_bytes=", " bytes_per_instruction=", " compile_seconds=",
          " cache_evictions=0", "\ntranslated=", " interpreted=", " exits_link=", " exits_handed=",
          " jump_inserts=", " load_misses=0", " store_misses=1\n"})
        CHECK(has(report, key));

    const std::string dump = dump_translations(machine, {0x8000'0004, 0x8000'0005});
    CHECK(dump.starts_with("unit at 0000000080000000 (physical 80000000): "));
    CHECK(has(dump, "80000004  00330313  addi t1,t1,3"));
    CHECK(has(dump, "= GetX x6"));
    CHECK(has(dump, "\n(entered here)"));
    CHECK(has(dump, " mov "));
    CHECK(has(dump, "behind:"));
    CHECK(dump_translations(machine, {0x8000'1000, 0x8000'1001}) == "no translation of 0x80001000\n");
    CHECK(dump_translations(machine, {0x8000'0000, 0x8000'3000}).size() >= dump.size());
}

TEST_CASE("a_map_for_perf_names_each_unit", "[frontend]") {
    if (lacks_translator({})) return;
    const Folder folder;
    {
        PerfMap map(folder.at("perf.map"));
        Ran ran(EngineKind::Jit, &map);
    }
    const std::string text = read_text(folder.at("perf.map"));
    CHECK(has(text, " guest_0000000080000000_at_80000000_hart0\n"));
    u64 at = 0, bytes = 0;
    REQUIRE(std::sscanf(text.c_str(), "%lx %lx guest_", &at, &bytes) == 2);
    CHECK(at > 0x1000);
    CHECK((bytes > 8 && bytes < 10'000));
    CHECK_THROWS_AS(PerfMap(folder.at("none/perf.map")), HostError);
}
