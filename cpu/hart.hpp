// Making harts: the door of the cpu floor for whoever builds machines.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/hart.hpp"
#include "cpu/cpu.hpp"

namespace hartline {

// Where the host cannot run translations, an interpreter for EngineKind::Jit: a guest sees no difference.
std::unique_ptr<Hart> make_hart(HartPort& port, unsigned number, const HartConfig& config);

// For HartConfig::code, where harts run on threads: all of a machine take one.
std::shared_ptr<SeenCode> share_code(const HartConfig& config);

// What a hart of this configuration is, for its device-tree node: riscv,isa and riscv,isa-extensions.
std::string isa_string(const HartConfig& config);
std::vector<std::string> isa_extensions(const HartConfig& config);
}  // namespace hartline
