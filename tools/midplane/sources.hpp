#pragma once
/// From a name that a user wrote to types with their schemas.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <flatbuffers/reflection_generated.h>

#include "catalogue.hpp"

namespace midplane::tool {

using Types = std::vector<std::shared_ptr<const TypeSchema>>;

/// What a name stands for.
struct Meant {
  Types types;              ///< of a service: what it is asked with and what it answers; of a pattern: each type once
  std::string part{};       ///< an enum or a struct in the schema of the only type; empty: the types themselves are meant
  bool is_service = false;
};

[[nodiscard]] bool is_file(const std::string& name);
/// The name on the bus that a schema gives to a topic or service: its attribute, else made of its own names.
[[nodiscard]] std::string contract_name(const reflection::Service& service, const reflection::RPCCall& call);

/// A .bfbs file, or a name on the bus: then the buses are asked.
class Sources {
 public:
  /// `type`: which table of a file.
  Sources(const Where& where, const std::string& type) : where_{where}, type_{type} {}

  /// A topic, a pattern of topics or services, a service, or anything that the schemas known there declare.
  [[nodiscard]] Meant find(const std::string& name) { return find(name, {}); }
  /// One type that a message can be of. `other` is what it is compared with: of a file its table of that name, when it has one.
  [[nodiscard]] std::shared_ptr<const TypeSchema> payload(const std::string& name, std::string_view other = {});

 private:
  [[nodiscard]] Meant find(const std::string& name, std::string_view other);
  void ask();
  [[nodiscard]] Meant live(const std::string& name);
  [[nodiscard]] Meant matching(const std::string& pattern);
  [[nodiscard]] Meant declared(const std::string& name);
  [[nodiscard]] std::shared_ptr<const TypeSchema> fetch(const std::string& peer, const TypeDescription& type);
  /// Of all that the buses have, as far as it is handed out.
  [[nodiscard]] const Types& known();
  [[nodiscard]] std::string known_names();

  const Where& where_;
  const std::string& type_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Catalogue> catalogue_;
  Types known_;
};

}  // namespace midplane::tool
