#pragma once
/// A bus of ours that talks tcp with another process, and the executor its handlers run on.

#include <memory>
#include <midplane/midplane.hpp>
#include <midplane/zmq.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ours/must.hpp"

namespace midplane::bench {

/// `pool`: one worker that sleeps at once; `yielding`: one that looks again for a while; `inline`: the link's thread;
/// `manual`: the process's own loop, which drives the link too.
inline std::shared_ptr<Executor> executor_named(std::string_view name) {
  if (name == "inline") return inline_executor();
  if (name == "manual") return manual_executor();
  if (name == "yielding") return must(pool_executor({.threads = 1, .wait = Wait::yield}));
  return must(pool_executor({.threads = 1}));
}

inline Bus far_bus(std::string name, std::shared_ptr<Executor> executor, std::vector<std::string> listen,
                   std::vector<std::string> peers) {
  Bus bus = must(Bus::open({.name = std::move(name), .executor = std::move(executor)}));
  must(bus.attach(zmq::transport({.listen = std::move(listen), .peers = std::move(peers)})));
  return bus;
}

/// Listens at a port of the system's choice.
inline Bus listening_bus(std::shared_ptr<Executor> executor) {
  return far_bus("sender", std::move(executor), {"tcp://127.0.0.1:0"}, {});
}

}  // namespace midplane::bench
