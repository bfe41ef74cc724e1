#include <midplane/json.hpp>

#include "support.hpp"

using namespace midplane;
using namespace midplane::schema_test;

namespace {

/// From JSON to a payload and back.
std::string there_and_back(const std::string& schema, std::string_view json) {
  const Type type{schema};
  const auto payload = from_json(json, type.info());
  REQUIRE_MESSAGE(payload, payload.error().message());
  const auto text = to_json(*payload, type.info());
  REQUIRE_MESSAGE(text, text.error().message());
  return *text;
}

/// The detail of its refusal.
std::string refusal(const std::string& schema, std::string_view json) {
  const Type type{schema};
  const auto payload = from_json(json, type.info());
  REQUIRE_FALSE(payload);
  CHECK(payload.error().code() == ErrorCode::malformed);
  return std::string{payload.error().detail()};
}

const std::string one_of_each =
    "namespace m; enum E : byte { a = -1, z, b } enum F : ubyte (bit_flags) { r, w, x } struct P { x:short; y:double; } "
    "struct L { p:[P:2]; n:[int:3]; e:E; } table A { k:int; } union U { A, P, s:string } "
    "table T { b:byte; ub:ubyte; s:short; us:ushort; i:int = 7; ui:uint; l:long; ul:ulong; f:float; d:double; t:bool; "
    "o:int = null; e:E = b; fl:F; text:string; st:P; lay:L; bytes:[ubyte]; nums:[long]; reals:[float]; flags:[bool]; "
    "es:[E]; ps:[P]; names:[string]; kids:[T]; next:T; u:U; v:[U]; }";

}  // namespace

TEST_CASE("what to_json writes, from_json reads back as the same value, for every kind of field") {
  const std::string text =
      R"({"b":-128,"ub":255,"s":-32768,"us":65535,"i":-2147483648,"ui":4294967295,"l":"-9223372036854775808",)"
      R"("ul":"18446744073709551615","f":0.1,"d":1.7976931348623157e+308,"t":true,"o":0,"e":"a","fl":"r x",)"
      R"("text":"\"\\\n\u0001 é","st":{"x":-1,"y":2.5},"lay":{"p":[{"x":1,"y":2},{"x":3,"y":4}],"n":[7,8,9],"e":"b"},)"
      R"("bytes":"Zm9v","nums":[1,-2],"reals":[0.5,"NaN","Infinity","-Infinity"],"flags":[true,false],"es":["a","b"],)"
      R"("ps":[{"x":5,"y":6}],"names":["","x"],"kids":[],)"
      R"("next":{"b":0,"ub":0,"s":0,"us":0,"i":7,"ui":0,"l":0,"ul":0,"f":0,"d":0,"t":false,"e":"b","fl":0,"u_type":"NONE"},)"
      R"("u_type":"A","u":{"k":4},"v_type":["P","s","A"],"v":[{"x":1,"y":2},"hi",{"k":9}]})";
  CHECK(there_and_back(one_of_each, text) == text);
}

TEST_CASE("FlatBuffers' own verifier and reader agree with what was built") {
  const std::string schema = "namespace m; struct P { x:ubyte; y:double; } table K { n:string (required); } "
                             "table T { a:ubyte; p:P; ps:[P]; d:double; k:[K]; }";
  const std::string json = R"({"a":3,"p":{"x":1,"y":2.5},"ps":[{"x":9,"y":1},{"x":8,"y":2}],"d":0.5,"k":[{"n":"q"}]})";
  const Type type{schema};
  const Bytes ours = from_json(json, type.info()).value();
  CHECK(to_json(ours, type.info()).value() == to_json(payload_of(schema, json), type.info()).value());
  flatbuffers::Parser parser{parser_options()};
  REQUIRE(parser.Parse((schema + " root_type m.T;").c_str()));
  std::string text;
  CHECK(flatbuffers::GenerateText(parser, ours.data(), &text));
  CHECK(text.find("\"q\"") != std::string::npos);
}

TEST_CASE("fields in any order, null and absent ones, numbers for enums, arrays for bytes and white space are all read") {
  const std::string schema = "namespace m; enum E : byte { a, b } table T { i:int = 5; e:E; v:[ubyte]; s:string; o:int = null; }";
  CHECK(there_and_back(schema, " { \"v\" : [ 102 , 111 ] ,\n\t\"e\" : 1, \"i\":null,\"s\":null } ") ==
        R"({"i":5,"e":"b","v":"Zm8="})");
  CHECK(there_and_back(schema, "{}") == R"({"i":5,"e":"a"})");
  CHECK(there_and_back(schema, R"({"i":5,"o":0})") == R"({"i":5,"e":"a","o":0})");
  CHECK(there_and_back("namespace m; table T { l:long; b:bool; }", R"({"l":"12","b":1})") == R"({"l":12,"b":true})");
}

TEST_CASE("escapes are read, pairs of surrogates as one character, and half a pair as U+FFFD") {
  const std::string schema = "namespace m; table T { s:string; }";
  CHECK(there_and_back(schema, R"({"s":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00"})") ==
        "{\"s\":\"\\\"\\\\/\\u0008\\u000c\\n\\r\\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"}");
  for (const char* half : {R"({"s":"\ud83d"})", R"({"s":"\ude00"})", R"({"s":"\ud83d\u0041"})"})
    CHECK(there_and_back(schema, half).find("\xEF\xBF\xBD") != std::string::npos);
}

TEST_CASE("what is no JSON is refused with line, column and what was expected") {
  const std::string schema = "namespace m; table T { a:int; v:[int]; s:string; }";
  CHECK(refusal(schema, "") == "line 1, column 1: expected a value, found the end");
  CHECK(refusal(schema, "{\"a\":1") == "line 1, column 7: expected ',' or '}', found the end");
  CHECK(refusal(schema, "{\n \"a\" 1}") == "line 2, column 6: expected ':', found '1'");
  CHECK(refusal(schema, "{a:1}") == "line 1, column 2: expected a name in quotes or '}', found 'a'");
  CHECK(refusal(schema, "{\"a\":1,}") == "line 1, column 8: expected a name in quotes, found '}'");
  CHECK(refusal(schema, "{\"v\":[1,]}") == "line 1, column 9: expected a value, found ']'");
  CHECK(refusal(schema, "{\"v\":[1 2]}") == "line 1, column 9: expected ',' or ']', found '2'");
  CHECK(refusal(schema, "{} x") == "line 1, column 4: expected the end, found 'x'");
  CHECK(refusal(schema, "{\"a\":01}") == "line 1, column 7: expected no digit behind a leading zero, found '1'");
  for (const char* broken : {"{\"a\":+1}", "{\"a\":.5}", "{\"a\":1.}", "{\"a\":1e}", "{\"a\":-}", "{\"a\":tru}", "{\"s\":\"\\x\"}",
                             "{\"s\":\"\\u12g4\"}", "{\"s\":\"\x01\"}", "{\"s\":\"\xFF\"}", "{\"s\":\"open", "{\"s\":\"\\", "'{}'", "["})
    CHECK_MESSAGE(refusal(schema, broken).starts_with("line 1, column "), broken);
  CHECK(refusal(schema, std::string(100'000, '[')).ends_with("expected less nesting, found '['"));
}

TEST_CASE("JSON that does not fit is refused with the field, what it takes and the place") {
  const std::string schema = "namespace m; enum E : byte { a, b } table K { n:ubyte; f:float; } "
                             "table T { k:[K]; e:E; s:string; t:bool; u:ulong; }";
  CHECK(refusal(schema, R"({"k":[{"n":1},{"n":300}]})") == "m.T.k[1].n: takes a whole number (ubyte, 0 to 255), not 300; line 1, column 20");
  CHECK(refusal(schema, R"({"k":[{"n":1.5}]})") == "m.T.k[0].n: takes a whole number (ubyte, 0 to 255), not 1.5; line 1, column 12");
  CHECK(refusal(schema, R"({"k":[{"f":1e39}]})") == "m.T.k[0].f: 1e39 does not fit a float; line 1, column 12");
  CHECK(refusal(schema, R"({"k":[{"f":"x"}]})") == "m.T.k[0].f: takes a number (float), not \"x\"; line 1, column 12");
  CHECK(refusal(schema, R"({"k":[{"m":1}]})") == "m.T.k[0]: has no field m; m.K has n, f; line 1, column 8");
  CHECK(refusal(schema, R"({"k":{}})") == "m.T.k: takes an array, not an object; line 1, column 6");
  CHECK(refusal(schema, R"({"k":[3]})") == "m.T.k[0]: takes an object (m.K), not 3; line 1, column 7");
  CHECK(refusal(schema, R"({"e":"c"})") == "m.T.e: has no value \"c\"; m.E has a, b; line 1, column 6");
  CHECK(refusal(schema, R"({"s":1})") == "m.T.s: takes a string, not 1; line 1, column 6");
  CHECK(refusal(schema, R"({"t":"yes"})") == "m.T.t: takes true or false, not \"yes\"; line 1, column 6");
  CHECK(refusal(schema, R"({"u":-1})") == "m.T.u: takes a whole number (ulong, 0 to 18446744073709551615), not -1; line 1, column 6");
  CHECK(refusal(schema, R"({"s":"x","s":"y"})") == "m.T: has the field s twice; line 1, column 10");
  CHECK(refusal(schema, "[]") == "m.T: takes an object (m.T), not an array; line 1, column 1");
}

TEST_CASE("required fields, fields of structs, lengths of arrays, base64 and kinds of unions are checked") {
  const std::string schema = "namespace m; struct P { x:int; y:int; } struct R { n:[int:2]; } table A { k:int; } union U { A } "
                             "table N { n:string (required); } table T { p:P; r:R; b:[ubyte]; u:U; v:[U]; n:N; old:int (deprecated); }";
  CHECK(refusal(schema, R"({"n":{}})") == "m.T.n: lacks the field n, which is required; line 1, column 6");
  CHECK(refusal(schema, R"({"n":{"n":null}})") == "m.T.n: lacks the field n, which is required; line 1, column 6");
  CHECK(refusal(schema, R"({"p":{"x":1}})") == "m.T.p: lacks y; a struct has all its fields, each once; line 1, column 6");
  CHECK(refusal(schema, R"({"p":{"x":1,"y":2,"x":3}})") == "m.T.p: has twice x; a struct has all its fields, each once; line 1, column 6");
  CHECK(refusal(schema, R"({"r":{"n":[1]}})") == "m.T.r.n: takes an array of 2 elements, not an array; line 1, column 11");
  CHECK(refusal(schema, R"({"b":"Zm9"})") == "m.T.b: takes base64 text, whose length is a multiple of 4; line 1, column 6");
  CHECK(refusal(schema, R"({"b":"Zm9*"})") == "m.T.b: takes base64 text, not '*'; line 1, column 6");
  CHECK(refusal(schema, R"({"u":{"k":1}})") == "m.T.u: is a union: also give u_type, which says of what kind it is; line 1, column 6");
  CHECK(refusal(schema, R"({"u_type":"NONE","u":{"k":1}})") == "m.T.u: is a union of kind NONE, which holds nothing; line 1, column 22");
  CHECK(refusal(schema, R"({"v_type":["A"],"v":[]})") == "m.T.v: needs as many kinds as values; line 1, column 11");
  CHECK(refusal(schema, R"({"old":1})") == "m.T: has no field old; m.T has p, r, b, u_type, u, v_type, v, n; line 1, column 2");
}

TEST_CASE("tables that nest deeper than a verifier goes are refused, not built") {
  std::string json = "{}";
  for (int i = 0; i < 70; ++i) json = "{\"t\":" + json + "}";
  CHECK(refusal("namespace m; table T { t:T; }", json).find("tables nest too deeply") != std::string::npos);
}

TEST_CASE("raw bytes, broken schemas and types that are no table have no JSON to read") {
  const Type type{"namespace m; struct S { x:int; } table T { s:S; }"};
  CHECK(from_json("{}", TypeInfo{}).error().code() == ErrorCode::unsupported);
  CHECK(from_json("{}", {"m.Other", 1, type.bfbs}).error().code() == ErrorCode::invalid_schema);
  CHECK(from_json("{}", {"m.S", 1, type.bfbs}).error().code() == ErrorCode::invalid_schema);
  CHECK(from_json("{}", {"m.T", 1, {}}).error().code() == ErrorCode::invalid_schema);
  CHECK(from_json(std::string(json_bytes_max + 1, ' '), type.info()).error().code() == ErrorCode::too_large);
}

TEST_CASE("every cut and every changed byte of a text is read or refused, in bounds") {
  const Type type{one_of_each};
  const std::string text = R"({"i":1,"text":"\u00e9\"","ps":[{"x":5,"y":6}],"bytes":"Zm9v","v_type":["A"],"v":[{"k":9}],"fl":"r x"})";
  for (std::size_t size = 0; size < text.size(); ++size) CHECK_FALSE(from_json(text.substr(0, size), type.info()));
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char c : {'"', '{', ']', '0', '\\', '\xFF', 'A'}) {
      std::string broken = text;
      broken[at] = c;
      const auto payload = from_json(broken, type.info());
      if (payload) CHECK(to_json(*payload, type.info()));
    }
  }
}
