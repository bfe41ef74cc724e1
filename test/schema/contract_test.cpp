#include "schema/contract.hpp"

#include "support.hpp"

using namespace midplane;
using namespace midplane::schema_test;

TEST_CASE("equal fingerprints agree without a look at the schemas") {
  CHECK(schema::agree({"m.T", 7, {}}, {"m.T", 7, {}}).has_value());
}

TEST_CASE("raw bytes agree with everything") {
  const Type type{"namespace m; table T { a:int; }"};
  CHECK(schema::agree(TypeInfo{}, type.info()).has_value());
  CHECK(schema::agree(type.info(), TypeInfo{}).has_value());
}

TEST_CASE("an evolution agrees with what it came from, whichever side is the younger") {
  const Type old_type{"namespace m; table T { a:int; }"};
  const Type new_type{"namespace m; table T { a:int; b:string; }"};
  CHECK(schema::agree(old_type.info(), new_type.info()).has_value());
  CHECK(schema::agree(new_type.info(), old_type.info()).has_value());
}

TEST_CASE("two evolutions that went different ways do not agree") {
  const Type one{"namespace m; table T { a:int; b:string; }"};
  const Type other{"namespace m; table T { a:int; b:long; }"};
  const auto answer = schema::agree(one.info(), other.info());
  REQUIRE(!answer);
  CHECK(answer.error().code() == ErrorCode::schema_mismatch);
}

TEST_CASE("a disagreement names the field and what each side holds") {
  const Type here{"namespace m; table T { price:double; }"};
  const Type there{"namespace m; table T { price:float; added:int; }"};
  for (const auto& answer : {schema::agree(here.info(), there.info()), schema::agree(there.info(), here.info())}) {
    REQUIRE(!answer);
    CHECK(answer.error().code() == ErrorCode::schema_mismatch);
    const std::string detail{answer.error().detail()};
    CAPTURE(detail);
    CHECK(detail.find("m.T.price") != detail.npos);
    CHECK(detail.find("double") != detail.npos);
    CHECK(detail.find("float") != detail.npos);
  }
  const std::string first{schema::agree(here.info(), there.info()).error().detail()};
  CHECK(first.find("double") < first.find("float"));
}

TEST_CASE("what is here to one side is there to the other") {
  CHECK(schema::seen_from_there("m.T here, m.there there: m.T.here: changed_type, here int, there long; keep it") ==
        "m.T there, m.there here: m.T.here: changed_type, there int, here long; keep it");
  CHECK(schema::seen_from_there("") == "");
  CHECK(schema::seen_from_there("the schema from there") == "the schema from here");
}

TEST_CASE("types of different names do not agree, even when they look the same") {
  const Type one{"namespace m; table A { b:B; } table B { a:A; }", "m.A"};
  const Type other{"namespace m; table A { b:B; } table B { a:A; }", "m.B"};
  CHECK(schema::agree(one.info(), other.info()).error().code() == ErrorCode::schema_mismatch);
}

TEST_CASE("a peer's broken schema is an error, not an agreement") {
  const Type mine{"namespace m; table T { a:int; }"};
  const Bytes garbage(64, std::byte{0x41});
  CHECK(schema::agree(mine.info(), {"m.T", 1, garbage}).error().code() == ErrorCode::invalid_schema);
  CHECK(schema::agree(mine.info(), {"m.T", 1, {}}).error().code() == ErrorCode::invalid_schema);
  const Type other{"namespace m; table O { a:int; }", "m.O"};
  CHECK(schema::agree(mine.info(), {"m.T", 1, other.bfbs}).error().code() == ErrorCode::invalid_schema);
}
