#pragma once
/// The queue of the `latest` policy: one message per topic. A newer one takes the older one's place, so that a slow
/// consumer has each topic in turn; at the end it would always be the same one that has just been replaced.

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <utility>

#include "wire/envelope.hpp"

namespace midplane::inline v0::mailbox {

/// Not locked: the mailbox's consumer flag is held around every call.
class Conflation {
 public:
  /// Where the message of this topic waits; null when there is none.
  wire::Envelope** find(const wire::Name* topic) noexcept {
    const auto found = by_topic_.find(topic);
    return found == by_topic_.end() ? nullptr : &found->second->envelope;
  }
  /// Exchanges the waiting message of the topic and returns the older one. `to_end`: the newer one waits behind all others.
  wire::Envelope* replace(wire::Envelope* newer, bool to_end) noexcept {
    const auto at = by_topic_.find(newer->name)->second;
    wire::Envelope* older = std::exchange(at->envelope, newer);
    if (to_end) {
      at->turn = ++turns_;
      order_.splice(order_.end(), order_, at);
    }
    return older;
  }
  /// False without memory.
  bool append(wire::Envelope* envelope) noexcept {
    try {
      order_.push_back({envelope, ++turns_});
      try {
        by_topic_[envelope->name] = std::prev(order_.end());
        return true;
      } catch (...) {
        order_.pop_back();
      }
    } catch (...) {
    }
    return false;
  }
  wire::Envelope* pop() noexcept {
    if (order_.empty()) return nullptr;
    wire::Envelope* envelope = order_.front().envelope;
    by_topic_.erase(envelope->name);
    order_.pop_front();
    return envelope;
  }
  [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }
  /// Where the next message will stand; and whether all that stood before such a place have left or were replaced.
  [[nodiscard]] std::uint64_t next_turn() const noexcept { return turns_ + 1; }
  [[nodiscard]] bool has_passed(std::uint64_t turn) const noexcept { return order_.empty() || order_.front().turn >= turn; }

 private:
  struct Entry {
    wire::Envelope* envelope;
    std::uint64_t turn;  ///< rises along the list
  };
  std::list<Entry> order_;
  std::uint64_t turns_ = 0;
  std::unordered_map<const wire::Name*, std::list<Entry>::iterator> by_topic_;
};

}  // namespace midplane::inline v0::mailbox
