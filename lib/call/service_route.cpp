#include "call/service_route.hpp"

#include <algorithm>
#include <string>

#include "base/visit.hpp"
#include "schema/contract.hpp"

namespace midplane::inline v0::call {

ServiceRoute::~ServiceRoute() {
  for (const NearServer& server : near_) server.runner->unref();
}

Result<void> ServiceRoute::state_types(const TypeInfo& question, const TypeInfo& answer) {
  const std::lock_guard lock{mutex_};
  if (question_) {
    auto agreed = schema::agree(*question_, question);
    if (agreed) agreed = schema::agree(*answer_, answer);
    return agreed ? agreed : schema::known_otherwise(name_->text, agreed.error());
  }
  if (question.is_bytes() && answer.is_bytes()) return ok();
  question_ = &question;
  answer_ = &answer;
  return ok();
}

void ServiceRoute::add(NearServer server) {
  const std::lock_guard lock{mutex_};
  near_.push_back(server);
  server.runner->ref();
  version_.fetch_add(1, std::memory_order_release);
}

void ServiceRoute::remove(ServerId id) noexcept {
  const std::lock_guard lock{mutex_};
  std::erase_if(near_, [id](const NearServer& server) {
    if (server.id != id) return false;
    server.runner->unref();
    return true;
  });
  version_.fetch_add(1, std::memory_order_release);
}

void ServiceRoute::add(std::shared_ptr<wire::Sink> sink) {
  const std::lock_guard lock{mutex_};
  far_.push_back(std::move(sink));
  version_.fetch_add(1, std::memory_order_release);
}

std::pair<const TypeInfo*, const TypeInfo*> ServiceRoute::types() const {
  const std::lock_guard lock{mutex_};
  return {question_, answer_};
}

void ServiceRoute::refuse(std::shared_ptr<wire::Sink> sink, const Error& why) {
  const std::lock_guard lock{mutex_};
  refused_.emplace_back(std::move(sink), why.with_fate(Fate::not_started));
}

std::optional<Error> ServiceRoute::refusal() const {
  const std::lock_guard lock{mutex_};
  return refused_.empty() ? std::nullopt : std::optional{refused_.back().second};
}

void ServiceRoute::remove(const wire::Sink& sink) noexcept {
  const std::lock_guard lock{mutex_};
  std::erase_if(refused_, [&sink](const auto& held) { return held.first.get() == &sink; });
  std::erase_if(far_, [&sink](const auto& held) { return held.get() == &sink; });
  version_.fetch_add(1, std::memory_order_release);
}

std::uint64_t ServiceRoute::read(std::vector<NearServer>& near, std::vector<std::shared_ptr<wire::Sink>>& far) const {
  const std::lock_guard lock{mutex_};
  near = near_;
  for (const NearServer& server : near) server.runner->ref();
  far = far_;
  return version();
}

bool ServiceRoute::has_server() const {
  const std::lock_guard lock{mutex_};
  return !near_.empty() || !far_.empty() || !refused_.empty();
}

std::shared_ptr<ServiceRoute> Services::find(std::string_view name) const {
  const std::shared_lock lock{mutex_};
  const auto found = routes_.find(name);
  return found == routes_.end() ? nullptr : found->second;
}

std::shared_ptr<ServiceRoute> Services::open(std::string_view name) {
  if (auto route = find(name)) return route;
  const std::unique_lock lock{mutex_};
  const wire::Name* interned = memory_.intern(name);
  if (!interned) return nullptr;
  if (routes_.size() >= prune_at_) prune();
  if (const auto found = routes_.find(name); found != routes_.end()) return found->second;
  auto route = std::make_shared<ServiceRoute>(interned);
  routes_.emplace(std::string{name}, route);
  return route;
}

/// Who holds none can get none: that takes the lock.
void Services::prune() noexcept {
  std::erase_if(routes_, [](const auto& one) {
    return one.second.use_count() == 1 && !one.second->types().first && !one.second->has_server();
  });
  prune_at_ = std::max(routes_kept, 2 * routes_.size());
}

std::size_t Services::size() const {
  const std::shared_lock lock{mutex_};
  return routes_.size();
}

void Services::for_each(const std::function<void(ServiceRoute&)>& visit) const {
  base::for_each_unlocked(mutex_, routes_, visit);
}

}  // namespace midplane::inline v0::call
