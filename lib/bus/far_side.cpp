#include "bus/far_side.hpp"

#include <algorithm>
#include <set>

#include "base/defect.hpp"
#include "bus/errand.hpp"
#include "bus/subscription_core.hpp"
#include "wire/return_address.hpp"

namespace midplane::inline v0::detail {
namespace {

wire::FarType far_type(const TypeInfo& type) { return {std::string{type.name}, type.fingerprint}; }

/// Ids of far subscriptions stay apart from near ones.
route::SubscriptionId far_id(link::PeerId peer, std::uint32_t id) noexcept {
  return (static_cast<std::uint64_t>(peer) << 32) | id;
}

}  // namespace

FarSide::FarSide(BusCore& bus) : services{bus}, bus_{bus}, incarnation_{bus.random->next(), bus.random->next()} {}

FarSide::~FarSide() {
  for (const auto& [id, peer] : peers_) leave_servers(*peer);
}

void FarSide::leave_servers(Known& peer) noexcept {
  for (const auto& [runner, lane] : peer.services) {
    runner->close_lane(*lane);
    runner->unref();
  }
  peer.services.clear();
}

Result<void> FarSide::attach(std::unique_ptr<Transport> transport) {
  if (!bus_.links) {
    link::LinkOptions options;
    options.bus = bus_.name;
    options.incarnation = incarnation_;
    options.message_bytes_max = bus_.limits.message_bytes_max;
    options.heartbeat = bus_.heartbeat;
    options.redial_max = bus_.redial_max;
    options.wait = bus_.wait;
    auto links = link::Links::make(options, *this, *bus_.clock, *bus_.random, *bus_.executor, *bus_.memory);
    if (!links) return Error{ErrorCode::no_memory, "no memory for links"};
    bus_.links = std::move(links);
    std::map<std::uint32_t, wire::SubscribeBody> told;
    std::map<std::string, wire::OfferedBody> offers;
    {
      const std::lock_guard lock{mutex_};
      told = our_subscriptions_;
      offers = our_offers_;
    }
    for (const auto& [id, body] : told) {
      if (auto added = bus_.links->add_subscription(body); !added) return added;
    }
    for (const auto& [name, body] : offers) {
      if (auto added = bus_.links->add_service(body); !added) return added;
    }
  }
  return bus_.links->attach(std::move(transport));
}

Result<void> FarSide::subscribe(const std::shared_ptr<SubscriptionCore>& subscription, const RawSubscription& what,
                                const Queue& queue, const std::string& group) {
  const wire::SubscribeBody body{subscription->id, what.pattern, far_type(*what.type), queue, group};
  {
    const std::lock_guard lock{mutex_};
    subscriptions_[subscription->id] = subscription;
    our_subscriptions_[subscription->id] = body;
  }
  return bus_.links ? bus_.links->add_subscription(body) : ok();
}

/// Only those that are there: so no more wait to be forgotten than there are readers.
void FarSide::forget_later(Known& peer, std::uint32_t id) noexcept try {
  const bool reads = std::any_of(peer.topics.begin(), peer.topics.end(),
                                 [id](const auto& topic) { return topic.second.audience.contains(id); });
  if (reads) peer.ended.push_back(id);
} catch (const std::bad_alloc&) {
  // It stays among the readers until the peer is forgotten, and gets nothing.
}

void FarSide::unsubscribe(std::uint32_t id) noexcept {
  std::string pattern;
  {
    const std::lock_guard lock{mutex_};
    const auto found = our_subscriptions_.find(id);
    if (found == our_subscriptions_.end()) return;
    pattern = found->second.pattern;
    our_subscriptions_.erase(found);
    subscriptions_.erase(id);
    for (const auto& [peer, known] : peers_) {
      known->credits->ended(id);
      forget_later(*known, id);
    }
  }
  if (bus_.links) bus_.links->remove_subscription(id);
  routes_changed(pattern);
}

Result<void> FarSide::offer(std::string_view service, const TypeInfo& question, const TypeInfo& answer) {
  const wire::OfferedBody body{std::string{service}, far_type(question), far_type(answer)};
  {
    const std::lock_guard lock{mutex_};
    int& servers = offered_[std::string{service}];
    if (servers == 0) our_offers_.insert_or_assign(std::string{service}, body);
    if (servers++ != 0) return ok();
  }
  return bus_.links ? bus_.links->add_service(body) : ok();
}

void FarSide::withdraw(std::string_view service) noexcept {
  {
    const std::lock_guard lock{mutex_};
    const auto found = offered_.find(service);
    if (found == offered_.end() || --found->second > 0) return;
    offered_.erase(found);
    our_offers_.erase(std::string{service});
  }
  if (bus_.links) bus_.links->remove_service(service);
}

Result<void> FarSide::wait_ready(std::uint32_t id, Duration duration) {
  auto waited = readiness.wait(*bus_.executor, *bus_.clock, duration, [this, id] {
    return bus_.refuses() || !bus_.links || bus_.links->readiness(id).outstanding == 0;
  });
  if (waited && bus_.refuses()) return closed_handle();
  return waited;
}

void FarSide::when_ready(std::uint32_t id, Function<void(Result<void>)> fn) {
  readiness.when([this, id] { return bus_.refuses() || !bus_.links || bus_.links->readiness(id).outstanding == 0; },
                 [this, fn = std::move(fn)]() mutable {
                   post(bus_, "confirmed", [fn = std::move(fn)](BusCore* here) mutable { fn(is_ready_unless_closed(here)); });
                 });
}

std::shared_ptr<FarSide::Known> FarSide::known(link::PeerId peer) noexcept {
  const std::lock_guard lock{mutex_};
  auto& entry = peers_[peer];
  if (!entry) {
    entry = std::make_shared<Known>();
    entry->lanes = std::make_shared<Lanes>();
    entry->credits = std::make_shared<FarCredits>(bus_.links, peer, entry->lanes);
  }
  return entry;
}

std::shared_ptr<SubscriptionCore> FarSide::ours(std::uint32_t id) noexcept {
  const std::lock_guard lock{mutex_};
  const auto found = subscriptions_.find(id);
  return found == subscriptions_.end() ? nullptr : found->second.lock();
}

void FarSide::peer_up(const link::PeerInfo& peer) noexcept {
  std::optional<Forgotten> before;
  {
    const std::lock_guard lock{mutex_};
    if (const auto found = forgotten_.find(peer.name); found != forgotten_.end()) {
      before = std::move(found->second);
      forgotten_.erase(found);
    }
  }
  if (before) pass_lanes(before->lanes, peer.id);
  const auto entry = known(peer.id);
  entry->name = peer.name;
  entry->incarnation = peer.incarnation;
  entry->credits->begin();
  if (before && before->id == peer.id) restore_readers(*entry, *before);
  if (before && before->incarnation != peer.incarnation) tell_restart(before->readers, peer.name, entry->lanes.get());
  const bool is_again = end_trouble(peer.name);
  const bool is_reached = end_trouble(peer.endpoint);
  bus_.log(is_again || is_reached ? LogLevel::warning : LogLevel::info, "link.peer_up",
           is_again ? "a link is up again" : is_reached ? "a link is up: the address is reached now" : "a link is up", {},
           {{"peer", peer.name}, {"endpoint", peer.endpoint}});
  if (peer.name == bus_.name)
    bus_.log(LogLevel::error, "link.same_name", "a peer has the name of this bus: people can not tell them apart",
             "give each bus its own BusOptions::name", {{"peer", peer.name}, {"endpoint", peer.endpoint}});
  bus_.event(EventKind::peer_up, peer.name, peer.endpoint);
  bus_.peers_changed();
}

void FarSide::peer_lost(const link::PeerInfo& peer, const Error& why, bool in_order) noexcept {
  const auto entry = known(peer.id);
  std::vector<std::shared_ptr<SubscriptionCore>> subscribers;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& [id, weak] : subscriptions_) {
      if (auto subscription = weak.lock()) subscribers.push_back(std::move(subscription));
    }
  }
  services.lost(peer.id);
  leave_servers(*entry);
  if (!in_order) begin_trouble(peer.name);
  bus_.log(in_order ? LogLevel::info : LogLevel::warning, "link.peer_lost", "a link ended",
           bus_.phase.load() == Phase::closed ? "this bus is closed"
           : peer.dialled                     ? "it is dialled again"
                                              : "the peer has to dial again",
           {{"peer", peer.name}, {"endpoint", peer.endpoint}, {"why", why.message()}});
  bus_.event(EventKind::peer_lost, peer.name, why.message());
  for (const auto& subscription : subscribers) {
    SubscriptionEvent event;
    event.kind = EventKind::peer_lost;
    event.peer = peer.name;
    event.detail = why.message();
    subscription->tell(std::move(event), entry->lanes.get());
  }
  bus_.peers_changed();
}

void FarSide::peer_forgotten(link::PeerId peer, const link::PeerInfo* successor) noexcept {
  std::shared_ptr<Known> gone;
  std::size_t others = 0;  // of its name, that live
  link::PeerId other_one = link::PeerId::none;
  {
    const std::lock_guard lock{mutex_};
    const auto found = peers_.find(peer);
    if (found == peers_.end()) return;
    gone = std::move(found->second);
    peers_.erase(found);
    for (const auto& [id, other] : peers_) {
      if (other->lanes != gone->lanes) continue;
      ++others;
      other_one = id;
    }
  }
  if (!successor) static_cast<void>(end_trouble(gone->name));
  for (const auto& [id, subscription] : gone->subscriptions) bus_.topics->unsubscribe_far(subscription);
  routes_changed(">");
  if (gone->is_succeeded) return;
  if (others != 0 && !successor) {
    Lanes& lanes = *gone->lanes;
    const std::lock_guard flagged{lanes.flag};
    if (others > 1 || !lanes.all_live) return;
    // It may have come before the one that is gone, and is nobody's predecessor all the same.
    lanes.newest = other_one;
    lanes.spoken = lanes.has_turn = link::PeerId::none;
    lanes.late_readers.clear();
    lanes.all_live = false;
    return;  // the readers have heard of the others
  }
  if (!successor) return keep_readers(peer, *gone);
  pass_lanes(gone->lanes, successor->id);
  tell_restart(readers_of(*gone), successor->name, gone->lanes.get());
}

void FarSide::peer_succeeds(const link::PeerInfo& peer, link::PeerId before) noexcept {
  const auto entry = known(before);
  pass_lanes(entry->lanes, peer.id);
  entry->is_succeeded = true;
  tell_restart(readers_of(*entry), peer.name, entry->lanes.get());
}

void FarSide::peer_lives(const link::PeerInfo& peer) noexcept {
  const auto entry = known(peer.id);
  {
    const std::lock_guard flagged{entry->lanes->flag};
    entry->lanes->all_live = true;
  }
  entry->is_succeeded = false;
  bus_.log(LogLevel::error, "link.same_name", "two buses of one name are linked: nobody can tell whose messages, restarts and losses are told of",
           "give each bus its own BusOptions::name", {{"peer", peer.name}, {"endpoint", peer.endpoint}});
}

/// The messages of the successor go on in the lanes of the one before, so that the event stands between the two.
void FarSide::pass_lanes(const std::shared_ptr<Lanes>& lanes, link::PeerId successor) {
  auto next = std::make_shared<Known>();
  next->lanes = lanes;
  next->credits = std::make_shared<FarCredits>(bus_.links, successor, lanes);
  {
    const std::lock_guard flagged{lanes->flag};
    lanes->newest = std::max(lanes->newest, successor);
    lanes->has_turn = link::PeerId::none;
  }
  const std::lock_guard lock{mutex_};
  peers_.try_emplace(successor, std::move(next));
}

std::set<std::uint32_t> FarSide::readers_of(const Known& peer) {
  std::set<std::uint32_t> readers;
  const std::lock_guard lock{mutex_};
  for (const auto& [name, incoming] : peer.topics) {
    for (const auto& [id, agrees] : incoming.audience) readers.insert(static_cast<std::uint32_t>(id));
  }
  return readers;
}

/// So that they can be told when it comes back restarted, however late.
void FarSide::keep_readers(link::PeerId id, const Known& peer) noexcept try {
  Forgotten forgotten{peer.incarnation, id, readers_of(peer), {}, peer.lanes};
  if (forgotten.readers.empty()) return;
  for (const auto& [name, incoming] : peer.topics) forgotten.audiences.emplace(name, incoming.audience);
  const std::lock_guard lock{mutex_};
  if (forgotten_.size() >= link::away_max) forgotten_.erase(forgotten_.begin());
  forgotten_.insert_or_assign(peer.name, std::move(forgotten));
} catch (const std::bad_alloc&) {
  bus_.log(LogLevel::warning, "link.no_memory", "no memory to remember a peer", {}, {{"peer", peer.name}});
}

/// They go on behind what they have had. Taken for new ones they would be told that they missed all of it.
void FarSide::restore_readers(Known& peer, const Forgotten& before) noexcept try {
  const std::lock_guard lock{mutex_};
  for (const auto& [name, audience] : before.audiences) {
    Incoming& incoming = peer.topics[name];
    incoming.from = &peer;
    for (const auto& [id, agrees] : audience) {
      if (subscriptions_.contains(static_cast<std::uint32_t>(id))) incoming.audience.insert_or_assign(id, agrees);
    }
  }
} catch (const std::bad_alloc&) {
  bus_.log(LogLevel::warning, "link.no_memory", "no memory to remember a peer", {}, {{"peer", peer.name}});
}

void FarSide::tell_restart(const std::set<std::uint32_t>& readers, std::string_view peer, const void* lanes) noexcept {
  if (base::defect(base::Defect::restart_not_told)) return;
  bus_.event(EventKind::incarnation_changed, peer, "the bus was restarted");
  tell_readers(readers, peer, lanes);
}

void FarSide::tell_readers(const std::set<std::uint32_t>& readers, std::string_view peer, const void* lanes) noexcept {
  for (const std::uint32_t id : readers) {
    if (const auto subscription = ours(id)) {
      SubscriptionEvent event;
      event.kind = EventKind::incarnation_changed;
      event.peer = peer;
      subscription->tell(std::move(event), lanes);
    }
  }
}

void FarSide::peer_refused(const link::PeerInfo& peer, const Error& why) noexcept {
  bus_.log(LogLevel::error, "link.peer_refused", "a peer and this bus will not talk to each other",
           "compare versions and addresses", {{"peer", peer.name}, {"endpoint", peer.endpoint}, {"why", why.message()}});
  bus_.event(EventKind::peer_refused, peer.name.empty() ? peer.endpoint : peer.name, why.message());
  bus_.peers_changed();
}

/// A warning is in the log: its end shall be seen by who sees only warnings.
void FarSide::begin_trouble(std::string_view who) noexcept try {
  const std::lock_guard lock{mutex_};
  if (troubles_.contains(who)) return;
  if (troubles_.size() >= link::away_max) troubles_.erase(troubles_.begin());
  troubles_.emplace(who);
} catch (const std::bad_alloc&) {
  // Its end is told as info then.
}

bool FarSide::end_trouble(std::string_view who) noexcept {
  const std::lock_guard lock{mutex_};
  const auto found = troubles_.find(who);
  if (found == troubles_.end()) return false;
  troubles_.erase(found);
  return true;
}

void FarSide::address_not_reached(std::string_view endpoint, const Error& why) noexcept {
  begin_trouble(endpoint);
  bus_.log(LogLevel::warning, "link.not_reached", "nobody is reached at an address; it is dialled again and again, at the latest after BusOptions::redial_max",
           "is a bus listening there, is the address right? `midplane doctor --peer` looks closer",
           {{"endpoint", endpoint}, {"why", why.message()}});
}

Result<void> FarSide::peer_subscribes(link::PeerId peer, const wire::SubscribeBody& subscription) noexcept try {
  const auto entry = known(peer);
  const route::SubscriptionId id = far_id(peer, subscription.id);
  entry->subscriptions[subscription.id] = id;
  bus_.topics->subscribe_far(
      {id, subscription.id, subscription.pattern, subscription.group,
       [links = bus_.links, peer](const route::TopicRoute& route) -> std::shared_ptr<wire::TopicSink> {
         static constexpr TypeInfo raw{};
         auto sink = links->topic_sink(peer, route.name()->text, route.type ? *route.type : raw);
         if (!sink) return nullptr;
         return std::move(*sink);
       }});
  routes_changed(subscription.pattern);
  const Overflow overflow = subscription.queue.overflow;
  if (overflow != Overflow::refuse && overflow != Overflow::block) return ok();
  tell_unheeded(subscription.pattern);
  return ok();
} catch (const std::bad_alloc&) {
  bus_.topics->unsubscribe_far(far_id(peer, subscription.id));
  return Error{ErrorCode::no_memory, "no memory for another peer's subscription"};
}

void FarSide::tell_unheeded(const std::string& pattern) noexcept try {
  std::vector<route::TopicRoute*> routes;  // live as long as the bus; no log is written under their lock
  bus_.topics->for_each([&](route::TopicRoute& route) {
    if (matches(pattern, route.name()->text)) routes.push_back(&route);
  });
  for (route::TopicRoute* route : routes) tell_unheeded(*route);
} catch (const std::bad_alloc&) {
  // Only a line of the log is lost.
}

void FarSide::tell_unheeded(route::TopicRoute& route) noexcept {
  {
    const std::lock_guard ordered{route.ordered()};
    if (!route.is_first_unheeded()) return;
  }
  bus_.log(LogLevel::warning, "topic.far_wait",
           "a far subscription chose refuse or block, and a Publisher here does not wait for it: what finds no room is dropped",
           "set PublisherOptions::far_wait, or choose another policy there", {{"topic", route.name()->text}});
}

void FarSide::peer_unsubscribes(link::PeerId peer, std::uint32_t id) noexcept {
  const auto entry = known(peer);
  const auto found = entry->subscriptions.find(id);
  if (found == entry->subscriptions.end()) return;
  bus_.topics->unsubscribe_far(found->second);
  entry->subscriptions.erase(found);
  routes_changed(">");
}

void FarSide::subscription_confirmed(std::uint32_t id, link::PeerId peer) noexcept {
  const auto subscription = ours(id);
  const auto entry = known(peer);
  if (subscription) {
    SubscriptionEvent event;
    event.kind = EventKind::confirmed;
    event.peer = entry->name;
    bus_.event(EventKind::confirmed, subscription->box().name(), entry->name);
    subscription->tell(std::move(event), entry->lanes.get());
  }
  readiness.changed(*bus_.executor);
}

void FarSide::subscription_refused(std::uint32_t id, link::PeerId peer, const Error& why) noexcept {
  if (const auto subscription = ours(id)) {
    SubscriptionEvent event;
    event.kind = EventKind::peer_refused;
    event.peer = known(peer)->name;
    event.detail = why.message();
    subscription->tell(std::move(event), nullptr);
  }
  readiness.changed(*bus_.executor);
}

void FarSide::peer_serves(link::PeerId peer, const wire::ServeBody& changes) noexcept {
  const auto entry = known(peer);
  for (const std::string& name : changes.withdrawn) services.withdrawn(peer, name);
  for (const wire::OfferedBody& offered : changes.offered) services.offered(peer, entry->name, offered);
  bus_.peers_changed();
}

void FarSide::peer_told(link::PeerId) noexcept { bus_.peers_changed(); }

void FarSide::routes_changed(std::string_view pattern) noexcept {
  bus_.topics->for_each([&](route::TopicRoute& route) {
    if (matches(pattern, route.name()->text)) route.matched.changed(*bus_.executor);
  });
}

}  // namespace midplane::inline v0::detail
