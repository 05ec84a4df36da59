// A folder for the files of one test.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>

#include "core/types.hpp"

namespace hartline::test {

// Is gone at the end, with all that is in it.
struct Folder {
    std::filesystem::path path;

    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "hartline-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
        path = name;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string at(const std::string& name) const { return (path / name).string(); }
    // Makes the file, or makes it anew; where it is.
    std::string file(const std::string& name, std::span<const u8> bytes) const {
        std::ofstream out(at(name), std::ios::binary);
        out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        return at(name);
    }
    std::string file(const std::string& name, const std::string& text) const {
        return file(name, std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
    }
    std::string read(const std::string& name) const {
        std::ifstream in(at(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
};
}  // namespace hartline::test
