// Power cuts: a workload's host writes are recorded, the file is made anew as it would be after a cut at each
// of them, with what was not flushed there, lost or out of order, and judged: at most leaks, and every sector
// holds what was last flushed or something written since.
#include <cstring>

#include "tests/devices/image_support.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
constexpr u64 kSector = 512;

// What the guest did, and when, in counts of host operations.
struct Event {
    u64 at = 0;
    bool flush = false;  // it has returned; else a write has begun
    u64 offset = 0, bytes = 0, stamp = 0;
};

struct Recording {
    std::vector<u8> start;  // the image before
    std::vector<FileOp> ops;
    std::vector<Event> events;
    std::vector<u64> base;  // stamps of the disk's sectors at the start
};

void fill(std::span<u8> sector, u64 stamp) {
    for (std::size_t i = 0; i < sector.size(); i += 8) std::memcpy(&sector[i], &stamp, 8);
}

// A disk whose every sector holds its stamp; what a crash may show of each.
class Model {
public:
    explicit Model(const std::vector<u64>& base) {
        for (const u64 stamp : base) allowed_.push_back({stamp});
    }
    void apply(const Event& event) {
        if (event.flush) {
            for (const u64 at : touched_) allowed_[at] = {allowed_[at].back()};
            touched_.clear();
            return;
        }
        for (u64 at = event.offset / kSector; at < (event.offset + event.bytes) / kSector; ++at) {
            allowed_[at].push_back(event.stamp);
            touched_.push_back(at);
        }
    }
    bool allows(u64 sector, std::span<const u8> bytes) const {
        u64 stamp = 0;
        std::memcpy(&stamp, bytes.data(), 8);
        for (u64 i = 8; i < bytes.size(); i += 8)
            if (std::memcmp(&bytes[i], bytes.data(), 8) != 0) return false;
        return std::ranges::find(allowed_[sector], stamp) != allowed_[sector].end();
    }
    u64 sectors() const { return allowed_.size(); }

private:
    std::vector<std::vector<u64>> allowed_;  // the last is the newest
    std::vector<u64> touched_;
};

std::unique_ptr<DiskImage> base_disk(const std::vector<u64>& base) {
    struct Base final : DiskImage {
        std::vector<u8> data;
        MemoryFile unused;
        u64 bytes() const override { return data.size(); }
        bool read_only() const override { return true; }
        bool read(u64 offset, std::span<u8> out) override {
            std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
            return true;
        }
        bool write(u64, std::span<const u8>) override { return false; }
        bool flush() override { return true; }
        bool discard(u64, u64) override { return false; }
        bool zero(u64, u64) override { return false; }
        ImageFormat format() const override { return ImageFormat::Raw; }
        HostFile& file() override { return unused; }
        std::optional<Extent> extent(u64) override { return Extent{data.size()}; }
        bool resize(u64) override { return false; }
    };
    auto disk = std::make_unique<Base>();
    disk->data.resize(base.size() * kSector);
    for (u64 i = 0; i < base.size(); ++i) fill(std::span(disk->data).subspan(i * kSector, kSector), base[i]);
    return disk;
}

struct Scene {
    const char* name;
    qcow2::CreateOptions options;
    bool overlay = false;
    bool filled = false;  // the workload begins on an image that has been used, and whose clusters were freed
};

class Workload {
public:
    Workload(const Scene& scene, u64 seed) : scene_(scene), random_{seed * 77 + 5} {
        recording_.base.assign(scene.options.bytes / kSector, 0);
        if (scene.overlay) {
            for (u64 i = 0; i < recording_.base.size(); ++i) recording_.base[i] = 1'000'000 + i;
            scene_.options.backing = "base.img";
        }
        recording_.start = new_image(scene_.options);
        base_ = recording_.base;
        if (scene.filled) use_it();
    }
    const std::vector<u64>& backing() const { return base_; }

    Recording record(unsigned steps) {
        auto file = std::make_unique<MemoryFile>(recording_.start);
        file->log = &recording_.ops;
        {
            auto image = open(std::move(file));
            for (unsigned i = 0; i < steps; ++i) step(*image);
        }
        return std::move(recording_);
    }
    std::unique_ptr<qcow2::Image> open(std::unique_ptr<MemoryFile> file) const {
        return open_memory(std::move(file), scene_.overlay ? base_disk(base_) : nullptr);
    }

private:
    void use_it() {
        auto file = std::make_unique<MemoryFile>(recording_.start);
        file->kept = &recording_.start;
        auto image = open(std::move(file));
        for (unsigned i = 0; i < 40; ++i) step(*image);
        for (u64 at = 0; at < image->bytes(); at += kSector) {
            std::vector<u8> sector(kSector);
            REQUIRE(image->read(at, sector));
            std::memcpy(&recording_.base[at / kSector], sector.data(), 8);
        }
        recording_.events.clear();
    }
    void step(DiskImage& image) {
        const u64 sectors = image.bytes() / kSector, most = image.cluster_bytes() / kSector * 3;
        Event event{recording_.ops.size(), false, random_.below(sectors) * kSector, 0, ++stamp_};
        event.bytes = std::min((1 + random_.below(most)) * kSector, image.bytes() - event.offset);
        const u64 what = random_.below(12);
        if (what < 2) {
            REQUIRE(image.flush());
            recording_.events.push_back({recording_.ops.size(), true, 0, 0, 0});
            return;
        }
        if (what < 4) event.stamp = 0;
        if (what == 4) {
            event.offset -= event.offset % image.cluster_bytes();
            event.bytes = std::min(image.cluster_bytes(), image.bytes() - event.offset);
        }
        recording_.events.push_back(event);
        std::vector<u8> data(event.bytes);
        for (u64 at = 0; at < data.size(); at += kSector)
            fill(std::span(data).subspan(at, kSector), event.stamp);
        if (what == 2) REQUIRE(image.discard(event.offset, event.bytes));
        if (what == 3) REQUIRE(image.zero(event.offset, event.bytes));
        if (what == 4) REQUIRE(image.write_compressed(event.offset, data));
        if (what > 4) REQUIRE(image.write(event.offset, data));
    }

    Scene scene_;
    Random random_;
    Recording recording_;
    std::vector<u64> base_;
    u64 stamp_ = 0;
};

class Judge {
public:
    Judge(const Workload& workload, const Recording& recording)
        : workload_(workload), recording_(recording) {}
    u64 states = 0;
    std::vector<std::vector<u8>> samples;  // for qemu-img

    // All cuts: at every operation; and there without one or two of those that were not flushed, with a few
    // of them only, and with the last torn.
    void run() {
        Model model(recording_.base);
        std::vector<u8> durable = recording_.start;
        std::vector<const FileOp*> pending;
        std::size_t event = 0;
        for (u64 at = 0; at <= recording_.ops.size(); ++at) {
            while (event < recording_.events.size() && recording_.events[event].at <= at)
                model.apply(recording_.events[event++]);
            judge_pending(model, durable, pending);
            if (at == recording_.ops.size()) break;
            const FileOp& op = recording_.ops[at];
            if (op.kind != FileOp::Flush) {
                pending.push_back(&op);
                continue;
            }
            for (const FileOp* one : pending) one->apply(durable);
            pending.clear();
        }
    }

private:
    static constexpr std::size_t kAllPairs = 6;  // of so many, all pairs; of more, those with the last

    void judge_pending(const Model& model, const std::vector<u8>& durable,
                       const std::vector<const FileOp*>& pending) {
        const std::size_t n = pending.size();
        judge_without(model, durable, pending, n, n);
        for (std::size_t a = 0; a < n; ++a) {
            judge_without(model, durable, pending, a, n);
            for (std::size_t b = n <= kAllPairs ? a + 1 : n - 1; b < n; ++b)
                if (a != b) judge_without(model, durable, pending, a, b);
        }
        for (std::size_t a = 0; n > 3 && a < n; ++a) {  // one that overtook all others
            std::vector<u8> data = durable;
            pending[a]->apply(data);
            judge(model, std::move(data));
        }
        if (n != 0 && pending[n - 1]->length > kSector) {
            std::vector<u8> data = durable;
            for (std::size_t i = 0; i + 1 < n; ++i) pending[i]->apply(data);
            pending[n - 1]->apply(data, pending[n - 1]->length / 2 / kSector * kSector);
            judge(model, std::move(data));
        }
    }
    void judge_without(const Model& model, const std::vector<u8>& durable,
                       const std::vector<const FileOp*>& pending, std::size_t a, std::size_t b) {
        std::vector<u8> data = durable;
        for (std::size_t i = 0; i < pending.size(); ++i)
            if (i != a && i != b) pending[i]->apply(data);
        judge(model, std::move(data));
    }
    void judge(const Model& model, std::vector<u8> data) {
        ++states;
        if (states % 997 == 0) samples.push_back(data);
        const qcow2::CheckResult result = checked(data);
        if (result.corruptions != 0 || result.errors != 0) {
            for (const auto& line : result.lines) UNSCOPED_INFO(line);
            FAIL("state " << states << " is corrupt");
        }
        auto file = std::make_unique<MemoryFile>(std::move(data));
        file->fixed = true;
        const auto image = workload_.open(std::move(file));
        std::vector<u8> disk(image->bytes());
        if (!image->read(0, disk)) FAIL("state " << states << " cannot be read");
        for (u64 i = 0; i < model.sectors(); ++i)
            if (!model.allows(i, std::span(disk).subspan(i * kSector, kSector)))
                FAIL("state " << states << " lost sector " << i);
    }

    const Workload& workload_;
    const Recording& recording_;
};

// Returns how many states were judged.
u64 cut_everywhere(const Scene& scene, u64 seed, unsigned steps) {
    INFO(scene.name << ", seed " << seed);
    Workload workload(scene, seed);
    const Recording recording = workload.record(steps);
    Judge judge(workload, recording);
    judge.run();
    CHECK(judge.states > recording.ops.size());
    if (judge.samples.empty() || !shell("qemu-img --version")) return judge.states;
    const Folder folder;
    const std::string path = folder.at("cut.qcow2");
    if (scene.overlay) save(folder.at("base.img"), std::vector<u8>(scene.options.bytes));
    judge.samples.resize(std::min<std::size_t>(judge.samples.size(), 8));
    for (const auto& sample : judge.samples) {
        save(path, sample);
        // 3: only leaks
        CHECK(shell("qemu-img check -q -f qcow2 " + path + " || test $? -eq 3"));
    }
    return judge.states;
}

std::vector<Scene> scenes() {
    constexpr u64 kSize = 64 << 10;
    return {{"new", {.bytes = kSize, .cluster = 2048}},
            {"used", {.bytes = kSize, .cluster = 1024}, false, true},
            {"version 2", {.bytes = kSize, .cluster = 1024, .version = 2}, false, true},
            {"overlay", {.bytes = kSize, .cluster = 2048}, true, false},
            {"used overlay", {.bytes = kSize, .cluster = 1024}, true, true},
            {"extended L2", {.bytes = 128 << 10, .cluster = 16384, .extended_l2 = true}, true, true},
            {"growing refcounts", {.bytes = kSize, .cluster = 512, .refcount_bits = 64}, false, false}};
}
}  // namespace

TEST_CASE("qcow2: after a power cut at any host write nothing flushed is lost", "[qcow2][crash]") {
    const char* more = std::getenv("HARTLINE_CRASH_SEEDS");
    const u64 seeds = more != nullptr ? static_cast<u64>(std::atoi(more)) : 6;
    u64 states = 0;
    for (const Scene& scene : scenes())
        for (u64 seed = 1; seed <= seeds; ++seed) states += cut_everywhere(scene, seed, 60);
    CHECK(states > seeds * 6000);
    INFO(states << " states");
    SUCCEED();
}

namespace {
// Runs a workload in which host calls fail, and returns how many calls it makes.
u64 run_failing(const Scene& scene, u64 seed, u64 fail_from, u64 fail_to) {
    Random random{seed + 1};
    std::vector<u8> kept = new_image(scene.options);
    auto owned = std::make_unique<MemoryFile>(kept);
    MemoryFile& file = *owned;
    file.kept = &kept;
    auto image = open_memory(std::move(owned));
    std::vector<std::vector<u64>> allowed(scene.options.bytes / kSector, {0});
    file.calls = 0;
    file.fail_from = fail_from;
    file.fail_to = fail_to;
    const auto act = [&](u64 stamp) {
        const u64 offset = random.below(allowed.size()) * kSector;
        const u64 bytes = std::min((1 + random.below(12)) * kSector, image->bytes() - offset);
        std::vector<u8> data(bytes);
        for (u64 at = 0; at < bytes; at += kSector) fill(std::span(data).subspan(at, kSector), stamp);
        const u64 what = random.below(8);
        if (what == 0) return (void)image->flush();
        const bool clearing = what < 3;
        const bool done = what == 1   ? image->discard(offset, bytes)
                          : what == 2 ? image->zero(offset, bytes)
                                      : image->write(offset, data);
        for (u64 at = offset / kSector; at < (offset + bytes) / kSector; ++at) {
            if (done) allowed[at].clear();
            allowed[at].push_back(clearing ? 0 : stamp);
        }
    };
    for (u64 stamp = 1; stamp <= 40; ++stamp) act(stamp);
    const u64 calls = file.calls;
    file.fail_from = ~u64{0};
    std::vector<u8> sector(kSector);
    const auto compare = [&](DiskImage& disk) {
        for (u64 i = 0; i < allowed.size(); ++i) {
            REQUIRE(disk.read(i * kSector, sector));
            u64 stamp = 0;
            std::memcpy(&stamp, sector.data(), 8);
            if (std::ranges::find(allowed[i], stamp) == allowed[i].end())
                FAIL("sector " << i << " shows " << stamp << " after call " << fail_from << " failed");
        }
    };
    compare(*image);
    const bool durable = image->flush();
    image.reset();
    const qcow2::CheckResult result = checked(kept);
    for (const auto& line : result.lines) UNSCOPED_INFO(line);
    if (result.corruptions != 0) FAIL("corrupt after call " << fail_from << " failed");
    if (durable) compare(*open_memory(std::make_unique<MemoryFile>(kept)));
    return calls;
}
}  // namespace

TEST_CASE("qcow2: a host call that fails is an I/O error and never a corruption", "[qcow2][crash]") {
    const std::vector<Scene> all{{"new", {.bytes = 64 << 10, .cluster = 2048}},
                                 {"extended L2", {.bytes = 128 << 10, .cluster = 16384, .extended_l2 = true}},
                                 {"growing", {.bytes = 64 << 10, .cluster = 512, .refcount_bits = 64}}};
    for (const Scene& scene : all) {
        INFO(scene.name);
        const u64 calls = run_failing(scene, 3, ~u64{0}, ~u64{0});
        CHECK(calls > 50);
        for (u64 call = 0; call < calls; ++call) {
            run_failing(scene, 3, call, call + 1);
            run_failing(scene, 3, call, call + 1 + call % 7);
        }
    }
}
