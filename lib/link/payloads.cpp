/// Records that carry a user's payload: messages, requests, replies, items of streams; whole or in pieces. A handler
/// answers false when the record is not what its type says: that ends the connection.

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "link/links.hpp"
#include "link/peer_return.hpp"

namespace midplane::inline v0::link {
namespace {

using wire::RecordType;

void raise(std::atomic<std::uint64_t>& counter) noexcept { counter.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

bool Links::payload_arrived(Peer& peer, const wire::Record& record) noexcept {
  wire::Meta meta;
  if (!record.meta.empty()) [[unlikely]] {
    auto decoded = wire::decode_meta(record.meta);
    if (!decoded) return false;
    meta = std::move(*decoded);
  }
  if (meta.fragment) return piece_arrived(peer, record, std::move(meta));
  return complete(peer, record, meta, nullptr);
}

bool Links::piece_arrived(Peer& peer, const wire::Record& record, wire::Meta meta) noexcept {
  Assembly& assembly = peer.assembly;
  const wire::FragmentBody fragment = *meta.fragment;
  if (fragment.offset == 0) {
    if (assembly.total != 0 || fragment.total == 0 || fragment.total > options_.message_bytes_max) return false;
    assembly.record = record;
    assembly.record.payload = {};
    assembly.record.meta = {};
    assembly.total = fragment.total;
    assembly.meta = std::move(meta);
    assembly.envelope = acquire(fragment.total);
    assembly.is_skipped = assembly.envelope == nullptr;
  }
  if (!assembly.follows(record, fragment)) return false;
  assembly.append(record.payload);
  if (!assembly.is_complete()) return true;
  const wire::Record first = assembly.record;
  meta = std::move(assembly.meta);
  wire::Envelope* whole = std::exchange(assembly.envelope, nullptr);
  const bool is_skipped = assembly.is_skipped;
  assembly.reset();
  if (!is_skipped) return complete(peer, first, meta, whole);
  // There was no memory for it: as if it had been lost, each kind in its way.
  raise(counters_.no_memory);
  switch (first.type) {
    case RecordType::message:
      if (FarTopic* topic = peer.find_topic(first.name)) {
        const std::uint32_t ahead = first.number - static_cast<std::uint32_t>(topic->next);
        if (ahead <= UINT32_MAX / 2 && (first.flags & wire::retained_flag) == 0) skipped(peer, *topic, topic->next + ahead + 1);
      }
      return true;
    case RecordType::request: {
      const wire::Body body = wire::encode(Error{ErrorCode::no_memory, "the payload memory of the server is used up"});
      static_cast<void>(peer.send_control({.type = RecordType::failure, .mark = first.mark, .payload = body}));
      return true;
    }
    default: {
      const Peer::Asker asker = peer.answered(first.mark);
      if (!asker.address) return true;
      asker.address->fail(asker.correlation, {ErrorCode::no_memory, Fate::failed, "no payload memory for the reply"});
      asker.address->unref();
      return true;
    }
  }
}

/// `assembled`: the payload is in there already; taken over.
bool Links::complete(Peer& peer, const wire::Record& record, wire::Meta& meta, wire::Envelope* assembled) noexcept {
  switch (record.type) {
    case RecordType::message: return message_arrived(peer, record, &meta, assembled);
    case RecordType::request: return request_arrived(peer, record, meta, assembled);
    case RecordType::item: return item_arrived(peer, record, meta, assembled);
    default: return reply_arrived(peer, record, meta, assembled);
  }
}

bool Links::message_arrived(Peer& peer, const wire::Record& record, wire::Meta* meta, wire::Envelope* assembled) noexcept {
  FarTopic* topic = peer.find_topic(record.name);
  // The wire has the low half of the number; what is more than half a turn ahead lies behind.
  const std::uint32_t ahead = topic ? record.number - static_cast<std::uint32_t>(topic->next) : 0;
  const bool is_retained = (record.flags & wire::retained_flag) != 0;
  if (is_retained && (!meta || meta->subscription == 0)) {
    // It has no number of its own, so it must not reach those who count numbers.
    if (assembled) detail::release(assembled);
    return false;
  }
  if (!topic || (ahead > UINT32_MAX / 2 && !is_retained)) {
    raise(topic ? counters_.stale_numbers : counters_.unknown_names);
    if (assembled) detail::release(assembled);
    return true;
  }
  const std::uint64_t number = is_retained ? topic->next - 1 : topic->next + ahead;
  if (!is_retained && (number < topic->next || number == UINT64_MAX)) {
    // Numbers end where the next one would turn over.
    if (assembled) detail::release(assembled);
    return false;
  }
  skipped(peer, *topic, number);
  wire::Envelope* envelope = fill(peer, record, wire::Kind::message, topic->name, meta, assembled);
  if (!envelope) return skipped(peer, *topic, number + 1), true;
  topic->next = number + 1;
  envelope->sequence = number;
  envelope->sent_at = static_cast<std::int64_t>(record.mark);
  if (meta) {
    host_.messages_arrived(peer.info.id, *topic, {&envelope, 1}, {meta->groups, is_retained ? meta->subscription : 0});
    return true;
  }
  Peer::Run& run = peer.run;
  if (run.size == run.messages.size() || run.topic != topic) end_run(peer);
  run.topic = topic;
  run.messages[run.size++] = envelope;
  return true;
}

void Links::end_run(Peer& peer) noexcept {
  const std::size_t size = std::exchange(peer.run.size, 0);
  if (size == 0) return;
  // A handler may run in there, and may move links.
  std::array<wire::Envelope*, std::tuple_size_v<decltype(peer.run.messages)>> messages;
  std::copy_n(peer.run.messages.data(), size, messages.data());
  host_.messages_arrived(peer.info.id, *peer.run.topic, {messages.data(), size}, {});
}

bool Links::request_arrived(Peer& peer, const wire::Record& record, wire::Meta& meta, wire::Envelope* assembled) noexcept {
  const auto refuse_it = [&](const Error& why) {
    const wire::Body body = wire::encode(why);
    static_cast<void>(peer.send_control({.type = RecordType::failure, .mark = record.mark, .payload = body}));
    if (assembled) detail::release(assembled);
    return true;
  };
  const wire::Name* service = peer.find_service(record.name);
  if (!service) {
    raise(counters_.unknown_names);
    return refuse_it({ErrorCode::malformed, "the request names no service"});
  }
  if (record.number != wire::remaining_in_meta) meta.remaining_ns = std::int64_t{record.number} * 1000;
  if (meta.remaining_ns == 0) return refuse_it({ErrorCode::expired, "the deadline passed on the way"});
  if (!peer.open_served(record.mark, meta.stream_items))
    return refuse_it({ErrorCode::busy, "as many requests of this peer as may be are unanswered"});
  wire::Envelope* envelope = fill(peer, record, wire::Kind::request, service, &meta, assembled);
  if (!envelope) {
    peer.return_address()->fail(record.mark, {ErrorCode::no_memory, "the payload memory of the server is used up"});
    return true;
  }
  peer.return_address()->ref();
  envelope->extra->return_address = peer.return_address();
  envelope->extra->correlation = record.mark;
  host_.request_arrived(peer.info.id, envelope);
  return true;
}

bool Links::reply_arrived(Peer& peer, const wire::Record& record, wire::Meta& meta, wire::Envelope* assembled) noexcept {
  const Peer::Asker asker = peer.answered(record.mark);
  if (!asker.address) {
    raise(counters_.stale_replies);
    if (assembled) detail::release(assembled);
    return true;
  }
  if (wire::Envelope* envelope = fill(peer, record, wire::Kind::reply, asker.service, &meta, assembled)) {
    envelope->extra->correlation = asker.correlation;
    asker.address->reply(asker.correlation, envelope);
  } else {
    asker.address->fail(asker.correlation, {ErrorCode::no_memory, Fate::failed, "no payload memory for the reply"});
  }
  asker.address->unref();
  return true;
}

bool Links::item_arrived(Peer& peer, const wire::Record& record, wire::Meta& meta, wire::Envelope* assembled) noexcept {
  Peer::Asker asker = peer.item_arrived(record.mark, record.number);
  if (!asker.address) {
    raise(counters_.stale_replies);
    if (assembled) detail::release(assembled);
    return true;
  }
  const auto give_up = [&](const Error& why) {
    const Peer::Asker open = peer.answered(record.mark);
    if (!open.address) return;
    static_cast<void>(peer.send_control({.type = RecordType::cancel, .mark = record.mark}));
    open.address->fail(open.correlation, why);
    open.address->unref();
  };
  if (wire::Envelope* envelope = fill(peer, record, wire::Kind::reply, asker.service, &meta, assembled)) {
    envelope->extra->correlation = asker.correlation;
    const wire::ItemSent given = asker.address->item(asker.correlation, envelope);
    if (given != wire::ItemSent::queued) detail::release(envelope);
    if (given == wire::ItemSent::no_credit)
      give_up({ErrorCode::malformed, Fate::failed, "the server sent more items than it was granted"});
  } else {
    give_up({ErrorCode::no_memory, Fate::failed, "no payload memory for an item of the stream"});
  }
  asker.address->unref();
  return true;
}

bool Links::failure_arrived(Peer& peer, const wire::Record& record) noexcept {
  const Peer::Asker asker = peer.answered(record.mark);
  if (!asker.address) return raise(counters_.stale_replies), true;
  const bool is_failure = record.type == RecordType::failure;
  const auto why = is_failure ? wire::decode_failure(record.payload) : std::nullopt;
  const bool is_sound = is_failure ? why.has_value() : asker.is_stream;
  if (why) asker.address->fail(asker.correlation, *why);
  else if (is_sound) asker.address->reply(asker.correlation, nullptr);
  else if (!is_failure) asker.address->fail(asker.correlation, wire::answers_many());
  else asker.address->fail(asker.correlation, {ErrorCode::malformed, Fate::maybe_executed, "the answer is no valid record"});
  asker.address->unref();
  return is_sound || !is_failure;
}

/// An envelope whose payload begins aligned; null when the payload memory is used up.
wire::Envelope* Links::acquire(std::size_t bytes) noexcept {
  static_assert(sizeof(wire::Extra) % wire::payload_alignment == 0, "the payload behind it begins aligned");
  wire::Envelope* envelope = depot_.acquire(bytes, true, false);
  if (!envelope) return nullptr;
  envelope->payload = envelope->block() + sizeof(wire::Extra);
  envelope->size = static_cast<std::uint32_t>(bytes);
  return envelope;
}

wire::Envelope* Links::fill(Peer& peer, const wire::Record& record, wire::Kind kind, const wire::Name* name,
                            wire::Meta* meta, wire::Envelope* assembled) noexcept {
  // Most messages say no more than who sent them, and share what says it.
  const bool is_plain = kind == wire::Kind::message && !assembled && (!meta || (!meta->headers && meta->remaining_ns < 0));
  if (is_plain) {
    const auto expected = static_cast<std::size_t>(peer.frame_end - record.payload.data());
    wire::Envelope* plain = peer.slab.carve(depot_, record.payload.size(), expected);
    if (!plain) plain = depot_.acquire(record.payload.size(), false, false);
    if (!plain) return raise(counters_.no_memory), nullptr;
    std::memcpy(plain->block(), record.payload.data(), record.payload.size());
    plain->size = static_cast<std::uint32_t>(record.payload.size());
    plain->name = name;
    plain->extra = peer.remote->sent_by;
    return plain;
  }
  wire::Envelope* envelope = assembled ? assembled : acquire(record.payload.size());
  const bool has_headers = meta && meta->headers;
  const Headers* headers = nullptr;
  if (envelope && has_headers) headers = new (std::nothrow) Headers{std::move(*meta->headers)};
  if (!envelope || (has_headers && !headers)) {
    raise(counters_.no_memory);
    if (envelope) detail::release(envelope);
    return nullptr;
  }
  if (!assembled && !record.payload.empty())
    std::memcpy(const_cast<std::byte*>(envelope->payload), record.payload.data(), record.payload.size());
  envelope->name = name;
  envelope->kind = kind;
  envelope->extra->headers = headers;
  envelope->extra->peer = peer.remote->interned;
  if (meta && meta->remaining_ns >= 0) envelope->extra->deadline = clock_.now() + Duration{meta->remaining_ns};
  return envelope;
}

}  // namespace midplane::inline v0::link
