/// Frames as bytes with their meaning, in frames.json: lib/wire builds each from its meaning and reads each back. With
/// MIDPLANE_WRITE_GOLDEN set the bytes in the file are written anew; a difference in git is then a change of the wire.
#include <doctest/doctest.h>

#include <boost/property_tree/json_parser.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "golden/meaning.hpp"

namespace midplane::test::golden {
namespace {

std::string read_file() {
  std::ifstream file{MIDPLANE_GOLDEN_FRAMES};
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<Tree> frames() {
  std::istringstream text{read_file()};
  Tree all;
  boost::property_tree::read_json(text, all);
  return children(all, "frames");
}

std::vector<std::byte> bytes_in_file(const Tree& frame) {
  std::string hex;
  for (const Tree& line : children(frame, "hex")) hex += line.data();
  return bytes_of_hex(hex);
}

/// The frame with `name` has these bytes from now on.
void replace_bytes(std::string& text, const std::string& name, std::span<const std::byte> bytes) {
  const std::size_t frame = text.find("{\"name\": \"" + name + "\",");
  REQUIRE(frame != std::string::npos);
  const std::size_t begin = text.find("\"hex\": [", frame);
  const std::size_t end = text.find("]}", begin);
  std::string lines = "\"hex\": [";
  for (std::size_t at = 0; at < bytes.size(); at += 32) {
    if (at != 0) lines += ",";
    lines += "\n   \"" + hex_of(bytes.subspan(at, std::min<std::size_t>(32, bytes.size() - at))) + "\"";
  }
  text.replace(begin, end - begin, lines);
}

}  // namespace

TEST_CASE("each golden frame is built from its meaning byte by byte") {
  const bool writes = std::getenv("MIDPLANE_WRITE_GOLDEN") != nullptr;
  std::string text = read_file();
  for (const Tree& frame : frames()) {
    const auto name = frame.get<std::string>("name");
    CAPTURE(name);
    const auto built = build(frame);
    if (writes) replace_bytes(text, name, built);
    else CHECK(hex_of(built) == hex_of(bytes_in_file(frame)));
  }
  if (writes) std::ofstream{MIDPLANE_GOLDEN_FRAMES} << text;
}

TEST_CASE("each golden frame is read back as its meaning") {
  for (const Tree& frame : frames()) {
    CAPTURE(frame.get<std::string>("name"));
    check_read(frame, bytes_in_file(frame));
  }
}

TEST_CASE("golden frames have every type of record") {
  std::map<std::string, int> seen;
  for (const Tree& frame : frames()) {
    for (const Tree& record : children(frame, "records")) ++seen[record.get<std::string>("type")];
  }
  for (std::size_t type = 1; type <= static_cast<std::size_t>(wire::RecordType::finished); ++type) {
    CAPTURE(type_names[type]);
    CHECK(seen[std::string{type_names[type]}] >= 1);
  }
}

TEST_CASE("three golden fragments make one payload") {
  std::vector<std::byte> whole;
  for (const Tree& frame : frames()) {
    if (frame.get<std::string>("name").find("fragment ") != 0) continue;
    const auto bytes = bytes_in_file(frame);
    wire::FrameReader reader;
    REQUIRE(reader.open(bytes) == wire::FrameFault::none);
    wire::Record record;
    REQUIRE(reader.next(record));
    const auto meta = wire::decode_meta(record.meta);
    REQUIRE(meta);
    REQUIRE(meta->fragment);
    CHECK(meta->fragment->offset == whole.size());
    CHECK(meta->fragment->total == 100);
    whole.insert(whole.end(), record.payload.begin(), record.payload.end());
  }
  REQUIRE(whole.size() == 100);
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(std::to_integer<std::size_t>(whole[i]) == i);
}

TEST_CASE("a golden frame with one bit changed is refused") {
  for (const Tree& frame : frames()) {
    auto bytes = bytes_in_file(frame);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      bytes[at] ^= std::byte{1};
      wire::FrameReader reader;
      CHECK(reader.open(bytes) != wire::FrameFault::none);
      bytes[at] ^= std::byte{1};
    }
  }
}

}  // namespace midplane::test::golden
