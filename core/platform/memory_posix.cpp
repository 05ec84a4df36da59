// Host mappings by mmap.
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>

#include "core/platform/memory.hpp"

namespace hartline {

HostMapping::HostMapping(std::size_t bytes) : bytes_(bytes) {
    address_ =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address_ == MAP_FAILED) {
        address_ = nullptr;
        throw std::bad_alloc();
    }
}
HostMapping::~HostMapping() {
    if (address_ != nullptr) ::munmap(address_, bytes_);
}
void HostMapping::prefer_huge_pages() { ::madvise(address_, bytes_, MADV_HUGEPAGE); }
void HostMapping::make_read_only() { ::mprotect(address_, bytes_, PROT_READ); }
void HostMapping::discard() {
    if (address_ != nullptr) ::madvise(address_, bytes_, MADV_DONTNEED);
}

// Pages of the host may be larger than a frame (madvise would round up), or locked: then only the content
// goes.
void discard_pages(void* address, std::size_t bytes) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const bool whole = reinterpret_cast<std::uintptr_t>(address) % page == 0 && bytes % page == 0;
    if (!whole || ::madvise(address, bytes, MADV_DONTNEED) != 0) std::memset(address, 0, bytes);
}

ExecutableMapping::ExecutableMapping(std::size_t bytes) : bytes_(bytes) {
    // Shared memory without a name, and a second view of it: to profilers it is anonymous, and they look up
    // its code in what --perf-map writes.
    void* const writable =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (writable == MAP_FAILED) throw std::bad_alloc();
    void* const executable = ::mremap(writable, 0, bytes, MREMAP_MAYMOVE);
    if (executable == MAP_FAILED || ::mprotect(executable, bytes, PROT_READ | PROT_EXEC) != 0) {
        if (executable != MAP_FAILED) ::munmap(executable, bytes);
        ::munmap(writable, bytes);
        throw std::bad_alloc();
    }
    writable_ = static_cast<u8*>(writable);
    executable_ = static_cast<const u8*>(executable);
}
ExecutableMapping::~ExecutableMapping() {
    if (writable_ == nullptr) return;
    ::munmap(writable_, bytes_);
    ::munmap(const_cast<u8*>(executable_), bytes_);
}
void ExecutableMapping::discard() { ::madvise(writable_, bytes_, MADV_REMOVE); }

u64 resident_mib() {
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr) return 0;
    unsigned long long all = 0, resident = 0;
    const bool read = std::fscanf(file, "%llu %llu", &all, &resident) == 2;
    std::fclose(file);
    return read ? resident * static_cast<u64>(::sysconf(_SC_PAGESIZE)) >> 20 : 0;
}

u64 peak_resident_mib() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<u64>(usage.ru_maxrss) / 1024;
}
}  // namespace hartline
