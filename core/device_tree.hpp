// A device tree in the making: a thin, checked front of libfdt's sequential writer.
#pragma once
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace hartline {

class DeviceTree {
public:
    DeviceTree();

    void begin(const std::string& node);  // opens a child of the open node; "" is the root
    void end();
    void flag(const char* name);
    void cells(const char* name, std::initializer_list<u32> values);
    void cells(const char* name, std::span<const u32> values);
    void number(const char* name, u64 value);  // one 64-bit value (two cells)
    void text(const char* name, std::string_view value);
    void texts(const char* name, std::span<const std::string> values);
    // `reg` with two address and two size cells.
    void reg(u64 base, u64 size);

    u32 new_phandle() { return next_phandle_++; }
    void phandle(u32 value) { cells("phandle", {value}); }

    // The finished blob. The tree is used up.
    std::vector<u8> finish();

private:
    void check(int status, const char* what) const;
    std::vector<u8> blob_;
    u32 next_phandle_ = 1;
};
}  // namespace hartline
