#pragma once
/// What this bus has to do with other ones: joins the links to routes and services. Answers the links' calls.

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "base/flag.hpp"
#include "bus/bus_core.hpp"
#include "bus/far_credits.hpp"
#include "bus/far_services.hpp"
#include "route/outlet.hpp"

namespace midplane::inline v0::detail {

class SubscriptionCore;

class FarSide final : public link::Host {
 public:
  explicit FarSide(BusCore& bus);
  ~FarSide();

  [[nodiscard]] const wire::Incarnation& incarnation() const noexcept { return incarnation_; }
  Result<void> attach(std::unique_ptr<Transport> transport);

  // Near handles, told to every peer.
  Result<void> subscribe(const std::shared_ptr<SubscriptionCore>& subscription, const RawSubscription& what,
                         const Queue& queue, const std::string& group);
  void unsubscribe(std::uint32_t id) noexcept;
  Result<void> offer(std::string_view service, const TypeInfo& question, const TypeInfo& answer);
  void withdraw(std::string_view service) noexcept;
  /// From here on messages of peers are counted as closed instead of handled, and requests are refused: the bus drains.
  /// What came before is in its queue when this returns.
  void refuse_new() noexcept;

  /// Every peer that can be reached has answered the subscription.
  Result<void> wait_ready(std::uint32_t id, Duration duration);
  void when_ready(std::uint32_t id, Function<void(Result<void>)> fn);
  /// Logs, once per topic, that a far subscription would have Publishers wait and one here does not.
  void tell_unheeded(const std::string& pattern) noexcept;
  void tell_unheeded(route::TopicRoute& route) noexcept;
  exec::Condition readiness;
  FarServices services;

  // link::Host
  void peer_up(const link::PeerInfo& peer) noexcept override;
  void peer_succeeds(const link::PeerInfo& peer, link::PeerId before) noexcept override;
  void peer_lives(const link::PeerInfo& peer) noexcept override;
  void peer_lost(const link::PeerInfo& peer, const Error& why, bool in_order) noexcept override;
  void peer_forgotten(link::PeerId peer, const link::PeerInfo* successor) noexcept override;
  void peer_refused(const link::PeerInfo& peer, const Error& why) noexcept override;
  void address_not_reached(std::string_view endpoint, const Error& why) noexcept override;
  Result<void> peer_subscribes(link::PeerId peer, const wire::SubscribeBody& subscription) noexcept override;
  void peer_unsubscribes(link::PeerId peer, std::uint32_t id) noexcept override;
  void subscription_confirmed(std::uint32_t id, link::PeerId peer) noexcept override;
  void subscription_refused(std::uint32_t id, link::PeerId peer, const Error& why) noexcept override;
  void peer_serves(link::PeerId peer, const wire::ServeBody& changes) noexcept override;
  void peer_told(link::PeerId peer) noexcept override;
  void topic_named(link::PeerId peer, link::FarTopic& topic) noexcept override;
  void schema_arrived(link::PeerId peer, std::uint64_t fingerprint, std::span<const std::byte> bfbs) noexcept override;
  std::vector<std::byte> schema_of(std::uint64_t fingerprint) noexcept override;
  void schema_refused(link::PeerId peer, std::uint32_t id, std::string_view topic, const Error& why) noexcept override;
  void subscription_joined(link::PeerId peer, const link::FarTopic& topic, std::uint32_t id,
                           std::uint64_t at) noexcept override;
  void messages_arrived(link::PeerId peer, const link::FarTopic& topic, std::span<wire::Envelope* const> messages,
                        const link::Arrival& how) noexcept override;
  void messages_ended(link::PeerId peer) noexcept override;
  void request_arrived(link::PeerId peer, wire::Envelope* request) noexcept override;
  void gap(link::PeerId peer, const link::FarTopic& topic, std::uint64_t first, std::uint64_t last) noexcept override;
  void withdrawal_went_on() noexcept override { bus_.look_if_drained(); }

 private:
  void begin_trouble(std::string_view who) noexcept;
  /// True when there was one.
  bool end_trouble(std::string_view who) noexcept;
  struct Known;
  /// A subscription of ours that grants credits.
  struct Waiting {
    std::uint32_t id;
    std::vector<std::uint32_t> sizes{};  ///< of what this frame has brought it so far
  };
  /// A topic of a peer on its way into our routes.
  struct Incoming {
    Known* from = nullptr;
    route::Audience audience{};
    std::vector<Waiting> waiting{};
    std::unique_ptr<route::Outlet> outlet{};
    bool has_sizes = false;
  };
  /// Names the lanes of a peer's messages. A successor goes on using them, also while the link to the one before is not
  /// known to have ended: then two links bring messages.
  struct Lanes {
    base::Flag flag;
    link::PeerId newest = link::PeerId::none;  ///< who uses them: the last to come
    link::PeerId spoken = link::PeerId::none;  ///< the newest whose messages have come
    link::PeerId has_turn = link::PeerId::none;  ///< its messages need no look at the others
    bool all_live = false;  ///< buses of one name: none of them is the other's predecessor
    std::set<std::uint32_t> late_readers{};    ///< they got a message of an older one behind the news of its restart
  };
  /// What a peer has with us, as long as it is remembered; its calls come one at a time.
  struct Known {
    std::string name;
    wire::Incarnation incarnation{};
    std::shared_ptr<Lanes> lanes;
    std::atomic<bool> is_succeeded{false};  ///< its readers know already that it was restarted
    std::map<std::uint32_t, route::SubscriptionId> subscriptions;           ///< theirs
    std::map<const wire::Name*, Incoming> topics;
    std::map<mailbox::Runner*, mailbox::Lane*> services;                    ///< into our servers; counted
    std::map<std::uint64_t, std::vector<std::byte>> schemas;                ///< that it has sent
    std::shared_ptr<FarCredits> credits;
    // Until the frame ends: consumers that are still to be told, and topics whose credits are to be counted.
    route::Wakes wakes{mailbox::Telling::later};
    std::uint32_t untold = 0;
    std::uint64_t untold_bytes = 0;
    std::vector<Incoming*> counted_later{};
    std::vector<std::uint32_t> ended{};  ///< subscriptions of ours, still among the readers of topics
  };
  std::shared_ptr<Known> known(link::PeerId peer) noexcept;
  bool open_way(Incoming& incoming, const link::FarTopic& topic) noexcept;
  bool take_turn(link::PeerId peer, Incoming& incoming, std::unique_lock<base::Flag>& lock) noexcept;
  static void tell(Known& from) noexcept;
  static void forget_later(Known& peer, std::uint32_t id) noexcept;
  static void forget_ended(Known& from) noexcept;
  void count_later(Incoming& incoming, std::uint32_t only, std::span<wire::Envelope* const> messages) noexcept;
  Incoming& incoming_of(Known& peer, const link::FarTopic& topic);
  /// Who got messages of a peer that is not remembered any more. Links keep the numbers it has given for longer: as long
  /// as they do it comes back under the same id, and its readers have had or were told of all numbers up to there.
  struct Forgotten {
    wire::Incarnation incarnation;
    link::PeerId id;
    std::set<std::uint32_t> readers;
    std::map<const wire::Name*, route::Audience> audiences;
    std::shared_ptr<Lanes> lanes;
  };
  void keep_readers(link::PeerId id, const Known& peer) noexcept;
  void restore_readers(Known& peer, const Forgotten& before) noexcept;
  void pass_lanes(const std::shared_ptr<Lanes>& lanes, link::PeerId successor);
  std::set<std::uint32_t> readers_of(const Known& peer);
  void tell_restart(const std::set<std::uint32_t>& readers, std::string_view peer, const void* lanes) noexcept;
  void tell_readers(const std::set<std::uint32_t>& readers, std::string_view peer, const void* lanes) noexcept;
  std::shared_ptr<SubscriptionCore> ours(std::uint32_t id) noexcept;
  /// Whether a type of the peer agrees with one of ours, by the schema it has sent.
  Result<void> judge(Known& peer, const wire::FarType& far, const TypeInfo& near) noexcept;
  static bool give(Known& peer, mailbox::Runner* runner, wire::Envelope* request, mailbox::Lane*& unlisted) noexcept;
  static void leave_servers(Known& peer) noexcept;
  void routes_changed(std::string_view pattern) noexcept;

  BusCore& bus_;
  const wire::Incarnation incarnation_;
  std::atomic<bool> refuses_{false};
  std::mutex mutex_;
  std::map<link::PeerId, std::shared_ptr<Known>> peers_;
  std::map<std::string, Forgotten> forgotten_;  ///< by the name of its bus
  std::set<std::string, std::less<>> troubles_;  ///< peers and addresses that were warned of, until they are up
  std::map<std::uint32_t, std::weak_ptr<SubscriptionCore>> subscriptions_;
  // What every peer is told, also one that comes later.
  std::map<std::uint32_t, wire::SubscribeBody> our_subscriptions_;
  std::map<std::string, wire::OfferedBody> our_offers_;
  std::map<std::string, int, std::less<>> offered_;  ///< servers of ours per service
};

}  // namespace midplane::inline v0::detail
