// Host memory mappings: the host's own way to give zeroed pages that cost nothing until they are touched.
#pragma once
#include <cstddef>
#include <utility>

#include "core/types.hpp"

namespace hartline {

// Owns a private, zeroed, lazily backed mapping.
class HostMapping {
public:
    HostMapping() = default;
    explicit HostMapping(std::size_t bytes);  // throws std::bad_alloc
    ~HostMapping();
    HostMapping(HostMapping&& other) noexcept
        : address_(std::exchange(other.address_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    HostMapping& operator=(HostMapping&& other) noexcept {
        std::swap(address_, other.address_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }

    template <class T>
    T* as() const {
        return static_cast<T*>(address_);
    }
    std::size_t bytes() const { return bytes_; }
    void prefer_huge_pages();  // of the host, where it has them and the mapping is aligned to them
    void make_read_only();
    void discard();  // all zero again, and the host has its memory back

private:
    void* address_ = nullptr;
    std::size_t bytes_ = 0;
};

// A piece of HostMappings, whole 4 KiB frames: all zero again, and the host has its memory back if it can
// take it.
void discard_pages(void* address, std::size_t bytes);

// One piece of memory at two addresses: where it may be written, and where it may be executed. No page is
// ever both at one address.
class ExecutableMapping {
public:
    ExecutableMapping() = default;
    explicit ExecutableMapping(std::size_t bytes);  // throws std::bad_alloc
    ~ExecutableMapping();
    ExecutableMapping(const ExecutableMapping&) = delete;
    ExecutableMapping& operator=(const ExecutableMapping&) = delete;

    u8* writable() const { return writable_; }
    const u8* executable() const { return executable_; }
    std::size_t bytes() const { return bytes_; }
    void discard();  // the host has its memory back

private:
    u8* writable_ = nullptr;
    const u8* executable_ = nullptr;
    std::size_t bytes_ = 0;
};

// Memory that this process has resident now, in MiB; 0: the host does not tell.
u64 resident_mib();
// Most memory that this process has had resident, in MiB.
u64 peak_resident_mib();
}  // namespace hartline
