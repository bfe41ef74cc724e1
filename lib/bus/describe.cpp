#include "bus/describe.hpp"

#include <algorithm>
#include <initializer_list>

#include "bus/client_core.hpp"
#include "bus/description.hpp"
#include "bus/errand.hpp"
#include "schema/contract.hpp"
#include "schema/fingerprint.hpp"
#include "schema/schema.hpp"
#include "wire/frame.hpp"

namespace midplane::inline v0 {
namespace detail {
namespace {

/// Questions that may wait: each takes one walk over all handles, and a tool asks once a second at most.
constexpr Queue questions{.messages = 64, .bytes = 4096};

std::string_view name_of(link::PeerState state) noexcept {
  switch (state) {
    case link::PeerState::reaching: return "reaching";
    case link::PeerState::up: return "up";
    case link::PeerState::lost: return "lost";
    case link::PeerState::refused: return "refused";
  }
  return "unknown";
}

std::string hex(const wire::Incarnation& incarnation) {
  if (incarnation.high == 0 && incarnation.low == 0) return {};
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(incarnation.high),
                static_cast<unsigned long long>(incarnation.low));
  return text;
}

TypeDescription type_of(const BusCore& bus, const TopicStats& topic) {
  if (const auto route = bus.topics ? bus.topics->find(topic.name) : nullptr) {
    const std::lock_guard ordered{route->ordered()};
    if (route->type) return describe_type(*route->type);
  }
  return {topic.type, 0};
}

/// One entry a service: several servers of it count together.
std::vector<ServiceDescription> joined(std::vector<ServiceDescription> servers) {
  std::vector<ServiceDescription> services;
  std::stable_sort(servers.begin(), servers.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (ServiceDescription& one : servers) {
    if (one.name.starts_with(own_prefix)) continue;
    if (services.empty() || services.back().name != one.name) {
      services.push_back(std::move(one));
      continue;
    }
    services.back().servers += one.servers;
    add(services.back().counts, one.counts);
  }
  return services;
}

Result<void> serve_one(const std::shared_ptr<BusCore>& bus, std::string_view service,
                       void (*answer)(const BusCore&, const Request<Bytes>&, Responder<Bytes>&)) {
  const TypeInfo& raw = Codec<Bytes>::info();
  // The server keeps the bus while a handler of it runs.
  auto handler = raw_handler<Bytes, Bytes>([bus = bus.get(), answer](Request<Bytes> request, Responder<Bytes> responder) {
    answer(*bus, request, responder);
  });
  auto server = serve(bus, service, raw, raw, &Codec<Bytes>::verify, std::move(handler), questions, {});
  if (!server) return server.error();
  bus->keep_own(std::move(*server));
  return ok();
}

/// Any peer, or the one of this name; never this bus itself.
class OnlyPeer final : public Balancer {
 public:
  explicit OnlyPeer(std::string_view peer) : peer_{peer} {}
  [[nodiscard]] bool is_meant(std::string_view peer) const noexcept {
    return !peer.empty() && (peer_.empty() || peer == peer_);
  }
  std::size_t pick(std::span<const Candidate> candidates) noexcept override {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (!candidates[i].tried && is_meant(candidates[i].peer)) return i;
    }
    return none;
  }

 private:
  const std::string peer_;
};

bool is_linked(call::ServiceRoute& route, const OnlyPeer& wanted) {
  std::vector<call::NearServer> near;
  std::vector<std::shared_ptr<wire::Sink>> far;
  route.read(near, far);
  for (const call::NearServer& server : near) server.runner->unref();
  return std::any_of(far.begin(), far.end(), [&](const auto& sink) { return wanted.is_meant(sink->peer()); });
}

/// Its link is up; what it serves is told a moment later.
bool is_up(const BusCore& bus, const OnlyPeer& wanted) {
  if (!bus.links) return false;
  const auto peers = bus.links->peers();
  return std::any_of(peers.begin(), peers.end(),
                     [&](const link::PeerInfo& one) { return one.state == link::PeerState::up && wanted.is_meant(one.name); });
}

Result<Message<Bytes>> ask(const std::shared_ptr<BusCore>& bus, std::string_view service, std::string_view peer,
                           const std::vector<std::byte>& question, Duration timeout) {
  if (!bus || bus->refuses()) return closed_handle();
  auto route = bus->services->open(service);
  wire::DepotLease depot{*bus->memory};
  if (!route || !depot) return Error{ErrorCode::no_memory, "no memory to ask another bus"};
  const auto balancer = std::make_shared<OnlyPeer>(peer);
  call::AskerOptions options;
  options.route = route;
  options.executor = bus->executor;
  options.clock = bus->clock;
  options.balancer = balancer;
  options.counters = std::make_shared<call::CallCounters>();  // not the user's requests
  options.pending_max = 1;
  const auto client = std::make_shared<ClientCore>(bus, depot, timeout, std::move(options));
  bus->enrol(client);

  const Instant until = bus->clock->now() + timeout;
  const auto waited = route->condition.wait(*bus->executor, *bus->clock, timeout, [&] {
    return is_linked(*route, *balancer) || bus->refuses() || (!bus->still_reaching() && !is_up(*bus, *balancer));
  });
  if (bus->refuses()) return closed_handle();
  if (!waited) return explain_wait(*bus, waited, "no bus of this name was linked within the duration").error();
  if (!is_linked(*route, *balancer))
    return Error{ErrorCode::no_server, "no bus of this name is linked; Description::peers lists those that are"}.with(
        detail::shown_name(peer, name_bytes_max));
  const Duration left = std::max(Duration{1}, until - bus->clock->now());
  return Client<Bytes, Bytes>{client}.request(std::span{question}, {.timeout = left}).get();
}

/// What peers did that they should not, and what it cost.
void add_link_counters(const link::Links& links, std::vector<CounterDescription>& to) {
  const link::LinkCounters& counted = links.counters();
  std::uint64_t broken = 0;
  for (const auto& one : counted.frame_faults) broken += one;
  const TransportCounts transports = links.transport_counts();
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
           {"link_frames", counted.frames},
           {"link_frames_broken", broken},
           {"link_frames_foreign", counted.foreign_frames},
           {"link_frames_repeated", counted.repeated_frames},
           {"link_records_unknown", counted.unknown_records},
           {"link_records_malformed", counted.malformed_bodies},
           {"link_names_unknown", counted.unknown_names},
           {"link_numbers_stale", counted.stale_numbers},
           {"link_replies_stale", counted.stale_replies},
           {"link_no_memory", counted.no_memory},
           {"link_gaps", counted.gaps},
           {"link_refused", counted.refused},
           {"link_lost", counted.lost},
           {"transport_frames_ignored", transports.frames_ignored},
           {"transport_multipart_refused", transports.multipart_refused},
           {"transport_endless_cut", transports.endless_cut},
           {"transport_unheard", transports.unheard}})
    to.push_back({name, value});
}

}  // namespace

Result<void> serve_descriptions(const std::shared_ptr<BusCore>& bus) {
  if (bus->describes.exchange(true)) return ok();
  auto served = serve_one(bus, describe_service, [](const BusCore& here, const Request<Bytes>&, Responder<Bytes>& to) {
    static_cast<void>(to.reply(std::span<const std::byte>{encode(description_of(here))}));
  });
  if (served) {
    served = serve_one(bus, schema_service,
                       [](const BusCore& here, const Request<Bytes>& request, Responder<Bytes>& to) {
                         const auto fingerprint = fingerprint_asked(request.bytes());
                         if (!fingerprint) return static_cast<void>(to.fail(malformed_bytes()));
                         const auto bfbs = here.verdicts.bfbs_of(*fingerprint);
                         if (!bfbs) return static_cast<void>(to.fail(unknown_fingerprint, "unknown fingerprint"));
                         const auto reply = encode_schema(here.verdicts.type_of(*fingerprint), *bfbs);
                         static_cast<void>(to.reply(std::span<const std::byte>{reply}));
                       });
  }
  return served;
}

Description description_of(const BusCore& bus) {
  const Stats stats = bus.stats();
  Description all;
  all.name = stats.bus;
  all.incarnation = stats.incarnation;
  all.library_version = std::to_string(version_major) + '.' + std::to_string(version_minor) + '.' + std::to_string(version_patch);
  all.wire_version = wire::wire_version;
  for (const TopicStats& topic : stats.topics)
    all.topics.push_back({topic.name, type_of(bus, topic), topic.published, topic.payload_bytes});
  std::sort(all.topics.begin(), all.topics.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const auto& part : bus.parts()) part->describe(all);
  std::stable_sort(all.subscriptions.begin(), all.subscriptions.end(), [](const auto& a, const auto& b) {
    return std::tie(a.pattern, a.group) < std::tie(b.pattern, b.group);
  });
  all.services = joined(std::move(all.services));
  for (const SinkStats& sink : stats.sinks) {
    if (!sink.peer.empty()) all.links.push_back({sink.name, sink.kind, sink.peer, describe_counts(sink)});
  }
  for (const link::PeerInfo& peer : bus.links ? bus.links->peers() : std::vector<link::PeerInfo>{})
    all.peers.push_back({peer.name, hex(peer.incarnation), peer.endpoint, std::string{name_of(peer.state)}, peer.dialled});
  all.counters = {{"requests_sent", stats.requests_sent},
                  {"requests_pending", stats.requests_pending},
                  {"requests_ok", stats.requests_ok},
                  {"requests_failed", stats.requests_failed},
                  {"payload_memory_bytes", stats.payload_memory_bytes},
                  {"payload_memory_bytes_max", stats.payload_memory_bytes_max},
                  {"handler_exceptions", stats.handler_exceptions},
                  {"replies_unsendable", bus.replies_unsendable()}};
  if (bus.links) add_link_counters(*bus.links, all.counters);
  return all;
}

}  // namespace detail

Description describe(const Bus& bus) { return bus.core() && !bus.core()->is_inherited() ? detail::description_of(*bus.core()) : Description{}; }

Result<Description> describe(Bus& bus, std::string_view peer, Duration timeout) {
  const auto reply = detail::ask(bus.core(), describe_service, peer, {}, timeout);
  if (!reply) return reply.error();
  return read_description(reply->bytes());
}

Result<TypeSchema> schema_of(Bus& bus, std::string_view peer, std::uint64_t fingerprint, Duration timeout) {
  const auto reply = detail::ask(bus.core(), schema_service, peer, detail::encode_schema_ask(fingerprint), timeout);
  if (!reply) return reply.error();
  const Error lie{ErrorCode::malformed, Fate::failed, "what the peer sent is not the schema of this fingerprint"};
  auto held = detail::decode_schema(reply->bytes());
  if (!held) return lie;
  const auto schema = schema::Schema::load(held->bfbs);
  if (!schema) return lie.with(schema.error().text());
  const auto* type = schema->find(held->type);
  if (!type || schema::fingerprint(*schema, *type, schema::canonical_bytes_max(held->bfbs.size())) != fingerprint) return lie;
  held->fingerprint = fingerprint;
  return std::move(*held);
}

Result<TypeSchema> schema_from(std::span<const std::byte> bfbs, std::string_view type) try {
  const auto schema = schema::Schema::load(bfbs);
  if (!schema) return schema.error();
  const auto* root = schema->root().root_table();
  if (type.empty() && !root) return Error{ErrorCode::invalid_schema, "the binary schema has no root type; name the table that is meant"};
  const auto* object = type.empty() ? root : schema->find(type);
  if (!object || object->is_struct())
    return Error{ErrorCode::invalid_schema, "the binary schema has no table of this name; write it with its namespace"}.with(
        type.substr(0, name_bytes_max));
  const auto fingerprint = schema::fingerprint(*schema, *object, schema::canonical_bytes_max(bfbs.size()));
  if (!fingerprint) return Error{ErrorCode::invalid_schema, "the type's canonical form is longer than an honest schema's can be"};
  return TypeSchema{std::string{schema::text_of(object->name())}, *fingerprint, {bfbs.begin(), bfbs.end()}};
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, "no memory for a binary schema"};
}

Result<void> agree(const TypeInfo& here, const TypeInfo& there) { return schema::agree(here, there); }

}  // namespace midplane::inline v0
