// Reading and writing of coverage files.
#include "frontend/coverage/coverage_file.hpp"

#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>
#include <filesystem>
#include <sstream>
#include <unordered_map>

#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
using boost::property_tree::ptree;
constexpr u64 kMostBytes = u64{16} << 20;
constexpr const char* kFormat = "1";

std::string class_list(u64 classes) {
    std::string list;
    for (unsigned i = 0; i < OperandClass::Count; ++i)
        if (bit(classes, i) != 0) list += (list.empty() ? "" : " ") + class_name(i);
    return list;
}
u64 parse_classes(const std::string& list) {
    u64 classes = 0;
    std::istringstream words(list);
    for (std::string word; words >> word;)
        for (unsigned i = 0; i < OperandClass::Count; ++i)
            if (word == class_name(i)) classes |= u64{1} << i;
    return classes;
}

// Children are made by hand: in a path '.' would part names, and mnemonics have dots.
void put(ptree& tree, const std::string& key, const std::string& value) {
    tree.push_back({key, ptree(value)});
}
void put(ptree& tree, const std::string& key, u64 value) { put(tree, key, std::to_string(value)); }
const ptree& section(const ptree& tree, const char* key) {
    const auto found = tree.find(key);
    if (found == tree.not_found()) throw std::runtime_error(std::string("has no '") + key + "'");
    return found->second;
}

void parse_rows(const ptree& rows, Coverage& coverage) {
    std::unordered_map<std::string_view, std::size_t> numbers;
    for (std::size_t i = 0; i < kRows; ++i) numbers[row_name(static_cast<Op>(i))] = i;
    for (const auto& [name, row] : rows) {
        const auto found = numbers.find(name);
        if (found == numbers.end()) continue;
        coverage.rows[found->second] = {section(row, "count").get_value<u64>(),
                                        parse_classes(section(row, "classes").data())};
    }
}
void parse_compressed(const ptree& rows, Coverage& coverage) {
    for (const auto& [name, count] : rows)
        for (std::size_t i = 0; i < kCompressed.size(); ++i)
            if (kCompressed[i].mnemonic == name) coverage.compressed[i] = count.get_value<u64>();
}
void parse_csrs(const ptree& csrs, Coverage& coverage) {
    for (const auto& [number, csr] : csrs) {
        const unsigned long at = std::stoul(number);
        if (at > 4095) throw std::runtime_error("names a CSR over 4095");
        coverage.csrs[static_cast<u16>(at)] = {section(csr, "reads").get_value<u64>(),
                                               section(csr, "writes").get_value<u64>(),
                                               section(csr, "changed").get_value<u64>()};
    }
}
}  // namespace

std::string coverage_text(const Coverage& coverage) {
    ptree rows, compressed, traps, csrs, all;
    for (std::size_t i = 0; i < kRows; ++i) {
        if (coverage.rows[i].count == 0) continue;
        ptree row;
        put(row, "count", coverage.rows[i].count);
        put(row, "classes", class_list(coverage.rows[i].classes));
        rows.push_back({std::string(row_name(static_cast<Op>(i))), row});
    }
    for (std::size_t i = 0; i < kCompressed.size(); ++i)
        if (coverage.compressed[i] != 0)
            put(compressed, std::string(kCompressed[i].mnemonic), coverage.compressed[i]);
    for (const auto& [name, count] : coverage.traps) put(traps, name, count);
    for (const auto& [number, count] : coverage.csrs) {
        ptree csr;
        put(csr, "reads", count.reads);
        put(csr, "writes", count.writes);
        put(csr, "changed", count.changed);
        csrs.push_back({std::to_string(number), csr});
    }
    put(all, "hartline_coverage", kFormat);
    all.push_back({"rows", rows});
    all.push_back({"compressed", compressed});
    all.push_back({"traps", traps});
    all.push_back({"csrs", csrs});
    std::ostringstream out;
    boost::property_tree::write_json(out, all);
    return out.str();
}

Coverage parse_coverage(const std::string& subject, const std::string& text) {
    try {
        ptree all;
        std::istringstream in(text);
        boost::property_tree::read_json(in, all);
        if (section(all, "hartline_coverage").data() != kFormat)
            throw std::runtime_error("is of another format");
        Coverage coverage;
        parse_rows(section(all, "rows"), coverage);
        parse_compressed(section(all, "compressed"), coverage);
        for (const auto& [name, count] : section(all, "traps")) coverage.traps[name] = count.get_value<u64>();
        parse_csrs(section(all, "csrs"), coverage);
        return coverage;
    } catch (const std::exception& error) {
        throw InputError(subject, std::string("is no coverage file: ") + error.what(),
                         "write one with --coverage");
    }
}

Coverage read_coverage(const std::string& path) {
    const auto bytes = read_file(path, kMostBytes, "is too large for a coverage file");
    return parse_coverage(path, {bytes.begin(), bytes.end()});
}

void add_coverage(const std::string& path, const Coverage& coverage) {
    Coverage sum = coverage;
    if (std::filesystem::exists(path) && !std::filesystem::is_empty(path)) sum.merge(read_coverage(path));
    const std::string text = coverage_text(sum);
    write_file(path, std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
}
}  // namespace hartline
