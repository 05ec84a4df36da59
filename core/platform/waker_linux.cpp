// Waking by an eventfd, which is written to once however many want to wake.
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/platform/waker.hpp"
#include "core/types.hpp"

namespace hartline {

Waker::Waker() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}
Waker::~Waker() { ::close(fd_); }

void Waker::wake() {
    if (woken_.exchange(true)) return;
    const u64 one = 1;
    while (::write(fd_, &one, sizeof one) < 0 && errno == EINTR) {}
}

// The flag goes last: were a wake() in between to set it again, the descriptor would be read empty and no
// later one would write to it. What a wake() in between was for is there by then, to be found after this.
void Waker::clear() {
    u64 count = 0;
    while (::read(fd_, &count, sizeof count) < 0 && errno == EINTR) {}
    woken_.store(false);
}
}  // namespace hartline
