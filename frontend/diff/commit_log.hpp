// Commit logs in the format of Spike's --log-commits: a line an instruction that retired.
//   core   0: 3 0x0000000080000180 (0x30052073) x5 0x… c768_mstatus 0x… mem 0x… 0x…
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace hartline {

struct CommitLine {
    struct Register {
        enum class Kind : u8 { X, F, Csr };
        Kind kind = Kind::X;
        unsigned number = 0;
        u64 value = 0;
        bool operator==(const Register&) const = default;
    };
    struct Memory {
        u64 vaddr = 0;
        std::optional<u64> stored;  // none: a load
        unsigned bytes = 0;         // of what was stored
        bool operator==(const Memory&) const = default;
    };
    unsigned hart = 0;
    unsigned privilege = 0;
    u64 pc = 0;
    u32 bits = 0;
    std::vector<Register> registers;
    std::vector<Memory> memory;
};

struct ParsedCommit {
    std::optional<CommitLine> line;  // none: a line about something else, to be passed over
    std::string wrong;               // not empty: it is a commit, and broken here
};
ParsedCommit parse_commit(std::string_view text);

// Lines of a file, gz or not, or of standard input ("-").
class LineReader {
public:
    // Throws InputError.
    explicit LineReader(const std::string& path);
    ~LineReader();
    // false: the end. Throws HostError, and InputError for what is no text.
    bool next(std::string& line);
    u64 number() const { return number_; }

private:
    struct File;
    std::unique_ptr<File> file_;
    std::string path_;
    u64 number_ = 0;
};
}  // namespace hartline
