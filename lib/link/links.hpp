#pragma once
/// All links of one bus: dials and listens, greets, tells every peer what this bus subscribes and serves, hands what
/// arrives to the Host, and dials again what was lost.
///
/// Threads: every call may come from any thread, inside a Host's call too, except `stop`, which waits for the
/// transports and must not be called inside a Host's call. Locks: `mutex_` before a peer's flag; none is held while the
/// Host, a ReturnAddress or `dial` and `disconnect` of a transport are called.

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <midplane/extend/clock.hpp>
#include <midplane/extend/executor.hpp>
#include <midplane/extend/random.hpp>
#include <midplane/extend/transport.hpp>
#include <midplane/schema.hpp>
#include <midplane/stats.hpp>

#include "link/backoff.hpp"
#include "link/far_topic_sink.hpp"
#include "link/host.hpp"
#include "link/link_options.hpp"
#include "link/peer.hpp"
#include "link/remote.hpp"
#include "link/service_sink.hpp"
#include "wire/frame_bodies.hpp"
#include "wire/payload_memory.hpp"

namespace midplane::inline v0::link {

/// Who has answered a subscription of ours. Ready when nobody is outstanding.
struct Readiness {
  std::size_t confirmed = 0;
  std::size_t refused = 0;
  std::size_t outstanding = 0;  ///< peers that are up and have not answered, and configured ones being reached
};

class Links final : public std::enable_shared_from_this<Links>, private TimerWork {
 public:
  /// Everything outlives `stop`; `memory` until the last envelope is home. Null without memory.
  static std::shared_ptr<Links> make(LinkOptions options, Host& host, Clock& clock, Random& random, Executor& executor,
                                     wire::PayloadMemory& memory) noexcept;
  ~Links();
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  /// Starts it, listens and dials. After an error the transport is gone.
  Result<void> attach(std::unique_ptr<Transport> transport) noexcept;
  /// The addresses listened at, as others can dial them.
  [[nodiscard]] std::vector<std::string> listening() const;

  Result<void> add_subscription(const wire::SubscribeBody& subscription) noexcept;
  void remove_subscription(std::uint32_t id) noexcept;
  [[nodiscard]] Readiness readiness(std::uint32_t id) const noexcept;

  Result<void> add_service(const wire::OfferedBody& service) noexcept;
  void remove_service(std::string_view service) noexcept;

  /// The one sink of a topic at a peer that is remembered; `type` lives as long as the program.
  Result<std::shared_ptr<wire::TopicSink>> topic_sink(PeerId peer, std::string_view topic, const TypeInfo& type) noexcept;
  /// The one sink of a service at a peer that is up.
  Result<std::shared_ptr<ServiceSink>> service_sink(PeerId peer, std::string_view service) noexcept;
  /// Tells a peer what has left the queue of a waiting subscription of ours since it was confirmed.
  void grant_subscription(PeerId peer, std::uint32_t id, std::uint64_t messages, std::uint64_t bytes) noexcept;
  /// Tells a peer that a subscription of ours does not take this topic of it.
  void refuse_schema(PeerId peer, std::uint32_t id, const FarTopic& topic, const Error& why) noexcept;
  /// Asks a peer for a binary schema: `Host::schema_arrived` follows.
  void want_schema(PeerId peer, std::uint64_t fingerprint) noexcept;

  /// Configured peers, in any state, then those that dialled us and are up.
  [[nodiscard]] std::vector<PeerInfo> peers() const;
  /// Every configured peer has told what it serves, is lost or refused: what nobody offers now, nobody serves.
  [[nodiscard]] bool settled() const noexcept;

  [[nodiscard]] const LinkCounters& counters() const noexcept { return counters_; }
  /// The sums of what its transports have refused.
  [[nodiscard]] TransportCounts transport_counts() const noexcept;
  /// One per far name that had traffic, also over links that have ended; beyond `far_totals_max` one for all names of
  /// peers that are not remembered any more.
  [[nodiscard]] std::vector<SinkStats> stats() const;

  /// True when nothing waits here or in a transport.
  [[nodiscard]] bool flushed() const noexcept;
  /// Takes back what peers were offered, subscriptions and services but those whose names begin with `kept`: they send
  /// nothing new. From here on `flushed` also waits until they know; the frames they had sent before are here then.
  void withdraw(std::string_view kept) noexcept;
  /// Waits for that, driving a driven executor meanwhile. False at `until`, at once inside a work of the executor that
  /// must not wait, and when a driven executor has nothing left to do.
  [[nodiscard]] bool drain(Instant until) noexcept;
  /// Ends everything: what waits is counted as closed, pending requests end as closed. Nothing calls the Host afterwards.
  void stop() noexcept;

 private:
  /// One transport and its connections.
  struct Port final : Inbound {
    explicit Port(Links& owner) noexcept : links{owner} {}
    void up(ConnectionId id, bool dialled, std::string_view endpoint) noexcept override;
    void frame(ConnectionId id, InboundFrame frame) noexcept override;
    void writable(ConnectionId id) noexcept override;
    void down(ConnectionId id, const Error& why) noexcept override;
    void dial_failed(std::string_view endpoint, const Error& why) noexcept override;
    [[nodiscard]] std::shared_ptr<Peer> find(ConnectionId id) noexcept;

    Links& links;
    std::unique_ptr<Transport> transport;
    std::mutex mutex;  ///< behind `Links::mutex_`, or alone
    std::map<ConnectionId, std::shared_ptr<Peer>> connections;
  };
  /// One address that is dialled.
  struct Target {
    Port* port;
    std::string endpoint;
    Backoff backoff;
    PeerState state = PeerState::reaching;
    Instant dial_at = Instant::never();
    std::shared_ptr<Peer> peer{};       ///< while a connection of this address lives
    wire::Incarnation linked_to{};      ///< refused as duplicate: the bus that is there
    bool never_again = false;           ///< it is this very bus
    std::optional<Error> not_reached{};  ///< why it was not, the last time; empty: it was, or was not tried
    bool is_told_of = false;             ///< the host knows that it is not reached
  };
  struct Subscription {
    wire::SubscribeBody body;
    std::map<PeerId, bool> answers{};   ///< true: confirmed
  };

  Links(LinkOptions options, Host& host, Clock& clock, Random& random, Executor& executor,
        wire::PayloadMemory& memory, wire::Depot& depot) noexcept;

  // links.cpp
  [[nodiscard]] static Error closed_error() noexcept;
  void end_connections(const Transport* of, const Error& why) noexcept;
  void tell_all(const wire::Record& record) noexcept;
  [[nodiscard]] std::shared_ptr<Peer> peer_of(PeerId id) const noexcept;
  [[nodiscard]] std::shared_ptr<Peer> linked(const wire::Incarnation& incarnation) const noexcept;
  [[nodiscard]] std::shared_ptr<Remote> remote_of(PeerId id) const noexcept;
  std::shared_ptr<FarTotals> totals_of(std::string_view peer, std::string_view name, const char* kind);
  void fold_totals();

  // greeting.cpp: from `up` to the first frames that tell what each side wants
  void greet(Peer& peer, wire::FrameReader& reader, const wire::Record& first) noexcept;
  void say_hello(Peer& peer) noexcept;
  void refuse(Peer& peer, const Error& why) noexcept;
  void refused(Peer& peer, const Error& why) noexcept;
  void note_refusal(Peer& peer, const Error& why) noexcept;
  void establish(Peer& peer) noexcept;
  void announce(Peer& peer) noexcept;
  std::shared_ptr<Remote> remember(Peer& peer);

  // arrivals.cpp: frames of a peer
  void receive(Peer& peer, std::span<const std::byte> frame) noexcept;
  void frames_ended(Peer& peer) noexcept;
  void drop_connection(Peer& peer, const Error& why) noexcept;
  bool act_on(Peer& peer, const wire::Record& record) noexcept;
  bool names_arrived(Peer& peer, const wire::Record& record) noexcept;
  bool subscribe_arrived(Peer& peer, const wire::Record& record) noexcept;
  bool subscription_answered(Peer& peer, const wire::Record& record) noexcept;
  bool serve_arrived(Peer& peer, const wire::Record& record) noexcept;
  bool heartbeat_arrived(Peer& peer, const wire::Record& record) noexcept;
  bool schema_refused(Peer& peer, const wire::Record& record) noexcept;
  void drop_subscription(Peer& peer, std::uint32_t id) noexcept;
  void skipped(Peer& peer, FarTopic& topic, std::uint64_t up_to) noexcept;

  // payloads.cpp: records with a user's payload, whole or in pieces
  bool payload_arrived(Peer& peer, const wire::Record& record) noexcept;
  bool piece_arrived(Peer& peer, const wire::Record& record, wire::Meta meta) noexcept;
  bool complete(Peer& peer, const wire::Record& record, wire::Meta& meta, wire::Envelope* assembled) noexcept;
  bool message_arrived(Peer& peer, const wire::Record& record, wire::Meta* meta, wire::Envelope* assembled) noexcept;
  /// Gives the host the messages that have come so far: before it is told of anything else.
  void end_run(Peer& peer) noexcept;
  bool request_arrived(Peer& peer, const wire::Record& record, wire::Meta& meta, wire::Envelope* assembled) noexcept;
  bool reply_arrived(Peer& peer, const wire::Record& record, wire::Meta& meta, wire::Envelope* assembled) noexcept;
  bool item_arrived(Peer& peer, const wire::Record& record, wire::Meta& meta, wire::Envelope* assembled) noexcept;
  bool failure_arrived(Peer& peer, const wire::Record& record) noexcept;
  wire::Envelope* acquire(std::size_t bytes) noexcept;
  wire::Envelope* fill(Peer& peer, const wire::Record& record, wire::Kind kind, const wire::Name* name, wire::Meta* meta,
                       wire::Envelope* assembled) noexcept;

  // upkeep.cpp: dialling, heartbeats, ends
  Result<void> dial(Target& target) noexcept;
  void dial_later(Target& target) noexcept;
  [[nodiscard]] static bool note_not_reached(Target& target, const Error& why) noexcept;
  void ended(const std::shared_ptr<Peer>& peer, const Error& why, DropReason reason) noexcept;
  void fire() noexcept override;
  void forget(const std::shared_ptr<Remote>& remote, const PeerInfo* successor) noexcept;
  [[nodiscard]] std::shared_ptr<Remote> too_many_away() const noexcept;
  void replaced(const Peer& peer) noexcept;
  void arm() noexcept;
  [[nodiscard]] Instant next_due() const noexcept;

  const LinkOptions options_;
  Host& host_;
  Clock& clock_;
  Random& random_;
  Executor& executor_;
  wire::PayloadMemory& memory_;
  wire::Depot& depot_;
  LinkCounters counters_;

  mutable std::mutex mutex_;
  bool stopped_ = false;
  std::atomic<bool> withdraws_{false};
  bool armed_ = false;
  std::shared_ptr<Links> keep_;  ///< while the timer is started
  std::uint64_t serials_given_ = 0;           ///< of connections and remotes
  std::atomic<std::uint64_t> series_given_{0};  ///< of numbers
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<std::shared_ptr<Target>> targets_;  ///< shared by who dials or tells of one outside of the lock
  std::vector<std::string> listening_;
  std::vector<std::shared_ptr<Peer>> connections_;  ///< all, in any phase
  std::map<wire::Incarnation, std::shared_ptr<Remote>> remotes_;
  std::vector<wire::Incarnation> busy_;  ///< the host is being told that they are lost or forgotten
  std::map<std::uint32_t, Subscription> subscriptions_;
  std::map<std::string, wire::OfferedBody, std::less<>> services_;
  std::map<std::tuple<std::string, std::string, std::string>, std::shared_ptr<FarTotals>> totals_;
  std::size_t fold_at_ = far_totals_max;  ///< twice what was left last time: folding costs little per name
};

}  // namespace midplane::inline v0::link
