#include "link/links.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "exec/condition.hpp"

namespace midplane::inline v0::link {
namespace {

/// Peer and name of what was counted for peers that are not remembered any more; no peer can be called so.
constexpr std::string_view forgotten_peers = "(forgotten peers)";
const Error no_memory_error{ErrorCode::no_memory, "no memory for the links of this bus"};

}  // namespace

Links::Links(LinkOptions options, Host& host, Clock& clock, Random& random, Executor& executor,
             wire::PayloadMemory& memory, wire::Depot& depot) noexcept
    : options_{std::move(options)},
      host_{host},
      clock_{clock},
      random_{random},
      executor_{executor},
      memory_{memory},
      depot_{depot} {}

Links::~Links() {
  stop();
  memory_.retire(&depot_);
}

Error Links::closed_error() noexcept { return {ErrorCode::closed, "the links of this bus are closed"}; }

std::shared_ptr<Links> Links::make(LinkOptions options, Host& host, Clock& clock, Random& random, Executor& executor,
                                   wire::PayloadMemory& memory) noexcept {
  wire::Depot* depot = memory.open_depot();
  if (!depot) return nullptr;
  Links* links = new (std::nothrow) Links{std::move(options), host, clock, random, executor, memory, *depot};
  if (!links) return memory.retire(depot), nullptr;
  try {
    return std::shared_ptr<Links>{links};
  } catch (...) {
    return nullptr;  // the failed shared_ptr has deleted it
  }
}

Result<void> Links::attach(std::unique_ptr<Transport> transport) noexcept {
  Port* port = nullptr;
  const auto take_back = [&](const Error& why) -> Result<void> {
    port->transport->stop();
    end_connections(port->transport.get(), why);
    const std::lock_guard lock{mutex_};
    std::erase_if(targets_, [&](const auto& target) { return target->port == port; });
    return why;
  };
  try {
    std::vector<std::shared_ptr<Target>> targets;
    {
      const std::lock_guard lock{mutex_};
      if (stopped_) return closed_error();
      ports_.push_back(std::make_unique<Port>(*this));
      port = ports_.back().get();
      port->transport = std::move(transport);
    }
    const TransportContext context{*port, clock_, random_, executor_, options_.frame_bytes_max(), options_.wait};
    if (auto started = port->transport->start(context); !started) return take_back(started.error());
    if (port->transport->listen_endpoints().empty() && port->transport->dial_endpoints().empty())
      return take_back({ErrorCode::invalid_option, "a transport needs an address to listen at or to dial: set listen or peers of its options"});
    for (const std::string& endpoint : port->transport->listen_endpoints()) {
      auto bound = port->transport->listen(endpoint);
      if (!bound) return take_back(bound.error());
      const std::lock_guard lock{mutex_};
      listening_.push_back(std::move(bound).value());
    }
    {
      const std::lock_guard lock{mutex_};
      for (const std::string& endpoint : port->transport->dial_endpoints()) {
        targets.push_back(std::make_shared<Target>(
            Target{port, endpoint, Backoff{options_.redial_min, options_.redial_max}}));
      }
      targets_.insert(targets_.end(), targets.begin(), targets.end());
    }
    for (const auto& target : targets) {
      // A peer that is not there yet is dialled again; an address that means nothing never will.
      if (auto dialled = dial(*target); !dialled && dialled.error().code() == ErrorCode::invalid_endpoint)
        return take_back(dialled.error());
    }
    arm();
    return ok();
  } catch (...) {
    return no_memory_error;
  }
}

std::vector<std::string> Links::listening() const {
  const std::lock_guard lock{mutex_};
  return listening_;
}

void Links::tell_all(const wire::Record& record) noexcept {
  for (const auto& peer : connections_) {
    if (peer->phase == Phase::up) static_cast<void>(peer->send_control(record));
  }
}

Result<void> Links::add_subscription(const wire::SubscribeBody& subscription) noexcept {
  const wire::Body body = wire::encode(subscription);
  if (body.empty()) return no_memory_error;
  try {
    const std::lock_guard lock{mutex_};
    if (stopped_) return closed_error();
    subscriptions_.insert_or_assign(subscription.id, Subscription{subscription});
    tell_all({.type = wire::RecordType::subscribe, .payload = body});
    return ok();
  } catch (...) {
    return no_memory_error;
  }
}

void Links::remove_subscription(std::uint32_t id) noexcept {
  const std::lock_guard lock{mutex_};
  if (subscriptions_.erase(id) != 0) tell_all({.type = wire::RecordType::unsubscribe, .mark = id});
}

Readiness Links::readiness(std::uint32_t id) const noexcept {
  const std::lock_guard lock{mutex_};
  Readiness readiness;
  const auto found = subscriptions_.find(id);
  if (found == subscriptions_.end()) return readiness;
  for (const auto& peer : connections_) {
    if (peer->phase != Phase::up) continue;
    const auto answer = found->second.answers.find(peer->info.id);
    if (answer == found->second.answers.end()) ++readiness.outstanding;
    else ++(answer->second ? readiness.confirmed : readiness.refused);
  }
  for (const auto& target : targets_) {
    if (target->state == PeerState::reaching && !linked(target->linked_to)) ++readiness.outstanding;
  }
  return readiness;
}

Result<void> Links::add_service(const wire::OfferedBody& service) noexcept {
  try {
    const wire::Body body = wire::encode(wire::ServeBody{{service}, {}});
    if (body.empty()) return no_memory_error;
    const std::lock_guard lock{mutex_};
    if (stopped_) return closed_error();
    services_.insert_or_assign(service.service, service);
    tell_all({.type = wire::RecordType::serve, .payload = body});
    return ok();
  } catch (...) {
    return no_memory_error;
  }
}

void Links::remove_service(std::string_view service) noexcept {
  try {
    const wire::Body body = wire::encode(wire::ServeBody{{}, {std::string{service}}});
    const std::lock_guard lock{mutex_};
    const auto found = services_.find(service);
    if (found == services_.end()) return;
    services_.erase(found);
    if (!body.empty()) tell_all({.type = wire::RecordType::serve, .payload = body});
  } catch (...) {
    // Peers that still ask are answered no_server by the host.
  }
}

std::shared_ptr<Peer> Links::peer_of(PeerId id) const noexcept {
  const auto found = std::find_if(connections_.begin(), connections_.end(), [&](const auto& peer) {
    return peer->info.id == id && (peer->phase == Phase::up || peer->phase == Phase::establishing);
  });
  return found == connections_.end() ? nullptr : *found;
}

std::shared_ptr<Peer> Links::linked(const wire::Incarnation& incarnation) const noexcept {
  const auto found = std::find_if(connections_.begin(), connections_.end(), [&](const auto& peer) {
    const Phase phase = peer->phase;
    return phase >= Phase::tentative && phase <= Phase::up && peer->info.incarnation == incarnation;
  });
  return found == connections_.end() ? nullptr : *found;
}

std::shared_ptr<Remote> Links::remote_of(PeerId id) const noexcept {
  const auto found = std::find_if(remotes_.begin(), remotes_.end(), [&](const auto& one) { return one.second->id == id; });
  return found == remotes_.end() ? nullptr : found->second;
}

/// Adds up what nobody counts in any more and whose peer is not remembered.
void Links::fold_totals() {
  std::set<std::string_view> remembered;
  for (const auto& [incarnation, remote] : remotes_) remembered.insert(remote->name);
  for (const char* kind : {"link", "link_service"}) {
    auto& all = totals_[{std::string{forgotten_peers}, kind, std::string{forgotten_peers}}];
    if (!all) all = std::make_shared<FarTotals>(std::string{forgotten_peers}, std::string{forgotten_peers}, kind);
    for (auto next = totals_.begin(); next != totals_.end();) {
      const auto one = next++;
      if (!one->second || one->second == all) continue;
      const FarTotals& totals = *one->second;
      if (totals.kind != kind || one->second.use_count() != 1 || remembered.contains(totals.peer)) continue;
      std::atomic_thread_fence(std::memory_order_acquire);  // who let go of it last has counted before
      all->add(totals);
      totals_.erase(one);
    }
  }
  fold_at_ = std::max(far_totals_max, 2 * totals_.size());
}

std::shared_ptr<FarTotals> Links::totals_of(std::string_view peer, std::string_view name, const char* kind) {
  if (totals_.size() >= fold_at_) fold_totals();
  auto& totals = totals_[{std::string{peer}, kind, std::string{name}}];
  if (!totals) totals = std::make_shared<FarTotals>(std::string{peer}, std::string{name}, kind);
  return totals;
}

Result<std::shared_ptr<wire::TopicSink>> Links::topic_sink(PeerId id, std::string_view topic, const TypeInfo& type) noexcept {
  try {
    const std::lock_guard lock{mutex_};
    const auto remote = remote_of(id);
    if (!remote) return Error{ErrorCode::peer_lost, "this peer is not remembered any more"};
    auto totals = totals_of(remote->name, topic, "link");
    const std::lock_guard flagged{remote->flag};
    if (remote->forgotten) return Error{ErrorCode::peer_lost, "this peer is not remembered any more"};
    auto& place = remote->topics[std::string{topic}];
    if (!place) place = std::make_shared<FarTopicSink>(remote, std::move(totals), std::string{topic}, type, clock_);
    return std::shared_ptr<wire::TopicSink>{place};
  } catch (...) {
    return no_memory_error;
  }
}

void Links::grant_subscription(PeerId id, std::uint32_t subscription, std::uint64_t messages, std::uint64_t bytes) noexcept {
  std::shared_ptr<Peer> peer;
  {
    const std::lock_guard lock{mutex_};
    peer = peer_of(id);
  }
  if (peer)
    static_cast<void>(peer->send_control({.type = wire::RecordType::subscription_grant,
                                          .name = subscription,
                                          .number = static_cast<std::uint32_t>(messages),
                                          .mark = bytes}));
}

void Links::refuse_schema(PeerId id, std::uint32_t subscription, const FarTopic& topic, const Error& why) noexcept {
  std::shared_ptr<Peer> peer;
  {
    const std::lock_guard lock{mutex_};
    peer = peer_of(id);
  }
  if (!peer) return;
  std::uint32_t name = 0;
  for (std::size_t i = 0; i < peer->far_names.size(); ++i) {
    if (peer->far_names[i].topic == &topic) name = static_cast<std::uint32_t>(i + 1);
  }
  const wire::Body body = wire::encode(why);
  static_cast<void>(peer->send_control(
      {.type = wire::RecordType::schema_refused, .name = name, .mark = subscription, .payload = body}));
}

void Links::want_schema(PeerId id, std::uint64_t fingerprint) noexcept {
  std::shared_ptr<Peer> peer;
  {
    const std::lock_guard lock{mutex_};
    peer = peer_of(id);
  }
  if (peer) static_cast<void>(peer->send_control({.type = wire::RecordType::schema_wanted, .mark = fingerprint}));
}

Result<std::shared_ptr<ServiceSink>> Links::service_sink(PeerId id, std::string_view service) noexcept {
  try {
    std::shared_ptr<Peer> peer;
    std::shared_ptr<FarTotals> totals;
    {
      const std::lock_guard lock{mutex_};
      peer = peer_of(id);
      if (!peer) return Error{ErrorCode::peer_lost, "this peer is not linked any more"};
      if (auto sink = peer->find_service(service)) return sink;
      totals = totals_of(peer->info.name, service, "link_service");
    }
    return peer->service_sink(wire::NameBody{0, true, std::string{service}, {}}, std::move(totals));
  } catch (...) {
    return no_memory_error;
  }
}

std::vector<PeerInfo> Links::peers() const {
  const std::lock_guard lock{mutex_};
  std::vector<PeerInfo> all;
  const auto add = [&](const Peer& peer, PeerState state) {
    all.push_back(peer.info);
    all.back().state = state;
    all.back().told = peer.told;
  };
  for (const auto& target : targets_) {
    const auto peer = target->peer ? target->peer : linked(target->linked_to);
    if (peer && peer->phase == Phase::up) add(*peer, PeerState::up);
    else all.push_back({PeerId::none, {}, {}, {}, true, target->state == PeerState::up ? PeerState::reaching : target->state});
    all.back().endpoint = target->endpoint;
    if (all.back().state != PeerState::up) all.back().not_reached = target->not_reached;
  }
  for (const auto& peer : connections_) {
    if (!peer->info.dialled && peer->phase == Phase::up) add(*peer, PeerState::up);
  }
  return all;
}

bool Links::settled() const noexcept {
  const std::lock_guard lock{mutex_};
  return std::all_of(targets_.begin(), targets_.end(), [&](const auto& target) {
    if (target->state == PeerState::lost || target->state == PeerState::refused) return true;
    const auto peer = target->state == PeerState::up ? target->peer : linked(target->linked_to);
    return peer && peer->told;
  });
}

std::vector<SinkStats> Links::stats() const {
  const std::lock_guard lock{mutex_};
  std::vector<SinkStats> all;
  for (const auto& [key, totals] : totals_) {
    if (!totals) continue;  // there was no memory for it
    std::uint64_t waiting = 0;
    for (const auto& [incarnation, remote] : remotes_) {
      const std::lock_guard flagged{remote->flag};
      const auto sink = remote->topics.find(totals->name);
      if (sink != remote->topics.end() && &sink->second->totals() == totals.get()) waiting += sink->second->waiting();
    }
    all.push_back(stats_of(*totals, waiting));
  }
  return all;
}

TransportCounts Links::transport_counts() const noexcept {
  const std::lock_guard lock{mutex_};
  TransportCounts all;
  for (const auto& port : ports_) {
    const TransportCounts one = port->transport ? port->transport->counts() : TransportCounts{};
    all.frames_ignored += one.frames_ignored;
    all.multipart_refused += one.multipart_refused;
    all.endless_cut += one.endless_cut;
    all.unheard += one.unheard;
  }
  return all;
}

bool Links::flushed() const noexcept {
  const std::lock_guard lock{mutex_};
  return std::all_of(connections_.begin(), connections_.end(), [](const auto& peer) { return peer->idle(); }) &&
         std::all_of(ports_.begin(), ports_.end(), [](const auto& port) { return port->transport->flushed(); });
}

void Links::withdraw(std::string_view kept) noexcept try {
  withdraws_.store(true, std::memory_order_relaxed);
  std::vector<std::shared_ptr<Peer>> peers;
  std::vector<std::uint32_t> subscriptions;
  std::vector<std::string> services;
  {
    const std::lock_guard lock{mutex_};
    peers = connections_;
    for (const auto& [id, subscription] : subscriptions_) subscriptions.push_back(id);
    for (const auto& [service, offered] : services_) {
      if (!service.starts_with(kept)) services.push_back(service);
    }
  }
  for (const auto& peer : peers) peer->ask_for_grant();
  for (const std::uint32_t id : subscriptions) remove_subscription(id);
  for (const std::string& service : services) remove_service(service);
} catch (const std::bad_alloc&) {
  // Then they go on sending, and what comes is turned away here.
}

bool Links::drain(Instant until) noexcept {
  constexpr Duration relook = std::chrono::milliseconds{1};
  std::vector<std::shared_ptr<Peer>> peers;
  try {
    const std::lock_guard lock{mutex_};
    peers = connections_;
  } catch (const std::bad_alloc&) {
    // Then their next heartbeats tell.
  }
  for (const auto& peer : peers) peer->ask_for_grant();
  const exec::Waiting waiting{&executor_};
  for (int stuck = 0; !flushed();) {
    const Instant now = clock_.now();
    if (now >= until || !waiting) return false;
    const Instant again = std::min(until, now + relook);
    if (!executor_.is_driven()) std::this_thread::sleep_for(again - now);
    else if (executor_.drive(again) != 0 || clock_.now() != now) stuck = 0;
    // A nudge ends one wait. Twice nothing at all is an executor that has stopped.
    else if (++stuck == 2) return flushed();
  }
  return true;
}

void Links::end_connections(const Transport* of, const Error& why) noexcept {
  while (true) {
    std::shared_ptr<Peer> peer;
    {
      const std::lock_guard lock{mutex_};
      const auto found = std::find_if(connections_.begin(), connections_.end(),
                                      [&](const auto& one) { return !of || &one->transport == of; });
      if (found == connections_.end()) return;
      peer = *found;
    }
    ended(peer, why, DropReason::closed);
  }
}

void Links::stop() noexcept {
  std::shared_ptr<Links> keep;
  // So that the peers can tell it from a crash.
  const wire::Body farewell = wire::encode(closed_error());
  {
    const std::lock_guard lock{mutex_};
    if (stopped_) return;
    stopped_ = true;
    for (const auto& peer : connections_) {
      if (peer->phase == Phase::up) peer->farewell({.type = wire::RecordType::refused, .payload = farewell});
    }
    if (armed_ && executor_.cancel(*this)) keep.swap(keep_);
  }
  // Nobody adds a port or a connection any more.
  for (const auto& port : ports_) port->transport->stop();
  end_connections(nullptr, closed_error());
  std::map<wire::Incarnation, std::shared_ptr<Remote>> remotes;
  {
    const std::lock_guard lock{mutex_};
    remotes.swap(remotes_);
  }
  for (const auto& [incarnation, remote] : remotes) forget(remote, nullptr);
  for (const auto& port : ports_) {
    const std::lock_guard lock{port->mutex};
    port->connections.clear();
  }
}

}  // namespace midplane::inline v0::link
