#pragma once
/// The bus as its links see it. Law: every call comes without any lock of the link held, one at a time for one peer and
/// in the order of the wire, on the thread that brought the frame (or, for `peer_lost` at the end, the one that stops
/// the links). A call may use Links in turn. A peer's calls lie between its `peer_up` and its `peer_lost`.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <midplane/result.hpp>

#include "wire/envelope.hpp"
#include "wire/frame_bodies.hpp"

namespace midplane::inline v0::link {

/// One other bus, as long as it is remembered; never used again.
enum class PeerId : std::uint64_t { none = 0 };

enum class PeerState : std::uint8_t {
  reaching,  ///< dialled, never up yet
  up,
  lost,      ///< it was up; if we dialled it, it is dialled again
  refused,   ///< one side will not talk to the other
};

struct PeerInfo {
  PeerId id = PeerId::none;  ///< none: was never up
  std::string name;          ///< as its bus is called; safe to print
  wire::Incarnation incarnation{};
  std::string endpoint;      ///< what was dialled, or where it reached us
  bool dialled = false;      ///< by this side
  PeerState state = PeerState::reaching;
  bool told = false;         ///< it has told all it subscribes and serves
  std::optional<Error> not_reached{};  ///< why the last attempt to reach it failed; none has since it was up: empty
};

/// A topic as the peer names it.
struct FarTopic {
  const wire::Name* name = nullptr;  ///< interned
  wire::FarType type;
  std::uint64_t series = 0;  ///< the run of numbers that `next` belongs to
  std::uint64_t next = 1;    ///< the number of the next message
  void* host = nullptr;      ///< the host's own; it sets it whenever the topic is named
};

/// How a message reaches this bus.
struct Arrival {
  std::span<const std::string> groups{};  ///< in which a member here was chosen
  std::uint32_t only = 0;                 ///< a retained message: the one subscription of ours it is for
};

class Host {
 public:
  virtual void peer_up(const PeerInfo& peer) noexcept = 0;
  /// Told before `peer_up`: a bus of the same name is linked too, and may be this one before its restart.
  virtual void peer_succeeds(const PeerInfo& peer, PeerId before) noexcept = 0;
  /// It was taken for gone when another of its name came, and is not: they are two buses of one name.
  virtual void peer_lives(const PeerInfo& peer) noexcept = 0;
  /// The link ended. What the peer serves is gone; its subscriptions stay, and their sinks count on while it is away.
  /// `in_order`: one of the two buses was closed, and said so.
  virtual void peer_lost(const PeerInfo& peer, const Error& why, bool in_order) noexcept = 0;
  /// It was away for too long, or came back as `successor`: nothing is kept of it.
  virtual void peer_forgotten(PeerId peer, const PeerInfo* successor) noexcept = 0;
  /// A connection that was refused, by either side; no link came up.
  virtual void peer_refused(const PeerInfo& peer, const Error& why) noexcept = 0;
  /// An address that is dialled leads to nobody, for the first time since it was up. Dialling goes on.
  virtual void address_not_reached(std::string_view endpoint, const Error& why) noexcept = 0;

  /// The peer wants messages. The host asks `Links::topic_sink` for each topic that matches, puts those sinks into its
  /// routes and joins the subscription to them before it returns: then the peer is told that it is confirmed. An error
  /// refuses it. After a reconnect the same ids come again.
  virtual Result<void> peer_subscribes(PeerId peer, const wire::SubscribeBody& subscription) noexcept = 0;
  virtual void peer_unsubscribes(PeerId peer, std::uint32_t id) noexcept = 0;
  /// Answers to a subscription of ours; `Links::readiness` says who is still to answer.
  virtual void subscription_confirmed(std::uint32_t id, PeerId peer) noexcept = 0;
  virtual void subscription_refused(std::uint32_t id, PeerId peer, const Error& why) noexcept = 0;
  /// What changed in the peer's list of services.
  virtual void peer_serves(PeerId peer, const wire::ServeBody& changes) noexcept = 0;
  /// It has told all it subscribes and serves: `Links::settled` may have become true.
  virtual void peer_told(PeerId peer) noexcept = 0;

  /// A topic has its name on this connection, before anything else is told of it there; its type, and the schema that
  /// came before it, can be judged.
  virtual void topic_named(PeerId peer, FarTopic& topic) noexcept = 0;
  virtual void schema_arrived(PeerId peer, std::uint64_t fingerprint, std::span<const std::byte> bfbs) noexcept = 0;
  /// The binary schema with this fingerprint, for a peer that asks; empty when it is not known.
  virtual std::vector<std::byte> schema_of(std::uint64_t fingerprint) noexcept = 0;
  /// A subscription of theirs does not take a topic of ours, whose type does not agree.
  virtual void schema_refused(PeerId peer, std::uint32_t id, std::string_view topic, const Error& why) noexcept = 0;
  /// From here on messages of the topic are for this subscription of ours; those behind the number `at` that have passed
  /// already were too: it joined over a connection that was lost before this could be told.
  virtual void subscription_joined(PeerId peer, const FarTopic& topic, std::uint32_t id, std::uint64_t at) noexcept = 0;
  /// Messages of one topic that follow each other, their numbers too; at least one. Takes over one reference of each.
  /// Name, sequence, sent_at, extra (peer, headers, deadline) are set; the payload begins at a multiple of 16 and is not
  /// verified yet.
  virtual void messages_arrived(PeerId peer, const FarTopic& topic, std::span<wire::Envelope* const> messages,
                                const Arrival& how) noexcept = 0;
  /// Nothing more comes of the frame that brought messages: what was put off for all of them is due.
  virtual void messages_ended(PeerId peer) noexcept = 0;
  /// Takes over one reference. The extra carries the return address, whose reference belongs to the envelope.
  virtual void request_arrived(PeerId peer, wire::Envelope* request) noexcept = 0;
  /// Messages `first` to `last` of the topic were lost on the way, in order with those that arrive; 0: nobody knows how
  /// many.
  virtual void gap(PeerId peer, const FarTopic& topic, std::uint64_t first, std::uint64_t last) noexcept = 0;
  /// After `Links::withdraw`: a peer has sent something, `Links::flushed` may have become true.
  virtual void withdrawal_went_on() noexcept = 0;

 protected:
  ~Host() = default;
};

}  // namespace midplane::inline v0::link
