#pragma once
/// All topics of a bus: finds the route of a name, and keeps patterns and routes matched as either comes and goes.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include <midplane/result.hpp>
#include <midplane/schema.hpp>

#include "route/topic_route.hpp"
#include "wire/payload_memory.hpp"

namespace midplane::inline v0::route {

/// What a subscription asks for.
struct Wanted {
  SubscriptionId id = 0;
  std::string pattern;  ///< a topic is a pattern without wildcards
  std::string group;
  const TypeInfo* type = nullptr;
  mailbox::Mailbox* mailbox = nullptr;
  /// Told of every topic here whose type it does not take; no lock is held. Does not throw.
  std::function<void(std::string_view topic, const Error& why)> mismatched;
};

/// Subscriptions whose type does not agree with that of a topic: found under locks, told when this ends, without any:
/// what was judged is not judged again, whatever else comes of it.
class Mismatches {
 public:
  Mismatches() noexcept = default;
  Mismatches(const Mismatches&) = delete;
  ~Mismatches();
  /// True when they do not agree.
  bool judge(const TopicRoute& route, const Wanted& wanted);
  [[nodiscard]] bool any() const noexcept { return !all_.empty(); }

 private:
  struct One {
    std::function<void(std::string_view, const Error&)> told;
    const wire::Name* topic;
    Error why;
  };
  std::vector<One> all_;
};

/// A peer's subscription: makes the sink for each topic that it covers. Several of one peer share a sink.
struct FarWanted {
  SubscriptionId id = 0;
  std::uint32_t number = 0;  ///< as its peer calls it
  std::string pattern;
  std::string group;
  std::function<std::shared_ptr<wire::TopicSink>(const TopicRoute&)> sink_for;
};

class Topics {
 public:
  explicit Topics(wire::PayloadMemory& memory) noexcept : memory_{memory} {}

  /// The route of a topic, made at the first call; patterns that cover it join at once. Null without memory.
  std::shared_ptr<TopicRoute> open(std::string_view name);
  /// The same for who publishes there. Peers' subscriptions join with the first one: not before it has stated the type that
  /// they are told and judge.
  Result<std::shared_ptr<TopicRoute>> open_to_publish(std::string_view name, const TypeInfo& type, Mismatches& mismatches);
  /// Null when nobody has named the topic yet.
  std::shared_ptr<TopicRoute> find(std::string_view name) const;
  /// States the type that a handle gives to a topic: `schema_mismatch` when an earlier handle stated another. The caller
  /// tells the mismatches when it holds no lock any more.
  Result<void> state_type(TopicRoute& route, const TypeInfo& type, Mismatches& mismatches);

  /// Joins every route the pattern covers, now and later. A typed exact topic is compared: `schema_mismatch`.
  Result<void> subscribe(Wanted wanted);
  void unsubscribe(SubscriptionId id) noexcept;
  /// The same for a peer's, with the routes that are published to. One that is there already joins again: its link was lost
  /// and came back.
  void subscribe_far(FarWanted wanted);
  void unsubscribe_far(SubscriptionId id) noexcept;
  /// A peer's subscription does not take one of its topics after all.
  void leave_far(SubscriptionId id, std::string_view topic) noexcept;

  /// As base::for_each_unlocked.
  void for_each(const std::function<void(TopicRoute&)>& visit) const;

 private:
  struct FarJoined {
    FarWanted wanted;
    std::vector<std::pair<std::shared_ptr<TopicRoute>, std::shared_ptr<wire::TopicSink>>> joined;
  };
  static void join(TopicRoute& route, const Wanted& wanted, Mismatches& mismatches);
  void leave(std::map<SubscriptionId, Wanted>::iterator one) noexcept;
  template <class Visit>
  void for_each_covered(std::string_view pattern, Visit&& visit) const;
  static void join_far(const std::shared_ptr<TopicRoute>& route, FarJoined& far);

  wire::PayloadMemory& memory_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::shared_ptr<TopicRoute>, std::less<>> routes_;
  std::map<SubscriptionId, Wanted> near_;
  std::map<SubscriptionId, FarJoined> far_;
};

}  // namespace midplane::inline v0::route
