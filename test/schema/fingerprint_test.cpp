#include "schema/fingerprint.hpp"

#include <set>

#include "support.hpp"

using namespace midplane::schema_test;

namespace {

std::uint64_t of(const std::string& text, const char* name = "m.T") { return Type{text, name}.fingerprint(); }

const std::string base =
    "namespace m; enum E : ubyte { a = 1, b = 2 } struct S { x:float; y:float; } table M { k:int; } table N { k:int; } "
    "union U { M, N } table T { i:int = 3; s:S; e:E = a; u:U; name:string; list:[M]; }";

std::string with(std::string from, const std::string& to) {
  std::string text = base;
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a fingerprint does not depend on order, comments or types that are not reached") {
  CHECK(of(base) == of(base));
  CHECK(of("namespace m;\n/// What it is.\ntable N { k:int; } // a note\ntable M {\n/// A key.\nk:int; } union U { M, N } "
           "table Unrelated { q:long; } struct S { x:float; y:float; } enum E : ubyte { a = 1, b = 2 } "
           "table T { i:int = 3; s:S; e:E = a; u:U; name:string; list:[M]; } root_type T;") == of(base));
  CHECK(of("namespace m; table T { b:int (id: 1); a:string (id: 0); }") == of("namespace m; table T { a:string; b:int; }"));
}

TEST_CASE("a fingerprint is never the zero that stands for raw bytes") { CHECK(of("namespace m; table T {}") != 0); }

TEST_CASE("every part of the canonical form changes the fingerprint") {
  std::set<std::uint64_t> seen{of(base)};
  std::size_t count = 1;
  for (const auto& text : {
           with("i:int = 3", "j:int = 3"), with("i:int = 3", "i:int = 4"), with("i:int = 3", "i:uint = 3"),
           with("i:int = 3", "i:int = null"), with("i:int = 3", "i:int = 3 (deprecated)"),
           with("name:string", "name:string (required)"), with("name:string", "name:string (key)"),
           with("name:string;", "name:string; more:int;"), with("list:[M]", "list:[N]"), with("y:float", "y:int"),
           with("x:float; y:float", "x:float; y:float; z:float"), with("struct S {", "struct S (force_align: 8) {"),
           with("b = 2", "b = 3"), with("b = 2", "b = 2, c = 4"), with("b = 2", "c = 2"), with("E : ubyte", "E : short"),
           with("{ M, N }", "{ N, M }"), with("{ M, N }", "{ M }"), with("table N { k:int; }", "table N { k:long; }"),
           with("union U { M, N }", "union U { M, other:N }")}) {
    CAPTURE(text);
    CHECK(seen.insert(of(text)).second);
    ++count;
  }
  CHECK(seen.size() == count);
}

TEST_CASE("two types that reach each other have fingerprints of their own") {
  const std::string text = "namespace m; table A { b:B; } table B { a:A; }";
  CHECK(of(text, "m.A") != of(text, "m.B"));
}

TEST_CASE("a type that reaches itself has a fingerprint") {
  CHECK(of("namespace m; table T { next:T; } ") != of("namespace m; table T { next:[T]; }"));
}
