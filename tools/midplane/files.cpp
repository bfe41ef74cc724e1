#include "files.hpp"

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

TypeSchema read_schema(const std::string& path, std::string_view type) {
  auto schema = schema_from(read_file(path), type);
  if (!schema) stop(Exit::usage, shown(path) + ": " + schema.error().message());
  return std::move(*schema);
}

}  // namespace midplane::tool
