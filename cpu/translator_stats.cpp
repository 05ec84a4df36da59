// Sums over harts.
#include "cpu/translator_stats.hpp"

namespace hartline {

TranslatorStats& TranslatorStats::operator+=(const TranslatorStats& other) {
    constexpr std::array kCounters{
        &TranslatorStats::units,       &TranslatorStats::instructions, &TranslatorStats::host_bytes,
        &TranslatorStats::compile_ns,  &TranslatorStats::dropped,      &TranslatorStats::evictions,
        &TranslatorStats::linked,      &TranslatorStats::jump_inserts, &TranslatorStats::retired,
        &TranslatorStats::load_misses, &TranslatorStats::store_misses};
    for (const auto counter : kCounters) this->*counter += other.*counter;
    for (std::size_t i = 0; i < exits.size(); ++i) exits[i] += other.exits[i];
    return *this;
}
}  // namespace hartline
