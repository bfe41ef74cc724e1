#pragma once
/// Options are aggregates: name what you change, the rest keeps the default stated here.
///
///     bus.subscribe(ticks, handler, {.queue = Queue{.messages = 64, .overflow = Overflow::drop_oldest}});

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

/// What happens at the bound of a subscription's queue. `docs/reliability.md` shows each with its counter.
enum class Overflow : std::uint8_t {
  drop_newest,  ///< the offered message does not enter; `publish` says so
  drop_oldest,  ///< the oldest waiting message of the same Publisher leaves; when it has none there, of who has the most
  latest,       ///< one message per topic is kept, a newer one replaces it
  refuse,       ///< `publish` answers `full` and no subscription has taken the message
  block,        ///< after all others, `publish` waits up to `Queue::block_for`, then as drop_newest
};
/// The last of them, to check a number that is data.
inline constexpr Overflow last_overflow = Overflow::block;

/// The bound of one subscription or server: what may wait, from all Publishers together. Never exceeded.
struct Queue {
  std::size_t messages = 1024;  ///< 1 to 8388608
  std::size_t bytes = std::size_t{8} << 20;  ///< payload bytes
  Overflow overflow = Overflow::drop_newest;  ///< what happens at the bound
  Duration block_for = std::chrono::seconds{1};  ///< how long `block` may wait in one publish
};

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
