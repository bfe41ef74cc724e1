#pragma once
/// Wires the rooms of one bus together; holds no algorithm. Handles keep it alive, `close` ends what it does.

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <midplane/bus.hpp>
#include <midplane/describe.hpp>

#include "base/fork.hpp"
#include "base/parking.hpp"
#include "call/correlator.hpp"
#include "call/service_route.hpp"
#include "exec/condition.hpp"
#include "link/links.hpp"
#include "route/topics.hpp"
#include "schema/verdicts.hpp"
#include "wire/payload_memory.hpp"

namespace midplane::inline v0::detail {

class FarSide;

enum class Phase : std::uint8_t { open, draining, closed };

/// Something that a bus made and has to end: publisher, subscription, client, server, timer.
class Part {
 public:
  virtual ~Part() = default;
  /// Takes no new work; what waits is still handled.
  virtual void refuse_new() noexcept = 0;
  /// Ends it without waiting.
  virtual void begin_close() noexcept = 0;
  /// The runner whose handler has to be waited for; null: none.
  [[nodiscard]] virtual mailbox::Runner* runner() noexcept { return nullptr; }
  /// Behind `begin_close`. False: by `until` (steady time) a call of the user's had not returned.
  [[nodiscard]] virtual bool wait_ended(Instant until) noexcept;
  virtual void add_to(Stats& stats) const = 0;
  /// What it is, in the description of the bus.
  virtual void describe(Description&) const {}
};

class [[gnu::visibility("hidden")]] BusCore : public std::enable_shared_from_this<BusCore> {
 public:
  static Result<std::shared_ptr<BusCore>> make(BusOptions options);
  ~BusCore();

  [[nodiscard]] bool refuses() const noexcept {
    return phase.load(std::memory_order_acquire) != Phase::open || is_inherited();
  }
  /// While it drains, what handlers publish and ask belongs to what is handled.
  [[nodiscard]] bool goes_on_here() const noexcept;
  /// Behind what was let through so.
  void has_gone_on() noexcept { gone_on_.fetch_add(1); }
  /// True in a child of the process that opened it: nothing of it may be touched there.
  [[nodiscard]] bool is_inherited() const noexcept { return forks_ != base::forks(); }

  /// Parts register themselves; a part that leaves hands over its counters.
  void enrol(const std::shared_ptr<Part>& part);
  void dismiss(Part& part) noexcept;
  /// The same for a subscription, and takes over its count of the mailbox: a publish that is under way when it ends
  /// still counts there, so the mailbox is read until no sender knows it any more.
  void dismiss(Part& part, mailbox::Mailbox& box) noexcept;
  std::vector<std::shared_ptr<Part>> parts() const;
  /// A server of the bus's own, which has no handle outside: it ends when the bus is closed.
  void keep_own(std::shared_ptr<ServerCore> server);

  std::uint32_t next_id() noexcept { return ids_.fetch_add(1, std::memory_order_relaxed) + 1; }
  void log(LogLevel level, std::string_view code, std::string_view message, std::string_view action,
           std::initializer_list<LogField> fields) const noexcept;
  void event(EventKind kind, std::string_view name, std::string_view detail) const noexcept;
  /// To the user's sink, when there is one.
  void tell(const Event& event) const noexcept;
  void handler_threw(std::string_view name, std::string_view what) noexcept;
  /// A handler gave a reply that can not be sent; `is_first` of its server.
  void reply_unsendable(std::string_view service, const Error& why, bool is_first) noexcept;
  [[nodiscard]] std::uint64_t replies_unsendable() const noexcept { return replies_unsendable_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool inside_handler() const noexcept;
  /// Peers came, went or told something: whoever waits for readiness looks again.
  void peers_changed() noexcept;
  /// Some peer has not told yet what it serves, or it is not known yet whether its types agree.
  [[nodiscard]] bool still_reaching() const noexcept;
  /// The peers that are dialled and not up, each with why, in words for an error; empty: none.
  [[nodiscard]] std::string not_reached() const;

  Report drain(Duration duration);
  /// Of a drain: something has come to rest, perhaps the last.
  void look_if_drained() noexcept;
  Report close(Duration duration);
  Stats stats() const;

  std::string name;
  std::string incarnation;
  std::shared_ptr<Executor> executor;
  bool own_executor = false;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<Random> random;
  Limits limits;
  Duration heartbeat{};
  Duration redial_max{};
  Wait wait{};
  std::shared_ptr<LogSink> log_sink;
  std::shared_ptr<EventSink> event_sink;
  std::vector<std::shared_ptr<Interceptor>> interceptors;

  wire::PayloadMemory* memory = nullptr;
  std::unique_ptr<route::Topics> topics;
  std::unique_ptr<call::Services> services;
  std::unique_ptr<FarSide> far_side;
  std::shared_ptr<link::Links> links;
  schema::Verdicts verdicts;              ///< the types of all handles, and what peers told of theirs
  std::atomic<bool> describes{false};     ///< its descriptions are served
  std::shared_ptr<call::CallCounters> calls = std::make_shared<call::CallCounters>();
  std::atomic<Phase> phase{Phase::open};

 private:
  BusCore() = default;
  void begin_close() noexcept;
  /// What has to wait for others; names what had not ended by `until` (steady time), empty: nothing.
  std::string finish_close(Instant until) noexcept;
  /// The same of the calls of the user's alone; may be called again.
  std::string end_parts(Instant until) noexcept;
  void finish_later(Instant until) noexcept;
  void join_closer() noexcept;
  /// Never waits for a handler of theirs.
  void end_own() noexcept;
  bool tell_drained() noexcept;
  bool close_when_drained(Instant until) noexcept;
  void close_soon() noexcept;
  /// Who waits for a match, a server or a confirmation hears that it is over.
  void tell_waiters() noexcept;
  [[nodiscard]] bool all_idle() const;
  Report report(bool complete, std::string stuck) const;
  void counters_lost() const noexcept;

  const std::uint32_t forks_ = base::forks();
  std::atomic<std::uint32_t> ids_{0};
  std::atomic<std::uint64_t> handler_exceptions_{0};
  std::atomic<std::uint64_t> replies_unsendable_{0};
  std::atomic<bool> withdrawn_{false};  ///< every peer is asked to send nothing more
  std::atomic<bool> drained_told_{false};
  std::atomic<std::uint64_t> gone_on_{0};  ///< what handlers have published and asked while it drained
  std::atomic<Instant> close_by_{Instant{}};  ///< a handler has asked to close behind the drain, by then at the latest
  std::atomic<bool> finished_{false};
  std::atomic<std::thread::id> finisher_{};
  std::atomic<bool> tells_closed_{false};  ///< by the finisher, which has `outcome_` then
  std::string outcome_;                    ///< what it found stuck
  base::Parking finished_spot_;
  std::thread closer_;  ///< of a close that began in a handler
  exec::Condition idle_;
  mutable std::mutex mutex_;
  std::map<Part*, std::weak_ptr<Part>> parts_;
  std::vector<std::shared_ptr<ServerCore>> own_;  ///< they hold the bus in turn, so that closing has to end them
  Stats ended_;  ///< counters of parts that left
  std::vector<mailbox::Mailbox*> leaving_;  ///< of subscriptions that left and some sender still knows
};

/// Adds the counters of a sink to those of the same name, kind and peer; the library's own names are left out.
void merge(Stats& stats, const SinkStats& sink);
void merge(Stats& stats, const TopicStats& topic);

}  // namespace midplane::inline v0::detail
