// A file that grows while a machine runs, compressed when its name ends in .gz.
#pragma once
#include <string>

#include "core/device.hpp"
#include "frontend/host/files.hpp"

struct gzFile_s;  // zlib's

namespace hartline {

class LogFile final : public ByteSink {
public:
    // Creates or empties it; a pipe is opened. Throws InputError.
    explicit LogFile(const std::string& path);
    ~LogFile() override;
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;

    // Does not throw: it is called from inside a running machine. After a failure it drops what it is given.
    void write(std::span<const u8> bytes) override;
    void check() const;  // throws HostError if anything failed so far
    void finish();       // closes; throws HostError if anything failed

private:
    void write_plain(std::span<const u8> bytes);
    void write_compressed(std::span<const u8> bytes);

    const std::string path_;
    Descriptor file_;
    gzFile_s* compressed_ = nullptr;
    std::string failure_;
};
}  // namespace hartline
