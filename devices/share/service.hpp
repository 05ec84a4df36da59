// A shared folder's server on a few threads, so that a slow disk of the host does not hold up a hart.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "devices/share/channel.hpp"
#include "devices/share/server.hpp"

namespace hartline::share {

class Service final : public Channel {
public:
    // Throws std::runtime_error: see Server.
    explicit Service(const FolderOptions& options) : server_(options) {}
    ~Service() override;

    // Where answers go, called from any of its threads: set before the machine runs, and valid until stop().
    using Deliver = std::function<void(std::span<const u8>)>;
    void deliver_to(Deliver deliver) { deliver_ = std::move(deliver); }
    void submit(Ticket ticket, std::vector<u8> request) override;
    void reset() override;
    // Is there a request without its answer?
    bool busy() const;
    // Ends the threads; what is not begun is not done.
    void stop();

private:
    struct Job {
        u64 sequence = 0;
        Ticket ticket;
        std::vector<u8> request;  // empty: reset
        bool alone = false;       // after all before it, before all after it
        bool flushes = false;     // after the request with tag old_tag
        u16 tag = 0, old_tag = 0;
    };
    // What is being done, as far as others must know.
    struct Running {
        u64 sequence;
        bool alone;
        u16 tag;
    };
    void work();
    bool may_begin(std::size_t place) const;
    bool take(Job& job);
    void perform(const Job& job);
    void push(Job job);

    Server server_;
    Deliver deliver_;
    mutable std::mutex lock_;
    std::condition_variable changed_;
    std::deque<Job> waiting_;
    std::vector<Running> running_;
    std::vector<std::thread> threads_;
    u64 sequence_ = 0;
    bool stopping_ = false;
};
}  // namespace hartline::share
