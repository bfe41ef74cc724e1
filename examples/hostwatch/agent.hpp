#pragma once
/// Publishes what this machine does on `host.NAME.*` and answers questions about it.

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <midplane/midplane.hpp>

#include "hostwatch_midplane.hpp"
#include "proc.hpp"

namespace hostwatch {

class Agent {
 public:
  /// Serves at once; publishes every `interval` from the first subscriber on. The bus outlives it.
  static midplane::Result<std::unique_ptr<Agent>> start(midplane::Bus& bus, std::string name, midplane::Duration interval);
  ~Agent();
  Agent(const Agent&) = delete;

 private:
  struct Sent {
    std::uint64_t next_id = 1, first_id = 0, last_id = 0, offered = 0;
  };
  Agent(midplane::Bus& bus, std::string name) : bus_{bus}, name_{std::move(name)} {}
  midplane::Result<void> open(midplane::Duration interval);
  void publish_all();
  template <class T, class Build>
  void publish(midplane::Publisher<T>& to, const char* kind, Build&& build);
  void publish_cpu();
  void publish_memory();
  void publish_network();
  void publish_disk();
  void publish_top();
  midplane::Result<ProcessListT> find(const ProcessQuery& query);
  midplane::Result<ProcessDetailT> detail(std::int32_t pid);
  CountersT counters();

  midplane::Bus& bus_;
  const std::string name_;
  std::mutex mutex_;  ///< the sampler and what was sent
  proc::Sampler sampler_;
  std::map<std::string, Sent> sent_;
  midplane::Publisher<CpuSample> cpu_;
  midplane::Publisher<MemorySample> memory_;
  midplane::Publisher<NetworkSample> network_;
  midplane::Publisher<DiskSample> disk_;
  midplane::Publisher<TopSample> top_;
  midplane::Server find_server_, detail_server_, counters_server_;
  midplane::Timer timer_;
};

}  // namespace hostwatch
