// Setting up what is recorded.
#include "frontend/session/recorder.hpp"

#include <filesystem>

#include "frontend/coverage/coverage_file.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
// FROM:TO, where either may be left out.
CommitFilter::Range range(const char* option, const std::string& text, const char* way_out) {
    CommitFilter::Range range;
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos) throw InputError(option, "'" + text + "' is not FROM:TO", way_out);
    if (colon != 0) range.first = parse_count(option, text.substr(0, colon));
    if (colon + 1 != text.size()) range.end = parse_count(option, text.substr(colon + 1));
    if (range.first >= range.end) throw InputError(option, "'" + text + "' has nothing in it", way_out);
    return range;
}

u8 privileges(const std::string& text) {
    u8 set = 0;
    for (const char letter : text) {
        const std::size_t number = std::string("USxM").find(letter);
        if (number == std::string::npos || letter == 'x')
            throw InputError("--log-privilege", "'" + text + "' is not of the letters M, S and U",
                             "write for example SU");
        set = static_cast<u8>(set | 1u << number);
    }
    return set;
}
}  // namespace

CommitFilter commit_filter(const RunConfig& config) {
    CommitFilter filter;
    const std::string& list = config.log_range;
    for (std::size_t at = 0; at < list.size();) {
        const std::size_t comma = std::min(list.find(',', at), list.size());
        filter.addresses.push_back(
            range("--log-range", list.substr(at, comma - at), "write for example 0x80000000:0x80200000"));
        at = comma + 1;
    }
    if (!config.log_privilege.empty()) filter.privileges = privileges(config.log_privilege);
    if (!config.log_window.empty())
        filter.window = range("--log-window", config.log_window, "write for example 1M:2M");
    return filter;
}

Recorder::Recorder(const RunConfig& config) {
    if (!config.coverage.empty()) {
        coverage_path_ = config.coverage;
        counter_ = std::make_unique<CoverageCounter>();
        if (std::filesystem::exists(coverage_path_))
            add_coverage(coverage_path_, {});  // or it fails at the end
    }
    if (config.commit_log.empty()) return;
    log_file_ = std::make_unique<LogFile>(config.commit_log);
    log_.emplace(*log_file_, commit_filter(config));
}

void Recorder::committed(const Commit& commit) {
    if (log_) log_->committed(commit);
    if (counter_) counter_->committed(commit);
}
void Recorder::trapped(const TrapEntry& trap) {
    if (log_) log_->trapped(trap);
    if (counter_) counter_->trapped(trap);
}

void Recorder::check() const {
    if (log_file_) log_file_->check();
}

void Recorder::finish() {
    if (counter_) add_coverage(coverage_path_, counter_->coverage());
    if (!log_) return;
    log_->flush();
    log_file_->finish();
}
}  // namespace hartline
