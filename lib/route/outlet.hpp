#pragma once
/// One sender's ways out to one topic: its lanes into the near mailboxes and the far sinks, derived from the route and
/// renewed when the route's version moves. The sender serialises all calls.

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <midplane/extend/clock.hpp>

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

/// Lanes that became non-empty while the sender's flag was held: told after it is released, because an inline handler
/// runs right there.
class Wakes {
 public:
  void add(mailbox::Mailbox& mailbox, mailbox::Lane& lane) {
    if (size_ < few_.size()) few_[size_] = {&mailbox, &lane};
    else more_.push_back({&mailbox, &lane});
    ++size_;
  }
  void tell() noexcept {
    for (std::size_t i = 0; i < size_ && i < few_.size(); ++i) few_[i].mailbox->list(*few_[i].lane);
    for (const Entry& entry : more_) entry.mailbox->list(*entry.lane);
    more_.clear();
    size_ = 0;
  }

 private:
  struct Entry {
    mailbox::Mailbox* mailbox;
    mailbox::Lane* lane;
  };
  std::array<Entry, 16> few_;  // left uninitialised: this stands on the path of every message
  std::vector<Entry> more_;
  std::size_t size_ = 0;
};

class Outlet {
 public:
  /// `near_only`: messages that came over a link go no further.
  Outlet(std::shared_ptr<TopicRoute> route, bool near_only) noexcept
      : route_{std::move(route)}, near_only_{near_only} {}
  Outlet(const Outlet&) = delete;
  ~Outlet();

  [[nodiscard]] TopicRoute& route() noexcept { return *route_; }
  /// Looks whether the route has changed. False without memory: some subscription can not be reached.
  bool refresh() {
    if (version_ == route_->version()) return true;
    const std::lock_guard lock{route_->ordered()};
    return renew();
  }
  /// The same with `route().ordered()` held.
  bool refresh_ordered() { return version_ == route_->version() || renew(); }
  /// Offers the message to everybody. Takes over the caller's reference unless it answers `full`.
  /// Blocks only for subscriptions that chose `block`.
  Offering offer(wire::Envelope* envelope, Clock& clock, Wakes& wakes) noexcept;
  [[nodiscard]] bool may_block() const noexcept { return any_blocking_; }
  [[nodiscard]] std::uint32_t matched() const noexcept {
    return static_cast<std::uint32_t>(mouths_.size() + groups_.size() + far_.size());
  }

 private:
  /// One lane and what it needs to know of its mailbox; the outlet counts a reference to the mailbox.
  struct Mouth {
    SubscriptionId id;
    mailbox::Mailbox* mailbox;
    mailbox::Lane* lane;
    Overflow overflow;
    bool mismatched;
  };
  struct Group {
    std::string name;
    std::vector<Mouth> members;
    std::size_t turn = 0;
  };
  bool renew();
  bool reserve_refusing(std::uint32_t size) noexcept;
  void put(Mouth& mouth, wire::Envelope* envelope, Offering& offering, Wakes& wakes) noexcept;
  void put_reserved(Mouth& mouth, wire::Envelope* envelope, Offering& offering, Wakes& wakes) noexcept;
  void put_waiting(Mouth& mouth, wire::Envelope* envelope, Instant until, Clock& clock, Offering& offering,
                   Wakes& wakes) noexcept;
  void put_to_one(Group& group, wire::Envelope* envelope, Offering& offering, Wakes& wakes) noexcept;

  std::shared_ptr<TopicRoute> route_;
  std::uint64_t version_ = 0;
  const bool near_only_;
  bool any_refusing_ = false;
  bool any_blocking_ = false;
  std::vector<Mouth> mouths_;
  std::vector<Group> groups_;
  std::vector<std::shared_ptr<wire::Sink>> far_;
};

}  // namespace midplane::inline v0::route
