#pragma once
/// One run between processes: the parent orders it, sends, and hears from every child what arrived.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "harness/child.hpp"
#include "harness/machine.hpp"
#include "harness/pairs.hpp"

namespace midplane::bench {

/// To a child: receive so many, or (0) all of the run have been sent. Its echo: ready.
struct Order {
  std::uint64_t messages = 0;
};

/// From a child: what arrived. Times are of the steady clock, which the processes of one machine share.
struct Outcome {
  double ended = 0;        ///< when the last message was there
  double cpu_seconds = 0;  ///< of the whole child, from the order to here
  std::uint64_t lost = 0;  ///< missing, or not in their turn
  double middle_us = 0;    ///< delays of single messages, in rows that ask for them: the median
};

/// A child gives up on what is still missing when so much time has passed without a message after the last
/// was sent.
inline constexpr double patience_seconds = 1;

/// The parent's end of the children of one side.
class Receivers {
 public:
  void add(const std::vector<std::string>& words) { children_.emplace_back(words); }
  [[nodiscard]] std::size_t size() const { return children_.size(); }

  /// Seconds from the first `send` until the last child has everything; the lost and the children's CPU time
  /// are added up.
  template <class Send>
  double run(std::uint64_t messages, Send&& send) {
    for (const Child& child : children_) child.tell(Order{messages});
    for (const Child& child : children_) (void)child.hear<Order>();
    const double start = now_seconds();
    send(messages);
    for (const Child& child : children_) child.tell(Order{});
    double ended = start;
    for (const Child& child : children_) {
      const auto outcome = child.hear<Outcome>();
      ended = std::max(ended, outcome.ended);
      cpu_seconds_ += outcome.cpu_seconds;
      lost_ += outcome.lost;
      middle_us_ = outcome.middle_us;
    }
    return ended - start;
  }
  [[nodiscard]] double far_cpu_seconds() const { return cpu_seconds_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] double middle_us() const { return middle_us_; }

 private:
  std::vector<Child> children_;
  double cpu_seconds_ = 0, middle_us_ = 0;
  std::uint64_t lost_ = 0;
};

/// True once the parent has sent everything of this run.
inline bool all_sent() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, 0) > 0;
}
inline void wait_all_sent() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (poll(&input, 1, -1) < 0) {
  }
}

/// The life of a child: `prepare(messages)`, the echo, and `Outcome receive(messages)` for each order, until the
/// parent ends. Messages may come as soon as `prepare` has returned. `receive` returns when it has all, or when
/// `all_sent` and it has lost patience.
template <class Prepare, class Receive>
int serve_runs(Prepare&& prepare, Receive&& receive) {
  Order order;
  while (read(STDIN_FILENO, &order, sizeof order) == static_cast<ssize_t>(sizeof order)) {
    const double cpu_before = cpu_seconds();
    prepare(order.messages);
    if (write(STDOUT_FILENO, &order, sizeof order) < 0) return 1;
    Outcome outcome = receive(order.messages);
    outcome.cpu_seconds = cpu_seconds() - cpu_before;
    if (read(STDIN_FILENO, &order, sizeof order) <= 0) return 1;
    if (write(STDOUT_FILENO, &outcome, sizeof outcome) < 0) return 1;
  }
  return 0;
}

/// The same for who takes nothing before it is in `receive`.
template <class Receive>
int serve_runs(Receive&& receive) {
  return serve_runs([](std::uint64_t) {}, std::forward<Receive>(receive));
}

/// As `sample`, with the CPU time of both processes. Losses are those of this run.
template <class Traffic>
Sample far_sample(Traffic& traffic, std::uint64_t messages, std::uint64_t deliveries_each = 1,
                  Per per = Per::second) {
  const double far_cpu_before = traffic.far_cpu_seconds();
  const std::uint64_t lost_before = traffic.lost();
  Sample sampled = sample(traffic, messages, deliveries_each, per);
  sampled.cpu_per_million +=
      (traffic.far_cpu_seconds() - far_cpu_before) / (static_cast<double>(messages * deliveries_each) * 1e-6);
  sampled.lost = traffic.lost() - lost_before;
  return sampled;
}

}  // namespace midplane::bench
