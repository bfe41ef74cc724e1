#pragma once
/// Our side of the in-process rows: publishers on core 0, subscriptions whose handlers run on a manual
/// executor that one thread polls in a loop on core 1. Overflow `block`: nothing is lost.

#include <cstdint>
#include <memory>
#include <vector>

#include "harness/crew.hpp"
#include "ours/must.hpp"
#include "ours/tick.hpp"

namespace midplane::bench {

/// Turns of `relax` after a poll that found nothing: about 2.5 µs.
inline constexpr unsigned near_pause = 100;

/// What the rows state of our side.
inline constexpr const char* near_setting =
    "ours: pointer lanes, one_thread, queue of 1024 messages, block, manual executor polled every 2.5 us; "
    "rival: see bench/README.md";

class NearTraffic {
 public:
  NearTraffic(unsigned publishers, unsigned subscriptions) : checks_(subscriptions, Checks(publishers)) {
    const Topic<Tick> topic{"bench.ticks"};
    for (Checks& checks : checks_) {
      SubscribeOptions options;
      options.queue =
          Queue{.messages = 1024, .overflow = Overflow::block, .block_for = std::chrono::seconds{30}};
      const auto handler = [this, &checks](const Message<Tick>& message) {
        checks[sender_of(message)](message);
        ++seen_;
      };
      subscriptions_.push_back(must(bus_.subscribe(topic, handler, std::move(options))));
    }
    for (unsigned index = 0; index < publishers; ++index)
      publishers_.push_back(must(bus_.publisher(topic, {.one_thread = true})));
  }

  /// Seconds for `messages`, an equal part from each publisher.
  double run(std::uint64_t messages) {
    const std::uint64_t each = messages / publishers_.size();
    const std::uint64_t deliveries = each * publishers_.size() * subscriptions_.size();
    seen_ = 0;
    for (Checks& checks : checks_) checks = Checks(publishers_.size());
    const double seconds = run_together(
        static_cast<unsigned>(publishers_.size()),
        [this, each](unsigned index) {
          for (std::uint64_t at = 0; at < each; ++at) publish(index, at);
        },
        [this, deliveries] {
          while (seen_ < deliveries)
            if (loop_->poll() == 0) relax(near_pause);
        });
    for (const Checks& checks : checks_)
      for (const TickCheck& check : checks) lost_ += check.lost();
    return seconds;
  }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  using Checks = std::vector<TickCheck>;

  // A message that was not taken would never be seen: the run would not end.
  void publish(unsigned index, std::uint64_t number) {
    const Result<Published> published = publishers_[index].publish(tick_of(number, index));
    if (published && published->queued == subscriptions_.size()) return;
    std::fprintf(stderr, "our side lost a message at its queue\n");
    std::exit(1);
  }

  // The receiver's: on lines that no sender looks at.
  alignas(64) std::shared_ptr<ManualExecutor> loop_ = manual_executor();
  std::vector<Checks> checks_;
  std::uint64_t seen_ = 0, lost_ = 0;
  // The senders'.
  alignas(64) Bus bus_ = must(Bus::open({.name = "bench", .executor = loop_}));
  std::vector<Subscription> subscriptions_;
  std::vector<Publisher<Tick>> publishers_;
};

}  // namespace midplane::bench
