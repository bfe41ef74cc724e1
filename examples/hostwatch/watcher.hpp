#pragma once
/// Subscribes `host.*.>`, keeps a ledger per topic and asks the agent.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <midplane/midplane.hpp>

#include "hostwatch_midplane.hpp"
#include "ledger.hpp"

namespace hostwatch {

class Watcher {
 public:
  /// `path` is what the table says of it: "in process" or "zmq tcp". The bus outlives it.
  static midplane::Result<std::unique_ptr<Watcher>> start(midplane::Bus& bus, std::string path);

  midplane::Result<void> wait_confirmed(midplane::Duration duration) { return subscription_.wait_confirmed(duration); }
  /// One line per topic seen so far.
  [[nodiscard]] std::vector<TopicResult> so_far() const;
  /// Asks `host` for its counters and compares them with what arrived. Call it last: it drains the bus.
  midplane::Result<std::vector<TopicResult>> settle(const std::string& host, midplane::Duration duration);
  /// What the busiest processes are, and the first one in detail.
  midplane::Result<std::string> ask(const std::string& host);
  /// The last message of a topic that ends with `kind`, decoded by its schema.
  midplane::Result<std::string> last_as_json(const std::string& kind) const;

 private:
  Watcher(midplane::Bus& bus, std::string path) : bus_{bus}, path_{std::move(path)} {}
  void note(const midplane::Message<midplane::Bytes>& message);

  midplane::Bus& bus_;
  const std::string path_;
  mutable std::mutex mutex_;
  std::map<std::string, Ledger> ledgers_;
  std::map<std::string, midplane::Message<midplane::Bytes>> last_;
  midplane::Subscription subscription_;
};

}  // namespace hostwatch
