#include "sources.hpp"

#include <algorithm>
#include <set>

#include <midplane/names.hpp>

#include "files.hpp"
#include "midplane-gen/words.hpp"
#include "stop.hpp"
#include "text.hpp"

namespace midplane::tool {
namespace {

/// As the reply of a method it says that the method is a topic; no message is of it.
constexpr std::string_view topic_marker = "midplane.Topic";

const reflection::Schema& tree_of(const TypeSchema& type) { return *reflection::GetSchema(type.bfbs.data()); }

/// Another table of the same schema.
std::shared_ptr<const TypeSchema> sibling(const TypeSchema& type, std::string_view name) {
  auto made = schema_from(type.bfbs, name);
  if (!made) stop(Exit::answer, "no schema of " + std::string{name} + ": " + made.error().message());
  return std::make_shared<TypeSchema>(std::move(*made));
}

/// What the attribute says, else nothing.
const flatbuffers::String* attribute(const reflection::RPCCall& call, const char* name) {
  if (call.attributes() == nullptr) return nullptr;
  const auto* pair = call.attributes()->LookupByKey(name);
  return pair == nullptr ? nullptr : pair->value();
}

void add_once(Types& types, std::shared_ptr<const TypeSchema> type) {
  const bool has = std::any_of(types.begin(), types.end(), [&](const auto& one) { return one->fingerprint == type->fingerprint; });
  if (!has) types.push_back(std::move(type));
}

}  // namespace

bool is_file(const std::string& name) { return name.ends_with(".bfbs"); }

std::string contract_name(const reflection::Service& service, const reflection::RPCCall& call) {
  for (const char* key : {"topic", "service"}) {
    if (const auto* named = attribute(call, key)) return named->str();
  }
  return gen::snake_case(gen::leaf_of(service.name()->string_view())) + '.' + gen::snake_case(call.name()->string_view());
}

std::shared_ptr<const TypeSchema> Sources::payload(const std::string& name, std::string_view other) {
  const Meant meant = find(name, other);
  if (!meant.part.empty())
    stop(Exit::usage, meant.part + " is an enum or a struct, and messages are tables; name a table that has it, like " + meant.types.front()->type);
  if (meant.types.size() == 1) return meant.types.front();
  std::vector<std::string> names;
  for (const auto& type : meant.types) names.push_back(type->type);
  stop(Exit::usage, shown(name) + (meant.is_service ? " is a service and has two types" : " stands for several types") +
                        ": name the one that is meant, " + joined(names, " or "));
}

Meant Sources::find(const std::string& name, std::string_view other) {
  if (name.ends_with(".fbs"))
    stop(Exit::usage, shown(name) + " is the text of a schema; here its compiled form is read: `midplane-gen " + name +
                          " --out FOLDER` writes one (.bfbs); two texts are compared by `midplane-gen --check OLD NEW`");
  if (is_file(name)) return {{std::make_shared<TypeSchema>(read_schema(name, type_, other))}};
  ask();
  for (const auto look : {&Sources::live, &Sources::matching, &Sources::declared}) {
    if (Meant meant = (this->*look)(name); !meant.types.empty()) return meant;
  }
  if (catalogue_->topic(name) || catalogue_->has_topic_like(name)) stop(Exit::nothing, shown(name) + " has raw bytes and no schema");
  stop(Exit::nothing, "no topic, service or type is named " + shown(name) + "; topics: " + catalogue_->topics_text() + "; services: " +
                          catalogue_->services_text() + "; types: " + known_names() + "; a file's name ends with .bfbs");
}

void Sources::ask() {
  if (session_) return;
  session_ = Session::reach(where_);
  catalogue_ = std::make_unique<Catalogue>(*session_);
  catalogue_->refresh();
}

Meant Sources::live(const std::string& name) {
  if (const auto topic = catalogue_->topic(name); topic && topic->type.fingerprint != 0) return {{fetch(topic->peer, topic->type)}};
  if (const auto found = catalogue_->service(name))
    return {{fetch(found->peer, found->service.request), fetch(found->peer, found->service.reply)}, {}, true};
  for (const auto& [bus, type] : catalogue_->types()) {
    if (type.fingerprint != 0 && type.name == name) return {{fetch(bus, type)}};  // raw bytes have an empty name
  }
  return {};
}

Meant Sources::matching(const std::string& pattern) {
  if (pattern.find_first_of("*>") == pattern.npos || !Pattern<Bytes>::parse(pattern)) return {};
  Meant meant;
  const auto add = [&](const std::string& bus, const TypeDescription& type) {
    if (type.fingerprint != 0) add_once(meant.types, fetch(bus, type));
  };
  for (const Description& bus : catalogue_->told()) {
    for (const auto& topic : bus.topics) {
      if (matches(pattern, topic.name)) add(bus.name, topic.type);
    }
    for (const auto& one : bus.subscriptions) {
      if (one.pattern == pattern || matches(pattern, one.pattern)) add(bus.name, one.type);
    }
  }
  if (!meant.types.empty()) return meant;
  std::set<std::string_view> services;
  for (const Description& bus : catalogue_->told()) {
    for (const auto& service : bus.services) {
      if (!matches(pattern, service.name)) continue;
      services.insert(service.name);
      add(bus.name, service.request);
      add(bus.name, service.reply);
    }
  }
  meant.is_service = services.size() == 1 && meant.types.size() == 2;
  return meant;
}

Meant Sources::declared(const std::string& name) {
  if (name == topic_marker) return {};
  for (const auto& type : known()) {
    for (const auto* object : *tree_of(*type).objects()) {
      if (object->name()->string_view() != name) continue;
      if (object->is_struct()) return {{type}, name};
      return {{sibling(*type, name)}};
    }
    for (const auto* named : *tree_of(*type).enums()) {
      if (named->name()->string_view() == name) return {{type}, name};
    }
    if (tree_of(*type).services() == nullptr) continue;
    for (const auto* service : *tree_of(*type).services()) {
      if (service->calls() == nullptr) continue;
      for (const auto* call : *service->calls()) {
        if (contract_name(*service, *call) != name) continue;
        const auto request = sibling(*type, call->request()->name()->string_view());
        const std::string_view reply = call->response()->name()->string_view();
        if (reply == topic_marker) return {{request}};
        return {{request, sibling(*type, reply)}, {}, true};
      }
    }
  }
  return {};
}

std::shared_ptr<const TypeSchema> Sources::fetch(const std::string& peer, const TypeDescription& type) {
  auto schema = catalogue_->schema(peer, type);
  if (!schema) stop(Exit::answer, "no schema of " + type.name + " from " + peer + ": " + schema.error().message());
  if (!*schema) stop(Exit::nothing, "raw bytes have no schema");
  return std::move(*schema);
}

const Types& Sources::known() {
  if (!known_.empty()) return known_;
  for (const auto& [bus, type] : catalogue_->types()) {
    if (type.fingerprint == 0) continue;
    if (const auto schema = catalogue_->schema(bus, type)) add_once(known_, *schema);
  }
  return known_;
}

std::string Sources::known_names() {
  std::vector<std::string> names;
  const auto add = [&](const auto& all) {
    for (const auto* one : all) {
      if (one->name()->string_view() != topic_marker) names.push_back(one->name()->str());
    }
  };
  for (const auto& type : known()) {
    add(*tree_of(*type).objects());
    add(*tree_of(*type).enums());
  }
  return some_of(std::move(names), 12);
}

}  // namespace midplane::tool
