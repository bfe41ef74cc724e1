#pragma once
/// Our side of the request row: one request outstanding, asked on core 0, answered on core 1. The two kinds
/// differ in who runs the handler and how both sides wait.

#include <cstdint>
#include <memory>

#include "harness/crew.hpp"
#include "ours/must.hpp"
#include "ours/tick.hpp"

namespace midplane::bench {

/// The server's thread polls a manual executor in a loop; the asker looks in a loop whether its reply is
/// there.
class PolledLoop {
 public:
  [[nodiscard]] std::shared_ptr<Executor> executor() const { return loop_; }
  void wait(const Pending<Tick>& reply) const {
    while (!reply.ready()) relax();
  }
  template <class Ended>
  void serve(Ended&& ended) {
    while (!ended()) loop_->poll();
  }

 private:
  std::shared_ptr<ManualExecutor> loop_ = manual_executor();
};

/// One worker of a pool, which sleeps when it has nothing to do; the asker sleeps in `get`.
class SleepingPool {
 public:
  [[nodiscard]] std::shared_ptr<Executor> executor() const { return pool_; }
  void wait(const Pending<Tick>&) const {}
  template <class Ended>
  void serve(Ended&&) {}

 private:
  std::shared_ptr<Executor> pool_ =
      must(pool_executor({.threads = 1, .thread_started = [](std::size_t) { pin(1); }}));
};

template <class Waiting>
class NearRequests {
 public:
  NearRequests() {
    server_ =
        must(bus_.serve(service, [](const Request<Tick>& ask) { return tick_of(ask->sequence() - 1); }));
    client_ = must(bus_.client(service));
  }

  double run(std::uint64_t requests) {
    std::atomic<bool> ended{false};
    TickCheck check;
    const double seconds = run_together(
        1,
        [&](unsigned) {
          for (std::uint64_t at = 0; at < requests; ++at) {
            Pending<Tick> reply = client_.request(tick_of(at));
            waiting_.wait(reply);
            check(must(reply.get()));
          }
          ended.store(true, std::memory_order_relaxed);
        },
        [&] { waiting_.serve([&ended] { return ended.load(std::memory_order_relaxed); }); });
    lost_ += check.lost();
    return seconds;
  }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  static constexpr Service<Tick, Tick> service{"bench.echo"};

  Waiting waiting_;
  Bus bus_ = must(Bus::open({.name = "bench", .executor = waiting_.executor()}));
  Server server_;
  Client<Tick, Tick> client_;
  std::uint64_t lost_ = 0;
};

}  // namespace midplane::bench
