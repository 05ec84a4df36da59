// The map by which Linux' perf names host code that was made at run time: a line a unit, in
// /tmp/perf-PID.map.
#pragma once
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>

#include "cpu/translation_listener.hpp"

namespace hartline {

class PerfMap final : public TranslationListener {
public:
    explicit PerfMap(const std::string& path);  // throws HostError
    void translated(const Translated& unit) override;

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::mutex one_;
    std::unique_ptr<std::FILE, Close> file_;
};

// Where perf looks for the map of this process.
std::string perf_map_path();
}  // namespace hartline
