#include "plain.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "native.hpp"
#include "schema/scalars.hpp"
#include "words.hpp"

namespace midplane::gen {
namespace {

struct Place {
  const reflection::Field* field;
  std::size_t bytes;
  std::size_t offset = 0;  ///< in the FlatBuffer
};

/// Largest first, so that each is aligned; empty when a builder is needed.
std::vector<Place> places_of(const reflection::Object& table) {
  std::vector<Place> places;
  if (has_own_type(table)) return {};
  for (const auto* field : *table.fields()) {
    if (field->deprecated()) continue;
    const reflection::BaseType type = field->type()->base_type();
    const std::size_t bytes = schema::scalar_bytes(type);
    if (bytes == 0 || type == reflection::UType || field->optional() || has_own_type(*field)) return {};
    places.push_back({field, bytes});
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.field->id() < b.field->id();
  });
  return places;
}

void put(std::vector<std::uint8_t>& bytes, std::size_t at, std::size_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

constexpr std::size_t rounded(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

std::string plain_table_text(const reflection::Object& table) {
  std::vector<Place> places = places_of(table);
  if (places.empty()) return {};
  std::size_t ids = 0;
  for (const Place& place : places) ids = std::max<std::size_t>(ids, place.field->id() + std::size_t{1});

  // The offset of the root, the vtable, and the table: its offset to the vtable, then its numbers, aligned.
  constexpr std::size_t vtable_at = 4;
  const std::size_t vtable_bytes = 4 + 2 * ids;
  const std::size_t alignment = std::max<std::size_t>(places.front().bytes, 4);
  const std::size_t first_at = rounded(vtable_at + vtable_bytes + 4, alignment);
  const std::size_t table_at = first_at - 4;
  std::size_t end = first_at;
  for (Place& place : places) {
    place.offset = end;
    end += place.bytes;
  }
  const std::size_t table_bytes = end - table_at;
  if (table_bytes > UINT16_MAX || vtable_bytes > UINT16_MAX) return {};

  std::vector<std::uint8_t> head(first_at);
  put(head, 0, table_at, 4);
  put(head, vtable_at, vtable_bytes, 2);
  put(head, vtable_at + 2, table_bytes, 2);
  for (const Place& place : places) put(head, vtable_at + 4 + 2 * place.field->id(), place.offset - table_at, 2);
  put(head, table_at, table_at - vtable_at, 4);

  const std::size_t bytes = rounded(end, alignment);
  const std::string type = "::" + cpp_name(view_of(table.name()));
  std::string text = "\ntemplate <>\nstruct midplane::PlainTable<" + type + "> {\n  static constexpr std::size_t bytes = " +
                     std::to_string(bytes) + ";\n  static void write(const " + type + "::NativeTableType& value, " +
                     "std::uint8_t* to) noexcept {\n    static constexpr std::uint8_t head[] = {";
  for (std::size_t i = 0; i < head.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(head[i]);
  text += "};\n    std::memcpy(to, head, sizeof head);\n";
  for (const Place& place : places)
    text += "    detail::put_number<" + std::to_string(place.bytes) + ">(to + " + std::to_string(place.offset) + ", value." +
            identifier(std::string{view_of(place.field->name())}) + ");\n";
  if (bytes != end)
    text += "    std::memset(to + " + std::to_string(end) + ", 0, " + std::to_string(bytes - end) + ");\n";
  return text + "  }\n};\n";
}

}  // namespace midplane::gen
