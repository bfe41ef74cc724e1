/// What frames of a peer mean. A handler answers false when its record's body is malformed: that ends the connection.

#include <cstring>
#include <new>
#include <utility>

#include <midplane/names.hpp>

#include "link/links.hpp"
#include "link/peer_return.hpp"

namespace midplane::inline v0::link {
namespace {

using wire::RecordType;

void raise(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) noexcept {
  counter.fetch_add(by, std::memory_order_relaxed);
}

/// Also names of ours, which start with `_midplane.`.
bool valid(std::string_view name, bool wildcards) noexcept {
  constexpr std::string_view ours = "_midplane.";
  if (name.starts_with(ours) && name.size() <= name_bytes_max) name.remove_prefix(ours.size());
  return detail::check_name(name, wildcards) == detail::NameFault::none;
}

FarTopic* find_name(Peer& peer, std::uint32_t id, bool service) noexcept {
  if (id == 0 || id > peer.far_names.size() || peer.far_names[id - 1].service != service) return nullptr;
  return &peer.far_names[id - 1];
}

}  // namespace

void Links::receive(Peer& peer, std::span<const std::byte> frame) noexcept {
  raise(counters_.frames);
  const Phase phase = peer.phase;
  if (phase == Phase::refusing || phase == Phase::ended) return;
  wire::FrameReader reader;
  const wire::FrameFault fault = reader.open(frame);
  if (fault != wire::FrameFault::none) {
    raise(counters_.frame_faults[static_cast<std::size_t>(fault)]);
    // Wire versions are told apart before anything else is understood, so both sides can be told.
    if (fault == wire::FrameFault::wrong_version && (phase == Phase::greeting || phase == Phase::tentative)) {
      if (!peer.info.dialled) peer.set_epoch(reader.head().epoch);
      return refuse(peer, Error{ErrorCode::version_mismatch, "no wire version that both buses speak"}.with(
                              "there " + std::to_string(reader.head().version)));
    }
    return drop_connection(peer, Error{ErrorCode::malformed, "the peer sent a broken frame"}.with(name_of(fault)));
  }
  wire::Record record;
  if (phase == Phase::greeting) {
    if (reader.next(record)) return greet(peer, reader, record);
    return drop_connection(peer, {ErrorCode::malformed, "the peer did not begin with a hello"});
  }
  if (reader.head().epoch != peer.head().epoch || reader.head().incarnation != peer.info.incarnation)
    return raise(counters_.foreign_frames);
  peer.heard_at.store(clock_.now().nanoseconds, std::memory_order_relaxed);
  while (reader.next(record)) {
    if (record.type == RecordType::refused) {
      const auto why = wire::decode_failure(record.payload);
      return refused(peer, why ? *why : Error{ErrorCode::malformed, "the peer refused without saying why"});
    }
    if (peer.phase == Phase::tentative) {
      {
        const std::lock_guard lock{mutex_};
        if (peer.phase != Phase::tentative) return;
        peer.phase = Phase::establishing;
      }
      establish(peer);
    }
    if (peer.phase != Phase::up) return;
    if (!act_on(peer, record)) {
      raise(counters_.malformed_bodies);
      return drop_connection(peer, {ErrorCode::malformed, "the peer sent a record that is not what its type says"});
    }
  }
}

void Links::drop_connection(Peer& peer, const Error& why) noexcept {
  {
    const std::lock_guard lock{mutex_};
    if (peer.closing.exchange(true)) return;
    peer.ended_by = why;
  }
  peer.transport.disconnect(peer.connection);
}

bool Links::act_on(Peer& peer, const wire::Record& record) noexcept {
  switch (record.type) {
    case RecordType::names: return names_arrived(peer, record);
    case RecordType::subscribe: return subscribe_arrived(peer, record);
    case RecordType::subscribe_confirmed:
    case RecordType::subscribe_refused: return subscription_answered(peer, record);
    case RecordType::unsubscribe: {
      const auto id = static_cast<std::uint32_t>(record.mark);
      if (peer.far_subscriptions.erase(id) != 0) host_.peer_unsubscribes(peer.info.id, id);
      return true;
    }
    case RecordType::serve: return serve_arrived(peer, record);
    case RecordType::heartbeat: return heartbeat_arrived(peer, record);
    case RecordType::message: return message_arrived(peer, record);
    case RecordType::request: return request_arrived(peer, record);
    case RecordType::reply:
    case RecordType::failure: return answer_arrived(peer, record);
    case RecordType::cancel: return peer.cancel_served(record.mark), true;
    case RecordType::hello: return false;
    default: return raise(counters_.unknown_records), true;
  }
}

bool Links::names_arrived(Peer& peer, const wire::Record& record) noexcept try {
  const auto names = wire::decode_names(record.payload);
  if (!names) return false;
  for (const wire::NameBody& one : *names) {
    const bool follows = one.id == peer.far_names.size() + 1 && one.id <= names_per_link_max;
    if (!follows || one.next_number == 0 || !valid(one.text, false)) return false;
    const wire::Name* name = memory_.intern(one.text);
    if (!name) return false;
    peer.far_names.push_back({name, one.type, one.service, one.next_number});
  }
  return true;
} catch (...) {
  return false;
}

bool Links::subscribe_arrived(Peer& peer, const wire::Record& record) noexcept try {
  const auto wanted = wire::decode_subscribe(record.payload);
  if (!wanted) return false;
  Result<void> taken;
  if (!valid(wanted->pattern, true)) {
    taken = Error{ErrorCode::invalid_name, "this is no topic and no pattern"};
  } else if (peer.far_subscriptions.size() >= subscriptions_per_peer_max) {
    taken = Error{ErrorCode::too_large, "this peer has all the subscriptions it may have"};
  } else {
    if (!peer.far_subscriptions.insert(wanted->id).second) return false;
    taken = host_.peer_subscribes(peer.info.id, *wanted);
    if (!taken) peer.far_subscriptions.erase(wanted->id);
  }
  wire::Body why;
  if (!taken) why = wire::encode(taken.error());
  static_cast<void>(peer.send_control({.type = taken ? RecordType::subscribe_confirmed : RecordType::subscribe_refused,
                                       .mark = wanted->id,
                                       .payload = why}));
  return true;
} catch (...) {
  return false;
}

bool Links::subscription_answered(Peer& peer, const wire::Record& record) noexcept try {
  const auto id = static_cast<std::uint32_t>(record.mark);
  const bool confirmed = record.type == RecordType::subscribe_confirmed;
  const auto why = confirmed ? std::nullopt : wire::decode_failure(record.payload);
  if (!confirmed && !why) return false;
  {
    const std::lock_guard lock{mutex_};
    const auto found = subscriptions_.find(id);
    if (found == subscriptions_.end()) return true;  // it was taken back meanwhile
    found->second.answers.insert_or_assign(peer.info.id, confirmed);
  }
  if (confirmed) host_.subscription_confirmed(id, peer.info.id);
  else host_.subscription_refused(id, peer.info.id, *why);
  return true;
} catch (...) {
  return false;
}

bool Links::serve_arrived(Peer& peer, const wire::Record& record) noexcept {
  const auto changes = wire::decode_serve(record.payload);
  if (!changes) return false;
  for (const wire::OfferedBody& one : changes->offered) {
    if (!valid(one.service, false)) return false;
  }
  host_.peer_serves(peer.info.id, *changes);
  if (!peer.told.exchange(true)) host_.peer_told(peer.info.id);
  return true;
}

void Links::skipped(Peer& peer, FarTopic& topic, std::uint64_t up_to) noexcept {
  if (up_to <= topic.next) return;
  raise(counters_.gaps, up_to - topic.next);
  const std::uint64_t first = std::exchange(topic.next, up_to);
  host_.gap(peer.info.id, topic, first, up_to - 1);
}

bool Links::heartbeat_arrived(Peer& peer, const wire::Record& record) noexcept {
  const auto last = wire::decode_heartbeat(record.payload);
  if (!last) return false;
  for (const wire::LastNumberBody& one : *last) {
    if (FarTopic* topic = find_name(peer, one.name, false)) skipped(peer, *topic, one.number + 1);
    else raise(counters_.unknown_names);
  }
  return true;
}

bool Links::message_arrived(Peer& peer, const wire::Record& record) noexcept {
  FarTopic* topic = find_name(peer, record.name, false);
  if (!topic) return raise(counters_.unknown_names), true;
  // The wire has the low half of the number; what is more than half a turn ahead lies behind.
  const std::uint32_t ahead = record.number - static_cast<std::uint32_t>(topic->next);
  if (ahead > UINT32_MAX / 2) return raise(counters_.stale_numbers), true;
  const std::uint64_t number = topic->next + ahead;
  skipped(peer, *topic, number);
  wire::Meta meta;
  if (!record.meta.empty()) {
    auto decoded = wire::decode_meta(record.meta);
    if (!decoded) return false;
    meta = std::move(*decoded);
  }
  wire::Envelope* envelope = copy_in(peer, record, wire::Kind::message, topic->name, meta);
  if (!envelope) return skipped(peer, *topic, number + 1), true;
  topic->next = number + 1;
  envelope->sequence = number;
  envelope->sent_at = static_cast<std::int64_t>(record.mark);
  host_.message_arrived(peer.info.id, *topic, envelope, (record.flags & wire::retained_flag) != 0);
  return true;
}

bool Links::request_arrived(Peer& peer, const wire::Record& record) noexcept {
  const auto refuse_it = [&](const Error& why) {
    const wire::Body body = wire::encode(why);
    static_cast<void>(peer.send_control({.type = RecordType::failure, .mark = record.mark, .payload = body}));
    return true;
  };
  wire::Meta meta;
  if (!record.meta.empty()) {
    auto decoded = wire::decode_meta(record.meta);
    if (!decoded) return false;
    meta = std::move(*decoded);
  }
  const FarTopic* service = find_name(peer, record.name, true);
  if (!service) {
    raise(counters_.unknown_names);
    return refuse_it({ErrorCode::malformed, "the request names no service"});
  }
  if (record.number != wire::remaining_in_meta) meta.remaining_ns = std::int64_t{record.number} * 1000;
  if (meta.remaining_ns == 0) return refuse_it({ErrorCode::expired, "the deadline passed on the way"});
  if (!peer.open_served(record.mark))
    return refuse_it({ErrorCode::busy, "as many requests of this peer as may be are unanswered"});
  wire::Envelope* envelope = copy_in(peer, record, wire::Kind::request, service->name, meta);
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

bool Links::answer_arrived(Peer& peer, const wire::Record& record) noexcept {
  const Peer::Asker asker = peer.answered(record.mark);
  if (!asker.address) return raise(counters_.stale_replies), true;
  bool sound = true;
  if (record.type == RecordType::failure) {
    const auto why = wire::decode_failure(record.payload);
    sound = why.has_value();
    asker.address->fail(asker.correlation,
                        why ? *why : Error{ErrorCode::malformed, Fate::maybe_executed, "the answer is no valid record"});
  } else {
    auto meta = record.meta.empty() ? std::optional<wire::Meta>{wire::Meta{}} : wire::decode_meta(record.meta);
    sound = meta.has_value();
    wire::Envelope* envelope = sound ? copy_in(peer, record, wire::Kind::reply, asker.service, *meta) : nullptr;
    if (envelope) {
      envelope->extra->correlation = asker.correlation;
      asker.address->reply(asker.correlation, envelope);
    } else if (sound) {
      asker.address->fail(asker.correlation, {ErrorCode::no_memory, Fate::failed, "no payload memory for the reply"});
    } else {
      asker.address->fail(asker.correlation, {ErrorCode::malformed, Fate::failed, "the reply is no valid record"});
    }
  }
  asker.address->unref();
  return sound;
}

wire::Envelope* Links::copy_in(Peer& peer, const wire::Record& record, wire::Kind kind, const wire::Name* name,
                               wire::Meta& meta) noexcept {
  static_assert(sizeof(wire::Extra) % wire::payload_alignment == 0, "the payload behind it begins aligned");
  wire::Envelope* envelope = depot_.acquire(record.payload.size(), true, false);
  const Headers* headers = nullptr;
  if (envelope && meta.headers) headers = new (std::nothrow) Headers{std::move(*meta.headers)};
  if (!envelope || (meta.headers && !headers)) {
    raise(counters_.no_memory);
    if (envelope) detail::release(envelope);
    return nullptr;
  }
  std::byte* payload = envelope->block() + sizeof(wire::Extra);
  if (!record.payload.empty()) std::memcpy(payload, record.payload.data(), record.payload.size());
  envelope->payload = payload;
  envelope->size = static_cast<std::uint32_t>(record.payload.size());
  envelope->name = name;
  envelope->kind = kind;
  envelope->extra->headers = headers;
  envelope->extra->peer = peer.name;
  if (meta.remaining_ns >= 0) envelope->extra->deadline = clock_.now() + Duration{meta.remaining_ns};
  return envelope;
}

}  // namespace midplane::inline v0::link
