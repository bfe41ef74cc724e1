#pragma once
/// Who gets the messages of one topic: near mailboxes and far sinks, and the value kept for joiners.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <midplane/schema.hpp>

#include "exec/condition.hpp"
#include "mailbox/mailbox.hpp"
#include "wire/envelope.hpp"
#include "wire/sink.hpp"

namespace midplane::inline v0::route {

using SubscriptionId = std::uint64_t;

/// One near subscription as a route sees it. The route counts a reference to the mailbox.
struct Near {
  SubscriptionId id = 0;
  mailbox::Mailbox* mailbox = nullptr;
  std::string group;        ///< empty: it gets every message
  bool mismatched = false;  ///< a typed pattern whose type does not agree: offered and counted as schema_mismatch
};

/// One far subscription. All of one peer share the sink.
struct Far {
  SubscriptionId id = 0;
  std::shared_ptr<wire::TopicSink> sink;
  std::string group;
};

/// Senders keep what they derived from a route and look only at `version` per message; a change takes the mutex.
class TopicRoute {
 public:
  explicit TopicRoute(const wire::Name* name) noexcept : name_{name} {}
  ~TopicRoute();

  [[nodiscard]] const wire::Name* name() const noexcept { return name_; }
  /// Raised after every change; a subscribe that returned before a publish began is seen by it.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

  /// `ordered` around a change and around a publish that retains: a joiner gets the retained value first, then every
  /// later message, none twice, none missing.
  std::mutex& ordered() noexcept { return ordered_; }

  // `ordered` held.
  void add(Near near);  ///< nothing was done when it throws
  void mark(SubscriptionId id, bool mismatched) noexcept;
  void remove(SubscriptionId id) noexcept;
  void add(Far far);
  void remove_far(SubscriptionId id) noexcept;
  void retain(wire::Envelope* envelope) noexcept;  ///< counts its own reference; null forgets
  [[nodiscard]] wire::Envelope* retained() const noexcept { return retained_; }
  [[nodiscard]] const std::vector<Near>& near() const noexcept { return near_; }
  [[nodiscard]] const std::vector<Far>& far() const noexcept { return far_; }
  const TypeInfo* type = nullptr;   ///< of the first typed handle
  bool is_published = false;        ///< somebody publishes here, or has: peers' subscriptions join
  std::uint32_t publishers = 0;
  std::uint32_t retainers = 0;      ///< publishers that retain; the last one takes the value along
  std::uint32_t far_waiters = 0;    ///< publishers that wait for far subscriptions which refuse or block
  /// True once: a far subscription refuses or blocks, and a publisher does not wait for it.
  [[nodiscard]] bool is_first_unheeded() noexcept;

  /// Told, without any lock, after subscriptions came or went.
  exec::Condition matched;
  [[nodiscard]] std::size_t subscriptions() {
    const std::lock_guard lock{ordered_};
    return near_.size() + far_.size();
  }

 private:
  void changed() noexcept { version_.fetch_add(1, std::memory_order_release); }
  const wire::Name* name_;
  std::atomic<std::uint64_t> version_{1};
  std::mutex ordered_;
  std::vector<Near> near_;
  std::vector<Far> far_;
  wire::Envelope* retained_ = nullptr;
  bool told_unheeded_ = false;
};

}  // namespace midplane::inline v0::route
