#pragma once
/// Our side of the lone message: published when nothing else is under way; its delay is measured where it
/// arrives.

#include <chrono>
#include <string>
#include <vector>

#include "harness/lone.hpp"
#include "ours/far_bus.hpp"
#include "ours/payloads.hpp"

namespace midplane::bench {

class FarLone {
 public:
  explicit FarLone(const std::string& executor) {
    receivers_.add({"ours", bus_.listening().front(), executor});
    must(publisher_.wait_matched(1, std::chrono::seconds{30}));
  }
  double run(std::uint64_t messages) {
    return receivers_.run(messages, [this](std::uint64_t count) {
      send_singly(count, [this](std::uint64_t sent_ns) { (void)publisher_.publish(tick_of(sent_ns)); });
    });
  }
  [[nodiscard]] std::uint64_t lost() const { return receivers_.lost(); }
  [[nodiscard]] double far_cpu_seconds() const { return receivers_.far_cpu_seconds(); }
  [[nodiscard]] double middle_us() const { return receivers_.middle_us(); }

 private:
  Bus bus_ = far_bus("sender", executor_named("pool"), any_port());
  Publisher<Tick> publisher_ =
      must(bus_.publisher(Topic<Tick>{"bench.lone"}, {.one_thread = true, .far_wait = true}));
  Receivers receivers_;
};

/// The other process. `words`: role, endpoint, executor.
inline int receive_lone(const std::vector<std::string>& words) {
  LoneDelays delays;
  Bus bus = far_bus("receiver", executor_named(words[2]), {.peers = {words[1]}});
  SubscribeOptions options;
  options.queue = Queue{.overflow = Overflow::block};
  Subscription subscription = must(bus.subscribe(
      Topic<Tick>{"bench.lone"},
      [&delays](const Message<Tick>& message) { delays.arrived(message->sequence() - 1); },
      std::move(options)));
  must(subscription.wait_confirmed(std::chrono::seconds{30}));
  return serve_runs([&delays](std::uint64_t messages) { delays.restart(messages); },
                    [&delays](std::uint64_t) {
                      wait_all_sent();
                      return delays.outcome();
                    });
}

}  // namespace midplane::bench
