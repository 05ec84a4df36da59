// From a row and its operands back to instruction bits, and a little assembler with labels.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "cpu/isa.hpp"

namespace hartline::fuzz {

// The inverse of extract(): fields that the row's pattern fixes stay as they are.
u32 encode(Op op, const Operands& operands);
u32 with_branch_offset(u32 word, u8 length, i64 offset);  // offset of a branch or jump, 32 or 16 bits wide

// Instructions that leave `value` in `rd`, and touch nothing else.
std::vector<u32> load_constant(u8 rd, u64 value);

// Assembles the frame around random programs.
class Assembler {
public:
    explicit Assembler(u64 base) : base_(base) {}
    void put(Op op, const Operands& operands) { words_.push_back(encode(op, operands)); }
    void word(u32 word) { words_.push_back(word); }
    void li(u8 rd, u64 value);
    void label(const std::string& name) { labels_[name] = pc(); }
    void branch(Op op, u8 rs1, u8 rs2, const std::string& to);
    void jump(u8 rd, const std::string& to);
    void jump(u8 rd, u64 to);
    u64 pc() const { return base_ + words_.size() * 4; }
    u64 address(const std::string& label) const { return labels_.at(label); }
    const std::vector<u32>& finish();  // throws std::logic_error for a label that is none

private:
    u64 base_;
    std::vector<u32> words_;
    std::map<std::string, u64> labels_;
    std::vector<std::pair<std::size_t, std::string>> fixups_;
};
}  // namespace hartline::fuzz
