// What a test's end must look like, as a text file says it.
//
//   file      = { line }
//   line      = [ "test" PATTERN | "expect" check { "," check } ] [ "#" comment ]
//   check     = "insns=" NUMBER | "hash=" HEX | "exit=" ( NUMBER | "limit" | "stuck" )
//             | [ "hart" N "." ] REG "=" NUMBER
//   REG       = x0 … x31 | f0 … f31 | pc | csr.NAME
//   NUMBER    = decimal, 0x…, or - and one of these: 64 bits
//
// `test` lines are for files about many tests: what follows holds for those whose name matches the pattern
// (*, ?, […]); what stands before the first one holds for all.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "frontend/test/trial.hpp"

namespace hartline {

struct Check {
    enum class What : u8 { Instructions, Hash, Exit, Register };
    What what = What::Exit;
    u64 value = 0;      // but of Exit
    Ending ending;      // of Exit
    unsigned hart = 0;  // of Register
    std::string reg;    // of Register
    std::string text;   // as written
    std::string where;  // FILE:LINE
};

class Expectations {
public:
    enum class Of : u8 { OneTest, ManyTests };
    // Throws InputError that names file and line.
    static Expectations parse(const std::string& path, std::string_view text, Of of);
    static Expectations read(const std::string& path, Of of);

    std::vector<Check> checks_of(const std::string& test) const;
    // Patterns that match none of these, each as FILE:LINE: 'PATTERN'.
    std::vector<std::string> unused_patterns(const std::vector<std::string>& tests) const;

private:
    struct Section {
        std::string pattern, where;
        std::vector<Check> checks;
    };
    std::vector<Section> sections_;
};

// What is wrong with the end of a test; empty if nothing is.
std::string complaint_about(const Check& check, const Trial& trial, Machine& machine);
}  // namespace hartline
