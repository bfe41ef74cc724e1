#include "files.hpp"

#include <flatbuffers/reflection_generated.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "stop.hpp"
#include "text.hpp"

namespace midplane::tool {
namespace {

std::vector<std::byte> all_of(std::istream& in) {
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

[[noreturn]] void failed(const char* what, const std::string& path) {
  stop(Exit::trouble, std::string{what} + " " + shown(path) + ": " + std::strerror(errno));
}

/// What `--type` may name, when that is what was missing.
std::string tables_of(std::span<const std::byte> bfbs) {
  constexpr std::size_t named_max = 32;  // more than a file of a dozen tables has
  flatbuffers::Verifier verifier{reinterpret_cast<const std::uint8_t*>(bfbs.data()), bfbs.size()};
  if (!reflection::VerifySchemaBuffer(verifier)) return {};
  std::vector<std::string> names;
  for (const auto* object : *reflection::GetSchema(bfbs.data())->objects()) {
    if (!object->is_struct()) names.push_back(shown(object->name()->string_view()));
  }
  if (names.empty()) return {};
  const bool more = names.size() > named_max;
  names.resize(std::min(names.size(), named_max));
  return "; --type NAME names it, one of " + joined(names) + (more ? ", ..." : "");
}

}  // namespace

std::vector<std::byte> read_file(const std::string& path) {
  if (path == "-") return all_of(std::cin);
  std::ifstream in{path, std::ios::binary};
  if (!in || in.peek() == std::ifstream::traits_type::eof()) {
    if (!in.is_open() || !in.eof()) failed("can not read", path);
  }
  return all_of(in);
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream out{path, std::ios::binary};
  out.write(letters(bytes).data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) failed("can not write", path);
}

TypeSchema read_schema(const std::string& path, std::string_view type, std::string_view rather) {
  const auto bytes = read_file(path);
  if (type.empty() && !rather.empty()) {
    if (auto same = schema_from(bytes, rather)) return std::move(*same);
  }
  auto schema = schema_from(bytes, type);
  if (!schema) stop(Exit::usage, shown(path) + ": " + schema.error().message() + tables_of(bytes));
  return std::move(*schema);
}

}  // namespace midplane::tool
