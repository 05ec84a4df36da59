// The command line and the configuration file of `hartline run`.
#include "support.hpp"

#include "devices/storage/host_file.hpp"
#include "devices/storage/qcow2/create.hpp"
#include "frontend/cli/nearest.hpp"
#include "frontend/cli/options.hpp"
#include "frontend/host/log_file.hpp"

using namespace hartline;
using test::complaint_of;
using Arguments = std::vector<std::string>;

TEST_CASE("edit_distance_counts_changes", "[frontend]") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("memory", "memory") == 0);
    CHECK(edit_distance("memroy", "memory") == 1);  // a swap
    CHECK(edit_distance("memry", "memory") == 1);
    CHECK(edit_distance("disks", "disk") == 1);
    CHECK(edit_distance("abc", "xyz") == 3);
    CHECK(edit_distance("", "abc") == 3);
}

TEST_CASE("the_nearest_name_is_found_or_none", "[frontend]") {
    const Arguments names = {"memory", "harts", "disk", "deterministic"};
    CHECK(nearest("memmory", names) == "memory");
    CHECK(nearest("hart", names) == "harts");
    CHECK(nearest("determ", names) == "deterministic");
    CHECK(nearest("zzzzzz", names).empty());
}

TEST_CASE("options_fill_the_configuration", "[frontend]") {
    const Arguments arguments = {"Image",
                                 "--initrd",
                                 "i.gz",
                                 "--append",
                                 "console=ttyS0 a=#b",
                                 "--memory",
                                 "2G",
                                 "--harts",
                                 "4",
                                 "--disk",
                                 "a.img",
                                 "--disk=b.img,ro",
                                 "--stats",
                                 "--deterministic",
                                 "--seed",
                                 "7",
                                 "--max-instructions",
                                 "200M",
                                 "--ad-bits",
                                 "fault",
                                 "--save-at",
                                 "1M:snap",
                                 "--console",
                                 "virtio"};
    const RunConfig config = parse_run(arguments).config;
    CHECK(config.image == "Image");
    CHECK(config.initrd == "i.gz");
    CHECK(config.append == "console=ttyS0 a=#b");
    CHECK(config.memory == u64{2} << 30);
    CHECK(config.harts == 4);
    CHECK(config.disks == std::vector<DiskConfig>{{"a.img", false}, {"b.img", true}});
    CHECK((config.stats && config.deterministic && config.virtio_input));
    CHECK(config.seed == 7);
    CHECK(config.max_instructions == 200'000'000);
    CHECK_FALSE(config.hardware_ad);
    CHECK(config.save_at == RunConfig::SaveAt{1'000'000, "snap"});
}

TEST_CASE("the_kernels_last_console_is_the_one_that_is_typed_to", "[frontend][ports]") {
    const auto is_virtio = [](Arguments words) {
        words.insert(words.begin(), "Image");
        return parse_run(words).config.virtio_input;
    };
    CHECK_FALSE(is_virtio({}));
    CHECK_FALSE(is_virtio({"--append", "console=ttyS0 quiet"}));
    CHECK(is_virtio({"--append", "quiet console=ttyS0 console=hvc0"}));
    CHECK_FALSE(is_virtio({"--append", "console=hvc0 console=ttyS0"}));
    CHECK_FALSE(is_virtio({"--append", "console=hvc0", "--console", "uart"}));
    CHECK(is_virtio({"--append", "console=ttyS0", "--console", "virtio"}));
}

TEST_CASE("a_balloon_is_on_off_or_a_size_within_memory", "[frontend][balloon]") {
    const auto of = [](const std::string& text) {
        return parse_run(Arguments{"Image", "--balloon", text}).config.balloon;
    };
    CHECK(of("on") == BalloonConfig{.present = true});
    CHECK(of("off") == BalloonConfig{});
    CHECK(of("512M") == BalloonConfig{.present = true, .size = u64{512} << 20});
    CHECK_FALSE(complaint_of([&] { of("some"); }).empty());
    for (const char* const text : {"2G", "1M", "100000001"}) {
        RunConfig config;
        config.image = "Image";
        config.balloon = parse_balloon(text);
        CHECK(complaint_of([&] { validate(config); }).starts_with("--balloon: "));
    }
    RunConfig config;
    CHECK(default_balloon(config).present);
    config.disks.resize(RunConfig::kMostMmio);
    CHECK_FALSE(default_balloon(config).present);  // its place is taken
    config.bus = DeviceBus::Pci;
    CHECK(default_balloon(config).present);
    config.deterministic = true;
    CHECK_FALSE(default_balloon(config).present);
    CHECK(balloon_bytes(parse_balloon("1G"), u64{3} << 30) == u64{2} << 30);
    for (const char* text : {"0", "0M", "foo", "", "-1"})
        CHECK(complaint_of([&] { (void)parse_balloon(text); }) ==
              "--balloon: '" + std::string(text) +
                  "' cannot be: choose on, off, or what is left to the guest: 512M for example");
}

TEST_CASE("ports_lead_to_files_sockets_or_the_terminal", "[frontend][ports]") {
    CHECK(parse_port("a=b=c") == PortConfig{"a", PortConfig::Kind::File, "b=c"});
    CHECK(parse_port("a=./stdio") == PortConfig{"a", PortConfig::Kind::File, "./stdio"});
    for (const char* const text : {"a", "a=", "=b", "a/b=c", "a b=c", "..=c", "a=socket:"})
        CHECK(complaint_of([&] { parse_port(text); }).starts_with("--port: "));
    const auto refused = [](const std::vector<std::string>& ports, auto change) {
        RunConfig config;
        config.image = "Image";
        for (const std::string& text : ports) config.ports.push_back(parse_port(text));
        change(config);
        return complaint_of([&] { validate(config); }).starts_with("--port: ");
    };
    const auto as_is = [](RunConfig&) {};
    CHECK_FALSE(refused({"a=b", "b=stdio", "c=socket:d"}, as_is));
    CHECK(refused({"a=b", "a=c"}, as_is));
    CHECK(refused({"a=stdio", "b=stdio"}, as_is));
    CHECK(refused({"a=stdio"}, [](RunConfig& config) { config.virtio_input = true; }));
    CHECK(refused({"a=socket:b"}, [](RunConfig& config) { config.deterministic = true; }));
    CHECK_FALSE(refused({"a=b"}, [](RunConfig& config) { config.deterministic = true; }));
    CHECK(refused({"a=b", "c=b"}, as_is));
    CHECK(refused({"a=b", "c=./b"}, as_is));
    CHECK(refused({"a=./Image"}, as_is));
    CHECK(refused({"a=b"}, [](RunConfig& config) { config.commit_log = "b"; }));
    CHECK(refused({"a=b"}, [](RunConfig& config) { config.initrd = "b"; }));
    CHECK(refused({"a=b"}, [](RunConfig& config) { config.efi_vars = "b"; }));
    CHECK(refused({"a=b"}, [](RunConfig& config) {
        config.disks = {parse_disk("d,overlay=b.qcow2"), {"b"}};
    }));
    CHECK_FALSE(refused({"a=/dev/null", "b=/dev/null"}, as_is));
    CHECK(refused({"1=a", "2=a", "3=a", "4=a", "5=a", "6=a", "7=a", "8=a", "9=a"}, as_is));
}

TEST_CASE("vsock_is_an_address_and_a_folder", "[frontend][vsock]") {
    CHECK(parse_vsock("3") == VsockConfig{3, "vsock-3"});
    CHECK(parse_vsock("4294967294,a,b") == VsockConfig{0xffff'fffe, "a,b"});
    for (const char* const text : {"2", "4294967295", "x", "", "3,"})
        CHECK(complaint_of([&] { parse_vsock(text); }).starts_with("--vsock"));
    RunConfig config;
    config.image = "Image";
    config.vsock = VsockConfig{};
    config.deterministic = true;
    CHECK(complaint_of([&] { validate(config); }).starts_with("--vsock: "));
    CHECK(complaint_of([] { make_vsock({3, "/nowhere/at/all"}); }).starts_with("--vsock: /nowhere/at/all: "));
    const test::Folder folder;
    const std::string file = folder.file("file", "x");
    CHECK(complaint_of([&] {
              make_vsock({3, file});
          }) == "--vsock: " + file + ": is there and is no folder: give another, or remove it");
    CHECK(complaint_of([&] {
              make_vsock({3, "/proc/no-folder"});
          }).find("cannot be made: ") != std::string::npos);
}

TEST_CASE("a_mistyped_option_of_a_disk_is_named", "[frontend]") {
    const test::Folder folder;
    const std::string file = folder.file("a.img", "x"), odd = folder.file("b,c", "x");
    for (const char* const text : {",readonly", ",readonly,serial=x", ",serial=x,readonly"})
        CHECK(complaint_of([&] {
                  parse_disk(file + text);
              }).starts_with("--disk: 'readonly' is no option of " + file));
    CHECK(parse_disk(odd).path == odd);
    CHECK(parse_disk(odd + ",ro").path == odd);
}

TEST_CASE("an_output_is_never_a_file_that_the_run_uses", "[frontend]") {
    const test::Folder folder;
    const std::string file = folder.file("a.img", "content"), link = folder.at("link");
    std::filesystem::create_hard_link(file, link);
    RunConfig config;
    config.image = "Image";
    config.disks = {parse_disk(file)};
    config.commit_log = link;
    CHECK(complaint_of([&] { validate(config); }).starts_with("--commit-log: "));
    config.commit_log.clear();
    config.save_at = RunConfig::SaveAt{1, file};
    CHECK(complaint_of([&] { validate(config); }).starts_with("--save-at: "));
    config.disks.clear();
    config.load = file;
    CHECK(complaint_of([&] { validate(config); }).empty());
    const auto disk = open_host_file(file, {.read_only = true});
    CHECK(complaint_of([&] { LogFile log(link); }).find("in use") != std::string::npos);
    CHECK(test::read_text(file) == "content");
}

TEST_CASE("an_output_is_never_behind_a_disk_of_the_run", "[frontend]") {
    const test::Folder folder;
    const std::string base = folder.file("base.img", std::string(1 << 20, 'x'));
    const auto over = [&](const char* name, const std::string& backing, ImageFormat format) {
        const auto file = open_host_file(folder.at(name), {.create = true});
        qcow2::create(*file, name, {.bytes = 1 << 20, .backing = backing, .backing_format = format});
        return folder.at(name);
    };
    const std::string middle = over("middle.qcow2", "base.img", ImageFormat::Raw);
    const std::string top = over("top.qcow2", "middle.qcow2", ImageFormat::Qcow2);
    const auto refused = [&](const std::string& disk, auto set) {
        RunConfig config;
        config.image = "Image";
        config.disks = {parse_disk(disk)};
        set(config);
        return complaint_of([&] { validate(config); });
    };
    for (const std::string& disk : {top, top + ",overlay", top + ",overlay=" + folder.at("new.qcow2")})
        for (const std::string& behind : {base, middle}) {
            const auto set_log = [&](RunConfig& config) { config.commit_log = behind; };
            const auto set_port = [&](RunConfig& config) { config.ports = {parse_port("a=" + behind)}; };
            const auto set_snapshot = [&](RunConfig& config) {
                config.save_at = RunConfig::SaveAt{1, behind};
            };
            CHECK(refused(disk, set_port) == "--port: " + behind + " is in use by --disk " + top +
                                                 " (a backing file) of this run: choose another file");
            CHECK(refused(disk, set_log).starts_with("--commit-log: " + behind + " is in use by --disk "));
            CHECK_FALSE(refused(disk, set_snapshot).empty());
        }
    const auto set_free = [&](RunConfig& config) { config.commit_log = folder.at("log"); };
    CHECK(refused(top, set_free).empty());
    // Where nobody can tell what is behind it, nothing is emptied.
    CHECK(refused(folder.at("none.qcow2"), set_free).starts_with(folder.at("none.qcow2") + ": "));
}

TEST_CASE("an_unknown_option_names_the_nearest", "[frontend]") {
    CHECK(complaint_of([] {
              parse_run(Arguments{"Image", "--memroy", "1G"});
          }) == "run: unknown option '--memroy': did you mean --memory?");
    CHECK(complaint_of([] {
              parse_run(Arguments{"Image", "--mem=1G"});
          }) == "run: unknown option '--mem': did you mean --memory?");
    CHECK(complaint_of([] {
              parse_run(Arguments{"Image", "--xyzzyx"});
          }) == "run: unknown option '--xyzzyx': hartline help run lists all");
}

TEST_CASE("wrong_values_are_one_clear_line", "[frontend]") {
    for (const Arguments& arguments :
         {Arguments{"a", "b"}, Arguments{"a", "--memory"}, Arguments{"a", "--harts", "x"},
          Arguments{"a", "--ad-bits", "maybe"}, Arguments{"a", "--memory", "1G", "--memory", "2G"},
          Arguments{"a", "--harts", "4294967296"}, Arguments{"a", "--stats=x"}}) {
        const std::string line = complaint_of([&] { parse_run(arguments); });
        CHECK_FALSE(line.empty());
        CHECK(line.find('\n') == std::string::npos);
    }
}

TEST_CASE("a_configuration_file_has_the_same_keys", "[frontend]") {
    const test::Folder folder;
    const std::string file = folder.file("c",
                                         "# comment\nimage = I m\nmemory=512M\r\n\nstats = true\ndisk = a\n"
                                         "disk = b,ro\nappend = x=1 y=#2\n");
    const RunConfig config = parse_run(Arguments{"--config", file, "--memory", "1G"}).config;
    CHECK(config.image == "I m");
    CHECK(config.memory == u64{1} << 30);  // the command line outweighs
    CHECK(config.stats);
    CHECK(config.disks.size() == 2);
    CHECK(config.append == "x=1 y=#2");
}

TEST_CASE("a_wrong_configuration_file_is_told_with_its_line", "[frontend]") {
    const test::Folder folder;
    const std::string unknown = folder.file("u", "image = x\nmemroy = 1G\n"),
                      strange = folder.file("s", "image\n");
    CHECK(complaint_of([&] {
              parse_run(Arguments{"--config", unknown});
          }) == unknown + ":2: unknown option 'memroy': did you mean --memory?");
    CHECK(complaint_of([&] { parse_run(Arguments{"--config", strange}); }).starts_with(strange + ":1: "));
    CHECK_FALSE(complaint_of([&] { parse_run(Arguments{"--config", folder.at("none")}); }).empty());
}

TEST_CASE("printed_configurations_are_read_back_equal", "[frontend]") {
    RunConfig full;
    full.image = "Image";
    full.initrd = "initrd.gz";
    full.append = "root=/dev/vda rw # no";
    full.firmware = "none";
    full.memory = (u64{3} << 30) + 4096;
    full.harts = 7;
    full.disks = {{"a,ro", false},
                  {"b", true},
                  {.path = "c", .bus = DeviceBus::Nvme},
                  {.path = "d,bus=pci"},
                  {.path = "e,bus=pci", .read_only = true, .bus = DeviceBus::Mmio}};
    full.bus = DeviceBus::Pci;
    full.watchdog = WatchdogAction::Pause;
    full.shares = {{"/a:b", "share0", false}, {"c", "src", true}};
    full.ports = {{"a", PortConfig::Kind::File, "out=1"},
                  {"b.c", PortConfig::Kind::Socket, "/run/s"},
                  {"d", PortConfig::Kind::Stdio, ""}};
    full.vsock = VsockConfig{7, "a folder,with"};
    full.balloon = BalloonConfig{.present = true, .size = u64{96} << 20};
    full.pmp_entries = 64;
    full.hardware_ad = false;
    full.virtio_input = full.deterministic = full.stats = full.quiet = true;
    full.seed = 99;
    full.max_instructions = 12345;
    full.input_after = "login:";
    full.save_at = RunConfig::SaveAt{77, "s"};
    full.load = "l";
    full.boot_marker = "m";
    full.signature = "sig";
    full.signature_granularity = 16;
    full.engine = EngineKind::Ir;
    full.translate_after = 7;
    full.perf_map = true;
    full.dump_translation = "0x80000000,1:2";
    full.code_cache = u64{3} << 20;
    const test::Folder folder;
    for (const RunConfig& config : {full, parse_run(Arguments{"Image"}).config}) {
        const std::string file = folder.file("config", config_text(config));
        CHECK(parse_run(Arguments{"--config", file}).config == config);
    }
}

TEST_CASE("devices_say_how_they_are_reached", "[frontend][pci]") {
    RunConfig config;
    config.image = "Image";
    config.disks = {parse_disk("a,bus=nvme,ro"), parse_disk("b,bus=mmio"), parse_disk("c")};
    CHECK(config.disks[0] == DiskConfig{.path = "a", .read_only = true, .bus = DeviceBus::Nvme});
    CHECK(bus_of(config, config.disks[2]) == DeviceBus::Mmio);
    config.bus = DeviceBus::Pci;
    CHECK(bus_of(config, config.disks[1]) == DeviceBus::Mmio);
    CHECK(bus_of(config, config.disks[2]) == DeviceBus::Pci);
    CHECK(complaint_of([] { (void)parse_disk("a,bus=usb"); }).find("nvme") != std::string::npos);
    for (const char* bus : {"mmio", "pci"}) {
        const NetConfig net = parse_net(std::string("user,bus=") + bus);
        CHECK(name(bus_of(config, net)) == bus);
        CHECK(parse_net(net_text(net)) == net);
    }
    CHECK(bus_of(config, parse_net("user")) == DeviceBus::Pci);
    CHECK(complaint_of([] { (void)parse_net("user,bus=nvme"); }).find("mmio or pci") != std::string::npos);
}

TEST_CASE("a_machine_has_pci_where_something_is_on_it", "[frontend][pci]") {
    RunConfig config;
    config.image = "Image";
    config.disks = {parse_disk("a")};
    config.net = parse_net("user");
    config.shares = {parse_share("dir", 0)};
    CHECK_FALSE(has_pci(config));
    const auto with = [config](auto change) {
        RunConfig other = config;
        change(other);
        return has_pci(other);
    };
    CHECK(with([](RunConfig& c) { c.disks[0].bus = DeviceBus::Pci; }));
    CHECK(with([](RunConfig& c) { c.disks[0].bus = DeviceBus::Nvme; }));
    CHECK(with([](RunConfig& c) { c.net->bus = DeviceBus::Pci; }));
    CHECK(with([](RunConfig& c) { c.bus = DeviceBus::Pci; }));
    CHECK_FALSE(with([](RunConfig& c) { c.net = parse_net("none"); }));
}

TEST_CASE("a_watchdog_resets_where_nothing_else_is_asked_for", "[frontend][watchdog]") {
    const auto action = [](std::vector<std::string> words) {
        const RunConfig config = parse_run(words).config;
        CHECK(config.image == "Image");
        return config.watchdog;
    };
    CHECK_FALSE(action({"Image"}));
    CHECK(action({"--watchdog", "Image"}) == WatchdogAction::Reset);
    CHECK(action({"Image", "--watchdog"}) == WatchdogAction::Reset);
    CHECK(action({"--watchdog", "poweroff", "Image"}) == WatchdogAction::PowerOff);
    CHECK(action({"--watchdog=none", "Image"}) == WatchdogAction::None);
    for (const Arguments& words :
         {Arguments{"Image", "--watchdog", "resett"}, Arguments{"--watchdog", "resett", "Image"},
          Arguments{"Image", "--watchdog=resett"}})
        CHECK(complaint_of([&] { (void)parse_run(words); }) ==
              "--watchdog: 'resett' is no action: choose reset, poweroff, pause or none");
    const test::Folder folder;
    const Arguments two{"--watchdog", folder.file("one", "x"), "other"};
    CHECK(complaint_of([&] { (void)parse_run(two); }).starts_with("run: more than one image"));
}

TEST_CASE("buses_have_room_for_so_many", "[frontend][pci]") {
    RunConfig config;
    config.image = "Image";
    config.disks.assign(7, DiskConfig{"a"});
    CHECK(complaint_of([&] { validate(config); }).find("bus=pci") != std::string::npos);
    config.disks[6].bus = DeviceBus::Nvme;
    validate(config);
    config.net = parse_net("user");
    CHECK(complaint_of([&] { validate(config); }).find("--bus pci") != std::string::npos);
    config.bus = DeviceBus::Pci;
    config.disks.assign(RunConfig::kMostDisks, DiskConfig{"a"});
    validate(config);
    config.shares = {parse_share("dir", 0)};
    CHECK(complaint_of([&] { validate(config); }).find("20") != std::string::npos);
}

TEST_CASE("shared_folders_are_read_from_the_right", "[frontend][share]") {
    const auto read = [](const char* text) { return parse_share(text, 3); };
    CHECK(read("dir") == ShareConfig{"dir", "share3", false});
    CHECK(read("/a/b:ro") == ShareConfig{"/a/b", "share3", true});
    CHECK(read("dir:src") == ShareConfig{"dir", "src", false});
    CHECK(read("dir:src:ro") == ShareConfig{"dir", "src", true});
    CHECK(read("a:b:src:rw") == ShareConfig{"a:b", "src", false});
    CHECK(mount_line(read("dir:src")) ==
          "mkdir -p /mnt/src && mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 src /mnt/src");
    for (const char* wrong : {"", ":src", "dir:", "dir:a/b", "dir:..", "dir:a b"})
        CHECK_FALSE(complaint_of([&] { read(wrong); }).empty());
}

TEST_CASE("shared_folders_are_refused_where_a_run_must_come_again", "[frontend][share]") {
    RunConfig config;
    config.image = "x";
    config.shares = {{"a", "one", false}, {"b", "two", true}};
    validate(config);
    const auto refused = [&](auto change) {
        RunConfig other = config;
        change(other);
        return complaint_of([&] { validate(other); }).starts_with("--share: ");
    };
    CHECK(refused([](RunConfig& c) { c.deterministic = true; }));
    CHECK(refused([](RunConfig& c) { c.load = "snapshot"; }));
    CHECK(refused([](RunConfig& c) { c.save_at = {1, "snapshot"}; }));
    CHECK(refused([](RunConfig& c) { c.shares[1].tag = "one"; }));
    CHECK(refused([](RunConfig& c) { c.shares.resize(7); }));
}

TEST_CASE("the_engine_is_the_best_that_host_and_options_allow", "[frontend]") {
    RunConfig config;
    config.image = "Image";
    const EngineKind best = lacks_translator(config) ? EngineKind::Interpreter : EngineKind::Jit;
    CHECK(engine_of(config) == best);
    config.engine = EngineKind::Jit;
    CHECK(engine_of(config) == best);
    config.engine = EngineKind::Ir;
    CHECK(engine_of(config) == EngineKind::Ir);
    CHECK_FALSE(lacks_translator(config));

    config.coverage = "seen.json";
    CHECK(complaint_of([&] { validate(config); }).starts_with("--engine: only the interpreter tells"));
    config.engine.reset();
    CHECK(complaint_of([&] { validate(config); }).empty());
    CHECK(engine_of(config) == EngineKind::Interpreter);
}

TEST_CASE("the_translator_takes_what_it_can_work_with", "[frontend]") {
    const auto complaint = [](const char* key, const char* value) {
        return complaint_of([&] { validate(parse_run(Arguments{"Image", key, value}).config); });
    };
    CHECK(complaint("--translate-after", "1").empty());
    CHECK(complaint("--translate-after", "0").starts_with("--translate-after: 0 cannot be: "));
    CHECK(complaint("--code-cache", "1M").empty());
    CHECK(complaint("--code-cache", "1023K") == "--code-cache: 1023K cannot be: choose between 1M and 1G");
    CHECK(complaint("--code-cache", "2G").starts_with("--code-cache: 2G cannot be: "));
}

TEST_CASE("networks and published ports are read, written and refused", "[net]") {
    const NetConfig tap = parse_net("tap=tap0,mac=52:54:00:00:00:01,mtu=9000");
    CHECK(
        (tap.kind == NetConfig::Kind::Tap && tap.interface == "tap0" && tap.mtu == 9000 && tap.mac[5] == 1));
    for (const char* text : {"none", "user", "user,mtu=1280", "tap=br-0,mac=02:00:00:00:00:ff"})
        CHECK(parse_net(net_text(parse_net(text))) == parse_net(text));
    for (const char* text : {"", "user,", "users", "tap=", "none,mtu=1500", "user,mtu=1", "user,mtu=99999",
                             "user,mac=1", "user,mac=01:00:00:00:00:00", "user,mac=52:54:00:12:34:5g"})
        CHECK_THROWS_AS(parse_net(text), InputError);
    for (const char* text : {"2222:22", "0.0.0.0:53:53/udp", "127.0.0.1:65535:1/tcp"})
        CHECK(parse_publish(publish_text(parse_publish(text))) == parse_publish(text));
    CHECK((parse_publish("2222:22") == net::PublishedPort{"127.0.0.1", 2222, 22, false}));
    for (const char* text : {"", "22", ":22", "0:22", "65536:22", "1:2:", ":1:2", "1:2/sctp", "1:2x"})
        CHECK_THROWS_AS(parse_publish(text), InputError);
}
