#include "route/topics.hpp"

#include <algorithm>
#include <utility>

#include <midplane/names.hpp>

#include "base/visit.hpp"
#include "schema/contract.hpp"

namespace midplane::inline v0::route {

std::shared_ptr<TopicRoute> Topics::find(std::string_view name) const {
  const std::shared_lock lock{mutex_};
  const auto found = routes_.find(name);
  return found == routes_.end() ? nullptr : found->second;
}

bool Mismatches::judge(const TopicRoute& route, const Wanted& wanted) {
  if (!route.type) return false;
  const auto agreed = schema::agree(*route.type, *wanted.type);
  if (!agreed && wanted.mismatched) all_.push_back({wanted.mismatched, route.name(), agreed.error()});
  return !agreed;
}

Mismatches::~Mismatches() {
  for (const One& one : all_) one.told(one.topic->text, one.why);
}

std::shared_ptr<TopicRoute> Topics::open(std::string_view name) {
  if (auto route = find(name)) return route;
  const std::unique_lock lock{mutex_};
  if (const auto found = routes_.find(name); found != routes_.end()) return found->second;
  const wire::Name* interned = memory_.intern(name);
  if (!interned) return nullptr;
  auto route = std::make_shared<TopicRoute>(interned);
  for (const auto& [id, wanted] : near_) {
    if (!matches(wanted.pattern, name)) continue;
    const std::lock_guard ordered{route->ordered()};
    route->add(Near{id, wanted.mailbox, wanted.group});  // of no type yet
  }
  routes_.emplace(name, route);
  return route;
}

Result<std::shared_ptr<TopicRoute>> Topics::open_to_publish(std::string_view name, const TypeInfo& type,
                                                            Mismatches& mismatches) {
  auto route = open(name);
  if (!route) return Error{ErrorCode::no_memory, "no memory for another topic"};
  if (auto stated = state_type(*route, type, mismatches); !stated) return stated.error();
  const std::unique_lock lock{mutex_};
  if (route->is_published) return route;
  for (auto& [id, far] : far_) {
    // Some may have joined at a call that memory ended.
    const auto is_it = [&route](const auto& one) { return one.first == route; };
    if (matches(far.wanted.pattern, name) && std::none_of(far.joined.begin(), far.joined.end(), is_it)) join_far(route, far);
  }
  route->is_published = true;
  return route;
}

Result<void> Topics::state_type(TopicRoute& route, const TypeInfo& type, Mismatches& mismatches) {
  if (type.is_bytes()) return ok();
  const std::unique_lock lock{mutex_};
  const std::lock_guard ordered{route.ordered()};
  if (route.type) {
    const auto agreed = schema::agree(*route.type, type);
    return agreed ? agreed : schema::known_otherwise(route.name()->text, agreed.error());
  }
  route.type = &type;
  // Patterns that joined before the type was known are judged now.
  try {
    for (const auto& [id, wanted] : near_) {
      if (matches(wanted.pattern, route.name()->text)) route.mark(id, mismatches.judge(route, wanted));
    }
  } catch (...) {
    route.type = nullptr;
    for (const auto& [id, wanted] : near_) route.mark(id, false);
    throw;
  }
  return ok();
}

void Topics::join(TopicRoute& route, const Wanted& wanted, Mismatches& mismatches) {
  const std::lock_guard ordered{route.ordered()};
  route.add(Near{wanted.id, wanted.mailbox, wanted.group, mismatches.judge(route, wanted)});
}

void Topics::join_far(const std::shared_ptr<TopicRoute>& route, FarJoined& far) {
  auto sink = far.wanted.sink_for(*route);
  if (!sink) return;
  far.joined.reserve(far.joined.size() + 1);
  const std::lock_guard ordered{route->ordered()};
  route->add(Far{far.wanted.id, sink, far.wanted.group});
  sink->join(far.wanted.number, far.wanted.group.empty() ? route->retained() : nullptr);
  far.joined.emplace_back(route, std::move(sink));
}

Result<void> Topics::subscribe(Wanted wanted) {
  Mismatches mismatches;
  const bool exact = detail::check_name(wanted.pattern, false) == detail::NameFault::none;
  if (exact) {
    const auto route = open(wanted.pattern);
    if (!route) return Error{ErrorCode::no_memory, "no memory for another topic"};
    if (auto agreed = state_type(*route, *wanted.type, mismatches); !agreed) return agreed;
  }
  mailbox::Mailbox& mailbox = *wanted.mailbox;
  {
    const std::unique_lock lock{mutex_};
    const auto added = near_.emplace(wanted.id, std::move(wanted)).first;
    mailbox.ref();
    try {
      for_each_covered(added->second.pattern, [&](TopicRoute& route) { join(route, added->second, mismatches); });
    } catch (...) {
      leave(added);
      throw;
    }
  }
  mailbox.poke();  // no lock held: an inline handler takes the retained values right here
  return ok();
}

void Topics::unsubscribe(SubscriptionId id) noexcept {
  const std::unique_lock lock{mutex_};
  if (const auto found = near_.find(id); found != near_.end()) leave(found);
}

void Topics::leave(std::map<SubscriptionId, Wanted>::iterator one) noexcept {
  for_each_covered(one->second.pattern, [id = one->first](TopicRoute& route) {
    const std::lock_guard ordered{route.ordered()};
    route.remove(id);
  });
  one->second.mailbox->unref();
  near_.erase(one);
}

template <class Visit>
void Topics::for_each_covered(std::string_view pattern, Visit&& visit) const {
  if (const auto exact = routes_.find(pattern); exact != routes_.end()) return visit(*exact->second);
  for (const auto& [name, route] : routes_) {
    if (matches(pattern, name)) visit(*route);
  }
}

void Topics::subscribe_far(FarWanted wanted) {
  const std::unique_lock lock{mutex_};
  const auto [place, is_new] = far_.try_emplace(wanted.id);
  FarJoined& far = place->second;
  far.wanted = std::move(wanted);
  for (auto& [route, sink] : far.joined) {
    const std::lock_guard ordered{route->ordered()};
    sink->join(far.wanted.number, far.wanted.group.empty() ? route->retained() : nullptr);
  }
  if (!is_new) return;
  for (const auto& [name, route] : routes_) {
    if (route->is_published && matches(far.wanted.pattern, name)) join_far(route, far);
  }
}

void Topics::unsubscribe_far(SubscriptionId id) noexcept {
  const std::unique_lock lock{mutex_};
  const auto found = far_.find(id);
  if (found == far_.end()) return;
  for (auto& [route, sink] : found->second.joined) {
    const std::lock_guard ordered{route->ordered()};
    route->remove_far(id);
  }
  far_.erase(found);
}

void Topics::leave_far(SubscriptionId id, std::string_view topic) noexcept {
  const std::unique_lock lock{mutex_};
  const auto found = far_.find(id);
  if (found == far_.end()) return;
  std::erase_if(found->second.joined, [&](const auto& one) {
    if (one.first->name()->text != topic) return false;
    const std::lock_guard ordered{one.first->ordered()};
    one.first->remove_far(id);
    return true;
  });
}

void Topics::for_each(const std::function<void(TopicRoute&)>& visit) const {
  base::for_each_unlocked(mutex_, routes_, visit);
}

}  // namespace midplane::inline v0::route
