#include <midplane/describe.hpp>

#include "support.hpp"

using namespace midplane;
using namespace midplane::schema_test;

namespace {

ErrorCode refused(std::span<const std::byte> bfbs, std::string_view type = {}) {
  const auto schema = schema_from(bfbs, type);
  REQUIRE_FALSE(schema);
  return schema.error().code();
}

}  // namespace

TEST_CASE("a binary schema at hand gives its root type, or the one that is named, with its fingerprint") {
  const Type type{"namespace m; table Other { s:string; } table T { a:int; o:Other; } root_type T;"};
  const auto root = schema_from(type.bfbs);
  REQUIRE(root);
  CHECK(root->type == "m.T");
  CHECK(root->fingerprint == type.fingerprint());
  CHECK(to_json(from_json(R"({"a":1})", root->info()).value(), root->info()).value() == R"({"a":1})");
  const auto other = schema_from(type.bfbs, "m.Other");
  REQUIRE(other);
  CHECK(other->type == "m.Other");
  CHECK(other->fingerprint != root->fingerprint);
}

TEST_CASE("bytes that are no schema, a schema without a root type, and types that it does not have as tables are refused") {
  const Type type{"namespace m; struct S { x:int; } table T { s:S; }"};
  CHECK(refused({}) == ErrorCode::invalid_schema);
  CHECK(refused(std::span{type.bfbs}.first(type.bfbs.size() / 2)) == ErrorCode::invalid_schema);
  CHECK(refused(type.bfbs) == ErrorCode::invalid_schema);
  CHECK(refused(type.bfbs, "m.S") == ErrorCode::invalid_schema);
  CHECK(refused(type.bfbs, "m.U") == ErrorCode::invalid_schema);
  CHECK(schema_from(type.bfbs, "m.U").error().detail() == "m.U");
}

TEST_CASE("agree says of two types what a bus would decide: the same, an evolution in either direction, or why not") {
  const Type now{"namespace m; table T { a:int; }"}, later{"namespace m; table T { a:int; b:string; }"},
      odd{"namespace m; table T { a:string; }"};
  CHECK(agree(now.info(), now.info()));
  CHECK(agree(now.info(), later.info()));
  CHECK(agree(later.info(), now.info()));
  CHECK(agree(TypeInfo{}, odd.info()));
  const auto differ = agree(now.info(), odd.info());
  REQUIRE_FALSE(differ);
  CHECK(differ.error().code() == ErrorCode::schema_mismatch);
  CHECK(differ.error().detail().starts_with("m.T.a: changed_type, here int, there string"));
}
