/// Bytes as a payload of a known type: verified as a typed receiver does it, and as JSON by reflection alone.

#include <vector>

#include <midplane/extend/codec.hpp>
#include <midplane/json.hpp>

#include "fuzz/script.hpp"
#include "schema/contract.hpp"
#include "schema/payload.hpp"
#include "shapes_midplane.hpp"

namespace {

using namespace midplane;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // Aligned as a payload that arrived is, and exactly as long.
  std::vector<std::byte> bytes(size - 1);
  if (size > 1) std::memcpy(bytes.data(), data + 1, size - 1);
  bytes.shrink_to_fit();
  const TypeInfo& type = SchemaOf<shapes::Shape>::info();
  static const auto schema = schema::load_type(type);
  const bool is_typed = Codec<shapes::Shape>::verify(bytes);
  const bool is_value = schema::is_value(bytes, *schema, *schema->find(type.name));
  const auto text = to_json(bytes, type, {.pretty = (data[0] & 1) != 0, .bytes_max = (data[0] & 2) != 0 ? 64U : 1U << 20});
  FUZZ_ASSERT(text.has_value() == is_value || (text.has_value() ? false : text.error().code() == ErrorCode::too_large));
  if (text) FUZZ_ASSERT(!text->empty() && text->front() == '{' && text->back() == '}');
  // Whoever takes the typed way trusts what the generated accessors then read.
  if (!is_typed) return 0;
  const auto* shape = flatbuffers::GetRoot<shapes::Shape>(bytes.data());
  volatile std::size_t sum = 0;
  if (shape->words()) {
    for (const auto* word : *shape->words()) sum = sum + word->size();
  }
  if (shape->leaves()) {
    for (const auto* leaf : *shape->leaves()) sum = sum + leaf->name()->size();
  }
  if (shape->part_as_Leaf()) sum = sum + shape->part_as_Leaf()->name()->size();
  return 0;
}
