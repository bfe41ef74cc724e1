/// A binary schema of a peer. The first byte chooses what it is compared with; the others are the schema. The peer
/// claims the right fingerprint, so that all behind that check is reached.

#include <vector>

#include "fuzz/script.hpp"
#include "schema/contract.hpp"
#include "schema/evolution.hpp"
#include "schema/fingerprint.hpp"
#include "schema/schema_limits.hpp"
#include "schema/type_text.hpp"
#include "schema/verdicts.hpp"
#include "shapes_midplane.hpp"

namespace {

using namespace midplane;
using namespace midplane::schema;

const TypeInfo& ours(std::uint8_t chosen) {
  return chosen % 4 == 0 ? SchemaOf<shapes::Leaf>::info() : SchemaOf<shapes::Shape>::info();
}

void compare(const TypeInfo& near, const Schema& far, const reflection::Object& type, std::span<const std::byte> bytes) {
  const std::string_view name = text_of(type.name());
  const auto claimed = fingerprint(far, type, canonical_bytes_max(bytes.size()));
  if (!claimed) return;
  FUZZ_ASSERT(*claimed != 0 && *claimed == fingerprint(far, type));
  Verdicts verdicts;
  verdicts.remember(near);
  const auto lie = verdicts.learn(near, name, *claimed + 1 == near.fingerprint ? *claimed + 2 : *claimed + 1, bytes);
  FUZZ_ASSERT(!lie || *claimed + 1 == 0);
  const auto learned = verdicts.learn(near, name, *claimed, bytes);
  const auto known = verdicts.known(near, *claimed);
  FUZZ_ASSERT(known && known->has_value() == learned.has_value());
  if (!learned) FUZZ_ASSERT(learned.error().detail().size() <= verdict_detail_bytes_max);
  FUZZ_ASSERT(verdicts.bfbs_of(*claimed) != nullptr && !verdicts.type_of(*claimed).empty());
  // A type agrees with itself, whoever judges.
  const TypeInfo info{name, *claimed, bytes};
  FUZZ_ASSERT(agree(info, info));
  FUZZ_ASSERT(agree(near, info).has_value() == agree(info, near).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span bytes = std::as_bytes(std::span{data + 1, size - 1});
  const TypeInfo& near = ours(data[0]);
  Verdicts verdicts;
  static_cast<void>(verdicts.learn(near, near.name, near.fingerprint + 1, bytes));
  const auto schema = Schema::load(bytes);
  if (!schema) return 0;
  FUZZ_ASSERT(incompatible_changes(*schema, *schema).empty());
  const auto here = load_type(near);
  FUZZ_ASSERT(here.has_value());
  if (size < 8192) {
    for (const Change& one : incompatible_changes(*here, *schema)) FUZZ_ASSERT(!one.text().empty());
  }
  std::size_t types = 0;
  for (const reflection::Object* type : *schema->root().objects()) {
    for (const reflection::Field* field : schema->fields(*type)) {
      FUZZ_ASSERT(!type_text(*schema, *field->type()).empty());
      static_cast<void>(default_text(*field));
    }
    if (!type->is_struct()) compare(near, *schema, *type, bytes);
    if (++types == 8) break;
  }
  return 0;
}
