// Host mappings by mmap.
#include <sys/mman.h>
#include <sys/resource.h>

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
void HostMapping::make_read_only() { ::mprotect(address_, bytes_, PROT_READ); }
void HostMapping::discard() {
    if (address_ != nullptr) ::madvise(address_, bytes_, MADV_DONTNEED);
}

u64 peak_resident_mib() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<u64>(usage.ru_maxrss) / 1024;
}
}  // namespace hartline
