// One description of a component's state serves save, load, hash and print.
//
// A component names every field of its State once, in `describe(Archive&)`. Which way the data flows is the
// archive's business. Loading distrusts: sizes are bounded, missing and trailing bytes are errors that name
// the field, sections made of other fields than today's are refused, and a component checks ranges with
// `require` after its fields are in.
#pragma once
#include <array>
#include <concepts>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/types.hpp"

namespace hartline {

// A snapshot that cannot be loaded; what() names the field.
struct ArchiveError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Archive {
public:
    Archive() = default;
    Archive(const Archive&) = delete;
    Archive& operator=(const Archive&) = delete;
    virtual ~Archive() = default;

    virtual bool loading() const { return false; }
    virtual void begin(std::string_view section) = 0;  // opens a named group of fields
    virtual void end() = 0;
    // `size` bytes that are the state of `name`. `unit` is the size of one element (for printing).
    virtual void raw(std::string_view name, void* data, std::size_t size, std::size_t unit) = 0;

    template <class T>
    requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void field(std::string_view name, T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            u8 byte = value;
            raw(name, &byte, 1, 1);
            require(byte <= 1, name);
            value = byte != 0;
        } else {
            raw(name, &value, sizeof value, sizeof value);
        }
    }
    template <class T, std::size_t N>
    requires std::is_arithmetic_v<T>
    void field(std::string_view name, std::array<T, N>& values) {
        raw(name, values.data(), sizeof values, sizeof(T));
    }
    // A sequence of at most `limit` elements.
    template <class T>
    requires std::is_arithmetic_v<T>
    void field(std::string_view name, std::vector<T>& values, std::size_t limit) {
        u64 count = values.size();
        raw(name, &count, sizeof count, sizeof count);
        require(count <= limit, name);
        values.resize(static_cast<std::size_t>(count));
        raw(name, values.data(), values.size() * sizeof(T), sizeof(T));
    }
    // Fails the load when a loaded value is not one that this component could hold.
    void require(bool holds, std::string_view name) const {
        if (loading() && !holds) throw ArchiveError("snapshot: impossible value in " + std::string(name));
    }
};

// A group of fields for the length of a scope.
class Section {
public:
    Section(Archive& archive, std::string_view name) : archive_(archive) { archive_.begin(name); }
    ~Section() { archive_.end(); }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

private:
    Archive& archive_;
};

// What a section is made of, as a number: names and sizes of its fields, and the sections in it, in order.
class SectionLayout {
public:
    explicit SectionLayout(std::string_view name) : name_(name) { add(name, 0, 0); }
    void add(std::string_view name, std::size_t size, std::size_t unit);
    const std::string& name() const { return name_; }
    u32 digest() const { return digest_; }

private:
    std::string name_;
    u32 digest_ = 0;
};

class SaveArchive final : public Archive {
public:
    void begin(std::string_view section) override;
    void end() override;
    void raw(std::string_view name, void* data, std::size_t size, std::size_t unit) override;
    std::vector<u8> take() { return std::move(out_); }

private:
    struct Open {
        SectionLayout layout;
        std::size_t digest_at;  // in out_
    };
    void append(const void* data, std::size_t size);

    std::vector<u8> out_;
    std::vector<Open> open_;
};

class LoadArchive final : public Archive {
public:
    explicit LoadArchive(std::span<const u8> in) : in_(in) {}
    bool loading() const override { return true; }
    void begin(std::string_view section) override;
    void end() override;
    void raw(std::string_view name, void* data, std::size_t size, std::size_t unit) override;
    void finish() const;  // throws when bytes are left over

private:
    struct Open {
        SectionLayout layout;
        u32 digest;  // that it was saved with
    };
    void take(std::string_view name, void* data, std::size_t size);
    void require_known_layout() const;

    std::span<const u8> in_;
    std::vector<Open> open_;
    std::string unknown_;  // the first section that was saved with another layout; end() cannot throw
};

// XXH3 of everything described, section names included.
class HashArchive final : public Archive {
public:
    HashArchive();
    ~HashArchive() override;
    void begin(std::string_view section) override;
    void end() override {}
    void raw(std::string_view name, void* data, std::size_t size, std::size_t unit) override;
    u64 digest() const;

private:
    void* state_;
};

// `section.field = value` lines, for people and for diffs.
class PrintArchive final : public Archive {
public:
    void begin(std::string_view section) override;
    void end() override;
    void raw(std::string_view name, void* data, std::size_t size, std::size_t unit) override;
    const std::string& text() const { return text_; }

private:
    std::vector<std::string> path_;
    std::string text_;
};
}  // namespace hartline
