// Reading commit logs.
#include "frontend/diff/commit_log.hpp"

#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr std::size_t kMostLine = 16 * 1024;

// Words of a line, one after the other.
class Words {
public:
    explicit Words(std::string_view text) : rest_(text) {}
    std::string_view next() {
        const std::size_t first = rest_.find_first_not_of(" \t\r");
        if (first == std::string_view::npos) return rest_ = {};
        rest_.remove_prefix(first);
        const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t\r"));
        rest_.remove_prefix(word.size());
        return word;
    }
    std::string_view peek() const { return Words(rest_).next(); }

private:
    std::string_view rest_;
};

bool number(std::string_view text, int base, u64& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}
bool hex(std::string_view text, u64& value) {
    return text.starts_with("0x") && number(text.substr(2), 16, value);
}

std::string broken(std::string_view what, std::string_view word) {
    std::string text(what);
    text += word.empty() ? " is missing" : ": '";
    if (!word.empty()) text.append(word).append("'");
    return text;
}

// "core   0: 3 0x… (0x…)"; true: it is a commit.
bool parse_head(Words& words, CommitLine& line, std::string& wrong) {
    u64 hart = 0, privilege = 0, bits = 0;
    if (words.next() != "core") return false;
    std::string_view word = words.next();
    if (!word.ends_with(':') || !number(word.substr(0, word.size() - 1), 10, hart)) return false;
    word = words.next();
    if (word.size() != 1 || !number(word, 10, privilege)) return false;
    line.hart = static_cast<unsigned>(hart);
    line.privilege = static_cast<unsigned>(privilege);
    if (privilege > 3) wrong = broken("no privilege", word);
    word = words.next();
    if (!hex(word, line.pc)) wrong = broken("the pc", word);
    word = words.next();
    const bool framed = word.size() > 2 && word.front() == '(' && word.back() == ')';
    if (!framed || !hex(word.substr(1, word.size() - 2), bits) || bits > 0xffff'ffff)
        wrong = broken("the instruction", word);
    line.bits = static_cast<u32>(bits);
    return true;
}

std::string parse_memory(Words& words, CommitLine& line) {
    CommitLine::Memory memory;
    std::string_view word = words.next();
    if (!hex(word, memory.vaddr)) return broken("the address", word);
    if (words.peek().starts_with("0x")) {
        word = words.next();
        u64 value = 0;
        if (!hex(word, value)) return broken("what was stored", word);
        memory.stored = value;
        memory.bytes = static_cast<unsigned>((word.size() - 2 + 1) / 2);
    }
    line.memory.push_back(memory);
    return "";
}

// x5, f10, c768_mstatus
std::string parse_register(std::string_view name, Words& words, CommitLine& line) {
    CommitLine::Register reg;
    const std::string_view digits = name.substr(1, name.find('_') - 1);
    u64 which = 0;
    switch (name[0]) {
        case 'x': reg.kind = CommitLine::Register::Kind::X; break;
        case 'f': reg.kind = CommitLine::Register::Kind::F; break;
        case 'c': reg.kind = CommitLine::Register::Kind::Csr; break;
        default: return broken("no register", name);
    }
    if (!number(digits, 10, which) || which >= (name[0] == 'c' ? 4096u : 32u))
        return broken("no register", name);
    reg.number = static_cast<unsigned>(which);
    const std::string_view value = words.next();
    if (!hex(value, reg.value)) return broken("its value", value);
    line.registers.push_back(reg);
    return "";
}
}  // namespace

ParsedCommit parse_commit(std::string_view text) {
    ParsedCommit parsed;
    Words words(text);
    CommitLine line;
    if (!parse_head(words, line, parsed.wrong)) return parsed;
    while (parsed.wrong.empty()) {
        const std::string_view word = words.next();
        if (word.empty()) break;
        parsed.wrong = word == "mem" ? parse_memory(words, line) : parse_register(word, words, line);
    }
    if (parsed.wrong.empty()) parsed.line = std::move(line);
    return parsed;
}

struct LineReader::File {
    gzFile gz = nullptr;
    ~File() {
        if (gz != nullptr) ::gzclose(gz);
    }
};

LineReader::LineReader(const std::string& path) : file_(std::make_unique<File>()), path_(path) {
    file_->gz = path == "-" ? ::gzdopen(::dup(0), "rb") : ::gzopen(path.c_str(), "rb");
    if (file_->gz == nullptr)
        throw InputError(path, std::strerror(errno), "give a commit log, or - for standard input");
    ::gzbuffer(file_->gz, 1 << 17);
}
LineReader::~LineReader() = default;

bool LineReader::next(std::string& line) {
    char buffer[kMostLine];
    if (::gzgets(file_->gz, buffer, sizeof buffer) == nullptr) {
        int error = 0;
        const char* const message = ::gzerror(file_->gz, &error);
        if (error != Z_OK && error != Z_STREAM_END) throw HostError(path_, message, "write it again");
        return false;
    }
    ++number_;
    line = buffer;
    if (line.size() + 1 == sizeof buffer && line.back() != '\n')
        throw InputError(path_ + ":" + std::to_string(number_), "is too long a line", "give a commit log");
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    return true;
}
}  // namespace hartline
