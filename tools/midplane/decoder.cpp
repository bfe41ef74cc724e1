#include "decoder.hpp"

#include <algorithm>

#include "text.hpp"

namespace midplane::tool {

Decoder::Known Decoder::ask(const std::string& peer, std::string_view topic) {
  const auto described = session_.patiently(session_.timeout(), "the types of " + peer,
                                            [&](Duration duration) { return describe(session_.bus(), peer, duration); });
  if (!described) return {nullptr, described.error().message()};
  const auto found = std::find_if(described->topics.begin(), described->topics.end(), [&](const auto& one) { return one.name == topic; });
  if (found == described->topics.end()) return {nullptr, peer + " does not say of what type it is"};
  auto schema = catalogue_.schema(peer, found->type);
  if (!schema) return {nullptr, schema.error().message()};
  return {std::move(*schema), "raw bytes"};
}

Decoder::Text Decoder::decode(const AnyMessage& message) {
  const std::pair<std::string, std::string> key{message.peer(), message.topic()};
  auto known = known_.find(key);
  if (known == known_.end()) {
    Known asked = ask(key.first, key.second);
    if (!asked.schema && asked.why != "raw bytes") note(key.second + " is shown as bytes: " + asked.why);
    known = known_.emplace(key, std::move(asked)).first;
  }
  if (!known->second.schema) return {{}, {}, known->second.why};
  const TypeSchema& schema = *known->second.schema;
  auto json = to_json(message.bytes(), schema.info());
  if (!json) return {schema.type, {}, json.error().message()};
  return {schema.type, std::move(*json), {}};
}

void Decoder::forget(const std::string& peer) {
  std::erase_if(known_, [&](const auto& one) { return one.first.first == peer; });
}

}  // namespace midplane::tool
