/// What peers send, on its way into near routes and servers.

#include <algorithm>

#include "bus/description.hpp"
#include "bus/far_side.hpp"
#include "bus/subscription_core.hpp"
#include "schema/contract.hpp"
#include "schema/schema_limits.hpp"
#include "wire/return_address.hpp"

namespace midplane::inline v0::detail {
namespace {

/// Schemas of one peer that are kept to judge by.
constexpr std::size_t schemas_per_peer_max = 256;
constexpr std::size_t schema_bytes_per_peer_max = std::size_t{4} << 20;

}  // namespace

void FarSide::topic_named(link::PeerId peer, link::FarTopic& topic) noexcept try {
  topic.host = nullptr;
  topic.host = &incoming_of(*known(peer), topic);
} catch (const std::bad_alloc&) {
  // Its messages are lost, and each is told as a gap.
}

void FarSide::schema_arrived(link::PeerId peer, std::uint64_t fingerprint, std::span<const std::byte> bfbs) noexcept try {
  services.schema_arrived(peer, fingerprint, bfbs);
  const auto entry = known(peer);
  std::size_t kept = bfbs.size();
  for (const auto& [known, bytes] : entry->schemas) kept += bytes.size();
  if (entry->schemas.size() >= schemas_per_peer_max || bfbs.size() > schema::far_schema_bytes_max ||
      kept > schema_bytes_per_peer_max)
    return;
  entry->schemas.insert_or_assign(fingerprint, std::vector<std::byte>(bfbs.begin(), bfbs.end()));
} catch (...) {
  // Without it the types do not agree, and that is said.
}

std::vector<std::byte> FarSide::schema_of(std::uint64_t fingerprint) noexcept try {
  const auto known = bus_.verdicts.bfbs_of(fingerprint);
  return known ? *known : std::vector<std::byte>{};
} catch (...) {
  return {};
}

Result<void> FarSide::judge(Known& peer, const wire::FarType& far, const TypeInfo& near) noexcept try {
  if (auto known = bus_.verdicts.known(near, far.fingerprint)) return *known;
  const auto schema = peer.schemas.find(far.fingerprint);
  if (schema == peer.schemas.end())
    return Error{ErrorCode::schema_mismatch, "the types differ, and the peer did not send its schema"};
  return bus_.verdicts.learn(near, far.name, far.fingerprint, schema->second);
} catch (...) {
  return Error{ErrorCode::no_memory, "no memory to compare two schemas"};
}

/// Only the peer's own calls add to its topics; others read them.
FarSide::Incoming& FarSide::incoming_of(Known& peer, const link::FarTopic& topic) {
  const auto found = peer.topics.find(topic.name);
  if (found != peer.topics.end()) return found->second;
  const std::lock_guard lock{mutex_};
  Incoming& fresh = peer.topics[topic.name];
  fresh.from = &peer;
  return fresh;
}

void FarSide::subscription_joined(link::PeerId peer, const link::FarTopic& topic, std::uint32_t id,
                                  std::uint64_t at) noexcept try {
  const auto subscription = ours(id);
  if (!subscription || !matches(subscription->box().name(), topic.name->text)) return;
  const auto entry = known(peer);
  const auto verdict = judge(*entry, topic.type, *subscription->type);
  Incoming& incoming = incoming_of(*entry, topic);
  bool is_new = false;
  {
    const std::lock_guard lock{mutex_};
    if (!entry->ended.empty()) forget_ended(*entry);
    is_new = incoming.audience.insert_or_assign(id, verdict.has_value()).second;
  }
  if (is_new && at + 1 < topic.next)
    subscription->tell({EventKind::gap, topic.name->text, entry->name, {}, at + 1, topic.next - 1}, entry->lanes.get());
  if (incoming.outlet) incoming.outlet->renew_next();
  if (verdict && subscription->is_waiting) {
    if (std::none_of(incoming.waiting.begin(), incoming.waiting.end(), [id](const Waiting& one) { return one.id == id; }))
      incoming.waiting.push_back({id});
    entry->credits->joined(id, subscription->box());
  }
  if (verdict) return;
  bus_.log(LogLevel::error, "link.schema_mismatch", "a peer publishes a type that this subscription does not take",
           "compare the two schemas with midplane-gen --check",
           {{"topic", topic.name->text}, {"peer", entry->name}, {"why", verdict.error().message()}});
  bus_.event(EventKind::schema_mismatch, topic.name->text, verdict.error().message());
  SubscriptionEvent event;
  event.kind = EventKind::schema_mismatch;
  event.topic = topic.name->text;
  event.peer = entry->name;
  event.detail = verdict.error().message();
  subscription->tell(std::move(event), entry->lanes.get());
  bus_.links->refuse_schema(peer, id, topic, verdict.error().with(schema::seen_from_there(verdict.error().detail())));
} catch (...) {
  // Without memory the subscription does not take the topic of this peer; its messages are not for it.
}

void FarSide::schema_refused(link::PeerId peer, std::uint32_t id, std::string_view topic, const Error& why) noexcept {
  const auto entry = known(peer);
  const auto found = entry->subscriptions.find(id);
  if (found == entry->subscriptions.end()) return;
  bus_.topics->leave_far(found->second, topic);
  bus_.log(LogLevel::error, "link.schema_refused", "a peer does not take the type of a topic",
           "compare the two schemas with midplane-gen --check",
           {{"topic", topic}, {"peer", entry->name}, {"why", why.message()}});
  bus_.event(EventKind::schema_mismatch, topic, why.message());
  routes_changed(topic);
}

/// False without memory.
bool FarSide::open_way(Incoming& incoming, const link::FarTopic& topic) noexcept try {
  if (incoming.outlet) return true;
  auto route = bus_.topics->open(topic.name->text);
  if (!route) return false;
  const std::shared_ptr<Lanes>& lanes = incoming.from->lanes;
  const route::OutletOptions options{.sender = lanes.get(), .comes_back = lanes, .audience = &incoming.audience};
  incoming.outlet = std::make_unique<route::Outlet>(std::move(route), options);
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

void FarSide::messages_arrived(link::PeerId peer, const link::FarTopic& topic, std::span<wire::Envelope* const> messages,
                               const link::Arrival& how) noexcept {
  const auto lose = [&] {
    gap(peer, topic, messages.front()->sequence, messages.back()->sequence);
    std::for_each(messages.begin(), messages.end(), [](wire::Envelope* message) { release(message); });
  };
  auto* const incoming = static_cast<Incoming*>(topic.host);
  // Nobody can be offered them: that they are missing is all that can be told.
  if (!incoming || !open_way(*incoming, topic) || !incoming->outlet->refresh()) return lose();
  Known& from = *incoming->from;
  const auto count = static_cast<std::uint32_t>(messages.size());
  std::uint64_t bytes = 0;
  for (const wire::Envelope* message : messages) bytes += message->size;
  // Telling costs more than putting, so it is done once for a frame; a short queue is not kept waiting for its end.
  if (count > 1 && !incoming->outlet->may_tell_later(from.untold + count, from.untold_bytes + bytes)) {
    const std::shared_ptr<Known> kept = known(peer);  // handlers may run in between
    if (from.untold != 0) {
      tell(from);
      return messages_arrived(peer, topic, messages, how);
    }
    for (const auto& message : messages) messages_arrived(peer, topic, {&message, 1}, how);
    return;
  }
  if (how.only != 0) messages.front()->retained = true;
  if (!incoming->waiting.empty()) count_later(*incoming, how.only, messages);
  {
    std::unique_lock lock{from.lanes->flag};
    if (refuses_.load(std::memory_order_relaxed)) [[unlikely]] {
      lock.unlock();
      return incoming->outlet->turn_away(messages, how.groups, how.only, DropReason::closed);
    }
    if (from.lanes->has_turn != peer && !take_turn(peer, *incoming, lock)) [[unlikely]] {
      lock.unlock();
      return lose();
    }
    incoming->outlet->deliver(messages, how.groups, how.only, from.wakes);
  }
  from.untold += count;
  from.untold_bytes += bytes;
  if (!incoming->outlet->may_tell_later(from.untold, from.untold_bytes)) tell(from);
}

/// A link may bring what is left of a bus behind the news of its restart: then the news is told once more in front of
/// the successor's first message. False: that has come already, and what is older is lost. With the lanes' flag held.
bool FarSide::take_turn(link::PeerId peer, Incoming& incoming, std::unique_lock<base::Flag>& lock) noexcept try {
  Lanes& lanes = *incoming.from->lanes;
  if (lanes.all_live) return true;
  if (peer < lanes.spoken) return false;
  if (peer < lanes.newest) {
    for (const auto& [id, agrees] : incoming.audience) lanes.late_readers.insert(static_cast<std::uint32_t>(id));
    return true;
  }
  while (!lanes.late_readers.empty()) {
    const std::set<std::uint32_t> readers = std::exchange(lanes.late_readers, {});
    lock.unlock();
    tell_readers(readers, incoming.from->name, &lanes);
    lock.lock();
  }
  lanes.spoken = lanes.has_turn = peer;
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

void FarSide::tell(Known& from) noexcept {
  from.untold = 0;
  from.untold_bytes = 0;
  from.wakes.tell();
}

/// A credit that is not counted for want of memory makes the window smaller by one message.
void FarSide::count_later(Incoming& incoming, std::uint32_t only, std::span<wire::Envelope* const> messages) noexcept try {
  for (Waiting& one : incoming.waiting) {
    if (only != 0 && only != one.id) continue;
    for (const wire::Envelope* message : messages) one.sizes.push_back(message->size);
  }
  if (incoming.has_sizes) return;
  incoming.from->counted_later.push_back(&incoming);
  incoming.has_sizes = true;
} catch (const std::bad_alloc&) {
}

void FarSide::refuse_new() noexcept {
  refuses_.store(true, std::memory_order_relaxed);
  const std::lock_guard lock{mutex_};
  for (const auto& [id, peer] : peers_) const std::lock_guard passed{peer->lanes->flag};
}

void FarSide::messages_ended(link::PeerId peer) noexcept {
  const auto from = known(peer);
  tell(*from);
  for (Incoming* const incoming : from->counted_later) {
    incoming->has_sizes = false;
    for (Waiting& one : incoming->waiting) {
      if (!one.sizes.empty()) from->credits->offered(one.id, one.sizes);
      one.sizes.clear();
    }
  }
  from->counted_later.clear();
  const std::lock_guard lock{mutex_};
  if (!from->ended.empty()) forget_ended(*from);
}

/// Only the peer's own calls come here, between two messages: nothing else looks at who waits. With the mutex held.
void FarSide::forget_ended(Known& from) noexcept {
  for (auto& [name, incoming] : from.topics) {
    for (const std::uint32_t id : from.ended) {
      incoming.audience.erase(id);
      std::erase_if(incoming.waiting, [id](const Waiting& one) { return one.id == id; });
    }
  }
  from.ended.clear();
}

void FarSide::request_arrived(link::PeerId peer, wire::Envelope* request) noexcept {
  wire::Extra& extra = *request->extra;
  std::vector<call::NearServer> servers;
  std::vector<std::shared_ptr<wire::Sink>> others;
  const auto route = bus_.services->find(request->name->text);
  if (route) route->read(servers, others);
  const auto entry = known(peer);
  bool drains = false;
  mailbox::Runner* taken = nullptr;
  mailbox::Lane* unlisted = nullptr;
  {
    const std::lock_guard lock{entry->lanes->flag};
    drains = refuses_.load(std::memory_order_relaxed) && !std::string_view{request->name->text}.starts_with(own_prefix);
    for (const call::NearServer& server : servers) {
      if (!taken && !drains && !server.runner->closing() && give(*entry, server.runner, request, unlisted)) taken = server.runner;
    }
  }
  if (unlisted) taken->list(*unlisted);  // no lock held: an inline handler runs right here
  for (const call::NearServer& server : servers) server.runner->unref();
  if (taken) return;
  const Error refusal = servers.empty() || drains ? Error{ErrorCode::no_server, "nobody serves this name here any more"}
                                        : Error{ErrorCode::busy, "every server's queue is full; try again later"};
  extra.return_address->fail(extra.correlation, refusal.with(request->name->text));
  release(request);
}

/// Puts a far request into a near server's queue; false when it is full. The lane that is `unlisted` has to be listed.
bool FarSide::give(Known& peer, mailbox::Runner* runner, wire::Envelope* request, mailbox::Lane*& unlisted) noexcept try {
  auto& lane = peer.services[runner];
  if (!lane) {
    lane = runner->open_lane(&peer);
    if (!lane) return false;
    runner->ref();
  }
  if (!lane->reserve(request->size)) return false;
  if (lane->push(request)) unlisted = lane;
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

void FarSide::gap(link::PeerId peer, const link::FarTopic& topic, std::uint64_t first, std::uint64_t last) noexcept {
  const auto entry = known(peer);
  Event event{};
  event.kind = EventKind::gap;
  event.name = topic.name->text;
  event.detail = entry->name;
  event.first = first;
  event.last = last;
  event.at = bus_.clock->now();
  bus_.tell(event);
  std::vector<std::shared_ptr<SubscriptionCore>> subscribers;
  {
    const std::lock_guard lock{mutex_};
    const auto incoming = entry->topics.find(topic.name);
    for (const auto& [id, weak] : subscriptions_) {
      auto subscription = weak.lock();
      if (!subscription || !matches(subscription->box().name(), topic.name->text)) continue;
      // Of an unknown number nobody knows any more who would have got them.
      const bool had_joined = incoming != entry->topics.end() && incoming->second.audience.contains(id);
      if (first == 0 || had_joined) subscribers.push_back(std::move(subscription));
    }
  }
  for (const auto& subscription : subscribers)
    subscription->tell({EventKind::gap, topic.name->text, entry->name, {}, first, last}, entry->lanes.get());
}

}  // namespace midplane::inline v0::detail
