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

inline constexpr std::string_view describe_service = "_midplane.describe";
inline constexpr std::string_view schema_service = "_midplane.schema";
/// The application error of `schema_service` when no type has the fingerprint.
inline constexpr std::int32_t unknown_fingerprint = 1;

struct TypeDescription {
  std::string name;               ///< empty: raw bytes
  std::uint64_t fingerprint = 0;  ///< 0: raw bytes
};

struct CounterDescription {
  std::string name;
  std::uint64_t value = 0;
};

/// As in SinkStats; reasons are words, for a newer bus may have more of them.
struct CountsDescription {
  std::uint64_t offered = 0;
  std::uint64_t delivered = 0;
  std::uint64_t waiting = 0;
  std::uint64_t in_transit = 0;
  std::uint64_t refused = 0;
  std::vector<CounterDescription> dropped;  ///< by reason, without zeros
};

struct TopicDescription {
  std::string name;
  TypeDescription type;
  std::uint64_t published = 0;
  std::uint64_t payload_bytes = 0;
};

struct SubscriptionDescription {
  std::string pattern;
  TypeDescription type;
  std::string group;     ///< empty: none
  std::string overflow;  ///< `drop_newest`, as in options.hpp
  std::uint64_t queue_messages_max = 0;
  std::uint64_t queue_bytes_max = 0;
  CountsDescription counts;
};

struct ServiceDescription {
  std::string name;
  TypeDescription request;
  TypeDescription reply;
  std::uint32_t servers = 0;  ///< of this bus
  CountsDescription counts;   ///< of all of them
};

/// What goes to one peer under one name.
struct LinkDescription {
  std::string name;
  std::string kind;  ///< `link`: a topic, `link_service`
  std::string peer;
  CountsDescription counts;
};

struct PeerDescription {
  std::string name;         ///< empty: it was never reached
  std::string incarnation;  ///< 32 hex digits
  std::string endpoint;
  std::string state;        ///< `reaching`, `up`, `lost`, `refused`
  bool dialled = false;     ///< by the bus that tells of it
};

struct Description {
  std::string name;
  std::string incarnation;
  std::string library_version;
  std::uint16_t wire_version = 0;
  std::vector<TopicDescription> topics;                ///< published by this bus, by name
  std::vector<SubscriptionDescription> subscriptions;  ///< live ones, by pattern
  std::vector<ServiceDescription> services;            ///< served by this bus now, by name
  std::vector<LinkDescription> links;
  std::vector<PeerDescription> peers;
  std::vector<CounterDescription> counters;
};

/// A type with the schema that a peer sent.
struct TypeSchema {
  std::string type;
  std::uint64_t fingerprint = 0;
  std::vector<std::byte> bfbs;
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
