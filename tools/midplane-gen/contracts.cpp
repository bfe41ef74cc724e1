#include "contracts.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string_view>

#include "attributes.hpp"
#include "stop.hpp"
#include "words.hpp"

namespace midplane::gen {
namespace {

/// The .bfbs's own file, as flatc notes it (`//market.fbs`); null when it does not say.
const reflection::SchemaFile* own_file(const reflection::Schema& root, const std::string& stem) {
  if (root.fbs_files() == nullptr) return nullptr;
  for (const auto* file : *root.fbs_files()) {
    if (view_of(file->filename()) == "//" + stem + ".fbs") return file;
  }
  return nullptr;
}

/// What is used where, so that two things of one name are refused with both of them named.
class Uses {
 public:
  void take(const std::string& what, const std::string& name, const std::string& where) {
    const auto [entry, fresh] = owners_.emplace(what + ' ' + name, where);
    if (!fresh)
      stop(Exit::bad_input, where + ": the " + what + ' ' + name + " is that of " + entry->second +
                                " too; rename one of them");
  }

 private:
  std::map<std::string, std::string> owners_;
};

void take_cpp_names(Uses& uses, const Group& group, const Contract& contract, const std::string& where) {
  const std::string scope = group.cpp_namespace + "::";
  uses.take("C++ name", scope + contract.cpp_name, where);
  if (contract.holes == 0) return;
  uses.take("C++ name", scope + contract.cpp_name + "_pattern_text", where);
  if (contract.is_topic) uses.take("C++ name", scope + contract.cpp_name + "_pattern", where);
}

Contract read_contract(const reflection::Service& service, const reflection::RPCCall& call, const std::string& where) {
  Contract contract;
  contract.request = view_of(call.request()->name());
  contract.reply = view_of(call.response()->name());
  if (contract.request == topic_marker)
    stop(Exit::bad_input, where + ": the argument is midplane.Topic, which only marks a method as a topic; "
                                  "make the payload the argument: ticks(Tick):midplane.Topic");
  contract.is_topic = contract.reply == topic_marker;
  const std::string method = snake_case(view_of(call.name()));
  contract.cpp_name = identifier(method);
  contract.name = snake_case(leaf_of(view_of(service.name()))) + '.' + method;
  read_attributes(contract, call, where);
  check_name(contract, where);
  return contract;
}

}  // namespace

Contracts read_contracts(const schema::Schema& schema, const std::string& file, const std::string& stem) {
  const reflection::Schema& root = schema.root();
  const reflection::SchemaFile* own = own_file(root, stem);
  const auto is_own = [own](const flatbuffers::String* declared_in) {
    return own == nullptr || view_of(declared_in) == view_of(own->filename());
  };

  Contracts contracts;
  Uses uses;
  for (const auto* object : *root.objects()) {
    const std::string name{view_of(object->name())};
    uses.take("C++ name", cpp_name(name), file + ": " + name);
    if (!object->is_struct() && name != topic_marker && is_own(object->declaration_file()))
      contracts.tables.push_back(object);
  }
  for (const auto* enumeration : *root.enums()) {
    const std::string name{view_of(enumeration->name())};
    uses.take("C++ name", cpp_name(name), file + ": " + name);
  }
  if (own != nullptr && own->included_filenames() != nullptr) {
    for (const auto* included : *own->included_filenames()) {
      auto included_stem = std::filesystem::path{included->str()}.stem().string();
      if (included_stem != "midplane") contracts.includes.push_back(std::move(included_stem));
    }
  }
  if (root.services() == nullptr) return contracts;
  for (const auto* service : *root.services()) {
    if (!is_own(service->declaration_file())) continue;
    Group group;
    group.full_name = view_of(service->name());
    const auto scope = scope_of(group.full_name);
    group.cpp_namespace = (scope.empty() ? std::string{} : cpp_name(scope) + "::") +
                          identifier(snake_case(leaf_of(group.full_name)));
    if (!scope.empty() && identifier(snake_case(leaf_of(scope))) == identifier(snake_case(leaf_of(group.full_name))))
      contracts.warnings.push_back(file + ": " + group.full_name + " is named like the namespace it lies in: its constants are in " +
                                   group.cpp_namespace + ", and a using directive makes the name ambiguous; better rename the service");
    uses.take("C++ name", group.cpp_namespace, file + ": " + group.full_name);
    if (service->calls() != nullptr) {
      for (const auto* call : *service->calls()) {
        const std::string where = file + ": " + group.full_name + '.' + call->name()->str();
        Contract contract = read_contract(*service, *call, where);
        take_cpp_names(uses, group, contract, where);
        uses.take(contract.is_topic ? "topic" : "service", contract.name, where);
        group.contracts.push_back(std::move(contract));
      }
    }
    contracts.groups.push_back(std::move(group));
  }
  return contracts;
}

}  // namespace midplane::gen
