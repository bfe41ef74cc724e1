#pragma once
/// What a bus says of itself: topics, subscriptions, services, peers and counters; and the schemas of its types, so that
/// a tool can show any payload without its header. Every bus with a transport answers.
///
///     auto there = describe(bus, "agent-7");                                  // the linked bus of that name
///     auto schema = schema_of(bus, "agent-7", there->topics[0].type.fingerprint);
///     auto text = to_json(message.bytes(), schema->info());                   // of a Message<Bytes> on that topic
///
/// `describe.fbs` says what travels, for tools in other languages.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <midplane/json.hpp>
#include <midplane/result.hpp>
#include <midplane/schema.hpp>
#include <midplane/time.hpp>

namespace midplane {
inline namespace [[gnu::visibility("default")]] v0 {

class Bus;

/// Answers a Description of its bus, as `describe.fbs` says.
inline constexpr std::string_view describe_service = "_midplane.describe";
/// Answers the binary schema of a type by its fingerprint.
inline constexpr std::string_view schema_service = "_midplane.schema";
/// The application error of `schema_service` when no type has the fingerprint.
inline constexpr std::int32_t unknown_fingerprint = 1;

/// A payload type.
struct TypeDescription {
  std::string name;               ///< empty: raw bytes
  std::uint64_t fingerprint = 0;  ///< 0: raw bytes
};

/// One counter by its name.
struct CounterDescription {
  std::string name;  ///< as the bus that counts calls it
  std::uint64_t value = 0;  ///< since that bus was opened
};

/// As in SinkStats; reasons are words, for a newer bus may have more of them.
struct CountsDescription {
  std::uint64_t offered = 0;  ///< messages or requests that came to it
  std::uint64_t delivered = 0;  ///< taken by a handler or reader
  std::uint64_t waiting = 0;  ///< in its queue
  std::uint64_t in_transit = 0;  ///< offered, and not counted under another term yet
  std::uint64_t refused = 0;  ///< publishes answered `full` because of it
  std::vector<CounterDescription> dropped;  ///< by reason, without zeros
};

/// A topic that the bus publishes.
struct TopicDescription {
  std::string name;  ///< the topic
  TypeDescription type;  ///< of its payloads
  std::uint64_t published = 0;  ///< publishes that returned no error
  std::uint64_t payload_bytes = 0;  ///< of those
};

/// A subscription or inbox of the bus.
struct SubscriptionDescription {
  std::string pattern;  ///< a topic or a pattern
  TypeDescription type;  ///< it wants
  std::string group;     ///< empty: none
  std::string overflow;  ///< `drop_newest`, as in options.hpp
  std::uint64_t queue_messages_max = 0;  ///< its bound
  std::uint64_t queue_bytes_max = 0;  ///< its bound
  CountsDescription counts;  ///< so far
};

/// A service that the bus serves.
struct ServiceDescription {
  std::string name;  ///< the service
  TypeDescription request;  ///< of the questions
  TypeDescription reply;  ///< of the answers
  std::uint32_t servers = 0;  ///< of this bus
  CountsDescription counts;   ///< of all of them
};

/// What goes to one peer under one name.
struct LinkDescription {
  std::string name;  ///< topic or service
  std::string kind;  ///< `link`: a topic, `link_service`
  std::string peer;  ///< the peer's name
  CountsDescription counts;  ///< so far
};

/// Another bus, or an address that is dialled.
struct PeerDescription {
  std::string name;         ///< empty: it was never reached
  std::string incarnation;  ///< 32 hex digits
  std::string endpoint;  ///< the address that was dialled, or listened at
  std::string state;        ///< `reaching`, `up`, `lost`, `refused`
  bool dialled = false;     ///< by the bus that tells of it
};

/// All that a bus says of itself.
struct Description {
  std::string name;  ///< of the bus
  std::string incarnation;  ///< 32 hex digits
  std::string library_version;  ///< `0.1.0`
  std::uint16_t wire_version = 0;  ///< the newest it speaks
  std::vector<TopicDescription> topics;                ///< published by this bus, by name
  std::vector<SubscriptionDescription> subscriptions;  ///< live ones, by pattern
  std::vector<ServiceDescription> services;            ///< served by this bus now, by name
  std::vector<LinkDescription> links;  ///< by name and peer
  std::vector<PeerDescription> peers;  ///< linked, being reached, lost or refused
  std::vector<CounterDescription> counters;  ///< of links, transports and payload memory
};

/// A type with the schema that a peer sent.
struct TypeSchema {
  std::string type;  ///< fully qualified
  std::uint64_t fingerprint = 0;  ///< of the type
  std::vector<std::byte> bfbs;  ///< the binary schema
  /// For `to_json`; valid while this is.
  [[nodiscard]] TypeInfo info() const noexcept { return {type, fingerprint, bfbs}; }
};

/// This bus, without asking anybody: also one without a transport. Of a closed one: its name and last counters.
[[nodiscard]] Description describe(const Bus& bus);
/// Asks the linked bus of that name, any linked one when it is empty; waits until it is linked and answers, on the user's
/// thread as `Pending::get` does. Errors: those of a request; no_server: no peer of that name; malformed.
[[nodiscard]] Result<Description> describe(Bus& bus, std::string_view peer, Duration timeout = std::chrono::seconds{5});
/// The schema of a type that the peer publishes, takes, asks or serves, verified. app_error with the code
/// `unknown_fingerprint` when it has none; malformed when what it sent is not the type of that fingerprint.
[[nodiscard]] Result<TypeSchema> schema_of(Bus& bus, std::string_view peer, std::uint64_t fingerprint,
                                           Duration timeout = std::chrono::seconds{5});

/// The same of a binary schema at hand, read from a file for instance: verified, with the fingerprint of `type` (empty: of
/// its root type). Errors: invalid_schema, which says why, or that there is no such table.
[[nodiscard]] Result<TypeSchema> schema_from(std::span<const std::byte> bfbs, std::string_view type = {});
/// May programs with these two types meet under one name? What a bus decides when a subscription joins a topic: equal
/// fingerprints agree, raw bytes agree with everything, and so does a permitted evolution, in either direction.
/// schema_mismatch: the detail names the first field and what it is here and there.
[[nodiscard]] Result<void> agree(const TypeInfo& here, const TypeInfo& there);

/// What `describe_service` replied, verified and copied out: for those who ask by other means.
[[nodiscard]] Result<Description> read_description(std::span<const std::byte> reply);
/// Fingerprints as 16 hex digits, everything else as the structs say.
[[nodiscard]] Result<std::string> to_json(const Description& description, JsonOptions options = {});

}  // namespace v0
}  // namespace midplane
