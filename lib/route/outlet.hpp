#pragma once
/// One sender's ways out to one topic: its lanes into the near mailboxes and the far sinks, derived from the route and
/// renewed when the route's version moves. The sender serialises all calls.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <midplane/extend/clock.hpp>
#include <midplane/extend/executor.hpp>

#include "route/topic_route.hpp"

namespace midplane::inline v0::route {

/// What became of one message. `full`: nothing was taken, the sender still has its reference.
struct Offering {
  std::uint32_t sinks = 0;
  std::uint32_t queued = 0;
  std::uint32_t dropped = 0;
  bool would_deadlock = false;
  bool full = false;
};

/// What the short way did. `none`: nothing. `untold`: the subscription has to be woken.
enum class Put : std::uint8_t { none, told, untold };

/// Lanes that became non-empty while the sender's flag was held: told after it is released, because an inline handler
/// runs right there.
class Wakes {
 public:
  /// `later`: many messages come before `tell`; their lanes are looked at once, then.
  explicit Wakes(mailbox::Telling telling = mailbox::Telling::now) noexcept : telling_{telling} {}
  [[nodiscard]] mailbox::Telling telling() const noexcept { return telling_; }
  /// Counts a reference: once the flag is free another caller's renewed outlet may let the mailbox go.
  void add(mailbox::Mailbox& mailbox, mailbox::Lane& lane) noexcept {
    if (telling_ == mailbox::Telling::later && knows(lane)) return;
    mailbox.ref();
    if (size_ < few_.size()) {
      few_[size_++] = {&mailbox, &lane};
      return;
    }
    try {
      more_.push_back({&mailbox, &lane});
    } catch (const std::bad_alloc&) {
      tell_one({&mailbox, &lane});  // early is better than never
    }
  }
  [[nodiscard]] bool any() const noexcept { return size_ != 0; }
  void tell() noexcept {
    const std::size_t size = std::exchange(size_, 0);
    for (std::size_t i = 0; i < size; ++i) tell_one(few_[i]);
    if (more_.empty()) return;
    for (const Entry& entry : more_) tell_one(entry);
    more_.clear();
  }

 private:
  struct Entry {
    mailbox::Mailbox* mailbox;
    mailbox::Lane* lane;
  };
  [[nodiscard]] bool knows(const mailbox::Lane& lane) const noexcept {
    for (std::size_t i = size_; i > 0; --i) {
      if (few_[i - 1].lane == &lane) return true;
    }
    return !more_.empty() && more_.back().lane == &lane;
  }
  void tell_one(const Entry& entry) const noexcept {
    if (telling_ == mailbox::Telling::now) entry.mailbox->list(*entry.lane);
    else entry.mailbox->list_if_new(*entry.lane);
    entry.mailbox->unref();
  }
  std::array<Entry, 16> few_;  // left uninitialised: this stands on the path of every message
  std::vector<Entry> more_;  // in `later` a lane may stand here more than once: it is listed once all the same
  std::size_t size_ = 0;
  mailbox::Telling telling_;
};

/// Our subscriptions that take a peer's topic, and whether its type agrees with theirs.
using Audience = std::map<SubscriptionId, bool>;

struct OutletOptions {
  /// Outlets of one sender share a lane into a mailbox, so that its order holds across topics; null: this outlet alone.
  const void* sender = nullptr;
  /// While it lives the sender may come back, and goes on behind what it had put into its lanes.
  std::weak_ptr<const void> comes_back{};
  /// Messages that came over a link: they go no further than to these, and wait for nobody.
  const Audience* audience = nullptr;
  /// Far subscriptions that refuse or block are obeyed. The executor is driven meanwhile when somebody must drive it.
  bool far_wait = false;
  Executor* executor = nullptr;
  /// Where others see which executor is waited for while it makes room; null: nobody asks.
  std::atomic<const Executor*>* waits_for = nullptr;
};

class Outlet {
 public:
  explicit Outlet(std::shared_ptr<TopicRoute> route, OutletOptions options = {}) noexcept
      : route_{std::move(route)}, options_{options}, sender_{options.sender ? options.sender : this} {}
  Outlet(const Outlet&) = delete;
  ~Outlet();

  [[nodiscard]] TopicRoute& route() noexcept { return *route_; }
  /// Looks whether the route has changed. False without memory to follow it: nothing may be offered. A subscription
  /// whose lane alone can not be had is offered to all the same and counts what it loses as no_memory.
  bool refresh() noexcept {
    if (is_current()) return true;
    const std::lock_guard lock{route_->ordered()};
    return renew();
  }
  /// The same with `route().ordered()` held.
  bool refresh_ordered() noexcept { return is_current() || renew(); }
  /// True when `refresh` would find the route as it was.
  [[nodiscard]] bool is_current() const noexcept { return version_ == route_->version(); }
  /// The audience has changed.
  void renew_next() noexcept { version_ = 0; }
  /// True while some subscription has no lane for want of memory.
  [[nodiscard]] bool lacks_lanes() const noexcept { return lacks_lanes_; }
  /// Takes room at every subscription that refuses; false, and nothing taken, when one has none.
  bool admit(std::uint32_t size) noexcept { return !any_refusing_ || reserve_refusing(size); }
  /// With `route().ordered()` held, before `envelope` becomes the retained value and is offered: tells the peers that
  /// are waited for, so that who joins there meanwhile does not get it twice.
  void expect(wire::Envelope& envelope) noexcept;
  /// Messages that came over a link: each to all plain subscriptions of the audience and one member of each of `groups`,
  /// or to the subscription `only` alone. Takes over one reference of each.
  void deliver(std::span<wire::Envelope* const> messages, std::span<const std::string> groups, SubscriptionId only,
               Wakes& wakes) noexcept;
  /// The same messages, which are not wanted any more: counted where they would have gone. Takes over one reference of each.
  void turn_away(std::span<wire::Envelope* const> messages, std::span<const std::string> groups, SubscriptionId only,
                 DropReason reason) noexcept;
  /// Offers the message to everybody. Takes over the caller's reference unless it answers `full`, which it does not
  /// when the caller has called `admit` itself. Blocks only for subscriptions that chose `block`.
  /// `ordered`: held by the caller until nobody but those that are waited for is left to be offered it.
  Offering offer(wire::Envelope* envelope, Clock& clock, Wakes& wakes, bool admitted = false,
                 std::unique_lock<std::mutex>* ordered = nullptr) noexcept;
  /// The short way of `offer`, for a topic with one plain subscription that has room.
  Put offer_to_sole(wire::Envelope* envelope) noexcept {
    if (!sole_ || !sole_->lane->reserve(envelope->size)) return Put::none;
    return sole_->lane->push(envelope) ? Put::untold : Put::told;
  }
  /// Behind `untold`.
  void wake_sole(Wakes& wakes) noexcept { wakes.add(*sole_->mailbox, *sole_->lane); }
  /// The same for a topic with one peer that has plain subscriptions, and nobody here. `refused`: nothing was done; it
  /// would have to wait. The caller keeps its reference.
  [[nodiscard]] bool has_sole_peer() const noexcept { return sole_peer_ != nullptr; }
  wire::Offer offer_to_sole_peer(wire::Envelope& envelope) noexcept {
    return sole_peer_->offer(envelope, {.may_wait = true});
  }
  [[nodiscard]] bool may_block() const noexcept { return any_blocking_; }
  /// What may be put into the queues here before their consumers are told: a quarter of the shortest one.
  [[nodiscard]] bool may_tell_later(std::uint32_t messages, std::uint64_t bytes) const noexcept {
    return std::uint64_t{messages} * 4 < shortest_.messages && bytes * 4 < shortest_.bytes;
  }
  [[nodiscard]] std::uint32_t matched() const noexcept {
    return static_cast<std::uint32_t>(mouths_.size() + groups_.size()) + plain_ways_;
  }

 private:
  /// One lane and what it needs to know of its mailbox; the outlet counts a reference to the mailbox.
  struct Mouth {
    SubscriptionId id;
    mailbox::Mailbox* mailbox;
    mailbox::Lane* lane;  ///< null: there was no memory for it
    Overflow overflow;
    bool mismatched;
    bool is_in_lane = false;  ///< its messages go through the lane
    bool is_direct = false;   ///< ... and who has room in it need not ask anybody
    bool waits = false;       ///< for room, in this very `offer`
    std::uint16_t own_drives = 0;  ///< waits for room in which this thread drives the loop that it polls itself
    std::size_t way = 0;  ///< of a far member, which has no mailbox
    [[nodiscard]] bool is_far() const noexcept { return mailbox == nullptr; }
  };
  /// One peer.
  struct Way {
    std::shared_ptr<wire::TopicSink> sink;
    bool is_plain = false;  ///< some subscription there gets every message
    bool refuses = false;
    bool blocks = false;
    bool expects = false;   ///< was told of the message before it is offered
    std::vector<std::string_view> chosen{};  ///< groups of which a member there was chosen for this message
  };
  struct Group {
    std::string name;
    std::vector<Mouth> members;
    std::size_t turn = 0;
  };
  bool renew() noexcept;
  static void leave(const Mouth& mouth) noexcept;
  static void lose(Mouth& mouth, DropReason reason, Offering& offering) noexcept;
  bool reserve_refusing(std::uint32_t size) noexcept;
  void deliver_one(wire::Envelope* envelope, std::span<const std::string> groups, SubscriptionId only, Wakes& wakes) noexcept;
  /// `together`: the caller looks at all lanes at once, by `find_unlisted`.
  void put(Mouth& mouth, wire::Envelope* envelope, Offering& offering, Wakes& wakes, bool together) noexcept;
  static void put_reserved(Mouth& mouth, wire::Envelope* envelope, Offering& offering, Wakes& wakes, bool together) noexcept;
  void put_waiting(Mouth& mouth, wire::Envelope* envelope, Instant until, Clock& clock, Offering& offering, Wakes& wakes,
                   bool together) noexcept;
  void put_when_room(wire::Envelope* envelope, Clock& clock, Offering& offering, Wakes& wakes, bool together) noexcept;
  void find_unlisted(Wakes& wakes) noexcept;
  void put_to_one(Group& group, wire::Envelope* envelope, Offering& offering, Wakes& wakes) noexcept;
  void offer_far(Way& way, wire::Envelope& envelope, Offering& offering, bool admitted) noexcept;
  void wait_for_far(Way& way, wire::Envelope& envelope, Clock& clock, Offering& offering, Wakes& wakes) noexcept;

  std::shared_ptr<TopicRoute> route_;
  const OutletOptions options_;
  const void* const sender_;
  std::uint64_t version_ = 0;
  bool lacks_lanes_ = false;
  bool any_refusing_ = false;
  bool any_blocking_ = false;
  Queue shortest_{};
  Mouth* sole_ = nullptr;  ///< the only way out, when it neither refuses nor conflates
  wire::TopicSink* sole_peer_ = nullptr;  ///< the only way out, when nobody there refuses
  std::vector<Mouth> mouths_;
  std::vector<Group> groups_;
  std::vector<Way> ways_;
  std::uint32_t plain_ways_ = 0;
};

}  // namespace midplane::inline v0::route
