#pragma once
/// Where a scenario takes place: one bus, or two that are linked. A scenario knows public headers only and runs
/// unchanged in every setting; MIDPLANE_TEST_ZMQ chooses which of them a program holds.
///
///     EVERYWHERE("what it proves") {
///       auto sub = s.in().subscribe(...).value();     // `in` subscribes and asks
///       auto publisher = s.out().publisher(...);      // `out` publishes and serves
///       s.meet(sub, publisher);
///       CHECK(s.wait_until([&] { return seen.count() == 3; }));
///     }

#include "../promises_requests/support.hpp"

#include <functional>
#include <memory>
#include <mutex>

namespace midplane::test {

/// Texts in the order in which they came, from any thread.
class Seen {
 public:
  void add(std::string text) {
    const std::lock_guard lock{mutex_};
    texts_.push_back(std::move(text));
  }
  void add(const AnyMessage& message) { add(text(message)); }
  [[nodiscard]] std::vector<std::string> all() const {
    const std::lock_guard lock{mutex_};
    return texts_;
  }
  [[nodiscard]] std::size_t count() const {
    const std::lock_guard lock{mutex_};
    return texts_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
};

/// The events of one bus, as `kind name detail`.
struct EventLog final : EventSink {
  void event(const Event& event) noexcept override {
    seen.add(std::string{name_of(event.kind)} + ' ' + std::string{event.name} + ' ' + std::string{event.detail});
  }
  [[nodiscard]] std::size_t count(std::string_view beginning) const {
    std::size_t found = 0;
    for (const std::string& one : seen.all()) found += one.starts_with(beginning) ? 1 : 0;
    return found;
  }
  Seen seen;
};

enum class Place { near, near_pool, faulty, ipc, tcp };

class Setting {
 public:
  explicit Setting(Place place);
  ~Setting();

  /// The bus that publishes and serves.
  [[nodiscard]] Bus& out() { return *out_; }
  /// The bus that subscribes and asks: the same one when near.
  [[nodiscard]] Bus& in() { return *in_; }
  [[nodiscard]] EventLog& out_events() { return *events_.front(); }
  [[nodiscard]] EventLog& in_events() { return *events_[is_far() ? 1 : 0]; }
  [[nodiscard]] Log& out_log() { return *logs_.front(); }
  [[nodiscard]] Log& in_log() { return *logs_[is_far() ? 1 : 0]; }
  /// Another bus, which listens and dials `peers`; near: the one there is.
  Bus& open(const std::string& name, const std::vector<Bus*>& peers);
  [[nodiscard]] bool is_far() const { return place_ >= Place::faulty; }
  /// One thread runs everything in virtual time.
  [[nodiscard]] bool is_driven() const { return place_ == Place::near || place_ == Place::faulty; }
  /// The name under which `in` sees what `out` sends.
  [[nodiscard]] std::string sender() { return is_far() ? std::string{out().name()} : std::string{}; }

  /// An executor that runs nothing until `run` is called on it: what is to be late waits there.
  [[nodiscard]] std::shared_ptr<ManualExecutor> sleeper() const { return manual_executor(clock_); }
  static void run(ManualExecutor& sleeper) {
    while (sleeper.poll() != 0) {
    }
  }
  /// Time goes by; what is ready runs.
  void pass(Duration duration);
  /// Runs what there is to run until `holds`, for at most 30 s; 30 s of virtual time where it is driven.
  bool wait_until(const std::function<bool()>& holds);

  /// `sub` is confirmed and `publisher` knows of at least `n` subscriptions.
  template <class S, class P>
  void meet(S& sub, P& publisher, unsigned n = 1) {
    REQUIRE(sub.wait_confirmed(30s));
    REQUIRE(publisher.wait_matched(n, 30s));
  }

 private:
  Bus& add(const std::string& name, const std::vector<Bus*>& peers);
  [[nodiscard]] std::string fresh_endpoint(const std::string& name);

  Place place_;
  std::shared_ptr<testing::ManualClock> manual_clock_;
  std::shared_ptr<Clock> clock_;
  std::shared_ptr<ManualExecutor> loop_;
  testing::FaultyNetwork network_{7};
  std::vector<std::string> socket_files_;
  std::vector<std::shared_ptr<EventLog>> events_;
  std::vector<std::shared_ptr<Log>> logs_;
  std::vector<std::unique_ptr<Bus>> buses_;
  Bus* out_ = nullptr;
  Bus* in_ = nullptr;
};

template <Place place>
struct At : Setting {
  At() : Setting{place} {}
};
using InProcess = At<Place::near>;
using InProcessOnPool = At<Place::near_pool>;
using OverFaulty = At<Place::faulty>;
using OverIpc = At<Place::ipc>;
using OverTcp = At<Place::tcp>;
#ifdef MIDPLANE_TEST_ZMQ
#define MIDPLANE_FAR_SETTINGS OverFaulty, OverIpc, OverTcp
#else
#define MIDPLANE_FAR_SETTINGS OverFaulty
#endif
#define MIDPLANE_SETTINGS InProcess, InProcessOnPool, MIDPLANE_FAR_SETTINGS

// The body is compiled once; doctest registers it once per setting.
#define MIDPLANE_SCENARIO(body, name, ...)              \
  static void body(midplane::test::Setting& s);         \
  TEST_CASE_TEMPLATE(name, Where, __VA_ARGS__) {        \
    Where s;                                            \
    body(s);                                            \
  }                                                     \
  static void body(midplane::test::Setting& s)
#define EVERYWHERE(name) MIDPLANE_SCENARIO(DOCTEST_ANONYMOUS(scenario_), name, MIDPLANE_SETTINGS)
#define NEAR(name) MIDPLANE_SCENARIO(DOCTEST_ANONYMOUS(scenario_), name, InProcess, InProcessOnPool)
#define FAR(name) MIDPLANE_SCENARIO(DOCTEST_ANONYMOUS(scenario_), name, MIDPLANE_FAR_SETTINGS)

}  // namespace midplane::test
