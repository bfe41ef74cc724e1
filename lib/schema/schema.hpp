#pragma once
/// A binary schema (.bfbs), verified with tight limits before anybody looks into it.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <flatbuffers/reflection.h>

#include <midplane/result.hpp>

namespace midplane::inline v0::schema {

inline constexpr std::size_t schema_bytes_max = std::size_t{4} << 20;

/// Owns a copy of the bytes; cheap to copy.
class Schema {
 public:
  /// `invalid_schema` when the bytes are no schema, are over a limit, or refer to what they do not contain.
  [[nodiscard]] static Result<Schema> load(std::span<const std::byte> bfbs);
  [[nodiscard]] const reflection::Schema& root() const noexcept { return *root_; }
  /// Null when there is no such table or struct.
  [[nodiscard]] const reflection::Object* find(std::string_view type) const noexcept;

 private:
  std::shared_ptr<const std::vector<std::byte>> bytes_;
  const reflection::Schema* root_ = nullptr;
};

}  // namespace midplane::inline v0::schema
