#include "schema/schema.hpp"

#include <cstring>
#include <midplane/json.hpp>

#include "json_checker.hpp"
#include "schema/evolution.hpp"
#include "support.hpp"

using namespace midplane;
using namespace midplane::schema_test;
using schema::Schema;

namespace {

const std::string rich =
    "namespace m; enum E : ushort { a, b = 7 } struct P { x:short; y:double; } struct L { p:[P:2]; e:E; } "
    "table A { k:ulong; t:T; } union U { A, P, text:string } "
    "table T { i:int = 5; e:E = a; l:L; ps:[P]; raw:[ubyte]; words:[string]; u:U; us:[U]; kids:[T]; name:string (required); } "
    "rpc_service Beta { Ask(A):T; Again(T):A; } rpc_service Alpha { Ask(A):T (streaming: \"server\"); } root_type T;";

ErrorCode refusal(const Bytes& bytes) { return Schema::load(bytes).error().code(); }

}  // namespace

TEST_CASE("a schema is loaded, and its types are found by their full names") {
  const auto loaded = Schema::load(bfbs_of(rich));
  REQUIRE(loaded);
  for (const char* name : {"m.A", "m.L", "m.P", "m.T"}) CHECK(loaded->find(name)->name()->str() == name);
  for (const char* name : {"", "T", "m", "m.", "m.E", "m.TT", "z.T"}) CHECK(loaded->find(name) == nullptr);
  const Schema copy = *loaded;
  CHECK(&copy.root() == &loaded->root());
}

TEST_CASE("bytes that are no schema are refused") {
  CHECK(refusal({}) == ErrorCode::invalid_schema);
  for (const std::size_t size : {1U, 4U, 7U, 8U, 15U, 16U, 400U}) {
    CHECK(refusal(Bytes(size, std::byte{0})) == ErrorCode::invalid_schema);
    CHECK(refusal(Bytes(size, std::byte{0xFF})) == ErrorCode::invalid_schema);
  }
  CHECK(refusal(Bytes(schema::schema_bytes_max + 1)) == ErrorCode::invalid_schema);
  const auto whole = bfbs_of(rich);
  for (std::size_t size = 0; size < whole.size(); size += 13)
    CHECK(refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}) == ErrorCode::invalid_schema);
}

TEST_CASE("mutated schemas are refused, or everything can be asked of them") {
  const auto whole = bfbs_of(rich);
  const Type honest{whole, "m.T"};
  const auto payload = payload_of(rich, R"({name:"n", u_type:A, u:{k:1}, us_type:[P,text], us:[{x:1,y:2},"s"], ps:[{x:1,y:2}],
    l:{p:[{x:1,y:2},{x:3,y:4}],e:a}, words:["a"], kids:[{name:"k"}]})");
  std::size_t taken = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    CAPTURE(seed);
    Dice dice{seed};
    const auto bytes = mutated(whole, dice);
    const auto loaded = Schema::load(bytes);
    if (!loaded) continue;
    ++taken;
    for (const auto* object : *loaded->root().objects()) {
      CHECK(schema::fingerprint(*loaded, *object) != 0);
      (void)schema::incompatible_changes(*loaded, *object, honest.schema, honest.object());
      (void)schema::incompatible_changes(honest.schema, honest.object(), *loaded, *object);
      const std::string name = object->name()->str();
      const auto text = to_json(payload, {name, 1, bytes}, {.bytes_max = std::size_t{1} << 20});
      if (text) CHECK(is_json(*text));
    }
  }
  CHECK(taken > 10);
}

TEST_CASE("a struct inside itself is refused") {
  auto bytes = bfbs_of("namespace m; struct A { x:[int:2]; } struct B { a:A; } table T { b:B; }");
  const auto* root = reflection::GetSchema(bytes.data());
  const auto* types = root->objects();
  // B holds A, which is object 0; let it hold itself, object 1, which has the same size.
  auto* type = const_cast<reflection::Type*>(types->Get(1)->fields()->Get(0)->type());
  REQUIRE(type->index() == 0);
  REQUIRE(reinterpret_cast<flatbuffers::Table*>(type)->SetField<std::int32_t>(reflection::Type::VT_INDEX, 1, -1));
  CHECK(refusal(bytes) == ErrorCode::invalid_schema);
}

TEST_CASE("a vtable of odd size is refused, for its last field would be seen by one reader and not by the other") {
  auto bytes = bfbs_of("namespace m; table T { a:int; b:string; }");
  const auto* type = reflection::GetSchema(bytes.data())->objects()->Get(0)->fields()->Get(0)->type();
  auto* vtable = const_cast<std::uint8_t*>(reinterpret_cast<const flatbuffers::Table*>(type)->GetVTable());
  flatbuffers::WriteScalar<flatbuffers::voffset_t>(vtable, static_cast<flatbuffers::voffset_t>(reflection::Type::VT_BASE_TYPE + 1));
  CHECK(refusal(bytes) == ErrorCode::invalid_schema);
}

TEST_CASE("an enum that gives one name to two values is refused") {
  auto bytes = bfbs_of("namespace m; enum E : byte { once, then } table T { e:E; }");
  const auto* name = reflection::GetSchema(bytes.data())->enums()->Get(0)->values()->Get(1)->name();
  REQUIRE(name->str() == "then");
  std::memcpy(const_cast<char*>(name->c_str()), "once", 4);
  CHECK(refusal(bytes) == ErrorCode::invalid_schema);
}

TEST_CASE("a union whose NONE has no type is no trap") {
  auto bytes = bfbs_of("namespace m; table A {} union U { A } table T { u:U; }");
  const auto* none = reflection::GetSchema(bytes.data())->enums()->Get(0)->values()->Get(0);
  auto* vtable = const_cast<std::uint8_t*>(reinterpret_cast<const flatbuffers::Table*>(none)->GetVTable());
  flatbuffers::WriteScalar<flatbuffers::voffset_t>(vtable + reflection::EnumVal::VT_UNION_TYPE, 0);
  REQUIRE(Schema::load(bytes));

  flatbuffers::FlatBufferBuilder builder;
  builder.ForceDefaults(true);
  const flatbuffers::Offset<flatbuffers::Table> held{builder.EndTable(builder.StartTable())};
  const auto start = builder.StartTable();
  builder.AddElement<std::uint8_t>(4, 0, 0);
  builder.AddOffset(6, held);
  builder.Finish(flatbuffers::Offset<flatbuffers::Table>{builder.EndTable(start)});
  const auto payload = bytes_of(builder.GetBufferPointer(), builder.GetSize());
  CHECK(to_json(payload, {"m.T", 1, bytes}).value() == R"({"u_type":"NONE"})");
}
