#include "schema/changes.hpp"

namespace midplane::inline v0::schema {
namespace {

std::string_view action_for(ChangeKind kind) noexcept {
  switch (kind) {
    case ChangeKind::deleted_field: return "keep the field and mark it (deprecated)";
    case ChangeKind::changed_id: return "give the field its old id again; new fields take the next free id";
    case ChangeKind::changed_type: return "keep the type; add a field of the new type and deprecate this one";
    case ChangeKind::changed_default: return "keep the default; it is what an absent field means to the other side";
    case ChangeKind::changed_layout: return "keep the struct as it is; make a new struct, or use a table where change is expected";
    case ChangeKind::newly_required: return "leave the field optional; older writers do not send it";
    case ChangeKind::no_longer_required: return "keep the field required; older readers refuse a value without it";
    case ChangeKind::deleted_type: return "keep the type, also when nothing new uses it";
    case ChangeKind::changed_enum_value: return "keep the number of each name; new names take new numbers";
    case ChangeKind::deleted_enum_value: return "keep the value; stop writing it instead";
    case ChangeKind::changed_underlying_type: return "keep the underlying type; make a new enum for a wider one";
    case ChangeKind::changed_union_member: return "keep the member's number and type; add the new type as a new member at the end";
    case ChangeKind::deleted_union_member: return "keep the member; stop writing it instead";
    case ChangeKind::changed_kind: return "keep what it was; make a new type with a new name";
  }
  return "";
}

}  // namespace

std::string_view name_of(ChangeKind kind) noexcept {
  switch (kind) {
    case ChangeKind::deleted_field: return "deleted_field";
    case ChangeKind::changed_id: return "changed_id";
    case ChangeKind::changed_type: return "changed_type";
    case ChangeKind::changed_default: return "changed_default";
    case ChangeKind::changed_layout: return "changed_layout";
    case ChangeKind::newly_required: return "newly_required";
    case ChangeKind::no_longer_required: return "no_longer_required";
    case ChangeKind::deleted_type: return "deleted_type";
    case ChangeKind::changed_enum_value: return "changed_enum_value";
    case ChangeKind::deleted_enum_value: return "deleted_enum_value";
    case ChangeKind::changed_underlying_type: return "changed_underlying_type";
    case ChangeKind::changed_union_member: return "changed_union_member";
    case ChangeKind::deleted_union_member: return "deleted_union_member";
    case ChangeKind::changed_kind: return "changed_kind";
  }
  return "unknown";
}

std::string Change::text() const {
  std::string line = path;
  line.append(": ").append(name_of(kind)).append(" from ").append(before).append(" to ").append(after);
  return line.append("; ").append(action);
}

void Changes::add(ChangeKind kind, std::string path, std::string before, std::string after) {
  found_.push_back({kind, std::move(path), std::move(before), std::move(after), action_for(kind)});
}

}  // namespace midplane::inline v0::schema
