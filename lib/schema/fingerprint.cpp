#include "schema/fingerprint.hpp"

#include <xxhash.h>

#include <map>
#include <vector>

#include "schema/type_text.hpp"

namespace midplane::inline v0::schema {
namespace {

/// Collects what is reached, each once, and writes it sorted by name.
class CanonicalForm {
 public:
  explicit CanonicalForm(const Schema& schema, std::size_t bytes_max = SIZE_MAX) : schema_{schema}, bytes_left_{bytes_max} {}

  /// It would have become longer than allowed; what was written is not complete.
  [[nodiscard]] bool is_full() const noexcept { return full_; }

  void reach(const reflection::Object& type) {
    if (!written_.try_emplace(text_of(type.name())).second) return;
    // A list instead of recursion: a chain of a hundred thousand tables must not use up the stack.
    waiting_.push_back(&type);
    while (!waiting_.empty() && !full_) {
      const reflection::Object* next = waiting_.back();
      waiting_.pop_back();
      written_[text_of(next->name())] = next->is_struct() ? write_struct(*next) : write_table(*next);
    }
  }
  void reach(const reflection::Enum& type) {
    if (!written_.try_emplace(text_of(type.name())).second) return;
    std::string text = type.is_union() ? "union " : "enum ";
    text.append(text_of(type.name()));
    if (!type.is_union()) text.append(":").append(scalar_text(type.underlying_type()->base_type()));
    text += '\n';
    if (!spend(text.size())) return;
    for (const auto* value : *type.values()) {
      const std::size_t before = text.size();
      text.append("  ").append(std::to_string(value->value())).append(" ").append(text_of(value->name()));
      const auto* member = value->union_type();
      if (type.is_union() && member && member->base_type() != reflection::None) {
        text.append(":").append(type_text(schema_, *member));
        follow(*member);
      }
      text += '\n';
      if (!spend(text.size() - before)) return;
    }
    written_[text_of(type.name())] = std::move(text);
  }
  [[nodiscard]] std::string text() const {
    std::string all;
    for (const auto& [name, text] : written_) all += text;
    return all;
  }

 private:
  bool spend(std::size_t bytes) noexcept {
    full_ = full_ || bytes > bytes_left_;
    bytes_left_ -= full_ ? 0 : bytes;
    return !full_;
  }
  void follow(const reflection::Type& type) {
    if (const auto* named = schema_.enum_of(type)) reach(*named);
    if (element_of(type) != reflection::Obj) return;
    const reflection::Object& object = schema_.object_of(type);
    if (written_.try_emplace(text_of(object.name())).second) waiting_.push_back(&object);
  }
  std::string write_table(const reflection::Object& type) {
    std::string text = "table " + std::string{text_of(type.name())} + '\n';
    for (const auto* field : schema_.fields(type)) {
      const std::size_t before = text.size();
      text.append("  ").append(std::to_string(field->id())).append(" ").append(text_of(field->name()));
      text.append(":").append(type_text(schema_, *field->type()));
      if (is_scalar(field->type()->base_type())) text.append(" = ").append(default_text(*field));
      if (field->required()) text.append(" required");
      if (field->deprecated()) text.append(" deprecated");
      if (field->key()) text.append(" key");
      text += '\n';
      if (!spend(text.size() - before)) break;
      follow(*field->type());
    }
    return text;
  }
  std::string write_struct(const reflection::Object& type) {
    std::string text = "struct " + std::string{text_of(type.name())} + " size " + std::to_string(type.bytesize()) +
                       " align " + std::to_string(type.minalign()) + '\n';
    for (const auto* field : schema_.fields(type)) {
      const std::size_t before = text.size();
      text.append("  at ").append(std::to_string(field->offset())).append(" ").append(text_of(field->name()));
      text.append(":").append(type_text(schema_, *field->type())) += '\n';
      if (!spend(text.size() - before)) break;
      follow(*field->type());
    }
    return text;
  }

  const Schema& schema_;
  std::size_t bytes_left_;
  bool full_ = false;
  std::map<std::string_view, std::string> written_;
  std::vector<const reflection::Object*> waiting_;
};

std::uint64_t hash_of(std::string_view text) noexcept {
  const std::uint64_t hash = XXH3_64bits(text.data(), text.size());
  return hash == 0 ? 1 : hash;
}

/// Types that reach each other reach the same set: only the name in front tells them apart.
std::string with_root(const reflection::Object& type, const CanonicalForm& form) {
  return "type " + std::string{text_of(type.name())} + '\n' + form.text();
}

}  // namespace

std::string canonical_form(const Schema& schema, const reflection::Object& type) {
  CanonicalForm form{schema};
  form.reach(type);
  return with_root(type, form);
}

std::uint64_t fingerprint(const Schema& schema, const reflection::Object& type) {
  return hash_of(canonical_form(schema, type));
}

std::optional<std::uint64_t> fingerprint(const Schema& schema, const reflection::Object& type, std::size_t text_bytes_max) {
  CanonicalForm form{schema, text_bytes_max};
  form.reach(type);
  if (form.is_full()) return std::nullopt;
  return hash_of(with_root(type, form));
}

std::uint64_t fingerprint(const Schema& schema) {
  CanonicalForm form{schema};
  for (const auto* type : *schema.root().objects()) form.reach(*type);
  for (const auto* type : *schema.root().enums()) form.reach(*type);
  return hash_of(form.text());
}

}  // namespace midplane::inline v0::schema
