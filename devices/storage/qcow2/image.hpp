// A qcow2 image that is open.
//
// Data goes to the file at once; what maps and counts it stays in memory until commit(), which writes it in
// an order that a power cut may stop anywhere: data, refcounts and new tables first, then, when those are
// durable, what points to them. Clusters that go out of use are counted down and used anew only after that.
// So the disk's state is always that of some flush, plus sectors written since; a cut leaves at most leaked
// clusters. Refcounts are kept exact: lazy refcounts are permitted, not required ("Header",
// compatible_features).
//
// Locks: `change_` is held by whoever changes the mapping; `map_` guards the tables in memory and is held
// shared while mapped data is read or written, so that nobody takes it away. Order: change_, map_.
#pragma once
#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "devices/storage/image.hpp"
#include "devices/storage/qcow2/format.hpp"
#include "devices/storage/qcow2/refcounts.hpp"

namespace hartline::qcow2 {

class Image final : public DiskImage {
public:
    // The header is checked; `backing` may be null. Throws std::runtime_error.
    Image(std::unique_ptr<HostFile> file, const Header& header, std::unique_ptr<DiskImage> backing,
          const std::string& path);
    ~Image() override;

    u64 bytes() const override { return header_.size; }
    bool read_only() const override { return file_->read_only(); }
    bool read(u64 offset, std::span<u8> out) override;
    bool write(u64 offset, std::span<const u8> in) override;
    bool flush() override;
    bool discard(u64 offset, u64 bytes) override { return clear(offset, bytes, false); }
    bool zero(u64 offset, u64 bytes) override { return clear(offset, bytes, true); }
    ImageFormat format() const override { return ImageFormat::Qcow2; }
    HostFile& file() override { return *file_; }
    std::optional<Extent> extent(u64 offset) override;
    DiskImage* backing() override { return backing_.get(); }
    u64 cluster_bytes() const override { return header_.cluster(); }
    bool write_compressed(u64 offset, std::span<const u8> in) override;
    bool resize(u64 bytes) override;
    bool forget() override;

private:
    struct Table {
        std::vector<u8> bytes;
        u64 offset = 0;
        bool linked = true;  // the L1 table on the disk may have it
        u64 dirty_from = ~u64{0}, dirty_to = 0;
        std::atomic<u64> used = 0;
        bool dirty() const { return dirty_from < dirty_to; }
    };
    struct Run {  // of bytes that are kept in one way
        Kind kind = Kind::Backing;
        u64 bytes = 0;
        u64 host = 0;  // of data
        bool in_place = false;
        std::optional<Mapping> compressed;
    };
    struct Freed {
        u64 cluster = 0, count = 0;
    };
    struct Unpacked {
        u64 host = 0, host_bytes = 0;
        std::shared_ptr<const std::vector<u8>> bytes;
    };

    // open.cpp
    void load_tables(const std::string& path);
    void load_snapshots(const std::string& path);
    bool inside(u64 offset, u64 bytes) const {
        return offset <= header_.size && bytes <= header_.size - offset;
    }

    // lookup.cpp
    Table* find(u32 index);  // map_ held; null: not in memory
    bool load(u32 index);    // takes map_; of an L1 entry that has a table
    void shed(u32 keep);
    std::optional<Mapping> mapping(const Table& table, u64 cluster) const;
    // map_ held: what is at `offset`, at most `most` bytes. Nothing: the image is corrupt there.
    std::optional<Run> run_at(const Table* table, u64 offset, u64 most);
    std::optional<Run> piece_at(const Table* table, u64 offset);
    // Calls use(table) with map_ held shared; the table is null where L1 has none.
    template <class Use>
    bool with_table(u64 offset, Use use);
    u32 l1_index(u64 offset) const { return static_cast<u32>(offset / header_.l2_covers()); }
    bool corrupt_found();

    // read.cpp
    bool read_run(const Run& run, u64 offset, std::span<u8> out);
    bool read_data(u64 host, std::span<u8> out);
    bool read_backing(u64 offset, std::span<u8> out);
    bool has_backing(u64 offset) const { return backing_ != nullptr && offset < backing_->bytes(); }
    std::shared_ptr<const std::vector<u8>> unpack(const Mapping& mapping);

    // write.cpp; change_ held by all but write_in_place and announce
    bool write_in_place(u64 offset, std::span<const u8> in, u64& done);
    bool announce();
    bool write_changed(u64 offset, std::span<const u8> in);
    struct Rewrite;
    bool write_subclusters(const Rewrite& rewrite);
    bool write_subcluster_run(const Rewrite& rewrite, unsigned from, unsigned to);
    Table* changeable(u32 index);
    Table* add_table(u32 index, Table* copied);
    bool set(u64 offset, const Mapping& mapping);
    std::optional<Mapping> current(u64 offset);
    void release(const Mapping& mapping);
    bool settle();
    std::optional<u64> packed(u64 bytes);

    // clear.cpp
    bool clear(u64 offset, u64 bytes, bool keep);
    bool clear_table(u64 offset, u64 bytes, bool keep);
    bool clear_cluster(u64 offset, bool keep);
    bool clear_part(u64 offset, u64 bytes);
    std::optional<bool> reads_zero(u64 offset, u64 bytes);

    // commit.cpp; change_ held
    bool commit();
    bool write_new_tables(const std::vector<Table*>& tables);
    bool write_links(const std::vector<Table*>& tables);
    bool free_released();
    bool cover_end();
    bool switch_header(const Header& to);
    bool grow_l1(u64 bytes);
    bool set_size(u64 bytes);

    std::unique_ptr<HostFile> file_;
    std::unique_ptr<DiskImage> backing_;
    Header header_;
    Places places_;
    Refcounts refcounts_;

    std::mutex change_;
    std::shared_mutex map_;
    std::vector<u64> l1_;
    std::unordered_map<u32, std::unique_ptr<Table>> tables_;
    std::atomic<u64> uses_ = 0;
    std::optional<u32> held_;  // the table that a change is made in
    std::set<u32> dirty_tables_, dirty_l1_;
    std::vector<Freed> released_;    // no longer mapped, still so on the disk
    u64 fresh_from_ = 0;             // clusters from here on were never written
    u64 pack_at_ = 0;                // where the next compressed cluster may begin; 0: nowhere
    std::atomic<u64> host_end_ = 0;  // data lies below
    std::atomic<u64> file_end_ = 0;  // of the file, at the least: a shorter one was cut by somebody else
    std::atomic<bool> dirty_ = false, announced_ = false, corrupt_ = false;

    std::mutex unpacked_lock_;
    std::list<Unpacked> unpacked_;  // last used first
};
}  // namespace hartline::qcow2
