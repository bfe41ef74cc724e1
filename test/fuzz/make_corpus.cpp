/// Writes the seeds of every fuzz target to FOLDER/TARGET/: real frames, tables, schemas and payloads, and scripts.
///
///     make_corpus FOLDER

#include <flatbuffers/idl.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "link/worlds.hpp"
#include "shapes_midplane.hpp"
#include "wire/frame.hpp"
#include "wire/frame_bodies.hpp"

namespace {

using namespace midplane;
using namespace midplane::wire;
using link::testing::Bus;
using link::testing::World;

struct Corpus {
  std::filesystem::path folder;
  void write(const char* target, const std::string& name, std::span<const std::byte> bytes, int first = -1) const {
    std::filesystem::create_directories(folder / target);
    std::ofstream out{folder / target / name, std::ios::binary};
    if (first >= 0) out.put(static_cast<char>(first));
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
};

/// The frames of two buses that greet, name, publish whole and in pieces, ask and answer.
void frames(const Corpus& corpus) {
  link::testing::Asker asker;
  World world;
  Bus a{world, "a", 1};
  Bus b{world, "b", 2};
  a.topic = "t";
  b.links->add_subscription(link::testing::subscription(1, "t")).value();
  a.links->add_service({"ask", {}, {}}).value();
  int count = 0;
  world.net.tap = [&](std::vector<std::byte>& frame) {
    if (count < 40) {
      corpus.write("fuzz_frame", "frame" + std::to_string(count), frame);
      // Behind a header that the target makes itself.
      corpus.write("fuzz_frame", "records" + std::to_string(count), std::span{frame}.subspan(frame_header_bytes));
      ++count;
    }
    return true;
  };
  a.attach({"mem:a"}, {});
  b.attach({}, {"mem:a"});
  world.run();
  auto sink = b.links->service_sink(b.up.at(0).id, "ask").value();
  static_cast<void>(b.ask(*sink, asker, 1, "question"));
  static_cast<void>(a.publish("message"));
  static_cast<void>(a.publish(std::string(6000, 'x')));
  world.run();
  for (const AnyMessage& request : a.requests) a.answer(request, "answer");
  world.run(std::chrono::seconds{2});
  for (const char* text : {"", "MIDP", "MIDP0123456789012345678901234567890123456789"})
    corpus.write("fuzz_frame", "short" + std::to_string(std::string_view{text}.size()), std::as_bytes(std::span{text, std::strlen(text)}));
}

void bodies(const Corpus& corpus) {
  const auto put = [&](int decoder, const char* name, const Body& body) { corpus.write("fuzz_bodies", name, body, decoder); };
  put(0, "hello", encode(Hello{"bus", 1, 1, 1 << 20, 1024, 1'000'000'000, 4 << 20, 65'536, 60'000'000'000}));
  put(1, "name", encode(NameBody{1, false, "host.cpu", {"test.Tick", 77}, 9, 3}));
  put(2, "subscribe", encode(SubscribeBody{3, "host.>", {"test.Tick", 77}, {}, "workers"}));
  put(3, "serve", encode(ServeBody{{{"ask", {"a.B", 1}, {"c.D", 2}}, {"other", {}, {}}}, {"gone"}}));
  put(4, "failure", encode(Error{ErrorCode::busy, Fate::not_started, "busy"}.with("queue full").with_app_code(7)));
  const std::vector<LastNumberBody> last{{1, 5}, {2, UINT64_MAX}};
  put(5, "heartbeat", encode(std::span<const LastNumberBody>{last}));
  Headers headers;
  headers.trace.emplace();
  headers.tenant = "acme";
  headers.priority = Priority::high;
  headers.entries = {{"k", "v"}, {"l", ""}};
  const std::vector<std::string_view> groups{"g", "h"};
  const FragmentBody fragment{6000, 1000};
  put(6, "meta", encode(MetaFields{&headers, groups, &fragment, 1'000'000, 4, 8}));
  for (int decoder = 0; decoder < 7; ++decoder) put(decoder, ("short" + std::to_string(decoder)).c_str(), Body(9, std::byte{4}));
}

/// Random bytes are a script as well; these are long enough to reach most steps.
void scripts(const Corpus& corpus) {
  const auto random = seeded_random(3);
  const auto noise = [&](std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (auto& one : bytes) one = static_cast<std::byte>(random->next());
    return bytes;
  };
  for (int i = 0; i < 12; ++i) {
    const std::string name = "noise" + std::to_string(i);
    corpus.write("fuzz_greeting", name, noise(200));
    corpus.write("fuzz_link", name, noise(600), i % 4);
  }
  const auto tell = [&](const char* target, const char* name, std::vector<int> steps) {
    std::vector<std::byte> bytes;
    for (const int one : steps) bytes.push_back(static_cast<std::byte>(one));
    corpus.write(target, name, bytes);
  };
  // Steps as fuzz_greeting.cpp and peer_script.hpp number them.
  tell("fuzz_greeting", "comes_up", {0, 1, 5, 3, 0, 1, 1, 0, 3, 8, 3, 31, 31, 3, 7, 1, 15, 2, 2, 12, 200, 11, 12, 250});
  tell("fuzz_greeting", "dialled", {1, 1, 5, 1, 3, 0, 1, 1, 0, 3, 8, 3, 31, 31, 3, 7, 0, 12, 100});
  // A name, a whole message, one in three pieces, a request, their answers.
  tell("fuzz_link", "message", {0, 0, 0, 0, 0, 0, 1, 1, 13, 1, 0, 1, 5, 0, 4, 1, 2, 3, 4, 26, 0});
  tell("fuzz_link", "pieces",
       {1, 0, 0, 0, 0, 0, 1, 1, 22, 0, 1, 0, 1, 0, 1, 40, 1, 0, 23, 1, 0, 23, 0, 0, 26, 1});
  tell("fuzz_link", "long_piece", {0, 0, 0, 0, 0, 0, 1, 0, 22, 0, 1, 0, 1, 0, 1, 1, 2, 220, 0, 26, 0});
  tell("fuzz_link", "request", {0, 0, 0, 1, 0, 0, 1, 1, 15, 1, 0, 31, 0, 0, 5, 1, 2, 3, 4, 5, 26, 0, 31, 0, 4, 5, 26, 0});
  tell("fuzz_link", "ask", {1, 26, 0, 30, 0, 3, 16, 1, 0, 0, 1, 0, 2, 7, 7, 26, 0, 30, 0, 200, 17, 1, 0, 1, 2, 0, 1, 9, 21, 2, 26, 1});
  using Steps = std::vector<int>;
  const auto join = [](std::initializer_list<Steps> parts) {
    Steps all{0};
    for (const Steps& one : parts) all.insert(all.end(), one.begin(), one.end());
    return all;
  };
  const auto times = [](int count, const Steps& what) {
    Steps all;
    for (int i = 0; i < count; ++i) all.insert(all.end(), what.begin(), what.end());
    return all;
  };
  const Steps topic{0, 0, 0, 0, 1, 1, 1}, service{0, 0, 1, 0, 1, 1, 1}, send{26, 0}, hoard{33, 7}, ask{30, 0, 1};
  const Steps request{15, 1, 0, 5, 0, 1, 9}, item{33, 6, 1, 1, 2, 7, 7, 26, 0}, rest{26, 0, 23, 0, 0, 26, 0};
  tell("fuzz_link", "stream", join({ask, ask, times(6, item)}));
  tell("fuzz_link", "item_without_memory", join({ask, ask, hoard, item}));
  tell("fuzz_link", "reply_without_memory", join({ask, hoard, {33, 6, 0, 0, 2, 7, 7}, send}));
  tell("fuzz_link", "request_without_memory", join({service, send, hoard, request, send}));
  tell("fuzz_link", "many_requests", join({service, send, times(10, request), send}));
  tell("fuzz_link", "message_in_pieces_without_memory", join({topic, send, hoard, {22, 0, 1, 0, 1, 1, 1, 40, 1, 0}, rest}));
  tell("fuzz_link", "request_in_pieces_without_memory", join({service, send, hoard, {22, 1, 1, 0, 5, 7, 1, 40, 1, 0}, rest}));
  tell("fuzz_link", "reply_in_pieces_without_memory", join({ask, hoard, {22, 2, 1, 0, 0, 0, 1, 1, 40, 1, 0}, rest}));
  tell("fuzz_link", "unserved_request", join({topic, send, request, send}));
  tell("fuzz_link", "publish", {0, 29, 20, 1, 1, 7, 1, 5, 26, 1, 29, 200, 1, 1, 32, 100, 33, 1, 1, 8, 0, 7, 0, 4, 3, 26, 0});
}

Body bfbs_of(const std::string& text) {
  flatbuffers::IDLOptions options;
  options.binary_schema_builtins = true;
  options.lang_to_generate = flatbuffers::IDLOptions::kCpp;
  flatbuffers::Parser parser{options};
  if (!parser.Parse(text.c_str())) throw std::runtime_error{parser.error_};
  parser.Serialize();
  const auto* first = reinterpret_cast<const std::byte*>(parser.builder_.GetBufferPointer());
  return Body(first, first + parser.builder_.GetSize());
}

void schemas(const Corpus& corpus) {
  const TypeInfo& shape = SchemaOf<shapes::Shape>::info();
  corpus.write("fuzz_schema", "same", shape.bfbs, 1);
  corpus.write("fuzz_schema", "same_leaf", shape.bfbs, 0);
  const std::string leaf = "namespace shapes; table Leaf { name:string (required); value:long = 7; }";
  const std::string head = "namespace shapes; enum Side : byte { sell = -2, none = 0, buy = 1 } struct Point { x:double; y:float; tag:ubyte; } ";
  const std::vector<std::pair<const char*, std::string>> changed{
      {"leaf_more", "namespace shapes; table Leaf { name:string (required); value:long = 7; more:[string]; }"},
      {"leaf_type", "namespace shapes; table Leaf { name:string (required); value:int = 7; }"},
      {"leaf_default", "namespace shapes; table Leaf { name:string (required); value:long = 8; }"},
      {"leaf_deleted", "namespace shapes; table Leaf { name:string (required); }"},
      {"leaf_optional", "namespace shapes; table Leaf { name:string; value:long = 7; }"},
      {"leaf_required", "namespace shapes; table Leaf { name:string (required); value:long = 7; b:[int] (required); }"},
      {"leaf_renamed", "namespace shapes; table Leaf { label:string (required); value:long = 7; }"},
      {"leaf_struct", "namespace shapes; struct Leaf { name:long; value:long; }"},
      {"leaf_ids", "namespace shapes; table Leaf { value:long = 7 (id: 1); name:string (id: 0, required); }"}};
  for (const auto& [name, text] : changed) corpus.write("fuzz_schema", name, bfbs_of(text), 0);
  const std::vector<std::pair<const char*, std::string>> shapes{
      {"shape_enum", "namespace shapes; enum Side : byte { none = 0, buy = 2, hold = 3 } table Shape { id:ulong (deprecated); side:Side = buy; }"},
      {"shape_wide", "namespace shapes; enum Side : short { sell = -2, none = 0, buy = 1 } table Shape { id:ulong (deprecated); side:Side = buy; }"},
      {"shape_struct", "namespace shapes; enum Side : byte { sell = -2, none = 0, buy = 1 } struct Point { x:double; y:double; } "
                       "table Shape { id:ulong (deprecated); side:Side = buy; origin:Point; }"},
      {"shape_union", head + leaf.substr(18) + " struct Line { ends:[Point:3]; side:Side; } union Part { Shape, Leaf } "
                      "table Shape { id:ulong (deprecated); side:Side = buy; origin:Point; lines:[Line]; words:[string]; raw:[ubyte]; "
                      "numbers:[double]; leaf:Leaf; leaves:[Leaf]; part:Part; parts:[Part]; }"}};
  for (const auto& [name, text] : shapes) corpus.write("fuzz_schema", name, bfbs_of(text), 1);
}

void payloads(const Corpus& corpus) {
  shapes::ShapeT shape;
  flatbuffers::FlatBufferBuilder small;
  small.Finish(shapes::Shape::Pack(small, &shape));
  corpus.write("fuzz_payload", "empty", std::as_bytes(std::span{small.GetBufferPointer(), small.GetSize()}), 1);
  shape.side = shapes::Side::sell;
  shape.origin = std::make_unique<shapes::Point>(1.0 / 3, 2.5F, std::uint8_t{7});
  shape.lines.resize(2);
  shape.words = {"a", "\x01\"\\\n\xff\xc3\xa4", ""};
  shape.raw = {1, 2, 3, 4};
  shape.numbers = {0, -1e300, 1e-300};
  shape.leaf = std::make_unique<shapes::LeafT>();
  shape.leaf->name = "leaf";
  shape.leaf->value = INT64_MIN;
  shape.leaves.emplace_back(std::make_unique<shapes::LeafT>(*shape.leaf));
  shapes::PartUnion part;
  part.Set(shapes::LeafT{*shape.leaf});
  shape.part = part;
  shape.parts = {part};
  shapes::PartUnion inner;
  inner.Set(shapes::ShapeT{});
  shape.parts.push_back(inner);
  shapes::PartUnion point;
  point.Set(shapes::Point{});
  shape.parts.push_back(point);
  shape.flags = {true, false};
  shape.sides = {shapes::Side::buy, static_cast<shapes::Side>(9)};
  shape.maybe = 5;
  for (const int mode : {0, 1, 2}) {
    flatbuffers::FlatBufferBuilder builder;
    builder.ForceDefaults(mode == 1);
    builder.Finish(shapes::Shape::Pack(builder, &shape));
    corpus.write("fuzz_payload", "full" + std::to_string(mode), std::as_bytes(std::span{builder.GetBufferPointer(), builder.GetSize()}), mode);
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) return std::fprintf(stderr, "usage: make_corpus FOLDER\n"), 2;
  const Corpus corpus{words[1]};
  frames(corpus);
  bodies(corpus);
  scripts(corpus);
  schemas(corpus);
  payloads(corpus);
  return 0;
}
