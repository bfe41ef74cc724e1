#include "bus/description.hpp"

#include <algorithm>
#include <stdexcept>

#include <midplane/extend/codec.hpp>

#include "bus/describe_generated.h"

namespace midplane::inline v0 {
namespace {

namespace fbs = midplane::description;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

template <class Table, class From, class Make>
Offset<flatbuffers::Vector<Offset<Table>>> list(FlatBufferBuilder& b, const std::vector<From>& from, Make&& make) {
  std::vector<Offset<Table>> made;
  made.reserve(from.size());
  for (const From& one : from) made.push_back(make(one));
  return b.CreateVector(made);
}

/// Empty texts and types are left out.
Offset<flatbuffers::String> text(FlatBufferBuilder& b, std::string_view from) {
  return from.empty() ? Offset<flatbuffers::String>{} : b.CreateString(from.data(), from.size());
}
Offset<fbs::Type> type(FlatBufferBuilder& b, const TypeDescription& from) {
  if (from.name.empty() && from.fingerprint == 0) return {};
  return fbs::CreateType(b, text(b, from.name), from.fingerprint);
}

auto counters(FlatBufferBuilder& b, const std::vector<CounterDescription>& from) {
  return list<fbs::Counter>(b, from, [&](const auto& one) { return fbs::CreateCounter(b, text(b, one.name), one.value); });
}

Offset<fbs::Counts> counts(FlatBufferBuilder& b, const CountsDescription& from) {
  return fbs::CreateCounts(b, from.offered, from.delivered, from.waiting, from.in_transit, from.refused,
                           counters(b, from.dropped));
}

std::vector<std::byte> bytes_of(const FlatBufferBuilder& b) {
  const auto* first = reinterpret_cast<const std::byte*>(b.GetBufferPointer());
  return {first, first + b.GetSize()};
}

template <class Table>
bool is_valid(std::span<const std::byte> bytes) noexcept {
  flatbuffers::Verifier verifier{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), payload_depth_max,
                                 payload_tables_max};
  return verifier.VerifyBuffer<Table>(nullptr);
}

/// Copies out, strings together no more than the reply's own size: offsets that all point to one long string would
/// otherwise turn a small reply into much memory.
class Reading {
 public:
  explicit Reading(std::size_t bytes) : left_{bytes} {}

  std::string text(const flatbuffers::String* from) {
    if (!from) return {};
    if (from->size() > left_) throw std::length_error{"strings of a reply overlap"};
    left_ -= from->size();
    return from->str();
  }
  TypeDescription type(const fbs::Type* from) {
    return from ? TypeDescription{text(from->name()), from->fingerprint()} : TypeDescription{};
  }
  std::vector<CounterDescription> counters(const flatbuffers::Vector<Offset<fbs::Counter>>* from) {
    return list<CounterDescription>(from, [this](const auto& one) { return CounterDescription{text(one.name()), one.value()}; });
  }
  CountsDescription counts(const fbs::Counts* from) {
    if (!from) return {};
    return {from->offered(), from->delivered(), from->waiting(), from->in_transit(), from->refused(), counters(from->dropped())};
  }
  template <class To, class Table, class Make>
  std::vector<To> list(const flatbuffers::Vector<Offset<Table>>* from, Make&& make) {
    std::vector<To> made;
    if (!from) return made;
    for (const auto* one : *from) made.push_back(make(*one));
    return made;
  }

 private:
  std::size_t left_;
};

}  // namespace

namespace detail {

CountsDescription describe_counts(const SinkStats& sink) {
  CountsDescription counts{sink.offered, sink.delivered, sink.waiting, sink.in_transit, sink.refused, {}};
  for (std::size_t i = 0; i < drop_reasons; ++i) {
    if (sink.dropped.by_reason[i] != 0)
      counts.dropped.push_back({std::string{v0::name_of(static_cast<DropReason>(i))}, sink.dropped.by_reason[i]});
  }
  return counts;
}

std::string_view name_of(Overflow overflow) noexcept {
  switch (overflow) {
    case Overflow::drop_newest: return "drop_newest";
    case Overflow::drop_oldest: return "drop_oldest";
    case Overflow::latest: return "latest";
    case Overflow::refuse: return "refuse";
    case Overflow::block: return "block";
  }
  return "unknown";
}

void add(CountsDescription& sum, const CountsDescription& counts) {
  sum.offered += counts.offered;
  sum.delivered += counts.delivered;
  sum.waiting += counts.waiting;
  sum.in_transit += counts.in_transit;
  sum.refused += counts.refused;
  for (const CounterDescription& drop : counts.dropped) {
    const auto same = std::find_if(sum.dropped.begin(), sum.dropped.end(), [&](const auto& one) { return one.name == drop.name; });
    if (same == sum.dropped.end()) sum.dropped.push_back(drop);
    else same->value += drop.value;
  }
}

std::vector<std::byte> encode(const Description& from) {
  FlatBufferBuilder b;
  const auto topics = list<fbs::Topic>(b, from.topics, [&](const TopicDescription& one) {
    return fbs::CreateTopic(b, text(b, one.name), type(b, one.type), one.published, one.payload_bytes);
  });
  const auto subscriptions = list<fbs::Subscription>(b, from.subscriptions, [&](const SubscriptionDescription& one) {
    return fbs::CreateSubscription(b, text(b, one.pattern), type(b, one.type), text(b, one.group), text(b, one.overflow),
                                   one.queue_messages_max, one.queue_bytes_max, counts(b, one.counts));
  });
  const auto services = list<fbs::Service>(b, from.services, [&](const ServiceDescription& one) {
    return fbs::CreateService(b, text(b, one.name), type(b, one.request), type(b, one.reply), one.servers, counts(b, one.counts));
  });
  const auto links = list<fbs::Sink>(b, from.links, [&](const LinkDescription& one) {
    return fbs::CreateSink(b, text(b, one.name), text(b, one.kind), text(b, one.peer), counts(b, one.counts));
  });
  const auto peers = list<fbs::Peer>(b, from.peers, [&](const PeerDescription& one) {
    return fbs::CreatePeer(b, text(b, one.name), text(b, one.incarnation), text(b, one.endpoint), text(b, one.state), one.dialled);
  });
  const auto all = counters(b, from.counters);
  b.Finish(fbs::CreateBus(b, text(b, from.name), text(b, from.incarnation), text(b, from.library_version), from.wire_version,
                          topics, subscriptions, services, links, peers, all));
  return bytes_of(b);
}

std::vector<std::byte> encode_schema_ask(std::uint64_t fingerprint) {
  FlatBufferBuilder b;
  b.Finish(fbs::CreateSchemaAsk(b, fingerprint));
  return bytes_of(b);
}

std::vector<std::byte> encode_schema(std::string_view type, std::span<const std::byte> bfbs) {
  FlatBufferBuilder b{bfbs.size() + 256};
  const auto held = b.CreateVector(reinterpret_cast<const std::uint8_t*>(bfbs.data()), bfbs.size());
  b.Finish(fbs::CreateSchema(b, text(b, type), held));
  return bytes_of(b);
}

std::optional<std::uint64_t> fingerprint_asked(std::span<const std::byte> bytes) noexcept {
  if (!is_valid<fbs::SchemaAsk>(bytes)) return std::nullopt;
  return flatbuffers::GetRoot<fbs::SchemaAsk>(bytes.data())->fingerprint();
}

std::optional<TypeSchema> decode_schema(std::span<const std::byte> bytes) {
  if (!is_valid<fbs::Schema>(bytes)) return std::nullopt;
  const auto* schema = flatbuffers::GetRoot<fbs::Schema>(bytes.data());
  if (!schema->type() || !schema->bfbs()) return std::nullopt;
  const auto held = std::as_bytes(std::span{schema->bfbs()->data(), schema->bfbs()->size()});
  return TypeSchema{schema->type()->str(), 0, {held.begin(), held.end()}};
}

}  // namespace detail

Result<Description> read_description(std::span<const std::byte> reply) try {
  if (!is_valid<fbs::Bus>(reply)) return Error{ErrorCode::malformed, Fate::failed, "the reply is no description of a bus"};
  const auto& from = *flatbuffers::GetRoot<fbs::Bus>(reply.data());
  Reading read{reply.size()};
  Description to;
  to.name = read.text(from.name());
  to.incarnation = read.text(from.incarnation());
  to.library_version = read.text(from.library_version());
  to.wire_version = from.wire_version();
  to.topics = read.list<TopicDescription>(from.topics(), [&](const fbs::Topic& one) {
    return TopicDescription{read.text(one.name()), read.type(one.type()), one.published(), one.payload_bytes()};
  });
  to.subscriptions = read.list<SubscriptionDescription>(from.subscriptions(), [&](const fbs::Subscription& one) {
    return SubscriptionDescription{read.text(one.pattern()), read.type(one.type()),    read.text(one.group()),
                                   read.text(one.overflow()), one.queue_messages_max(), one.queue_bytes_max(),
                                   read.counts(one.counts())};
  });
  to.services = read.list<ServiceDescription>(from.services(), [&](const fbs::Service& one) {
    return ServiceDescription{read.text(one.name()), read.type(one.request()), read.type(one.reply()), one.servers(),
                              read.counts(one.counts())};
  });
  to.links = read.list<LinkDescription>(from.links(), [&](const fbs::Sink& one) {
    return LinkDescription{read.text(one.name()), read.text(one.kind()), read.text(one.peer()), read.counts(one.counts())};
  });
  to.peers = read.list<PeerDescription>(from.peers(), [&](const fbs::Peer& one) {
    return PeerDescription{read.text(one.name()), read.text(one.incarnation()), read.text(one.endpoint()),
                           read.text(one.state()), one.dialled()};
  });
  to.counters = read.counters(from.counters());
  return to;
} catch (const std::length_error&) {
  return Error{ErrorCode::malformed, Fate::failed, "the reply is no description of a bus"};
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::no_memory, Fate::failed, "no memory for a description"};
}

}  // namespace midplane::inline v0
