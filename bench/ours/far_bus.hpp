#pragma once
/// A bus of ours that talks tcp with another process, and the executor its handlers run on.

#include <chrono>
#include <memory>
#include <midplane/midplane.hpp>
#include <midplane/zmq.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ours/must.hpp"

namespace midplane::bench {

inline Wait wait_named(std::string_view name) { return name == "yielding" ? Wait::yield : Wait::sleep; }

/// `pool`: one worker that sleeps at once; `yielding`: one that looks again for a while; `inline`: the link's
/// thread; `manual`: the process's own loop, which drives the link too.
inline std::shared_ptr<Executor> executor_named(std::string_view name) {
  if (name == "inline") return inline_executor();
  if (name == "manual") return manual_executor();
  return must(pool_executor({.threads = 1, .wait = wait_named(name)}));
}

struct Ends {
  std::vector<std::string> listen{}, peers{};
};
/// Where the sending process listens: at a port of the system's choice.
inline Ends any_port() { return {.listen = {"tcp://127.0.0.1:0"}}; }

inline Bus far_bus(std::string name, std::shared_ptr<Executor> executor, Ends ends, Wait wait = Wait::sleep,
                   Duration heartbeat = std::chrono::seconds{1}) {
  Bus bus = must(Bus::open(
      {.name = std::move(name), .executor = std::move(executor), .heartbeat = heartbeat, .wait = wait}));
  must(bus.attach(zmq::transport({.listen = std::move(ends.listen), .peers = std::move(ends.peers)})));
  return bus;
}

}  // namespace midplane::bench
