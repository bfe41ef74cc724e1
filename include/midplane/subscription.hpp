#pragma once
/// Receiving: a handler that is called (Subscription), or a queue to take from (Inbox). Both are bounded, lose only by
/// the policy they chose, and count what they lose.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <midplane/awaitable.hpp>
#include <midplane/executors.hpp>
#include <midplane/extend/event_sink.hpp>
#include <midplane/message.hpp>
#include <midplane/options.hpp>
#include <midplane/result.hpp>
#include <midplane/stats.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// Something that happened to a subscription, in order with its messages.
struct SubscriptionEvent {
  EventKind kind{};  ///< what happened
  std::string topic;  ///< empty: it concerns no single topic
  std::string peer;  ///< whose; empty: of this bus itself
  std::string detail;  ///< why
  std::uint64_t first = 0;  ///< gap: the first missing number; 0: how many are missing is not known
  std::uint64_t last = 0;   ///< gap: the last missing number
};

/// How a subscription's messages wait and where its handler runs.
struct SubscribeOptions {
  QueueChange queue{};                 ///< what it changes of the topic's defaults: `{.messages = 16}`, or a whole Queue
  /// One member of each group gets a message, in turn among those that have room; empty: it gets every message. A member
  /// neither refuses nor blocks.
  std::string group{};
  std::shared_ptr<Executor> executor{};///< where the handler runs; null: the bus's
  unsigned concurrency = 1;            ///< above 1 the handler runs concurrently with itself and order is given up
  /// Called between messages, in their order; for an Inbox events are items.
  Function<void(const SubscriptionEvent&)> on_event{};
};

namespace detail {
class SubscriptionCore;
/// Gives back its core when it is moved over or destroyed.
class SubscriptionHandle {
 public:
  SubscriptionHandle() noexcept = default;
  explicit SubscriptionHandle(std::shared_ptr<SubscriptionCore> core) noexcept : core_{std::move(core)} {}
  SubscriptionHandle(SubscriptionHandle&&) noexcept = default;
  SubscriptionHandle& operator=(SubscriptionHandle&& other) noexcept;
  ~SubscriptionHandle();
  [[nodiscard]] SubscriptionCore* get() const noexcept { return core_.get(); }
  [[nodiscard]] const std::shared_ptr<SubscriptionCore>& shared() const noexcept { return core_; }

 private:
  std::shared_ptr<SubscriptionCore> core_;
};

Result<void> wait_confirmed(SubscriptionCore* core, Duration duration);
void when_confirmed(SubscriptionCore* core, Function<void(Result<void>)> fn);
void when_stopped(SubscriptionCore* core, Function<void()> fn);
SinkStats stats_of(SubscriptionCore* core);
struct RawItem {
  AnyMessage message;
  std::optional<SubscriptionEvent> event;
};
std::optional<RawItem> try_take(SubscriptionCore* core) noexcept;
Result<RawItem> take(SubscriptionCore* core, Duration duration);
/// Takes nothing for an awaiter that has expired.
void when_item(const std::shared_ptr<SubscriptionCore>& core, std::weak_ptr<const void> awaiter,
               Function<void(Result<RawItem>)> fn);
}  // namespace detail

/// A live subscription; dropping it ends it. The destructor returns when its handler is not running and never will;
/// inside any handler of the same bus it does not wait: no new call starts, and `stopped` tells when the last ended.
class [[nodiscard("dropping it ends the subscription")]] Subscription {
 public:
  Subscription() noexcept = default;

  /// Waits until every configured peer has confirmed it: from then on no message of theirs is
  /// missed silently. At once without a transport.
  Result<void> wait_confirmed(Duration duration) { return detail::wait_confirmed(handle_.get(), duration); }
  /// The same as a callback on the bus's executor; `closed` when the bus closes first.
  void confirmed(Function<void(Result<void>)> fn) { detail::when_confirmed(handle_.get(), std::move(fn)); }
  /// The same for coroutines.
  Awaitable<Result<void>> confirmed() {
    return Awaitable<Result<void>>{[core = handle_.shared()](Function<void(Result<void>)> done) {
      detail::when_confirmed(core.get(), std::move(done));
    }};
  }
  /// Calls `fn` once the handler is not running and never will; call before dropping the handle.
  void stopped(Function<void()> fn) { detail::when_stopped(handle_.get(), std::move(fn)); }
  /// Of its queue; zeros when it was moved from.
  [[nodiscard]] SinkStats stats() const { return detail::stats_of(handle_.get()); }

  /// Inside.
  explicit Subscription(std::shared_ptr<detail::SubscriptionCore> core) noexcept : handle_{std::move(core)} {}

 private:
  detail::SubscriptionHandle handle_;
};

/// What an Inbox gives: a message, or something that happened in between.
template <class T>
using Item = std::variant<Message<T>, SubscriptionEvent>;

/// A subscription whose messages wait until they are taken. Any number of threads may take.
template <class T>
class [[nodiscard("dropping it ends the subscription")]] Inbox {
 public:
  Inbox() noexcept = default;

  /// The next message or event; waits up to `duration`. Errors: timed_out, closed, would_deadlock.
  Result<Item<T>> take(Duration duration) {
    auto raw = detail::take(handle_.get(), duration);
    if (!raw) return raw.error();
    return typed(std::move(*raw));
  }
  /// Never waits.
  std::optional<Item<T>> try_take() {
    auto raw = detail::try_take(handle_.get());
    return raw ? std::optional<Item<T>>{typed(std::move(*raw))} : std::nullopt;
  }
  /// The same for coroutines, without a limit of time. Any number may await; a destroyed one takes nothing.
  Awaitable<Result<Item<T>>> next() {
    return Awaitable<Result<Item<T>>>{[core = handle_.shared()](typename Awaitable<Result<Item<T>>>::Done done) {
      detail::when_item(core, done.awaiter(), [done](Result<detail::RawItem> raw) {
        if (raw) done(typed(std::move(*raw)));
        else done(raw.error());
      });
    }};
  }

  /// As `Subscription::wait_confirmed`.
  Result<void> wait_confirmed(Duration duration) { return detail::wait_confirmed(handle_.get(), duration); }
  /// Of its queue; zeros when it was moved from.
  [[nodiscard]] SinkStats stats() const { return detail::stats_of(handle_.get()); }

  /// Inside.
  explicit Inbox(std::shared_ptr<detail::SubscriptionCore> core) noexcept : handle_{std::move(core)} {}

 private:
  static Item<T> typed(detail::RawItem raw) {
    if (raw.event) return Item<T>{std::move(*raw.event)};
    return Item<T>{Message<T>{std::move(raw.message)}};
  }
  detail::SubscriptionHandle handle_;
};

}  // namespace v0
}  // namespace midplane
