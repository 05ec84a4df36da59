// Which request may begin when.
#include "devices/share/service.hpp"

#include <algorithm>

#include "devices/share/protocol.hpp"

namespace hartline::share {
namespace {
constexpr unsigned kThreads = 4;
}

Service::~Service() { stop(); }

void Service::stop() {
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
        waiting_.clear();
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

void Service::push(Job job) {
    if (stopping_) return;
    job.sequence = sequence_++;
    waiting_.push_back(std::move(job));
    if (threads_.empty())
        for (unsigned i = 0; i < kThreads; ++i) threads_.emplace_back([this] { work(); });
    changed_.notify_one();
}

void Service::submit(Ticket ticket, std::vector<u8> request) {
    Reader in(request);
    in.number<u32>();
    const u8 type = in.number<u8>();
    Job job;
    job.ticket = ticket;
    job.alone = type == kTversion;
    job.flushes = type == kTflush;
    job.tag = in.number<u16>();
    if (job.flushes) job.old_tag = in.number<u16>();
    job.request = std::move(request);
    const std::lock_guard guard(lock_);
    push(std::move(job));
}

void Service::reset() {
    const std::lock_guard guard(lock_);
    waiting_.clear();
    if (threads_.empty()) return;
    Job job;
    job.alone = true;
    push(std::move(job));
}

// flush(5): the answer to what is flushed comes before the answer to the flush.
bool Service::may_begin(std::size_t place) const {
    const Job& job = waiting_[place];
    const auto in_the_way = [&job](bool alone, u16 tag) {
        return alone || job.alone || (job.flushes && tag == job.old_tag);
    };
    for (const Running& other : running_)
        if (in_the_way(other.alone, other.tag)) return false;
    for (std::size_t i = 0; i < place; ++i)
        if (in_the_way(waiting_[i].alone, waiting_[i].tag)) return false;
    return true;
}

bool Service::take(Job& job) {
    for (std::size_t place = 0; place < waiting_.size(); ++place) {
        if (!may_begin(place)) continue;
        job = std::move(waiting_[place]);
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(place));
        running_.push_back({job.sequence, job.alone, job.tag});
        return true;
    }
    return false;
}

bool Service::busy() const {
    const std::lock_guard guard(lock_);
    return !waiting_.empty() || !running_.empty();
}

void Service::perform(const Job& job) {
    if (job.request.empty()) return server_.reset();
    const std::vector<u8> answer = server_.answer(job.request);
    std::vector<u8> payload(sizeof job.ticket + answer.size());
    std::memcpy(payload.data(), &job.ticket, sizeof job.ticket);
    std::copy(answer.begin(), answer.end(), payload.begin() + sizeof job.ticket);
    deliver_(payload);
}

void Service::work() {
    std::unique_lock guard(lock_);
    while (!stopping_) {
        Job job;
        if (!take(job)) {
            changed_.wait(guard);
            continue;
        }
        guard.unlock();
        perform(job);
        guard.lock();
        std::erase_if(running_, [&](const Running& other) { return other.sequence == job.sequence; });
        if (!waiting_.empty()) changed_.notify_all();  // something may have waited for it
    }
}
}  // namespace hartline::share
