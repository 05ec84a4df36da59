// hartline isa: what the instruction table holds, and what it does not hold yet.
#include <cstdio>
#include <iostream>
#include <string>

#include "cpu/isa.hpp"
#include "frontend/cli/verbs.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
template <class Rows>
std::size_t count(const Rows& rows, Extension extension) {
    std::size_t sum = 0;
    for (const auto& row : rows) sum += row.extension == extension;
    return sum;
}

void summary() {
    std::printf("%-14s %5s %5s\n", "extension", "here", "to do");
    for (std::size_t i = 0; i < kExtensions; ++i) {
        const auto extension = static_cast<Extension>(i);
        const std::string called(name(extension));
        std::printf("%-14s %5zu %5zu\n", called.c_str(),
                    count(kIsa, extension) + count(kCompressed, extension), count(kTodo, extension));
    }
    std::printf("%-14s %5zu %5zu\n", "all", kIsa.size() + kCompressed.size(), kTodo.size());
}

template <class Rows>
void list(const Rows& rows, const char* state) {
    for (const auto& row : rows)
        std::cout << row.mnemonic << '\t' << name(row.extension) << '\t' << state << '\n';
}
}  // namespace

std::string isa_help() {
    return "hartline isa: instructions by extension, those that are here and those still to do.\n"
           "hartline isa --list: a line an instruction: mnemonic, extension, here or to do.\n";
}

int verb_isa(std::span<const std::string> arguments) {
    if (arguments.empty()) {
        summary();
        return 0;
    }
    if (arguments[0] == "--list") {
        list(kIsa, "here");
        list(kCompressed, "here");
        list(kTodo, "to do");
        return 0;
    }
    if (arguments[0] != "--help" && arguments[0] != "-h")
        throw InputError("isa", "unknown option '" + arguments[0] + "'",
                         "hartline isa, or hartline isa --list");
    std::cout << isa_help();
    return 0;
}
}  // namespace hartline
