/// What frames of a peer mean. A handler answers false when its record's body is malformed: that ends the connection.

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <midplane/names.hpp>

#include "base/defect.hpp"
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

bool is_data(RecordType type) noexcept { return type == RecordType::message || type == RecordType::item; }

}  // namespace

void Links::receive(Peer& peer, std::span<const std::byte> frame) noexcept {
  raise(counters_.frames);
  const Phase phase = peer.phase;
  // What follows a broken frame can not be trusted, though the transport may bring it before the end.
  if (phase == Phase::refusing || phase == Phase::ended || peer.closing) return;
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
  // The dialling side has drawn the epoch; the listening side learns it, and the incarnation, with the hello.
  const bool knows_epoch = phase != Phase::greeting || peer.info.dialled;
  if ((knows_epoch && reader.head().epoch != peer.head().epoch) ||
      (phase != Phase::greeting && reader.head().incarnation != peer.info.incarnation))
    return raise(counters_.foreign_frames);
  auto ahead = static_cast<std::uint16_t>((reader.head().number - peer.next_frame) & (wire::frame_numbers - 1));
  if (base::defect(base::Defect::frame_number_unchecked)) ahead = 0;
  if (ahead >= wire::frame_numbers / 2) return raise(counters_.repeated_frames);
  if (ahead != 0) return drop_connection(peer, {ErrorCode::malformed, "frames of the peer are missing"});
  peer.next_frame = static_cast<std::uint16_t>((peer.next_frame + 1) & (wire::frame_numbers - 1));
  if (phase == Phase::greeting) {
    if (reader.next(record)) return greet(peer, reader, record);
    return drop_connection(peer, {ErrorCode::malformed, "the peer did not begin with a hello"});
  }
  // The listening side waits for a record that decides: a frame without one is no sign of life, nor is any before it.
  const bool has_records = frame.size() > wire::frame_header_bytes;
  if (has_records && phase != Phase::tentative) peer.heard_at.store(clock_.now().nanoseconds, std::memory_order_relaxed);
  const bool is_agreed = reader.head().version == peer.head().version;
  std::uint32_t data_records = 0;
  bool is_counted = false;
  if (!std::exchange(peer.is_receiving, true)) peer.cork();
  peer.frame_end = frame.data() + frame.size();
  struct RunEnd {
    Links& links;
    Peer& peer;
    ~RunEnd() { links.end_run(peer); }
  } const run_end{*this, peer};
  while (reader.next(record)) {
    if (is_data(record.type)) {
      ++data_records;
      peer.has_untold = true;
    }
    is_counted = is_counted || record.type != RecordType::grant;
    if (record.type == RecordType::refused) {
      const auto why = wire::decode_failure(record.payload);
      const Error cause = why ? *why : Error{ErrorCode::malformed, "the peer refused without saying why"};
      // Once the link is up this is the other side's farewell: it has given us up, and comes back.
      if (peer.phase == Phase::up) return drop_connection(peer, cause);
      return refused(peer, cause);
    }
    if (!is_agreed) {
      raise(counters_.frame_faults[static_cast<std::size_t>(wire::FrameFault::wrong_version)]);
      return drop_connection(peer, {ErrorCode::malformed, "the peer sent a frame of another wire version than agreed"});
    }
    if (peer.phase == Phase::tentative) {
      {
        const std::lock_guard lock{mutex_};
        if (peer.phase != Phase::tentative) return;
        peer.phase = Phase::establishing;
      }
      peer.heard_at.store(clock_.now().nanoseconds, std::memory_order_relaxed);
      establish(peer);
    }
    if (peer.phase != Phase::up) return;
    if (!act_on(peer, record)) {
      raise(counters_.malformed_bodies);
      return drop_connection(peer, {ErrorCode::malformed, "the peer sent a record that is not what its type says"});
    }
  }
  end_run(peer);
  if (is_counted) peer.took(frame.size(), data_records, reader.head().wants_grant);
}

/// What the records of the frames so far have caused is told and sent.
void Links::frames_ended(Peer& peer) noexcept {
  if (!std::exchange(peer.is_receiving, false)) return;
  peer.slab.close();
  if (std::exchange(peer.has_untold, false)) host_.messages_ended(peer.info.id);
  peer.uncork();
  if (withdraws_.load(std::memory_order_relaxed)) [[unlikely]] host_.withdrawal_went_on();
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
  if (record.type == RecordType::message && record.meta.empty()) [[likely]]
    return message_arrived(peer, record, nullptr, nullptr);
  end_run(peer);
  switch (record.type) {
    case RecordType::names: return names_arrived(peer, record);
    case RecordType::subscribe: return subscribe_arrived(peer, record);
    case RecordType::subscribe_confirmed:
    case RecordType::subscribe_refused: return subscription_answered(peer, record);
    case RecordType::unsubscribe: return drop_subscription(peer, static_cast<std::uint32_t>(record.mark)), true;
    case RecordType::serve: return serve_arrived(peer, record);
    case RecordType::heartbeat: return heartbeat_arrived(peer, record);
    case RecordType::grant:
      if (peer.granted(record.mark, record.number)) host_.peer_lives(peer.info);
      return true;
    case RecordType::subscription_grant: return peer.subscription_granted(record.name, record.mark, record.number), true;
    case RecordType::item_grant: return peer.items_granted(record.mark, record.number), true;
    case RecordType::joined: {
      FarTopic* topic = peer.find_topic(record.name);
      if (!topic) return raise(counters_.unknown_names), true;
      // The wire has the low half of the number, which is not ahead of what is expected next.
      const std::uint32_t behind = static_cast<std::uint32_t>(topic->next - 1) - record.number;
      const std::uint64_t at = topic->next - 1 - (behind <= UINT32_MAX / 2 ? std::min<std::uint64_t>(behind, topic->next - 1) : 0);
      host_.subscription_joined(peer.info.id, *topic, static_cast<std::uint32_t>(record.mark), at);
      return true;
    }
    case RecordType::schema_wanted: {
      const std::vector<std::byte> schema = host_.schema_of(record.mark);
      static_cast<void>(peer.send_control({.type = RecordType::schema, .mark = record.mark, .payload = schema}));
      return true;
    }
    case RecordType::schema: return host_.schema_arrived(peer.info.id, record.mark, record.payload), true;
    case RecordType::schema_refused: return schema_refused(peer, record);
    case RecordType::message:
    case RecordType::request:
    case RecordType::reply:
    case RecordType::item: return payload_arrived(peer, record);
    case RecordType::failure:
    case RecordType::finished: return failure_arrived(peer, record);
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
    const wire::Name* name = memory_.intern_far(one.text);
    if (!name) return raise(counters_.no_memory), false;
    if (peer.far_names.capacity() < one.id) peer.far_names.reserve(std::size_t{2} * one.id);
    if (one.service) {
      peer.far_names.push_back({nullptr, name});
      continue;
    }
    auto& seen = peer.remote->seen;
    if (seen.size() >= names_per_link_max && !seen.contains(name)) return false;
    const auto [place, is_new] = seen.try_emplace(name, FarTopic{name, one.type, one.series, one.next_number});
    FarTopic& topic = place->second;
    peer.far_names.push_back({&topic, name});
    topic.type = one.type;
    host_.topic_named(peer.info.id, topic);
    if (!is_new && topic.series != one.series && !base::defect(base::Defect::series_ignored)) {
      // Numbering has begun anew: nobody knows what came between.
      topic.series = one.series;
      topic.next = one.next_number;
      raise(counters_.unknown_gaps);
      host_.gap(peer.info.id, topic, 0, 0);
    } else {
      skipped(peer, topic, one.next_number);
    }
  }
  return true;
} catch (...) {
  return false;
}

bool Links::schema_refused(Peer& peer, const wire::Record& record) noexcept try {
  const auto why = wire::decode_failure(record.payload);
  if (!why) return false;
  std::string topic;
  {
    const std::lock_guard lock{peer.remote->flag};
    const auto id = static_cast<std::uint32_t>(record.mark);
    for (const auto& [name, sink] : peer.remote->topics) {
      if (sink->name_on(peer) != record.name || record.name == 0) continue;
      topic = name;
      sink->remove(id);
    }
    peer.go_on();
  }
  if (topic.empty()) return raise(counters_.unknown_names), true;
  host_.schema_refused(peer.info.id, static_cast<std::uint32_t>(record.mark), topic, *why);
  return true;
} catch (...) {
  return false;
}

void Links::drop_subscription(Peer& peer, std::uint32_t id) noexcept {
  if (base::defect(base::Defect::unsubscribe_skipped)) return;
  peer.far_subscriptions.erase(id);
  {
    const std::lock_guard lock{peer.remote->flag};
    if (peer.remote->subscriptions.erase(id) == 0) return;
    for (const auto& [name, sink] : peer.remote->topics) sink->remove(id);
    peer.go_on();
  }
  host_.peer_unsubscribes(peer.info.id, id);
}

bool Links::subscribe_arrived(Peer& peer, const wire::Record& record) noexcept try {
  const auto wanted = wire::decode_subscribe(record.payload);
  if (!wanted) return false;
  // With those of earlier connections that it has not told again yet.
  std::size_t remembered = 0;
  {
    const std::lock_guard lock{peer.remote->flag};
    const auto& all = peer.remote->subscriptions;
    remembered = all.contains(wanted->id) ? 0 : all.size();
  }
  Result<void> taken;
  if (!valid(wanted->pattern, true)) {
    taken = Error{ErrorCode::invalid_name, "this is no topic and no pattern"};
  } else if (peer.far_subscriptions.size() >= subscriptions_per_peer_max || remembered >= 2 * subscriptions_per_peer_max) {
    taken = Error{ErrorCode::too_large, "this peer has all the subscriptions it may have"};
  } else {
    if (!peer.far_subscriptions.insert(wanted->id).second) return false;
    auto subscription = std::make_shared<FarSubscription>();
    subscription->body = *wanted;
    // Members of a group are chosen by who takes it; no one of them is waited for.
    const Overflow overflow = wanted->queue.overflow;
    subscription->waits = wanted->group.empty() && (overflow == Overflow::refuse || overflow == Overflow::block);
    {
      const std::lock_guard lock{peer.remote->flag};
      auto& place = peer.remote->subscriptions[wanted->id];
      // Its positions are those of an earlier connection: nobody grants them any more.
      if (place) place->waits = false;
      place = std::move(subscription);
    }
    taken = host_.peer_subscribes(peer.info.id, *wanted);
    if (!taken) drop_subscription(peer, wanted->id);
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
  if (peer.told.exchange(true)) return true;
  // What it subscribed over an earlier connection and did not tell again is gone.
  try {
    std::vector<std::uint32_t> gone;
    {
      const std::lock_guard lock{peer.remote->flag};
      for (const auto& [id, subscription] : peer.remote->subscriptions) {
        if (!peer.far_subscriptions.contains(id)) gone.push_back(id);
      }
    }
    for (const std::uint32_t id : gone) drop_subscription(peer, id);
  } catch (...) {
    return false;
  }
  host_.peer_told(peer.info.id);
  return true;
}

void Links::skipped(Peer& peer, FarTopic& topic, std::uint64_t up_to) noexcept {
  if (up_to <= topic.next) return;
  end_run(peer);
  raise(counters_.gaps, up_to - topic.next);
  const std::uint64_t first = std::exchange(topic.next, up_to);
  host_.gap(peer.info.id, topic, first, base::defect(base::Defect::gap_off_by_one) ? up_to : up_to - 1);
}

bool Links::heartbeat_arrived(Peer& peer, const wire::Record& record) noexcept {
  const auto last = wire::decode_heartbeat(record.payload);
  if (!last) return false;
  for (const wire::LastNumberBody& one : *last) {
    FarTopic* topic = peer.find_topic(one.name);
    if (topic && one.number != UINT64_MAX) skipped(peer, *topic, one.number + 1);
    else raise(counters_.unknown_names);
  }
  return true;
}

}  // namespace midplane::inline v0::link
