#pragma once
/// Our side of the rows with requests over tcp: the asker in this process, the server in another. Their
/// threads may use every core: a round trip is made of wake-ups, and on one core each would wait for the
/// thread that caused it.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/delays.hpp"
#include "harness/far_run.hpp"
#include "ours/far_bus.hpp"
#include "ours/payloads.hpp"

namespace midplane::bench {

inline constexpr Service<Tick, Tick> far_service{"bench.far_echo"};

class FarRequests {
 public:
  /// `executor`: where the handler runs; "inline": and the asker's own thread moves its link while it waits; "yielding":
  /// both processes look again for a while before they sleep.
  FarRequests(const std::string& executor, unsigned outstanding)
      : bus_{far_bus("asker", executor_named(asker_of(executor)), any_port(), wait_named(executor), patient)},
        pending_(outstanding) {
    server_.add({"ours", bus_.listening().front(), executor});
    client_ = must(bus_.client(far_service));
    must(client_.wait_server(std::chrono::seconds{30}));
  }

  /// Always `outstanding` asked; the oldest reply is waited for and one more request asked.
  double run(std::uint64_t requests) {
    return server_.run(requests, [this](std::uint64_t count) {
      delays_.restart(count);
      TickCheck check;
      for (std::uint64_t at = 0; at < count + pending_.size(); ++at) {
        Asked& asked = pending_[at % pending_.size()];
        if (at >= pending_.size()) {
          if (const auto reply = asked.reply.get()) check(*reply);
          delays_.add(now_seconds() - asked.at);
        }
        if (at < count) {
          asked.at = now_seconds();
          asked.reply = client_.request(tick_of(at));
        }
      }
      lost_ += check.lost() + count - check.seen();
    });
  }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] double far_cpu_seconds() const { return server_.far_cpu_seconds(); }
  [[nodiscard]] Delays& delays() { return delays_; }

 private:
  /// Nobody moves the asker's link while it is the rival's turn.
  static constexpr std::chrono::seconds patient{60};
  static std::string asker_of(const std::string& executor) {
    if (executor == "inline") return "manual";
    return executor == "yielding" ? executor : "pool";
  }
  struct Asked {
    Pending<Tick> reply;
    double at = 0;
  };

  Bus bus_;
  Receivers server_;
  Client<Tick, Tick> client_;
  std::vector<Asked> pending_;
  Delays delays_;
  std::uint64_t lost_ = 0;
};

/// The other process. `words`: role, endpoint, executor.
inline int serve_ours(const std::vector<std::string>& words) {
  Bus bus = far_bus("server", executor_named(words[2]), {.peers = {words[1]}}, wait_named(words[2]), std::chrono::seconds{60});
  const Server server =
      must(bus.serve(far_service, [](const Request<Tick>& asked) { return tick_of(asked->sequence() - 1); }));
  // The asker counts; here nothing is to do until it has all its replies.
  return serve_runs([](std::uint64_t) {
    wait_all_sent();
    return Outcome{.ended = now_seconds()};
  });
}

}  // namespace midplane::bench
