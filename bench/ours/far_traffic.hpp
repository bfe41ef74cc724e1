#pragma once
/// Our side of the tcp rows: a publisher in this process, subscriptions in one or several others. Overflow
/// `block` and `far_wait`: the publisher waits for the far queues.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "harness/far_run.hpp"
#include "ours/far_bus.hpp"
#include "ours/payloads.hpp"

namespace midplane::bench {

/// What the rows state of our side.
inline std::string far_setting(const std::string& executor) {
  return "one core per process; ours: FlatBuffer written in place, far_wait, one_thread, block, queue of 65536 "
         "messages and "
         "64 MiB, handlers on executor " +
         executor + "; rival: see bench/README.md";
}

/// `Payload`: of ours/payloads.hpp.
template <class Payload>
class FarTraffic {
 public:
  /// `executor`: where the receivers' handlers run.
  FarTraffic(unsigned processes, unsigned subscriptions_each, const std::string& executor) {
    for (unsigned index = 0; index < processes; ++index)
      receivers_.add({"ours", bus_.listening().front(), std::to_string(subscriptions_each),
                      std::to_string(index), executor, std::to_string(Payload::bytes)});
    // Every receiver waits until its subscriptions are confirmed before it takes an order.
    must(publisher_.wait_matched(processes, std::chrono::seconds{30}));
  }

  double run(std::uint64_t messages) {
    return receivers_.run(messages, [this](std::uint64_t count) {
      // What is not taken here is missing there, and counted there.
      for (std::uint64_t at = 0; at < count; ++at) (void)publisher_.publish(Payload::of(at));
    });
  }
  [[nodiscard]] std::uint64_t lost() const { return receivers_.lost(); }
  [[nodiscard]] double far_cpu_seconds() const { return receivers_.far_cpu_seconds(); }

 private:
  Pinned pinned_{0};
  Bus bus_ = far_bus("sender", executor_named("pool"), any_port());
  Publisher<typename Payload::Table> publisher_ = must(
      bus_.publisher(Topic<typename Payload::Table>{"bench.far"}, {.one_thread = true, .far_wait = true}));
  Receivers receivers_;
};

/// One subscription's count of a run. Only its handler writes; the process's own thread looks on.
template <class Payload>
class alignas(64) FarCount {
 public:
  void restart(std::uint64_t messages) {
    seen_.store(0, std::memory_order_relaxed);
    next_ = wrong_ = 0;
    expected_ = messages;
  }
  /// True with the last message of the run.
  bool operator()(const Message<typename Payload::Table>& message) noexcept {
    const std::uint64_t number = Payload::number_of(message);
    const bool is_good =
        number >= next_ && message.bytes().size() == Payload::bytes && Payload::is_whole(message);
    wrong_ += is_good ? 0 : 1;
    next_ = number + 1;
    const std::uint64_t seen = seen_.load(std::memory_order_relaxed) + 1;
    seen_.store(seen, std::memory_order_relaxed);
    return seen == expected_;
  }
  [[nodiscard]] std::uint64_t seen() const { return seen_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t lost() const { return wrong_ + expected_ - seen(); }

 private:
  std::atomic<std::uint64_t> seen_{0};
  std::uint64_t next_ = 0, wrong_ = 0, expected_ = 0;
};

/// The other process.
template <class Payload>
class FarReceiver {
 public:
  using Table = typename Payload::Table;

  FarReceiver(const std::string& endpoint, unsigned subscriptions, unsigned index,
              const std::string& executor)
      : pinned_{index},
        executor_{executor_named(executor)},
        counts_(subscriptions),
        bus_{far_bus("receiver_" + std::to_string(index), executor_, {.peers = {endpoint}})} {
    for (FarCount<Payload>& count : counts_) {
      SubscribeOptions options;
      options.queue = Queue{.messages = 65536,
                            .bytes = std::size_t{64} << 20,
                            .overflow = Overflow::block,
                            .block_for = std::chrono::seconds{30}};
      subscriptions_.push_back(must(bus_.subscribe(
          Topic<Table>{"bench.far"},
          [this, &count](const Message<Table>& message) {
            if (count(message)) finish_one();
          },
          std::move(options))));
    }
    for (Subscription& subscription : subscriptions_)
      must(subscription.wait_confirmed(std::chrono::seconds{30}));
  }

  void restart(std::uint64_t messages) {
    for (FarCount<Payload>& count : counts_) count.restart(messages);
    unfinished_ = counts_.size();
    // A run that was given up may have been completed since.
    while (finished_.try_acquire()) {
    }
  }
  Outcome receive() {
    const bool has_all = wait();
    Outcome outcome{.ended = has_all ? ended_ : last_seen_};
    for (const FarCount<Payload>& count : counts_) outcome.lost += count.lost();
    // The ledger says where they went.
    if (outcome.lost != 0) std::fprintf(stderr, "%s\n", bus_.stats().to_json().c_str());
    return outcome;
  }

 private:
  void finish_one() {
    if (unfinished_.fetch_sub(1) != 1) return;
    ended_ = now_seconds();
    finished_.release();
  }
  bool wait() {
    std::uint64_t seen_before = 0;
    for (last_seen_ = now_seconds(); !look();) {
      std::uint64_t seen = 0;
      for (const FarCount<Payload>& count : counts_) seen += count.seen();
      if (seen != seen_before || !all_sent()) last_seen_ = now_seconds();
      seen_before = seen;
      if (now_seconds() - last_seen_ > patience_seconds) return false;
    }
    return true;
  }
  bool look() {
    constexpr std::chrono::milliseconds a_while{100};
    if (auto* loop = dynamic_cast<ManualExecutor*>(executor_.get())) {
      loop->run_for(a_while);
      return finished_.try_acquire();
    }
    return finished_.try_acquire_for(a_while);
  }

  struct PinnedReceiver {
    explicit PinnedReceiver(unsigned index) { pin_receiver(index); }
  } pinned_;
  std::shared_ptr<Executor> executor_;
  std::vector<FarCount<Payload>> counts_;
  std::atomic<std::size_t> unfinished_{0};
  double ended_ = 0, last_seen_ = 0;
  std::binary_semaphore finished_{0};
  Bus bus_;
  std::vector<Subscription> subscriptions_;
};

/// `words`: role, endpoint, subscriptions, index, executor, bytes.
template <class Payload>
int receive_ours(const std::vector<std::string>& words) {
  FarReceiver<Payload> receiver{words[1], static_cast<unsigned>(std::stoul(words[2])),
                                static_cast<unsigned>(std::stoul(words[3])), words[4]};
  return serve_runs([&receiver](std::uint64_t messages) { receiver.restart(messages); },
                    [&receiver](std::uint64_t) { return receiver.receive(); });
}

}  // namespace midplane::bench
