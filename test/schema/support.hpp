#pragma once
/// Schemas written in the test itself, compiled by FlatBuffers' own parser.

#include <doctest/doctest.h>

#include <flatbuffers/idl.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <midplane/schema.hpp>

#include "schema/fingerprint.hpp"
#include "schema/schema.hpp"

namespace midplane::schema_test {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(const void* data, std::size_t size) {
  Bytes bytes(size);
  if (size != 0) std::memcpy(bytes.data(), data, size);
  return bytes;
}

inline flatbuffers::IDLOptions parser_options() {
  flatbuffers::IDLOptions options;
  options.binary_schema_comments = true;
  options.binary_schema_builtins = true;
  options.lang_to_generate = flatbuffers::IDLOptions::kCpp;  // or structs and strings are no union members
  return options;
}

inline Bytes bfbs_of(const std::string& text) {
  flatbuffers::Parser parser{parser_options()};
  REQUIRE_MESSAGE(parser.Parse(text.c_str()), parser.error_);
  parser.Serialize();
  return bytes_of(parser.builder_.GetBufferPointer(), parser.builder_.GetSize());
}

/// A type with its schema, as generated code would hold it.
struct Type {
  explicit Type(const std::string& text, std::string type_name = "m.T") : Type{bfbs_of(text), std::move(type_name)} {}
  Type(Bytes schema_bytes, std::string type_name)
      : name{std::move(type_name)}, bfbs{std::move(schema_bytes)}, schema{schema::Schema::load(bfbs).value()} {
    REQUIRE(schema.find(name));
  }
  const reflection::Object& object() const { return *schema.find(name); }
  std::uint64_t fingerprint() const { return schema::fingerprint(schema, object()); }
  TypeInfo info() const { return {name, fingerprint(), bfbs}; }

  std::string name;
  Bytes bfbs;
  schema::Schema schema;
};

/// A payload from FlatBuffers' own JSON.
inline Bytes payload_of(const std::string& schema, const std::string& json, const char* root = "m.T") {
  flatbuffers::Parser parser{parser_options()};
  REQUIRE_MESSAGE(parser.Parse(schema.c_str()), parser.error_);
  REQUIRE(parser.SetRootType(root));
  REQUIRE_MESSAGE(parser.ParseJson(json.c_str()), parser.error_);
  return bytes_of(parser.builder_.GetBufferPointer(), parser.builder_.GetSize());
}

/// A small generator with a seed, so that what a test found can be run again.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_{seed} {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

/// Bytes as a hostile or broken peer may send them: a few bytes or words changed, the end cut off, or parts copied.
inline Bytes mutated(Bytes bytes, Dice& dice) {
  for (std::size_t changes = 1 + dice.below(4); changes != 0 && !bytes.empty(); --changes) {
    const auto at = dice.below(bytes.size());
    switch (dice.below(6)) {
      case 0: bytes[at] = static_cast<std::byte>(dice.next()); break;
      case 1: bytes[at] ^= static_cast<std::byte>(1U << dice.below(8)); break;
      case 2: bytes[at] = std::byte{0}; break;
      case 3: bytes[at] = std::byte{0xFF}; break;
      case 4: {
        const auto from = dice.below(bytes.size());
        const auto count = std::min<std::size_t>({4, bytes.size() - at, bytes.size() - from});
        std::memmove(bytes.data() + at, bytes.data() + from, count);
        break;
      }
      default:
        if (dice.below(8) == 0) bytes.resize(at);
        else bytes[at] = static_cast<std::byte>(dice.below(16) * 4);
    }
  }
  return bytes;
}

}  // namespace midplane::schema_test
