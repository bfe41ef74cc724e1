#pragma once
/// Options are aggregates: name what you change, the rest keeps the default stated here.
///
///     bus.subscribe(ticks, handler, {.queue = {.messages = 64, .overflow = Overflow::drop_oldest}});

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// What happens at the bound of a subscription's queue. `docs/reliability.md` shows each with its counter.
enum class Overflow : std::uint8_t {
  drop_newest,  ///< the offered message does not enter; `publish` says so
  drop_oldest,  ///< the oldest waiting message of the same Publisher leaves; when it has none there, of who has the most
  latest,       ///< one message per topic is kept, a newer one replaces it
  /// `publish` answers `full` and no subscription has taken the message. Over a link only to Publishers that chose
  /// `PublisherOptions::far_wait`; of others the newest is dropped.
  refuse,
  /// After all others, `publish` waits up to `Queue::block_for`, then as drop_newest. Over a link only Publishers that
  /// chose `PublisherOptions::far_wait` do; of others the newest is dropped at once. A peer waits for what it has put there
  /// itself: beside others, and for what waited when it came, see docs/reliability.md, Promises.
  block,
};
/// The last of them, to check a number that is data.
inline constexpr Overflow last_overflow = Overflow::block;

struct Queue;

/// What a subscription or server changes of its contract's queue: `.queue = {.messages = 16}`. What is not named stays as
/// the schema's attributes say, else as in Queue. A whole Queue may stand here too, `.queue = Queue{...}`: it replaces
/// all, also what it does not name.
struct QueueChange {
  std::optional<std::size_t> messages{};  ///< as Queue::messages
  std::optional<std::size_t> bytes{};  ///< as Queue::bytes
  std::optional<Overflow> overflow{};  ///< as Queue::overflow
  std::optional<Duration> block_for{};  ///< as Queue::block_for

  /// The queue that comes of it.
  [[nodiscard]] constexpr Queue over(const Queue& defaults) const noexcept;
};

/// The bound of one subscription or server: what may wait, from all Publishers together. Never exceeded.
struct Queue {
  std::size_t messages = 1024;  ///< 1 to 8388608
  std::size_t bytes = std::size_t{8} << 20;  ///< payload bytes
  Overflow overflow = Overflow::drop_newest;  ///< what happens at the bound
  Duration block_for = std::chrono::seconds{1};  ///< how long `block` may wait in one publish

  /// All of it.
  constexpr operator QueueChange() const noexcept { return {messages, bytes, overflow, block_for}; }
};

constexpr Queue QueueChange::over(const Queue& defaults) const noexcept {
  return {messages.value_or(defaults.messages), bytes.value_or(defaults.bytes), overflow.value_or(defaults.overflow),
          block_for.value_or(defaults.block_for)};
}

/// Defaults that a schema's attributes give to a topic: `ticks(Tick):midplane.Topic (overflow: "drop_oldest")`.
/// Used by `subscribe` where the options do not say otherwise.
struct TopicDefaults {
  Queue queue{};  ///< of a subscription
  bool retain = false;  ///< as PublisherOptions::retain
};

/// Defaults that a schema's attributes give to a service method.
struct ServiceDefaults {
  Duration timeout = std::chrono::seconds{5};  ///< of a request
  Queue queue{};  ///< of a server
  bool idempotent = false;  ///< asking twice does no harm; said to readers, nothing is retried
  bool streaming = false;  ///< many replies to one request
};

}  // namespace v0
}  // namespace midplane
