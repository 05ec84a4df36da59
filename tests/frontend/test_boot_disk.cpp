// Looking into disks for what they start: partition tables, file systems, extlinux.conf; and hostile ones.
#include "support.hpp"

#include <zlib.h>

#include <chrono>
#include <random>

#include "frontend/disk/boot_disk.hpp"
#include "frontend/session/adopt.hpp"
#include "tests/devices/memory_disk.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
constexpr u64 kSector = 512, kMiB = 1 << 20;

void put_text(MemoryDisk& disk, u64 at, const std::string& text) {
    std::ranges::copy(text, disk.data.begin() + static_cast<i64>(at));
}

void mbr_entry(MemoryDisk& disk, u64 sector, unsigned index, u8 type, u32 first, u32 count) {
    const u64 at = sector * kSector + 446 + index * 16;
    disk.data[at + 4] = type;
    put(disk.data, at + 8, first);
    put(disk.data, at + 12, count);
    disk.data[sector * kSector + 510] = 0x55, disk.data[sector * kSector + 511] = 0xaa;
}

u32 crc(std::span<const u8> bytes) {
    return static_cast<u32>(crc32(0, bytes.data(), static_cast<uInt>(bytes.size())));
}

struct GptPlan {
    u64 header_lba = 1, entries_lba = 2;
    u32 entries = 128, entry_bytes = 128;
};

// One partition of sectors [64, 127], an EFI system partition.
void write_gpt(MemoryDisk& disk, const GptPlan& plan = {}) {
    mbr_entry(disk, 0, 0, 0xee, 1, static_cast<u32>(disk.bytes() / kSector - 1));
    const u64 at = plan.header_lba * kSector, table = plan.entries_lba * kSector;
    const u8 type[16] = {0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
                         0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};
    std::ranges::copy(type, disk.data.begin() + static_cast<i64>(table));
    for (u8 i = 0; i < 16; ++i) disk.data[table + 16 + i] = static_cast<u8>(i + 1);
    put(disk.data, table + 32, u64{64});
    put(disk.data, table + 40, u64{127});
    put_text(disk, at, "EFI PART");
    put(disk.data, at + 12, u32{92});
    put(disk.data, at + 16, u32{0});
    put(disk.data, at + 24, plan.header_lba);
    put(disk.data, at + 72, plan.entries_lba);
    put(disk.data, at + 80, plan.entries);
    put(disk.data, at + 84, plan.entry_bytes);
    const u64 bytes = std::min<u64>(u64{plan.entries} * plan.entry_bytes, disk.bytes() - table);
    put(disk.data, at + 88, crc(std::span(disk.data).subspan(table, bytes)));
    put(disk.data, at + 16, crc(std::span(disk.data).subspan(at, 92)));
}

void command(const std::string& line) {
    INFO(line);
    REQUIRE(std::system((line + " > /dev/null 2>&1").c_str()) == 0);
}

// A disk whose bytes are those that `make FILE` wrote.
MemoryDisk disk_of(const Folder& folder, u64 bytes, const std::vector<std::string>& lines) {
    const std::string path = folder.at("disk.img");
    std::ofstream(path).close();
    std::filesystem::resize_file(path, bytes);
    for (const std::string& line : lines) command("export MTOOLS_SKIP_CHECK=1; d='" + path + "'; " + line);
    const std::string text = read_text(path);
    MemoryDisk disk(bytes);
    put_text(disk, 0, text);
    return disk;
}

std::string text_of(const std::optional<std::vector<u8>>& bytes) {
    return bytes ? std::string(bytes->begin(), bytes->end()) : "nothing";
}

std::string tree(const Folder& folder) {
    const std::filesystem::path root = folder.at("root");
    std::filesystem::create_directories(root / "boot/extlinux");
    std::filesystem::create_directories(root / "sbin");
    for (const char* name : {"boot/vmlinuz-6.9", "boot/vmlinuz-6.12", "boot/initrd.img-6.12",
                             "boot/config-6.12", "boot/vmlinuz-6.13.old", "sbin/init"})
        std::ofstream(root / name) << "this is " << name;
    std::filesystem::create_symlink("boot/vmlinuz-6.12", root / "vmlinuz");
    std::filesystem::create_symlink("loop", root / "loop");
    return root.string();
}
}  // namespace

TEST_CASE("mbr_partitions_are_found_with_logical_ones", "[bootdisk]") {
    MemoryDisk disk(kMiB);
    put(disk.data, 440, u32{0xcafe0001});
    mbr_entry(disk, 0, 0, 0x83, 8, 100);
    mbr_entry(disk, 0, 1, 0xef, 108, 20);
    mbr_entry(disk, 0, 2, 0x05, 200, 400);
    mbr_entry(disk, 200, 0, 0x83, 8, 50);
    mbr_entry(disk, 200, 1, 0x05, 100, 60);
    mbr_entry(disk, 300, 0, 0x83, 4, 40);
    const PartitionTable table = read_partitions(Volume(disk));
    CHECK(table.kind == PartitionTable::Kind::Mbr);
    REQUIRE(table.partitions.size() == 4);
    CHECK(table.partitions[0].uuid == "cafe0001-01");
    CHECK(table.partitions[1].efi_system);
    CHECK((table.partitions[2].number == 5 && table.partitions[2].start == 208 * kSector));
    CHECK((table.partitions[3].number == 6 && table.partitions[3].start == 304 * kSector));
    CHECK(table.trouble.empty());
}

TEST_CASE("a_chain_of_logical_partitions_that_loops_ends", "[bootdisk]") {
    MemoryDisk disk(kMiB);
    mbr_entry(disk, 0, 0, 0x0f, 200, 400);
    mbr_entry(disk, 200, 0, 0x83, 8, 50);
    mbr_entry(disk, 200, 1, 0x05, 100, 60);
    mbr_entry(disk, 300, 0, 0x83, 4, 40);
    mbr_entry(disk, 300, 1, 0x05, 100, 60);
    CHECK(read_partitions(Volume(disk)).partitions.size() == 2);
}

TEST_CASE("partitions_past_the_disk's_end_are_left_out", "[bootdisk]") {
    MemoryDisk disk(kMiB);
    mbr_entry(disk, 0, 0, 0x83, 2000, 49);
    mbr_entry(disk, 0, 1, 0x83, 0xffff'ffff, 0xffff'ffff);
    const PartitionTable table = read_partitions(Volume(disk));
    CHECK(table.partitions.empty());
    CHECK(table.trouble == "partition 2 reaches past the disk's end");
}

TEST_CASE("gpt_is_read_and_its_second_copy_where_the_first_is_damaged", "[bootdisk]") {
    MemoryDisk disk(kMiB);
    write_gpt(disk);
    write_gpt(disk, {.header_lba = disk.bytes() / kSector - 1, .entries_lba = disk.bytes() / kSector - 33});
    PartitionTable table = read_partitions(Volume(disk));
    REQUIRE(table.partitions.size() == 1);
    CHECK((table.partitions[0].efi_system && table.partitions[0].start == 64 * kSector));
    CHECK(table.partitions[0].bytes == 64 * kSector);
    CHECK(table.partitions[0].uuid == "04030201-0605-0807-090a-0b0c0d0e0f10");
    CHECK(table.trouble.empty());
    for (const u64 damaged : {kSector + 40, 2 * kSector + 33}) {
        auto copy = disk;
        copy.data[damaged] ^= 1;
        table = read_partitions(Volume(copy));
        CHECK(table.partitions.size() == 1);
        CHECK(table.trouble.starts_with("its first copy has "));
    }
    disk.data[kSector + 40] ^= 1, disk.data[disk.bytes() - kSector + 40] ^= 1;
    table = read_partitions(Volume(disk));
    CHECK((table.partitions.empty() && table.trouble == "both copies: has a damaged header"));
}

TEST_CASE("CVE-2014-0142: a table's sizes are bounded before they are used", "[bootdisk]") {
    for (const GptPlan& plan :
         {GptPlan{.entries = 0xffff'ffff}, GptPlan{.entry_bytes = 0xffff'ffff}, GptPlan{.entries = 0},
          GptPlan{.entry_bytes = 1}, GptPlan{.entries_lba = 2047}}) {
        MemoryDisk disk(kMiB);
        write_gpt(disk, plan);
        CHECK(read_partitions(Volume(disk)).partitions.empty());
    }
}

TEST_CASE("extlinux_entries_are_chosen_by_default", "[bootdisk]") {
    const std::string text =
        "# comment\nDEFAULT two\r\nMENU TITLE many\nlabel one\n linux /a\nlabel two\n\tMENU LABEL Second one\n"
        " kernel ../b \n initrd c,d\n append root=/dev/x  quiet \n fdtdir /x\n";
    const auto entry = default_entry(text, "/boot/extlinux");
    REQUIRE(entry);
    CHECK(entry->title == "Second one");
    CHECK(entry->kernel == "/boot/b");
    CHECK(entry->initrd == "/boot/extlinux/c");
    CHECK(entry->append == "root=/dev/x  quiet");
    CHECK(default_entry("default zero\nlabel one\nlabel two\nlinux /x\n", "/")->label == "two");
    CHECK_FALSE(default_entry("default one\nlabel one\nappend x\n", "/"));
    CHECK_FALSE(default_entry("", "/"));
}

TEST_CASE("ext4_is_read_by_name_and_by_link", "[bootdisk]") {
    const Folder folder;
    auto disk = disk_of(folder, 4 * kMiB, {"mke2fs -q -t ext4 -F -d '" + tree(folder) + "' $d"});
    const auto files = open_file_system(Volume(disk));
    REQUIRE(files);
    CHECK(files->kind() == "ext4");
    CHECK(files->uuid().size() == 36);
    CHECK(text_of(files->read("/vmlinuz", 100)) == "this is boot/vmlinuz-6.12");
    CHECK_FALSE(files->read("/vmlinuz", 10));
    CHECK_FALSE(files->read("/boot", 100));
    CHECK_FALSE(files->read("/loop", 100));
    CHECK_FALSE(files->read("/../../../../etc/passwd", 100000));
    CHECK(files->list("/boot").size() == 8);
    CHECK(files->list("/nowhere").empty());
    CHECK(files->list("/vmlinuz").empty());
}

TEST_CASE("the_newest_kernel_is_found_and_its_root_by_uuid", "[bootdisk]") {
    const Folder folder;
    auto disk = disk_of(folder, 4 * kMiB, {"mke2fs -q -t ext4 -F -d '" + tree(folder) + "' $d"});
    BootDisk found(disk, "/dev/vda");
    REQUIRE(found.kernel());
    const ExtlinuxEntry& entry = found.kernel()->entry;
    CHECK(entry.kernel == "/boot/vmlinuz-6.12");
    CHECK(entry.initrd == "/boot/initrd.img-6.12");
    CHECK(entry.append.starts_with("root=UUID="));
    CHECK_FALSE(found.efi());
    CHECK(text_of(found.read("d", *found.kernel(), entry.kernel, 100)) == "this is boot/vmlinuz-6.12");
    CHECK(complaint_of([&] {
              found.read("d", *found.kernel(), entry.kernel, 3);
          }).starts_with("d: its /boot/vmlinuz"));
}

TEST_CASE("extlinux_comes_before_kernels_and_a_root_is_added_where_it_names_none", "[bootdisk]") {
    const Folder folder;
    const std::string root = tree(folder);
    std::ofstream(root + "/boot/extlinux/extlinux.conf")
        << "label x\nlinux /boot/vmlinuz-6.9\nappend quiet\n";
    auto disk = disk_of(folder, 4 * kMiB, {"mke2fs -q -t ext2 -F -d '" + root + "' $d"});
    const BootDisk found(disk, "/dev/vda");
    REQUIRE(found.kernel());
    CHECK(found.kernel()->entry.kernel == "/boot/vmlinuz-6.9");
    CHECK(found.kernel()->entry.append == "root=/dev/vda quiet");  // without an initrd nobody knows UUIDs
    CHECK(found.kernel()->from == "the whole disk (ext2), /boot/extlinux/extlinux.conf");
}

TEST_CASE("fat_of_every_width_is_read_with_long_names", "[bootdisk]") {
    const Folder folder;
    std::string large(70'000, 'x');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i % 23);
    const std::string file = folder.file("large", large);
    for (const auto& [bits, size] :
         {std::pair("12", 2 * kMiB), std::pair("16", 16 * kMiB), std::pair("32", 40 * kMiB)}) {
        INFO(bits);
        auto disk =
            disk_of(folder, size,
                    {std::string("mkfs.vfat -F ") + bits + " -s 1 -i 1234abcd $d",
                     "mmd -i $d ::/EFI ::/EFI/BOOT", "mcopy -i $d '" + file + "' ::/EFI/BOOT/BOOTRISCV64.EFI",
                     "mcopy -i $d '" + file + "' '::/A name with spaces.text'"});
        const auto files = open_file_system(Volume(disk));
        REQUIRE(files);
        CHECK(files->uuid() == "1234-ABCD");
        CHECK(text_of(files->read("efi/boot/bootriscv64.efi", 1 << 20)) == large);
        CHECK(text_of(files->read("/a NAME with spaces.text", 1 << 20)) == large);
        CHECK_FALSE(files->read("/EFI", 1 << 20));
        CHECK_FALSE(files->read("/EFI/BOOT/BOOTRISCV64.EFI", 1000));
        CHECK_FALSE(files->exists("/EFI/BOOT/BOOTRISCV64.EFI/x"));
        CHECK(BootDisk(disk, "/dev/vda").efi() == "the whole disk (FAT)");
    }
}

TEST_CASE("what_cannot_start_is_told", "[bootdisk]") {
    MemoryDisk disk(kMiB);
    write_gpt(disk);
    put_text(disk, 64 * kSector, "LUKS\xba\xbe");
    CHECK(BootDisk(disk, "/dev/vda").seen() == "GPT; partition 1 (LUKS (encrypted))");
    MemoryDisk blank(kMiB);
    CHECK(BootDisk(blank, "/dev/vda").seen() == "no partition table; the whole disk (nothing known)");
    const Folder folder;
    auto other = disk_of(
        folder, 2 * kMiB,
        {"mkfs.vfat $d", "mmd -i $d ::/EFI ::/EFI/BOOT", "mcopy -i $d /dev/null ::/EFI/BOOT/BOOTX64.EFI"});
    const BootDisk x64(other, "/dev/vda");
    CHECK_FALSE(x64.efi());
    CHECK(x64.seen().find("but EFI/BOOT/BOOTX64.EFI, for another kind of machine") != std::string::npos);
}

// The class of CVE-2014-0143 and its neighbours: nothing that a file system says is taken for true.
TEST_CASE("hostile_file_systems_are_refused_or_read_in_bounded_time", "[bootdisk]") {
    const Folder folder;
    const std::string root = tree(folder);
    std::ofstream(root + "/boot/extlinux/extlinux.conf") << "label x\nlinux /boot/vmlinuz-6.9\n";
    const auto ext =
        disk_of(folder, 2 * kMiB, {"mke2fs -q -t ext4 -F -O ^metadata_csum -d '" + root + "' $d"});
    const auto fat = disk_of(folder, 2 * kMiB,
                             {"mkfs.vfat $d", "mmd -i $d ::/EFI ::/EFI/BOOT",
                              "mcopy -i $d '" + root + "/sbin/init' ::/EFI/BOOT/BOOTRISCV64.EFI"});
    std::mt19937_64 random(5);
    const auto started = std::chrono::steady_clock::now();
    for (int i = 0; i < 300; ++i) {
        auto disk = i % 2 == 0 ? ext : fat;
        // Where metadata lies: the first blocks, seldom the rest.
        for (u64 k = 1 + random() % 40; k != 0; --k) {
            const u64 span = random() % 4 == 0 ? disk.data.size() : i % 2 == 0 ? u64{0x20000} : u64{0x3000};
            const u64 at = (i % 2 == 0 ? 1024 : 11) + random() % (span - 1024);
            disk.data[at] = random() % 3 == 0 ? 0xff : static_cast<u8>(random());
        }
        BootDisk found(disk, "/dev/vda");
        if (!found.kernel()) continue;
        (void)complaint_of([&] { found.read("d", *found.kernel(), found.kernel()->entry.kernel, 4 * kMiB); });
    }
    CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(60));
}

TEST_CASE("run_takes_a_disk_image_for_a_disk", "[bootdisk]") {
    const Folder folder;
    MemoryDisk disk(kMiB);
    write_gpt(disk);
    const std::string path = folder.file("a.img", disk.data);
    RunConfig config;
    config.image = path;
    adopt_disk(config);
    CHECK(config.image.empty());
    REQUIRE(config.disks.size() == 1);
    CHECK(config.disks[0].temporary());  // no disk is changed by surprise
    for (const char* option : {",rw", ",ro", ",overlay=x.qcow2"}) {
        config = {};
        config.image = path + option;
        config.disks.push_back({"second"});
        adopt_disk(config);
        REQUIRE(config.disks.size() == 2);
        CHECK(config.disks[0].path == path);
        CHECK_FALSE(config.disks[0].temporary());
    }
    config = {};
    config.image = folder.file("kernel", std::string("not a disk"));
    adopt_disk(config);
    CHECK_FALSE(config.image.empty());
    config.image += ",ro";
    CHECK(complaint_of([&] { adopt_disk(config); }).find("is no disk image") != std::string::npos);
}
