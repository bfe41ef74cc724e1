#include "emit.hpp"

#include "plain.hpp"
#include "required.hpp"
#include "words.hpp"

namespace midplane::gen {
namespace {

/// `.a = x` items that are there, joined; empty when none is.
class Initializers {
 public:
  void add(const char* member, const std::string& value) {
    text_ += (text_.empty() ? "." : ", .") + std::string{member} + " = " + value;
  }
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
  [[nodiscard]] std::string braced() const { return '{' + text_ + '}'; }

 private:
  std::string text_;
};

/// What each parameter is, by its place in the name.
std::string parameter_docs(const Contract& contract) {
  static constexpr const char* endings[] = {"th", "st", "nd", "rd"};
  std::string text = "/// `" + contract.name + "` with its `*` filled in, each by one token; escape_token() makes any text one.\n";
  std::size_t place = 0;
  for (std::size_t hole = 0; hole < contract.holes; ++hole, ++place) {
    place = contract.name.find('*', place);
    const std::size_t n = hole + 1;
    text += "/// - `" + hole_name(contract, hole) + "`: the ";
    if (contract.holes > 1) text += std::to_string(n) + endings[n < 4 ? n : 0] + ' ';
    text += "`*`, " + (place == 0 ? "in front" : "behind `" + contract.name.substr(0, place - 1) + '`') + '\n';
  }
  return text;
}

std::string constant_text(const Contract& contract) {
  const std::string type = contract_type(contract);
  const std::string defaults = defaults_text(contract);
  const std::string quoted_name = '"' + contract.name + '"';
  const std::string constant = "inline constexpr " + type + ' ' + contract.cpp_name;
  if (contract.holes == 0 && defaults == "{}") return constant + '{' + quoted_name + "};\n";
  if (contract.holes == 0) return constant + '{' + quoted_name + ", " + defaults + "};\n";
  std::string text = "inline constexpr std::string_view " + contract.cpp_name + "_pattern_text{" + quoted_name + "};\n";
  text += parameter_docs(contract);
  text += "[[nodiscard]] ::midplane::Result<" + type + "> " + contract.cpp_name + '(' + parameters_text(contract) + ");\n";
  if (contract.is_topic)
    text += "/// All of these topics, to subscribe.\n"
            "[[nodiscard]] ::midplane::Result<::midplane::Pattern<::" + cpp_name(contract.request) + ">> " +
            contract.cpp_name + "_pattern();\n";
  return text;
}

}  // namespace

std::string contract_type(const Contract& contract) {
  const std::string request = "::" + cpp_name(contract.request);
  if (contract.is_topic) return "::midplane::Topic<" + request + '>';
  return "::midplane::Service<" + request + ", ::" + cpp_name(contract.reply) + '>';
}

std::string defaults_text(const Contract& contract) {
  Initializers queue;
  if (contract.queue) queue.add("messages", std::to_string(*contract.queue));
  if (contract.queue_bytes) queue.add("bytes", std::to_string(*contract.queue_bytes));
  if (contract.overflow) queue.add("overflow", "::midplane::Overflow::" + *contract.overflow);
  Initializers all;  // in the order of TopicDefaults and ServiceDefaults
  if (contract.timeout_ms) all.add("timeout", "std::chrono::milliseconds{" + std::to_string(*contract.timeout_ms) + '}');
  if (!queue.empty()) all.add("queue", queue.braced());
  if (contract.retain) all.add("retain", "true");
  if (contract.idempotent) all.add("idempotent", "true");
  if (contract.streaming) all.add("streaming", "true");
  return all.braced();
}

std::string hole_name(const Contract& contract, std::size_t hole) {
  return contract.holes == 1 ? "token" : "token_" + std::to_string(hole + 1);
}

std::string parameters_text(const Contract& contract) {
  std::string text;
  for (std::size_t hole = 0; hole < contract.holes; ++hole)
    text += (hole == 0 ? "std::string_view " : ", std::string_view ") + hole_name(contract, hole);
  return text;
}

std::string header_text(const Contracts& contracts, const schema::Schema& schema, const std::string& stem) {
  std::string text = "#pragma once\n/// Written by midplane-gen from " + stem + ".fbs; change that and build again.\n\n"
                     "#include <chrono>\n#include <cstdint>\n#include <cstring>\n#include <string_view>\n\n"
                     "#include <midplane/names.hpp>\n#include <midplane/plain_table.hpp>\n"
                     "#include <midplane/required_parts.hpp>\n#include <midplane/schema.hpp>\n\n";
  text += "#include \"" + stem + "_generated.h\"\n";
  for (const auto& include : contracts.includes) text += "#include \"" + include + "_midplane.hpp\"\n";
  for (const auto* table : contracts.tables)
    text += "\ntemplate <>\nstruct midplane::SchemaOf<::" + cpp_name(view_of(table->name())) + "> {\n"
            "  static const midplane::TypeInfo& info() noexcept;\n};\n" + plain_table_text(*table) +
            required_declaration(schema, *table);
  for (const auto& group : contracts.groups) {
    text += "\n/// " + group.full_name + "\nnamespace " + group.cpp_namespace + " {\n\n";
    for (const auto& contract : group.contracts) text += constant_text(contract) + (contract.holes == 0 ? "" : "\n");
    text += (text.ends_with("\n\n") ? "}  // namespace " : "\n}  // namespace ") + group.cpp_namespace + '\n';
  }
  return text;
}

}  // namespace midplane::gen
