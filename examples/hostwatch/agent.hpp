#pragma once
/// Publishes what this machine does on `host.NAME.*` and answers questions about it.

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <midplane/midplane.hpp>

#include "hostwatch_midplane.hpp"
#include "log.hpp"
#include "proc.hpp"

namespace hostwatch {

class Agent {
 public:
  /// Serves at once; publishes every `interval`, later as `host.NAME.pace` says, from the first subscriber on. What it
  /// published is written to the file `log` (empty: none) and can be read there by stream. The bus outlives it.
  static midplane::Result<std::unique_ptr<Agent>> start(midplane::Bus& bus, std::string name, midplane::Duration interval,
                                                        std::string log = {});
  ~Agent();
  Agent(const Agent&) = delete;

 private:
  struct Sent {
    std::uint64_t last_id = 0, offered = 0;
  };
  Agent(midplane::Bus& bus, std::string name, std::string log)
      : bus_{bus}, name_{std::move(name)}, log_path_{std::move(log)}, run_{bus_.stats().incarnation} {}
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
  void tail(midplane::Request<LogQuery> asked, midplane::StreamResponder<LogLine> out);

  midplane::Bus& bus_;
  const std::string name_, log_path_, run_;
  std::mutex mutex_;  ///< the sampler, what was sent, and the log
  proc::Sampler sampler_;
  std::map<std::string, Sent> sent_;
  std::optional<Log> log_;
  std::vector<std::shared_ptr<Tail>> tails_;
  midplane::Publisher<CpuSample> cpu_;
  midplane::Publisher<MemorySample> memory_;
  midplane::Publisher<NetworkSample> network_;
  midplane::Publisher<DiskSample> disk_;
  midplane::Publisher<TopSample> top_;
  midplane::Server find_server_, detail_server_, counters_server_, log_server_;
  /// Dropping a timer does not wait for its handler; this does.
  struct Gate {
    std::mutex mutex;
    bool open = true;
  };
  midplane::Timer every(midplane::Duration period, void (Agent::*work)());
  void follow_tails();
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  midplane::Timer timer_, tail_timer_;
  midplane::Subscription pace_;  ///< last, so that it ends first: its handler sets `timer_`
};

}  // namespace hostwatch
