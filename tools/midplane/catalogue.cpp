#include "catalogue.hpp"

#include <algorithm>

#include "text.hpp"

namespace midplane::tool {

std::string some_of(std::vector<std::string> names, std::size_t shown_max) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.empty()) return "none";
  const std::size_t more = names.size() > shown_max ? names.size() - shown_max : 0;
  names.resize(names.size() - more);
  return joined(names) + (more > 0 ? " and " + std::to_string(more) + " more" : "");
}

Result<std::shared_ptr<const TypeSchema>> Catalogue::schema(const std::string& peer, const TypeDescription& type) {
  if (type.fingerprint == 0) return std::shared_ptr<const TypeSchema>{};
  if (const auto known = schemas_.find(type.fingerprint); known != schemas_.end()) return std::shared_ptr{known->second};
  auto asked = session_.patiently(session_.timeout(), "the schema of " + type.name + " from " + peer, [&](Duration duration) {
    return schema_of(session_.bus(), peer, type.fingerprint, duration);
  });
  if (!asked) return asked.error();
  std::shared_ptr<const TypeSchema> made = std::make_shared<TypeSchema>(std::move(*asked));
  schemas_.emplace(type.fingerprint, made);
  return made;
}

std::optional<Catalogue::Found> Catalogue::topic(std::string_view name) const {
  std::optional<Found> raw;
  for (const Description& bus : told_) {
    for (const TopicDescription& topic : bus.topics) {
      if (topic.name != name) continue;
      if (topic.type.fingerprint != 0) return Found{bus.name, topic.type};
      raw = Found{bus.name, {}};
    }
  }
  for (const Description& bus : told_) {
    for (const SubscriptionDescription& subscription : bus.subscriptions) {
      if (!matches(subscription.pattern, name)) continue;
      if (subscription.type.fingerprint != 0) return Found{bus.name, subscription.type};
      raw = Found{bus.name, {}};
    }
  }
  return raw;
}

bool Catalogue::has_topic_like(std::string_view pattern) const {
  return std::any_of(told_.begin(), told_.end(), [&](const Description& bus) {
    return std::any_of(bus.topics.begin(), bus.topics.end(), [&](const auto& topic) { return matches(pattern, topic.name); });
  });
}

std::optional<Catalogue::FoundService> Catalogue::service(std::string_view name) const {
  for (const Description& bus : told_) {
    for (const ServiceDescription& service : bus.services) {
      if (service.name == name) return FoundService{bus.name, service};
    }
  }
  return std::nullopt;
}

std::vector<Catalogue::Found> Catalogue::types() const {
  std::vector<Found> types;
  for (const Description& bus : told_) {
    for (const auto& topic : bus.topics) types.push_back({bus.name, topic.type});
    for (const auto& subscription : bus.subscriptions) types.push_back({bus.name, subscription.type});
    for (const auto& service : bus.services) types.insert(types.end(), {{bus.name, service.request}, {bus.name, service.reply}});
  }
  return types;
}

std::string Catalogue::topics_text() const {
  std::vector<std::string> names;
  for (const Description& bus : told_) {
    for (const auto& topic : bus.topics) names.push_back(topic.name);
  }
  return some_of(std::move(names));
}

std::string Catalogue::services_text() const {
  std::vector<std::string> names;
  for (const Description& bus : told_) {
    for (const auto& service : bus.services) names.push_back(service.name);
  }
  return some_of(std::move(names));
}

std::string Catalogue::subscriptions_text() const {
  std::vector<std::string> names;
  for (const Description& bus : told_) {
    for (const auto& subscription : bus.subscriptions) names.push_back(subscription.pattern);
  }
  return some_of(std::move(names));
}

}  // namespace midplane::tool
