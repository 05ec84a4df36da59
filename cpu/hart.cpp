// Making harts and naming what they implement.
#include "cpu/hart.hpp"

#include "cpu/interpreter/engine.hpp"
#include "cpu/ir_engine.hpp"
#include "cpu/jit/make.hpp"

namespace hartline {

std::unique_ptr<Hart> make_hart(HartPort& port, unsigned number, const HartConfig& config) {
    if (config.engine == EngineKind::Ir) return std::make_unique<IrEngine>(port, number, config);
    if (config.engine == EngineKind::Jit)
        if (auto hart = jit::make(port, number, config)) return hart;
    return std::make_unique<Interpreter>(port, number, config);
}

std::shared_ptr<SeenCode> share_code(const HartConfig& config) {
    if (config.engine == EngineKind::Jit)
        if (auto cache = jit::make_cache(config)) return cache;
    return std::make_shared<SeenCode>(true);
}

// In the canonical order of the naming chapter: single letters, then Z by category, then S.
// ("ISA Extension Naming Conventions")
std::vector<std::string> isa_extensions(const HartConfig& config) {
    std::vector<std::string> names{
        "i",      "m",      "a",      "f",        "d",         "c",           "zicbom", "zicbop", "zicboz",
        "zicntr", "zicond", "zicsr",  "zifencei", "zihintntl", "zihintpause", "zihpm",  "zimop",  "zaamo",
        "zabha",  "zacas",  "zalrsc", "zawrs",    "zfa",       "zfh",         "zfhmin", "zca",    "zcb",
        "zcd",    "zcmop",  "zba",    "zbb",      "zbc",       "zbs",         "zkt"};
    if (config.pmp_entries != 0) names.emplace_back("smepmp");
    for (const char* name : {"sscofpmf", "sstc", "svade", "svadu", "svinval", "svnapot", "svpbmt", "svvptc"})
        if (config.svadu || std::string_view(name) != "svadu") names.emplace_back(name);
    return names;
}

std::string isa_string(const HartConfig& config) {
    std::string text = "rv64";
    for (const std::string& name : isa_extensions(config)) {
        if (name.size() > 1) text += '_';
        text += name;
    }
    return text;
}
}  // namespace hartline
