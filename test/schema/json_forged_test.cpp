/// Payloads that no honest writer makes: whatever arrives, the answer is an error or valid text.
#include <midplane/json.hpp>

#include <limits>

#include "json_checker.hpp"
#include "support.hpp"

using namespace midplane;
using namespace midplane::schema_test;

namespace {

const std::string rich =
    "namespace m; enum E : ushort { a, b = 700 } struct P { x:short; y:double; e:E; } struct L { p:[P:2]; n:[ubyte:3]; } "
    "table A { k:ulong; t:T; } union U { A, P, text:string, T } "
    "table T { b:bool; i8:byte; u16:ushort; i32:int = 5; u64:ulong; f:float; d:double = 1.5; e:E = a; l:L; ps:[P]; "
    "raw:[ubyte]; words:[string]; u:U; us:[U]; kids:[T]; next:T; name:string; opt:long = null; ds:[double]; es:[E]; }";

/// A value of `rich` with random fields, odd numbers and odd strings, built field by field.
class Writer {
 public:
  explicit Writer(Dice& dice) : dice_{dice} {}

  Bytes payload() {
    builder_.ForceDefaults(true);
    builder_.Finish(table(0));
    return bytes_of(builder_.GetBufferPointer(), builder_.GetSize());
  }

 private:
  using Table = flatbuffers::Offset<flatbuffers::Table>;
  struct P { std::int16_t x; char gap_[6]; double y; std::uint16_t e; char end_[6]; };
  static_assert(sizeof(P) == 24);

  bool perhaps() { return dice_.below(3) != 0; }
  double real() {
    using limits = std::numeric_limits<double>;
    const double some[] = {0, -0.0, 1.0 / 3, limits::infinity(), -limits::infinity(), limits::quiet_NaN(), limits::max(),
                           limits::denorm_min(), -1e20};
    return some[dice_.below(std::size(some))];
  }
  P structure() { return {static_cast<std::int16_t>(dice_.next()), {}, real(), static_cast<std::uint16_t>(dice_.below(3)), {}}; }
  flatbuffers::Offset<flatbuffers::String> string() {
    std::string text(dice_.below(12), '\0');
    for (auto& c : text) c = static_cast<char>(dice_.next());
    return builder_.CreateString(text);
  }
  /// The discriminator and what it stands for.
  std::pair<std::uint8_t, flatbuffers::Offset<void>> member(int depth) {
    switch (dice_.below(depth < 4 ? 4 : 2)) {
      case 0: return {std::uint8_t{2}, builder_.CreateStruct(structure()).Union()};
      case 1: return {std::uint8_t{3}, string().Union()};
      case 2: return {std::uint8_t{4}, flatbuffers::Offset<void>{table(depth + 1).o}};
      default: {
        const auto start = builder_.StartTable();
        builder_.AddElement<std::uint64_t>(4, dice_.next(), 0);
        return {std::uint8_t{1}, flatbuffers::Offset<void>{builder_.EndTable(start)}};
      }
    }
  }

  Table table(int depth) {
    std::vector<P> ps(dice_.below(3));
    for (auto& p : ps) p = structure();
    std::vector<std::uint8_t> raw(dice_.below(9));
    for (auto& byte : raw) byte = static_cast<std::uint8_t>(dice_.next());
    std::vector<double> ds(dice_.below(3));
    for (auto& d : ds) d = real();
    std::vector<flatbuffers::Offset<flatbuffers::String>> words(dice_.below(3));
    for (auto& word : words) word = string();
    std::vector<Table> kids(depth < 3 ? dice_.below(3) : 0);
    for (auto& kid : kids) kid = table(depth + 1);
    const auto [which, value] = member(depth);
    std::vector<std::uint8_t> kinds;
    std::vector<flatbuffers::Offset<void>> values;
    for (auto count = dice_.below(3); count != 0; --count) {
      const auto one = member(depth);
      kinds.push_back(one.first);
      values.push_back(one.second);
    }
    const auto next = depth < 3 && perhaps() ? table(depth + 1) : Table{};
    const auto name = string();
    const auto ps_at = builder_.CreateVectorOfStructs(ps);
    const auto raw_at = builder_.CreateVector(raw);
    const auto ds_at = builder_.CreateVector(ds);
    const auto words_at = builder_.CreateVector(words);
    const auto kids_at = builder_.CreateVector(kids);
    const auto kinds_at = builder_.CreateVector(kinds);
    const auto values_at = builder_.CreateVector(values);

    const auto slot = [](int id) { return static_cast<flatbuffers::voffset_t>(4 + 2 * id); };
    const auto start = builder_.StartTable();
    if (perhaps()) builder_.AddElement<std::uint8_t>(slot(0), static_cast<std::uint8_t>(dice_.below(2)), 0);
    if (perhaps()) builder_.AddElement<std::int8_t>(slot(1), static_cast<std::int8_t>(dice_.next()), 0);
    if (perhaps()) builder_.AddElement<std::int32_t>(slot(3), static_cast<std::int32_t>(dice_.next()), 0);
    if (perhaps()) builder_.AddElement<std::uint64_t>(slot(4), dice_.next(), 0);
    if (perhaps()) builder_.AddElement<float>(slot(5), static_cast<float>(real()), 0);
    if (perhaps()) builder_.AddElement<double>(slot(6), real(), 0);
    if (perhaps()) builder_.AddElement<std::uint16_t>(slot(7), 700, 0);
    builder_.AddOffset(slot(9), ps_at);
    builder_.AddOffset(slot(10), raw_at);
    builder_.AddOffset(slot(11), words_at);
    builder_.AddElement<std::uint8_t>(slot(12), which, 0);
    builder_.AddOffset(slot(13), value);
    builder_.AddOffset(slot(14), kinds_at);
    builder_.AddOffset(slot(15), values_at);
    builder_.AddOffset(slot(16), kids_at);
    if (next.o != 0) builder_.AddOffset(slot(17), next);
    builder_.AddOffset(slot(18), name);
    if (perhaps()) builder_.AddElement<std::int64_t>(slot(19), static_cast<std::int64_t>(dice_.next()), 0);
    builder_.AddOffset(slot(20), ds_at);
    return Table{builder_.EndTable(start)};
  }

  Dice& dice_;
  flatbuffers::FlatBufferBuilder builder_;
};

}  // namespace

TEST_CASE("random rich values become valid JSON, plain and pretty") {
  const Type type{rich};
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Dice dice{seed};
    const auto payload = Writer{dice}.payload();
    for (const bool pretty : {false, true}) {
      const auto text = to_json(payload, type.info(), {.pretty = pretty});
      REQUIRE_MESSAGE(text, text.error().message());
      CHECK(is_json(*text));
    }
  }
}

TEST_CASE("mutated payloads are refused or become valid JSON") {
  const Type type{rich};
  std::size_t refused = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    CAPTURE(seed);
    Dice dice{seed % 40};
    const auto payload = Writer{dice}.payload();
    Dice damage{seed};
    const auto text = to_json(mutated(payload, damage), type.info(), {.bytes_max = std::size_t{1} << 20});
    if (text) CHECK(is_json(*text));
    else ++refused;
  }
  CHECK(refused > 100);
}

TEST_CASE("a union without its discriminator is not taken for one of its members") {
  // The root offset is 4 times a small number, which is also a member's: a reader that took place 0 for the
  // discriminator would follow the offset as if it were that member.
  std::string members;
  for (int i = 0; i < 60; ++i) members += (i == 0 ? "" : ", ") + ("m" + std::to_string(i)) + ":string";
  const Type type{"namespace m; union U { " + members + " } table T { u:U; }"};
  flatbuffers::FlatBufferBuilder builder;
  const std::uint32_t far = 0x7fffffff;  // as a string's length: far outside
  const auto words = builder.CreateVector(&far, 1);
  const auto start = builder.StartTable();
  builder.AddOffset(6, words);
  builder.Finish(flatbuffers::Offset<flatbuffers::Table>{builder.EndTable(start)});
  auto payload = bytes_of(builder.GetBufferPointer(), builder.GetSize());
  // Point at the element instead of at the vector's length.
  const auto root = flatbuffers::GetRoot<flatbuffers::Table>(payload.data());
  const auto field = reinterpret_cast<const std::byte*>(root->GetAddressOf(6)) - payload.data();
  payload[static_cast<std::size_t>(field)] = static_cast<std::byte>(std::to_integer<int>(payload[static_cast<std::size_t>(field)]) + 4);
  const auto text = to_json(payload, type.info());
  CHECK((!text || *text == R"({"u_type":"NONE"})"));
}

TEST_CASE("tables nested without end, and one table named again and again, are refused in bounded time") {
  const Type type{"namespace m; table T { next:T; kids:[T]; }"};
  flatbuffers::FlatBufferBuilder builder;
  using Table = flatbuffers::Offset<flatbuffers::Table>;
  const auto chain = [&](int length) {
    builder.Clear();
    Table last{};
    for (int i = 0; i < length; ++i) {
      const auto start = builder.StartTable();
      if (last.o != 0) builder.AddOffset(4, last);
      last = Table{builder.EndTable(start)};
    }
    builder.Finish(last);
    return bytes_of(builder.GetBufferPointer(), builder.GetSize());
  };
  CHECK(to_json(chain(64), type.info()).has_value());
  CHECK(to_json(chain(65), type.info()).error().code() == ErrorCode::malformed);

  builder.Clear();
  Table last{builder.EndTable(builder.StartTable())};
  for (int i = 0; i < 40; ++i) {
    const auto twice = builder.CreateVector(std::vector<Table>{last, last, last, last});
    const auto start = builder.StartTable();
    builder.AddOffset(6, twice);
    last = Table{builder.EndTable(start)};
  }
  builder.Finish(last);
  CHECK(!to_json(bytes_of(builder.GetBufferPointer(), builder.GetSize()), type.info()));
}

TEST_CASE("a payload without a required field is malformed") {
  const Type type{"namespace m; table T { a:string (required); }"};
  CHECK(to_json(payload_of("namespace m; table T { a:string; }", "{}"), type.info()).error().code() == ErrorCode::malformed);
}
