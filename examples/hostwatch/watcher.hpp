#pragma once
/// Subscribes `host.*.>`, keeps a ledger per topic and run of its agent, notes what happens to the links, and asks.

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <midplane/midplane.hpp>

#include "hostwatch_midplane.hpp"
#include "ledger.hpp"

namespace hostwatch {

/// Something that happened to the link to an agent, or that was done to it.
struct Moment {
  double at_s = 0;     ///< since the watcher started
  std::string host;
  std::string what;    ///< the name of an EventKind; `recovered`: the first message after peer_lost; or what was done
  std::string detail;
  std::uint64_t first = 0, last = 0;  ///< gap: the numbers
};

class Watcher {
 public:
  using LogStream = midplane::Stream<LogLine>;

  /// `path` is what the table says of it: "in process" or "zmq tcp". The bus outlives it.
  static midplane::Result<std::unique_ptr<Watcher>> start(midplane::Bus& bus, std::string path);

  midplane::Result<void> wait_confirmed(midplane::Duration duration) { return subscription_.wait_confirmed(duration); }
  /// One line per topic and run seen so far.
  [[nodiscard]] std::vector<TopicResult> so_far() const;
  /// Asks `host` for its counters, and for its log if it was restarted, and compares them with what arrived. Call it
  /// last: it drains the bus.
  midplane::Result<std::vector<TopicResult>> settle(const std::vector<std::string>& hosts, midplane::Duration duration);

  /// How many runs of `host` were seen: more than 1 when it was restarted.
  [[nodiscard]] unsigned runs(const std::string& host) const;
  [[nodiscard]] std::vector<Moment> timeline() const;
  void add(const std::string& host, std::string what, std::string detail = {});
  /// Until `what` is in the timeline of `host` `times` times; false: not within `duration`.
  bool wait_for(const std::string& host, const std::string& what, int times, midplane::Duration duration);

  /// The log of `host`: dropping the stream ends it.
  midplane::Result<LogStream> open_log(const std::string& host, std::uint32_t last, bool follow);
  midplane::Result<midplane::Message<Counters>> counters(const std::string& host, midplane::Duration duration);
  /// What the busiest processes are, and the first one in detail.
  midplane::Result<std::string> ask(const std::string& host);
  /// The last message of a topic that ends with `kind`, decoded by its schema.
  midplane::Result<std::string> last_as_json(const std::string& kind) const;

 private:
  using Key = std::pair<std::string, unsigned>;  ///< topic and run

  Watcher(midplane::Bus& bus, std::string path) : bus_{bus}, path_{std::move(path)} {}
  void note(const midplane::Message<midplane::Bytes>& message);
  void happened(const midplane::SubscriptionEvent& event);
  void add_locked(Moment moment);
  [[nodiscard]] unsigned run_of(std::string_view topic) const;
  TopicResult result_of(const std::string& topic, unsigned run) const;
  /// The last id of each topic and run that the log of `host` knows.
  midplane::Result<std::map<Key, std::uint64_t>> logged(const std::string& host);
  void explain_own_losses(std::vector<TopicResult>& results) const;

  midplane::Bus& bus_;
  const std::string path_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, Ledger> ledgers_;
  std::map<std::string, unsigned> restarts_;  ///< by host
  std::set<std::string> away_;                ///< hosts lost and not heard again
  std::vector<Moment> timeline_;
  std::map<std::string, midplane::Message<midplane::Bytes>> last_;
  midplane::Subscription subscription_;
};

/// `host.NAME.kind` -> NAME
[[nodiscard]] std::string host_of(std::string_view topic);

}  // namespace hostwatch
