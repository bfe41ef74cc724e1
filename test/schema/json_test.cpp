#include <midplane/json.hpp>

#include <limits>

#include "json_checker.hpp"
#include "support.hpp"

using namespace midplane;
using namespace midplane::schema_test;

namespace {

std::string json_of(const std::string& schema, const Bytes& payload, JsonOptions options = {}) {
  const Type type{schema};
  const auto text = to_json(payload, type.info(), options);
  REQUIRE_MESSAGE(text, text.error().message());
  CHECK(is_json(*text));
  return *text;
}

std::string json_of(const std::string& schema, const std::string& value) { return json_of(schema, payload_of(schema, value)); }

/// A table with one field of id 0, built by hand: values that JSON can not say.
template <class Add>
Bytes one_field(Add add) {
  flatbuffers::FlatBufferBuilder builder;
  add(builder);
  return bytes_of(builder.GetBufferPointer(), builder.GetSize());
}
template <class T>
Bytes one_scalar(T value) {
  return one_field([&](auto& builder) {
    builder.ForceDefaults(true);
    const auto start = builder.StartTable();
    builder.template AddElement<T>(4, value, T{});
    builder.Finish(flatbuffers::Offset<flatbuffers::Table>{builder.EndTable(start)});
  });
}
Bytes one_string(std::string_view text) {
  return one_field([&](auto& builder) {
    const auto string = builder.CreateString(text.data(), text.size());
    const auto start = builder.StartTable();
    builder.AddOffset(4, string);
    builder.Finish(flatbuffers::Offset<flatbuffers::Table>{builder.EndTable(start)});
  });
}

}  // namespace

TEST_CASE("absent scalars are written with their default, and everything else that is absent is left out") {
  CHECK(json_of("namespace m; enum E : byte { a, b } table T { i:int = -3; d:double = 0.5; f:float = 0.1; t:bool = true; "
                "e:E = b; u:ulong = 9223372036854775807; o:int = null; s:string; v:[int]; t2:T; }",
                "{}") == R"({"i":-3,"d":0.5,"f":0.1,"t":true,"e":"b","u":"9223372036854775807"})");
}

TEST_CASE("integers beyond what a double holds are strings") {
  const std::string schema = "namespace m; table T { a:long; }";
  CHECK(json_of(schema, one_scalar<std::int64_t>(9007199254740992)) == R"({"a":9007199254740992})");
  CHECK(json_of(schema, one_scalar<std::int64_t>(9007199254740993)) == R"({"a":"9007199254740993"})");
  CHECK(json_of(schema, one_scalar(std::numeric_limits<std::int64_t>::min())) == R"({"a":"-9223372036854775808"})");
  CHECK(json_of("namespace m; table T { a:ulong; }", one_scalar(std::numeric_limits<std::uint64_t>::max())) ==
        R"({"a":"18446744073709551615"})");
}

TEST_CASE("numbers that are not finite have a name") {
  const std::string schema = "namespace m; table T { a:double; }";
  using limits = std::numeric_limits<double>;
  CHECK(json_of(schema, one_scalar(limits::quiet_NaN())) == R"({"a":"NaN"})");
  CHECK(json_of(schema, one_scalar(limits::infinity())) == R"({"a":"Infinity"})");
  CHECK(json_of(schema, one_scalar(-limits::infinity())) == R"({"a":"-Infinity"})");
  CHECK(json_of(schema, one_scalar(limits::max())) == R"({"a":1.7976931348623157e+308})");
  CHECK(json_of("namespace m; table T { a:float; }", one_scalar(-std::numeric_limits<float>::infinity())) == R"({"a":"-Infinity"})");
  CHECK(json_of("namespace m; table T { a:float; }", one_scalar(0.1F)) == R"({"a":0.1})");
}

TEST_CASE("control characters are escaped, and broken UTF-8 is replaced") {
  const std::string schema = "namespace m; table T { a:string; }";
  CHECK(json_of(schema, one_string(std::string_view{"\0\x01\x1f\"\\\n\t\r", 8})) ==
        "{\"a\":\"\\u0000\\u0001\\u001f\\\"\\\\\\n\\t\\r\"}");
  CHECK(json_of(schema, one_string("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80")) == "{\"a\":\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"}");
  for (const std::string_view broken : {"\xFF", "\x80", "\xC0", "\xE2\x82", "\xF0\x9F\x98", "\xF8"}) {
    CHECK(json_of(schema, one_string(std::string{broken})) == "{\"a\":\"\xEF\xBF\xBD\"}");
    CHECK(json_of(schema, one_string("x" + std::string{broken} + "y")) == "{\"a\":\"x\xEF\xBF\xBDy\"}");
  }
  CHECK(json_of(schema, one_string("\xED\xA0\x80")) == "{\"a\":\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"}");
}

TEST_CASE("byte vectors are base64") {
  const std::string schema = "namespace m; table T { a:[ubyte]; b:[byte]; }";
  CHECK(json_of(schema, "{a:[]}") == R"({"a":""})");
  CHECK(json_of(schema, "{a:[102]}") == R"({"a":"Zg=="})");
  CHECK(json_of(schema, "{a:[102,111]}") == R"({"a":"Zm8="})");
  CHECK(json_of(schema, "{a:[102,111,111], b:[-1,-1,-1]}") == R"({"a":"Zm9v","b":"////"})");
}

TEST_CASE("enums are written by name, flags together, and what has no name as a number") {
  const std::string schema = "namespace m; enum E : byte { a = -1, b = 1 } enum F : ubyte (bit_flags) { r, w, x } "
                             "table T { e:E = b; f:F; v:[E]; }";
  CHECK(json_of(schema, "{e:a, f:\"r x\", v:[a,b,5]}") == R"({"e":"a","f":"r x","v":["a","b",5]})");
  CHECK(json_of(schema, "{f:9}") == R"({"e":"b","f":9})");
}

TEST_CASE("structs, fixed arrays, vectors and tables nest") {
  const std::string schema =
      "namespace m; struct P { x:short; y:double; } struct L { p:[P:2]; n:[int:3]; } "
      "table T { l:L; ps:[P]; names:[string]; kids:[T]; next:T; empty:[T]; }";
  CHECK(json_of(schema, R"({l:{p:[{x:1,y:2},{x:3,y:4.5}],n:[7,8,9]}, ps:[{x:-1,y:0}], names:["a",""], kids:[{},{names:["k"]}],
                next:{}, empty:[]})") ==
        R"({"l":{"p":[{"x":1,"y":2},{"x":3,"y":4.5}],"n":[7,8,9]},"ps":[{"x":-1,"y":0}],"names":["a",""],)"
        R"("kids":[{},{"names":["k"]}],"next":{},"empty":[]})");
}

TEST_CASE("a union is its type's name and its value") {
  const std::string schema = "namespace m; table A { k:int; } struct S { z:int; } union U { A, S, s:string } "
                             "table T { u:U; v:[U]; }";
  CHECK(json_of(schema, "{u_type:A, u:{k:4}}") == R"({"u_type":"A","u":{"k":4}})");
  CHECK(json_of(schema, "{u_type:S, u:{z:5}}") == R"({"u_type":"S","u":{"z":5}})");
  CHECK(json_of(schema, "{u_type:s, u:\"hi\"}") == R"({"u_type":"s","u":"hi"})");
  CHECK(json_of(schema, "{v_type:[A,S], v:[{k:1},{z:2}]}") == R"({"u_type":"NONE","v_type":["A","S"],"v":[{"k":1},{"z":2}]})");
}

TEST_CASE("what a newer writer added is passed over") {
  const std::string before = "namespace m; table A { k:int; } table B { k:int; } union U { A } table T { u:U; a:int; }";
  const std::string after = "namespace m; table A { k:int; } table B { k:int; } union U { A, B } table T { u:U; a:int; s:string; }";
  CHECK(json_of(before, payload_of(after, "{u_type:B, u:{k:1}, a:2, s:\"new\"}")) == R"({"u_type":2,"a":2})");
}

TEST_CASE("a deprecated field is neither read nor written") {
  CHECK(json_of("namespace m; table T { a:int (deprecated); b:int; }", payload_of("namespace m; table T { a:int; b:int; }", "{a:1,b:2}")) ==
        R"({"b":2})");
}

TEST_CASE("pretty text is the same value on many lines") {
  const std::string schema = "namespace m; table T { a:int; v:[int]; e:[int]; t:T; }";
  CHECK(json_of(schema, payload_of(schema, "{a:1, v:[2,3], e:[], t:{}}"), {.pretty = true}) ==
        "{\n  \"a\": 1,\n  \"v\": [\n    2,\n    3\n  ],\n  \"e\": [],\n  \"t\": {\n    \"a\": 0\n  }\n}");
}

TEST_CASE("a payload at an odd address is read all the same") {
  const std::string schema = "namespace m; table T { a:long; s:string; }";
  const Type type{schema};
  auto payload = payload_of(schema, "{a:5, s:\"x\"}");
  payload.insert(payload.begin(), std::byte{0});
  CHECK(to_json(std::span{payload}.subspan(1), type.info()).value() == R"({"a":5,"s":"x"})");
}

TEST_CASE("text over its limit, raw bytes and missing types are errors") {
  const std::string schema = "namespace m; table T { s:string; }";
  const Type type{schema};
  const auto payload = payload_of(schema, "{s:\"abcdef\"}");
  CHECK(to_json(payload, type.info(), {.bytes_max = 14}).value().size() == 14);
  CHECK(to_json(payload, type.info(), {.bytes_max = 13}).error().code() == ErrorCode::too_large);
  CHECK(to_json(payload, type.info(), {.bytes_max = 0}).error().code() == ErrorCode::too_large);
  CHECK(to_json(payload, TypeInfo{}).error().code() == ErrorCode::unsupported);
  CHECK(to_json(payload, {"m.Other", 1, type.bfbs}).error().code() == ErrorCode::invalid_schema);
  CHECK(to_json(payload, {"m.T", 1, {}}).error().code() == ErrorCode::invalid_schema);
  CHECK(to_json({}, type.info()).error().code() == ErrorCode::malformed);
}
