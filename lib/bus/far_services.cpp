#include "bus/far_services.hpp"

namespace midplane::inline v0::detail {

void FarServices::set(Offer& offer, State state) noexcept {
  waiting_ += (state == State::waiting) - (offer.state == State::waiting);
  offer.state = state;
}

void FarServices::leave(Offer& offer) noexcept {
  set(offer, State::fresh);
  offer.route->remove(*offer.sink);
}

/// `arrived`: the fingerprint whose schema is in `bfbs`.
void FarServices::judge(const Key& key, Offer& offer, News& news, std::uint64_t arrived, std::span<const std::byte> bfbs) {
  const auto types = offer.route->types();
  const std::pair<const TypeInfo*, const wire::FarType*> both[]{{types.first, &offer.what.request},
                                                                {types.second, &offer.what.reply}};
  bool waits = false;
  for (const auto& [near, far] : both) {
    if (!near) continue;
    auto verdict = bus_.verdicts.known(*near, far->fingerprint);
    if (!verdict && arrived == far->fingerprint) verdict = bus_.verdicts.learn(*near, far->name, far->fingerprint, bfbs);
    if (!verdict) {
      waits = true;
      if (offer.asked.insert(far->fingerprint).second) news.wanted.emplace_back(key.first, far->fingerprint);
    } else if (!*verdict) {
      if (offer.state == State::refused) return;
      leave(offer);
      set(offer, State::refused);
      offer.route->refuse(offer.sink, verdict->error());
      news.mismatches.push_back({offer.what.service, offer.peer, verdict->error()});
      return;
    }
  }
  if (waits) {
    if (offer.state == State::joined) offer.route->remove(*offer.sink);
    return set(offer, State::waiting);
  }
  if (offer.state == State::joined) return;
  offer.route->add(offer.sink);
  set(offer, State::joined);
}

void FarServices::tell(const News& news) noexcept {
  for (const auto& [peer, fingerprint] : news.wanted) bus_.links->want_schema(peer, fingerprint);
  for (const auto& one : news.mismatches) {
    bus_.log(LogLevel::error, "link.schema_mismatch", "a peer serves a name with types that the handles here do not have",
             "compare the two schemas with midplane-gen --check",
             {{"service", one.service}, {"peer", one.peer}, {"why", one.why.message()}});
    bus_.event(EventKind::schema_mismatch, one.service, one.why.message());
  }
}

void FarServices::offered(link::PeerId peer, std::string_view name, const wire::OfferedBody& what) noexcept try {
  // Nobody here has asked for it yet: its name is one that a peer chose.
  if (!bus_.memory->intern_far(what.service)) return;
  auto sink = bus_.links->service_sink(peer, what.service);
  auto route = bus_.services->open(what.service);
  if (!sink || !route) return;
  News news;
  {
    const std::lock_guard lock{mutex_};
    const auto [place, is_new] = offers_.try_emplace(Key{peer, what.service});
    if (!is_new) return;
    Offer& offer = place->second;
    offer.what = what;
    offer.peer = name;
    offer.route = std::move(route);
    offer.sink = std::move(*sink);
    judge(place->first, offer, news);
  }
  tell(news);
} catch (...) {
  // Without memory the peer serves nobody here.
}

void FarServices::withdrawn(link::PeerId peer, std::string_view service) noexcept try {
  const std::lock_guard lock{mutex_};
  const auto found = offers_.find(Key{peer, std::string{service}});
  if (found == offers_.end()) return;
  leave(found->second);
  offers_.erase(found);
} catch (...) {
  // It answers for itself what it does not serve.
}

void FarServices::lost(link::PeerId peer) noexcept {
  const std::lock_guard lock{mutex_};
  for (auto one = offers_.begin(); one != offers_.end();) {
    if (one->first.first != peer) {
      ++one;
      continue;
    }
    leave(one->second);
    one = offers_.erase(one);
  }
}

void FarServices::schema_arrived(link::PeerId peer, std::uint64_t fingerprint, std::span<const std::byte> bfbs) noexcept {
  News news;
  bool changed = false;
  try {
    const std::lock_guard lock{mutex_};
    for (auto& [key, offer] : offers_) {
      if (key.first != peer || offer.state != State::waiting) continue;
      judge(key, offer, news, fingerprint, bfbs);
      changed = changed || offer.state != State::waiting;
    }
  } catch (...) {
    // What could not be judged goes on waiting; requests end by their deadline.
  }
  tell(news);
  if (changed) bus_.peers_changed();
}

void FarServices::stated(std::string_view service) noexcept {
  News news;
  try {
    const std::lock_guard lock{mutex_};
    for (auto& [key, offer] : offers_) {
      if (key.second == service) judge(key, offer, news);
    }
  } catch (...) {
    // As above.
  }
  tell(news);
}

}  // namespace midplane::inline v0::detail
