#include <array>
#include <charconv>

#include "emit.hpp"
#include "required.hpp"
#include "schema/fingerprint.hpp"
#include "words.hpp"

namespace midplane::gen {
namespace {

std::string hex(std::uint64_t number) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return "0x" + std::string(digits.data(), end);
}

/// Aligned, for the schema is read where it lies.
std::string bytes_text(std::string_view bfbs) {
  std::string text = "constexpr unsigned char schema_raw[]{";
  std::size_t column = 0;
  for (const char c : bfbs) {
    text += column++ % 24 == 0 ? "\n    " : "";
    text += std::to_string(static_cast<unsigned char>(c)) + ',';
  }
  return text + "\n};\nalignas(8) constexpr auto schema_bytes = "
                "std::bit_cast<std::array<std::byte, sizeof schema_raw>>(schema_raw);\n";
}

constexpr std::string_view filler = R"(
/// The pattern with its `*` replaced. A token with a dot would silently name something else, so each is checked.
[[maybe_unused]] midplane::Result<std::string> filled(std::string_view pattern, std::initializer_list<std::string_view> tokens) {
  std::string name;
  auto token = tokens.begin();
  for (const char c : pattern) {
    if (c != '*') {
      name += c;
      continue;
    }
    for (const char part : *token) {
      if (!midplane::detail::is_name_character(part))
        return midplane::Error{midplane::ErrorCode::invalid_name,
                               "not one token of A-Z a-z 0-9 _ -; escape_token() makes any text one"}.with(*token);
    }
    name += *token++;
  }
  return name;
}
)";

std::string functions_text(const Contract& contract) {
  const std::string type = contract_type(contract);
  const std::string pattern = contract.cpp_name + "_pattern_text";
  std::string tokens;
  for (std::size_t hole = 0; hole < contract.holes; ++hole)
    tokens += (hole == 0 ? "" : ", ") + hole_name(contract, hole);
  std::string text = "\n::midplane::Result<" + type + "> " + contract.cpp_name + '(' + parameters_text(contract) + ") {\n"
                     "  auto name = ::filled(" + pattern + ", {" + tokens + "});\n"
                     "  if (!name) return name.error();\n"
                     "  return " + type + "::named(*name, " + defaults_text(contract) + ");\n}\n";
  if (contract.is_topic) {
    const std::string all = "::midplane::Pattern<::" + cpp_name(contract.request) + '>';
    text += "\n::midplane::Result<" + all + "> " + contract.cpp_name + "_pattern() {\n"
            "  return " + all + "::parse(" + pattern + ", " + defaults_text(contract) + ");\n}\n";
  }
  return text;
}

}  // namespace

std::string source_text(const Contracts& contracts, const schema::Schema& schema, std::string_view bfbs,
                        const std::string& stem) {
  bool holes = false;
  for (const auto& group : contracts.groups) {
    for (const auto& contract : group.contracts) holes = holes || contract.holes != 0;
  }
  std::string text = "// Written by midplane-gen from " + stem + ".fbs; change that and build again.\n\n#include \"" + stem +
                     "_midplane.hpp\"\n\n#include <array>\n#include <bit>\n#include <cstddef>\n"
                     "#include <initializer_list>\n#include <string>\n\nnamespace {\n\n";
  if (!contracts.tables.empty()) text += bytes_text(bfbs);
  if (holes) text += filler;
  text += "\n}  // namespace\n";
  for (const auto* table : contracts.tables) {
    const std::string name{view_of(table->name())};
    text += "\nconst midplane::TypeInfo& midplane::SchemaOf<::" + cpp_name(name) + ">::info() noexcept {\n"
            "  static constexpr midplane::TypeInfo type{\"" + name + "\", " + hex(schema::fingerprint(schema, *table)) +
            ", schema_bytes};\n  return type;\n}\n" + required_definition(schema, *table);
  }
  for (const auto& group : contracts.groups) {
    std::string functions;
    for (const auto& contract : group.contracts) {
      if (contract.holes != 0) functions += functions_text(contract);
    }
    if (!functions.empty())
      text += "\nnamespace " + group.cpp_namespace + " {\n" + functions + "\n}  // namespace " + group.cpp_namespace + '\n';
  }
  return text;
}

}  // namespace midplane::gen
