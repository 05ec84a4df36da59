// The door, on x86-64.
#include <asmjit/x86.h>

#include "cpu/jit/engine.hpp"
#include "cpu/jit/make.hpp"

namespace hartline::jit {

bool host_supported() {
    const auto& features = asmjit::CpuInfo::host().features().x86();
    return features.hasBMI() && features.hasBMI2() && features.hasLZCNT() && features.hasPOPCNT() &&
           features.hasAVX2() && features.hasFMA() && features.hasPCLMULQDQ();
}

std::unique_ptr<Hart> make(HartPort& port, unsigned number, const HartConfig& config) {
    if (!host_supported()) return nullptr;
    try {
        return std::make_unique<Engine>(port, number, config);
    } catch (const std::bad_alloc&) {
        throw NoMemoryForCode();
    }
}

std::shared_ptr<SeenCode> make_cache(const HartConfig& config) {
    if (!host_supported()) return nullptr;
    try {
        return std::make_shared<TranslationCache>(config.code_cache_bytes, true);
    } catch (const std::bad_alloc&) {
        throw NoMemoryForCode();
    }
}
}  // namespace hartline::jit
