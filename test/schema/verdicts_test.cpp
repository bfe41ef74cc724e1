#include "schema/verdicts.hpp"

#include <atomic>
#include <thread>

#include "support.hpp"

using namespace midplane;
using namespace midplane::schema_test;
using schema::Verdicts;

namespace {

constexpr int agreed = 0;
constexpr int mismatch = static_cast<int>(ErrorCode::schema_mismatch);

int code(const Result<void>& result) { return result ? agreed : static_cast<int>(result.error().code()); }

/// Types m.T of these declarations, each judged by whoever did not write it.
void agrees(const std::string& one, const std::string& other) {
  const Type a{"namespace m; " + one};
  const Type b{"namespace m; " + other};
  CAPTURE(one);
  CAPTURE(other);
  REQUIRE(a.fingerprint() != b.fingerprint());
  Verdicts verdicts;
  CHECK_FALSE(verdicts.known(a.info(), b.fingerprint()));
  CHECK(code(verdicts.learn(a.info(), "m.T", b.fingerprint(), b.bfbs)) == agreed);
  CHECK(code(verdicts.learn(b.info(), "m.T", a.fingerprint(), a.bfbs)) == agreed);
  CHECK(code(verdicts.known(a.info(), b.fingerprint()).value()) == agreed);
}

std::string said(const Type& here, const Type& there) {
  Verdicts verdicts;
  const auto learned = verdicts.learn(here.info(), there.name, there.fingerprint(), there.bfbs);
  REQUIRE(code(learned) == mismatch);
  const auto known = verdicts.known(here.info(), there.fingerprint());
  REQUIRE(known);
  CHECK(known->error().detail() == learned.error().detail());
  CHECK(std::string{learned.error().detail()}.find('\n') == std::string::npos);
  return std::string{learned.error().detail()};
}

std::string said(const std::string& here, const std::string& there) {
  return said(Type{"namespace m; " + here}, Type{"namespace m; " + there});
}

/// What is said of bytes that are no schema for the type.
std::string unreadable(const std::string& far_type, std::uint64_t fingerprint, const Bytes& bfbs) {
  const Type near{"namespace m; table T { a:int; }"};
  Verdicts verdicts;
  const auto learned = verdicts.learn(near.info(), far_type, fingerprint, bfbs);
  REQUIRE(code(learned) == mismatch);
  // Nothing of it stays: the next peer may tell the truth.
  CHECK_FALSE(verdicts.known(near.info(), fingerprint));
  CHECK(verdicts.bfbs_of(fingerprint) == nullptr);
  return std::string{learned.error().detail()};
}

const std::string could_not = "m.T here, m.T there: the schema from there could not be read: ";

}  // namespace

TEST_CASE("equal fingerprints and raw bytes are known to agree without any schema") {
  const Type type{"namespace m; table T { a:int; }"};
  const Verdicts verdicts;
  CHECK(code(verdicts.known(type.info(), type.fingerprint()).value()) == agreed);
  CHECK(code(verdicts.known(type.info(), 0).value()) == agreed);
  CHECK(code(verdicts.known(TypeInfo{}, type.fingerprint()).value()) == agreed);
  CHECK_FALSE(verdicts.known(type.info(), type.fingerprint() + 1));
}

TEST_CASE("a far type that is a permitted evolution agrees, whichever side is the younger") {
  agrees("table T { a:int; }", "table T { a:int; b:string; }");
  agrees("table T { a:int; b:int; }", "table T { a:int (deprecated); b:int; }");
  agrees("table T { a:int (id: 0); b:int (id: 1); }", "table T { a:int (id: 0); c:int (id: 1); }");
  agrees("enum E : ubyte { a, b } table T { e:E; }", "enum E : ubyte { a, b, c } table T { e:E; }");
  agrees("table A {} table B {} union U { A } table T { u:U; }", "table A {} table B {} union U { A, B } table T { u:U; }");
}

TEST_CASE("a disagreement names both types, the field and what it is on each side") {
  CHECK(said("table T { price:double; }", "table T { price:float; }") ==
        "m.T here, m.T there: m.T.price: changed_type, here double, there float; keep the type; add a field of the new type "
        "and deprecate this one");
  CHECK(said("table T { s:S; } table S { a:string; }", "table T { s:S; } table S { a:[string]; }") ==
        "m.T here, m.T there: m.S.a: changed_type, here string, there [string]; keep the type; add a field of the new type "
        "and deprecate this one");
  CHECK(said("enum E : ubyte { buy, sell = 2 } table T { e:E; }", "enum E : ubyte { buy, sell = 3 } table T { e:E; }") ==
        "m.T here, m.T there: m.E.sell: changed_enum_value, here 2, there 3; keep the number of each name; new names take "
        "new numbers");
  CHECK(said("table T { a:int = 1; }", "table T { a:int = 2; b:int; }") ==
        "m.T here, m.T there: m.T.a: changed_default, here 1, there 2; keep the default; it is what an absent field means to "
        "the other side");
  CHECK(said(Type{"namespace m; table T { a:int; }"}, Type{"namespace m; table O { a:int; }", "m.O"}) ==
        "m.T here, m.O there");
}

TEST_CASE("here and there change places with the side that judges") {
  const std::string one = "table T { price:double; }";
  const std::string other = "table T { price:float; }";
  CHECK(said(one, other).find("here double, there float") != std::string::npos);
  CHECK(said(other, one).find("here float, there double") != std::string::npos);
}

TEST_CASE("two evolutions that went different ways do not agree") {
  const std::string text = said("table T { a:int; b:string; }", "table T { a:int; b:long; }");
  CHECK(text.find("m.T.b: changed_type, here string, there long") != std::string::npos);
}

TEST_CASE("a verdict is reached once, and then the bytes are not looked at") {
  const Type near{"namespace m; table T { a:int; }"};
  const Type good{"namespace m; table T { a:int; b:int; }"};
  const Type bad{"namespace m; table T { a:long; }"};
  Verdicts verdicts;
  CHECK(code(verdicts.learn(near.info(), "m.T", good.fingerprint(), good.bfbs)) == agreed);
  CHECK(code(verdicts.learn(near.info(), "m.T", good.fingerprint(), {})) == agreed);
  const auto first = verdicts.learn(near.info(), "m.T", bad.fingerprint(), bad.bfbs);
  const auto again = verdicts.learn(near.info(), "m.T", bad.fingerprint(), {});
  CHECK(code(again) == mismatch);
  // The very text, not one that was made anew.
  CHECK(again.error().detail().data() == first.error().detail().data());
}

TEST_CASE("a far schema that came for one type of ours serves the others too, and our own ones need not come at all") {
  const Type older{"namespace m; table T { a:int; }"};
  const Type newer{"namespace m; table T { a:int; b:int; }"};
  const Type far{"namespace m; table T { a:int; b:int; c:int; }"};
  Verdicts verdicts;
  CHECK(code(verdicts.learn(older.info(), "m.T", far.fingerprint(), far.bfbs)) == agreed);
  CHECK(code(verdicts.known(newer.info(), far.fingerprint()).value()) == agreed);
  CHECK_FALSE(verdicts.known(older.info(), newer.fingerprint()));
  verdicts.remember(newer.info());
  CHECK(code(verdicts.known(older.info(), newer.fingerprint()).value()) == agreed);
}

TEST_CASE("schemas of ours and those learned are handed out by fingerprint") {
  const Type near{"namespace m; table T { a:int; } table O { b:int; }"};
  const Type other{near.bfbs, "m.O"};
  const Type far{"namespace m; table T { a:int; b:int; }"};
  Verdicts verdicts;
  CHECK(verdicts.bfbs_of(near.fingerprint()) == nullptr);
  verdicts.remember(near.info());
  verdicts.remember(other.info());
  verdicts.remember(TypeInfo{});
  CHECK(*verdicts.bfbs_of(near.fingerprint()) == near.bfbs);
  CHECK(verdicts.type_of(near.fingerprint()) == "m.T");
  CHECK(verdicts.type_of(other.fingerprint()) == "m.O");
  CHECK(verdicts.bfbs_of(0) == nullptr);
  CHECK(verdicts.bfbs_of(far.fingerprint()) == nullptr);
  CHECK(code(verdicts.learn(near.info(), "m.T", far.fingerprint(), far.bfbs)) == agreed);
  CHECK(*verdicts.bfbs_of(far.fingerprint()) == far.bfbs);
  CHECK(verdicts.type_of(far.fingerprint()) == "m.T");
}

TEST_CASE("a schema with another fingerprint than was claimed is refused, and the honest one is taken afterwards") {
  const Type near{"namespace m; table T { a:int; }"};
  const Type far{"namespace m; table T { a:int; b:int; } table O { a:int; }"};
  CHECK(unreadable("m.T", far.fingerprint() + 1, far.bfbs) == could_not + "it has another fingerprint than was claimed");
  CHECK(unreadable("m.O", far.fingerprint(), far.bfbs) ==
        "m.T here, m.O there: the schema from there could not be read: it has another fingerprint than was claimed");
  Verdicts verdicts;
  CHECK(code(verdicts.learn(near.info(), "m.T", far.fingerprint(), near.bfbs)) == mismatch);
  CHECK(code(verdicts.learn(near.info(), "m.T", far.fingerprint(), far.bfbs)) == agreed);
}

TEST_CASE("what is no schema could not be read, and says why") {
  const Type far{"namespace m; table T { a:int; b:int; }"};
  CHECK(unreadable("m.T", 7, {}) == could_not + "it is not known there");
  CHECK(unreadable("m.T", 7, Bytes(64, std::byte{0x41})) == could_not + "these bytes are no binary schema");
  CHECK(unreadable("m.T", 7, Bytes(schema::far_schema_bytes_max + 1)) ==
        could_not + "it has more than 1 MiB; split it or leave its comments out");
  CHECK(unreadable("m.X", 7, far.bfbs) ==
        "m.T here, m.X there: the schema from there could not be read: it does not contain the type");
  CHECK(unreadable("m.\n\x1b[2J", 7, far.bfbs) ==
        "m.T here, m.???2J there: the schema from there could not be read: it does not contain the type");
  for (std::size_t size = 0; size < far.bfbs.size(); size += 7)
    unreadable("m.T", far.fingerprint(), {far.bfbs.begin(), far.bfbs.begin() + static_cast<std::ptrdiff_t>(size)});
}

TEST_CASE("mutated schemas never become a verdict under a fingerprint that is not theirs") {
  const Type near{"namespace m; table T { a:int; }"};
  const Type far{"namespace m; enum E : ubyte { a, b } table O { e:[E]; } union U { O, T } table T { a:int; u:U; o:[O]; }"};
  Verdicts verdicts;
  std::size_t taken = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    Dice dice{seed};
    const auto bytes = mutated(far.bfbs, dice);
    Verdicts fresh;
    // A change in what the canonical form leaves out, a comment or a file's name, harms nobody.
    if (fresh.learn(near.info(), "m.T", far.fingerprint(), bytes)) ++taken;
    CHECK(fresh.learn(near.info(), "m.T", far.fingerprint(), far.bfbs).has_value());
  }
  CHECK(taken < 3000);
}

TEST_CASE("structs nested too deep are refused, and a long chain of tables costs no stack") {
  std::string structs = "namespace m; struct S0 { x:int; } ";
  for (int i = 1; i < 40; ++i)
    structs += "struct S" + std::to_string(i) + " { s:S" + std::to_string(i - 1) + "; } ";
  CHECK(unreadable("m.T", 7, bfbs_of(structs + "table T { s:S39; }")) ==
        could_not + "a struct contains itself, or nests too deep");

  std::string chain;
  for (int i = 0; i < 3000; ++i) chain += "table C" + std::to_string(i) + " { next:C" + std::to_string(i + 1) + "; } ";
  agrees(chain + "table C3000 {} table T { c:C0; }", chain + "table C3000 {} table T { c:C0; d:int; }");
}

TEST_CASE("a schema whose canonical form is far larger than its bytes is refused") {
  std::string text = "namespace m; table " + std::string(1000, 'L') + " {} table T {";
  for (int i = 0; i < 5000; ++i) text += " f" + std::to_string(i) + ":" + std::string(1000, 'L') + ";";
  const Type far{text + " }"};
  REQUIRE(far.bfbs.size() < schema::far_schema_bytes_max);
  CHECK(unreadable("m.T", far.fingerprint(), far.bfbs) == could_not + "it has another fingerprint than was claimed");
}

TEST_CASE("many types that share the fields of one are refused at a bounded cost") {
  // As dear as a megabyte can be, just below the steps it may take: every type visits all the long names again.
  flatbuffers::FlatBufferBuilder builder;
  const auto type = reflection::CreateType(builder, reflection::Int);
  std::vector<flatbuffers::Offset<reflection::Field>> fields;
  for (std::uint16_t i = 0; i < 600; ++i) {
    std::string name(1000, 'f');
    name.replace(0, 4, "f" + std::to_string(100 + i));
    fields.push_back(reflection::CreateField(builder, builder.CreateString(name), type, i, static_cast<std::uint16_t>(4 + 2 * i)));
  }
  const auto shared = builder.CreateVector(fields);
  std::vector<flatbuffers::Offset<reflection::Object>> objects;
  for (int i = 0; i < 250; ++i)
    objects.push_back(reflection::CreateObject(builder, builder.CreateString("m.T" + std::to_string(10'000 + i)), shared));
  const auto all = builder.CreateVector(objects);
  const auto enums = builder.CreateVector(std::vector<flatbuffers::Offset<reflection::Enum>>{});
  builder.Finish(reflection::CreateSchema(builder, all, enums));
  const auto bytes = bytes_of(builder.GetBufferPointer(), builder.GetSize());
  REQUIRE(bytes.size() < schema::far_schema_bytes_max);
  CHECK(unreadable("m.T10000", 7, bytes) ==
        "m.T here, m.T10000 there: the schema from there could not be read: it has another fingerprint than was claimed");
}

TEST_CASE("of the schemas learned the newest stay, and of the verdicts too") {
  const Type near{"namespace m; table T { a:int; }"};
  const Type twin{"namespace m; table T { a:int; z:int; }"};
  Verdicts verdicts;
  std::vector<std::uint64_t> fingerprints;
  Bytes first;
  for (std::size_t i = 0; i <= schema::far_schemas_max; ++i) {
    const Type far{"namespace m; table T { a:int; z" + std::to_string(i) + ":int; }"};
    if (i == 0) first = far.bfbs;
    fingerprints.push_back(far.fingerprint());
    REQUIRE(code(verdicts.learn(near.info(), "m.T", far.fingerprint(), far.bfbs)) == agreed);
    REQUIRE(code(verdicts.known(twin.info(), far.fingerprint()).value()) == agreed);
  }
  CHECK(verdicts.bfbs_of(fingerprints.front()) == nullptr);
  CHECK(verdicts.bfbs_of(fingerprints[1]) != nullptr);
  CHECK(verdicts.bfbs_of(fingerprints.back()) != nullptr);
  // Two verdicts for each: the first schema's are gone as well, and are reached anew.
  static_assert(schema::verdicts_max == 2 * schema::far_schemas_max);
  CHECK_FALSE(verdicts.known(near.info(), fingerprints.front()));
  CHECK(code(verdicts.learn(near.info(), "m.T", fingerprints.front(), first)) == agreed);
}

TEST_CASE("the schemas kept have a bound in bytes") {
  const Type near{"namespace m; table T { a:int; }"};
  Verdicts verdicts;
  std::size_t bytes = 0;
  std::vector<std::uint64_t> fingerprints;
  while (bytes <= schema::far_schemas_bytes_max) {
    const Type far{"namespace m;\n/// " + std::string(900'000, 'c') + "\ntable T { a:int; z" + std::to_string(bytes) + ":int; }"};
    REQUIRE(far.bfbs.size() > 900'000);
    bytes += far.bfbs.size();
    fingerprints.push_back(far.fingerprint());
    REQUIRE(code(verdicts.learn(near.info(), "m.T", far.fingerprint(), far.bfbs)) == agreed);
  }
  CHECK(verdicts.bfbs_of(fingerprints.front()) == nullptr);
  CHECK(verdicts.bfbs_of(fingerprints[1]) != nullptr);
  CHECK(verdicts.known(near.info(), fingerprints.front()).has_value());
}

TEST_CASE("a detail has a bound, whatever the names are") {
  const std::string name(1000, 'n');
  const std::string text = said("table T { " + name + ":int; }", "table T { " + name + ":string; }");
  CHECK(text.size() == schema::verdict_detail_bytes_max);
  CHECK(text.ends_with("..."));
}

TEST_CASE("several threads learn and ask at once") {
  const Type near{"namespace m; table T { a:int; }"};
  std::vector<Type> far;
  for (int i = 0; i < 50; ++i) far.emplace_back("namespace m; table T { a:int; z" + std::to_string(i) + ":int; }");
  Verdicts verdicts;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (const Type& type : far) {
        if (!verdicts.learn(near.info(), "m.T", type.fingerprint(), type.bfbs)) ++wrong;
        if (const auto known = verdicts.known(near.info(), type.fingerprint()); !known || !*known) ++wrong;
        if (const auto bfbs = verdicts.bfbs_of(type.fingerprint()); !bfbs || *bfbs != type.bfbs) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}
