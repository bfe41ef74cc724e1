#include "schema/evolution.hpp"

#include <algorithm>

#include "support.hpp"

using namespace midplane::schema_test;
using midplane::schema::Change;
using midplane::schema::ChangeKind;

namespace {

std::vector<Change> changes(const std::string& before, const std::string& after) {
  const Type a{"namespace m; " + before};
  const Type b{"namespace m; " + after};
  return midplane::schema::incompatible_changes(a.schema, a.object(), b.schema, b.object());
}

void permitted(const std::string& before, const std::string& after) {
  CAPTURE(before);
  CAPTURE(after);
  for (const auto& change : changes(before, after)) FAIL_CHECK(change.text());
}

void refused(const std::string& before, const std::string& after, ChangeKind kind, const std::string& path) {
  CAPTURE(before);
  CAPTURE(after);
  const auto found = changes(before, after);
  const auto wanted = std::find_if(found.begin(), found.end(), [&](auto& one) { return one.kind == kind && one.path == path; });
  std::string listed;
  for (const auto& change : found) listed += change.text() + '\n';
  CAPTURE(listed);
  REQUIRE(wanted != found.end());
  CHECK(!wanted->before.empty());
  CHECK(!wanted->after.empty());
  CHECK(!wanted->action.empty());
}

}  // namespace

TEST_CASE("a type is an evolution of itself, also when it reaches itself") {
  permitted("table T { a:int; }", "table T { a:int; }");
  permitted("union U { T, O } table T { next:T; all:[O]; } table O { t:T; u:U; }",
            "union U { T, O } table T { next:T; all:[O]; } table O { t:T; u:U; }");
}

TEST_CASE("fields may be added behind the others, and a field may not be deleted") {
  permitted("table T { a:int; }", "table T { a:int; b:string; }");
  refused("table T { a:int; b:string; }", "table T { a:int; }", ChangeKind::deleted_field, "m.T.b");
}

TEST_CASE("a field deleted from the middle is listed beside those that moved") {
  const std::string before = "table T { a:int; b:int; c:int; }";
  refused(before, "table T { a:int; c:int; }", ChangeKind::changed_id, "m.T.c");
  refused(before, "table T { a:int; c:int; }", ChangeKind::deleted_field, "m.T.b");
}

TEST_CASE("fields may be written in another order with their ids, and may not change them") {
  permitted("table T { a:int; b:string; }", "table T { b:string (id: 1); a:int (id: 0); }");
  refused("table T { a:int; b:string; }", "table T { b:string; a:int; }", ChangeKind::changed_id, "m.T.a");
  refused("table T { a:int; b:int; }", "table T { b:int; a:int; }", ChangeKind::changed_id, "m.T.b");
}

TEST_CASE("a field may be renamed, and may not change its type") {
  permitted("table T { a:int; }", "table T { b:int; }");
  refused("table T { a:int; }", "table T { a:uint; }", ChangeKind::changed_type, "m.T.a");
  refused("table T { a:int; }", "table T { b:string; }", ChangeKind::changed_type, "m.T.a");
  refused("table T { a:[int]; }", "table T { a:int; }", ChangeKind::changed_type, "m.T.a");
  refused("table T { a:A; } table A {} table B {}", "table T { a:B; } table A {} table B {}", ChangeKind::changed_type, "m.T.a");
}

TEST_CASE("a field may be deprecated, and may not change its default") {
  permitted("table T { a:int = 3; }", "table T { a:int = 3 (deprecated); }");
  permitted("table T { a:float = nan; }", "table T { a:float = nan; }");
  refused("table T { a:int = 3; }", "table T { a:int = 4; }", ChangeKind::changed_default, "m.T.a");
  refused("table T { a:int = 0; }", "table T { a:int = null; }", ChangeKind::changed_default, "m.T.a");
  refused("table T { a:double = 0.5; }", "table T { a:double = 0.25; }", ChangeKind::changed_default, "m.T.a");
}

TEST_CASE("an optional field may be added, and nothing may become required or stop being it") {
  permitted("table T { a:string (required); }", "table T { a:string (required); b:string; }");
  refused("table T { a:string; }", "table T { a:string (required); }", ChangeKind::newly_required, "m.T.a");
  refused("table T { a:string; }", "table T { a:string; b:string (required); }", ChangeKind::newly_required, "m.T.b");
  refused("table T { a:string (required); }", "table T { a:string; }", ChangeKind::no_longer_required, "m.T.a");
}

TEST_CASE("a struct stays as it is") {
  permitted("struct S { x:int; y:float; } table T { s:S; }", "struct S { x:int; y:float; } table T { s:S; }");
  const std::string before = "struct S { x:int; y:float; } table T { s:[S]; }";
  refused(before, "struct S { x:int; y:float; z:int; } table T { s:[S]; }", ChangeKind::changed_layout, "m.S.z");
  refused(before, "struct S { x:int; } table T { s:[S]; }", ChangeKind::changed_layout, "m.S.y");
  refused(before, "struct S { x:int; y:int; } table T { s:[S]; }", ChangeKind::changed_layout, "m.S.y");
  refused(before, "struct S (force_align: 8) { x:int; y:float; } table T { s:[S]; }", ChangeKind::changed_layout, "m.S");
  refused("struct S { x:int; y:int; } table T { s:S; }", "struct S { y:int; x:int; } table T { s:S; }",
          ChangeKind::changed_layout, "m.S.x");
}

TEST_CASE("an enum may grow, and its numbers stay") {
  permitted("enum E : ubyte { a, b } table T { e:E; }", "enum E : ubyte { a, b, c } table T { e:E; }");
  const std::string before = "enum E : ubyte { a, b = 2 } table T { e:[E]; }";
  refused(before, "enum E : ubyte { a, b = 3 } table T { e:[E]; }", ChangeKind::changed_enum_value, "m.E.b");
  refused(before, "enum E : ubyte { a } table T { e:[E]; }", ChangeKind::deleted_enum_value, "m.E.b");
  refused(before, "enum E : short { a, b = 2 } table T { e:[E]; }", ChangeKind::changed_underlying_type, "m.E");
}

TEST_CASE("a union may grow, and its members stay") {
  const std::string types = "table A { k:int; } table B { k:int; } table C {} ";
  permitted(types + "union U { A, B } table T { u:U; }", types + "union U { A, B, C } table T { u:U; }");
  const std::string before = types + "union U { A, B } table T { u:U; }";
  refused(before, types + "union U { B, A } table T { u:U; }", ChangeKind::changed_union_member, "m.U.A");
  refused(before, types + "union U { A } table T { u:U; }", ChangeKind::deleted_union_member, "m.U.B");
  refused(before, types + "union U { A, B: C } table T { u:U; }", ChangeKind::changed_union_member, "m.U.B");
  refused(before, "table A { k:int; } table B { k:long; } table C {} union U { A, B } table T { u:U; }",
          ChangeKind::changed_type, "m.B.k");
}

TEST_CASE("a table does not become a struct, nor the other way") {
  refused("table S { x:int; } table T { s:S; }", "struct S { x:int; } table T { s:S; }", ChangeKind::changed_kind, "m.S");
  refused("struct S { x:int; } table T { s:S; }", "table S { x:int; } table T { s:S; }", ChangeKind::changed_kind, "m.S");
}

TEST_CASE("every incompatible change is listed, wherever it is reached") {
  const auto found = changes("table O { x:int; y:int; } table T { a:int; o:[O]; }",
                             "table O { x:long; y:long; } table T { a:long; o:[O]; }");
  CHECK(found.size() == 3);
}
