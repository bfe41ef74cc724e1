#include "wire/frame.hpp"

#include <doctest/doctest.h>
#include <xxhash.h>

#include <cstring>

#include <midplane/extend/random.hpp>

#include "wire/checksum.hpp"
#include "wire/frame_bodies.hpp"

using namespace midplane;
using namespace midplane::wire;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

const FrameHead head{wire_version, {0x0123456789abcdef, 0xfedcba9876543210}, 42};

std::vector<std::byte> frame_of(const std::vector<Record>& records) {
  FrameBuilder builder;
  builder.begin();
  for (const Record& record : records) REQUIRE(builder.add(record));
  const auto frame = builder.finish(head);
  return {frame.begin(), frame.end()};
}

void repair(std::vector<std::byte>& frame) {
  const auto sum = static_cast<std::uint32_t>(XXH3_64bits(frame.data() + 8, frame.size() - 8));
  std::memcpy(frame.data() + 4, &sum, sizeof sum);
}

/// Reads everything that a frame holds, as a link would.
void read_all(std::span<const std::byte> frame) {
  FrameReader reader;
  if (reader.open(frame) != FrameFault::none) return;
  for (Record record; reader.next(record);) {
    REQUIRE(record.payload.size() + record.meta.size() <= frame.size());
    static_cast<void>(decode_hello(record.payload));
    static_cast<void>(decode_names(record.payload));
    static_cast<void>(decode_subscribe(record.payload));
    static_cast<void>(decode_serve(record.payload));
    static_cast<void>(decode_failure(record.payload));
    static_cast<void>(decode_heartbeat(record.payload));
    static_cast<void>(decode_meta(record.meta));
  }
}

}  // namespace

TEST_CASE("a frame gives back every record, with payloads at multiples of 16") {
  const auto payload = bytes_of("seventeen bytes..");
  const auto meta = bytes_of("rare");
  const auto frame = frame_of({{.type = RecordType::message, .flags = retained_flag, .name = 7, .number = 8, .mark = 9, .payload = payload, .meta = meta},
                               {.type = RecordType::reply, .mark = 3, .payload = payload, .load = {.queued = 5, .epoch = 6}},
                               {.type = RecordType::cancel, .mark = 4},
                               {.type = RecordType::message, .payload = payload}});
  FrameReader reader;
  REQUIRE(reader.open(frame) == FrameFault::none);
  CHECK(reader.head().incarnation == head.incarnation);
  CHECK(reader.head().epoch == 42);
  Record record;
  REQUIRE(reader.next(record));
  CHECK(record.type == RecordType::message);
  CHECK(record.flags == retained_flag);
  CHECK(record.name == 7);
  CHECK(record.number == 8);
  CHECK(record.mark == 9);
  CHECK(std::equal(record.payload.begin(), record.payload.end(), payload.begin(), payload.end()));
  CHECK(std::equal(record.meta.begin(), record.meta.end(), meta.begin(), meta.end()));
  CHECK(record.payload.data() - frame.data() == 64);
  REQUIRE(reader.next(record));
  CHECK(record.load.queued == 5);
  CHECK(record.load.epoch == 6);
  CHECK((record.payload.data() - frame.data()) % 16 == 0);
  CHECK(record.payload.size() == payload.size());
  REQUIRE(reader.next(record));
  CHECK(record.type == RecordType::cancel);
  CHECK(record.payload.empty());
  REQUIRE(reader.next(record));
  CHECK((record.payload.data() - frame.data()) % 16 == 0);
  CHECK_FALSE(reader.next(record));
}

TEST_CASE("a checksum is the same whatever instructions the processor has, of any length and from any address") {
  std::vector<std::byte> bytes(5000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 31 >> 3);
  std::size_t differ = 0;
  for (std::size_t size = 0; size + 3 <= bytes.size(); size += size < 600 ? 1 : 97) {
    const std::span<const std::byte> part{bytes.data() + size % 3, size};
    const std::uint64_t wanted = XXH3_64bits(part.data(), part.size());
    differ += xxh3(part) == wanted ? 0 : 1;
#ifdef MIDPLANE_HAS_XXH3_AVX2
    if (__builtin_cpu_supports("avx2")) differ += xxh3_avx2(part.data(), part.size()) == wanted ? 0 : 1;
#endif
  }
  CHECK(differ == 0);
}

TEST_CASE("an incarnation is printed as 32 hexadecimal digits") {
  CHECK(text_of(head.incarnation) == "0123456789abcdeffedcba9876543210");
}

TEST_CASE("each fault of a frame has its name") {
  const auto good = frame_of({{.type = RecordType::message, .payload = bytes_of("payload")}});
  const auto open = [](std::vector<std::byte> frame) { return FrameReader{}.open(frame); };
  CHECK(open(good) == FrameFault::none);
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto fault = open({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)});
    CHECK(fault == (size < frame_header_bytes ? FrameFault::too_short : FrameFault::wrong_length));
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] ^= std::byte{0x10};
    const FrameFault expected = at < 4                ? FrameFault::wrong_magic
                                : at < 8              ? FrameFault::wrong_checksum
                                : at < 10             ? FrameFault::wrong_version
                                : at >= 12 && at < 16 ? FrameFault::wrong_length
                                                      : FrameFault::wrong_checksum;
    CHECK(open(bad) == expected);
  }
  for (const std::uint32_t length : {8U, 9U, 100U, 0x7fffffffU, 0xffffffffU}) {
    auto bad = good;
    std::memcpy(bad.data() + frame_header_bytes + 4, &length, sizeof length);
    repair(bad);
    const bool same_end = length <= 8;
    CHECK(open(bad) == (same_end ? FrameFault::none : FrameFault::wrong_record));
  }
}

TEST_CASE("a frame without records is a frame of nothing") {
  FrameBuilder builder;
  builder.begin();
  CHECK(builder.finish(head).empty());
}

TEST_CASE("a meta beyond its length field does not enter, and leaves the frame as it was") {
  FrameBuilder builder;
  builder.begin();
  REQUIRE(builder.add({.type = RecordType::cancel, .mark = 1}));
  const std::vector<std::byte> meta(70'000);
  CHECK_FALSE(builder.add({.type = RecordType::message, .meta = meta}));
  FrameReader reader;
  REQUIRE(reader.open(builder.finish(head)) == FrameFault::none);
  Record record;
  CHECK(reader.next(record));
  CHECK_FALSE(reader.next(record));
}

TEST_CASE("every body comes back as it was") {
  const auto hello = decode_hello(encode(Hello{"agent", 1, 3, 77, 8, 9}));
  REQUIRE(hello);
  CHECK(hello->bus == "agent");
  CHECK(hello->version_max == 3);
  CHECK(hello->frame_bytes_max == 77);
  CHECK(hello->heartbeat_ns == 9);

  const auto names = decode_names(encode(NameBody{3, true, "a.b", {"T", 5}, 6}));
  REQUIRE(names);
  REQUIRE(names->size() == 1);
  CHECK(names->at(0).service);
  CHECK(names->at(0).text == "a.b");
  CHECK(names->at(0).type.fingerprint == 5);
  CHECK(names->at(0).next_number == 6);

  SubscribeBody wanted{4, "a.*", {"T", 5}, {}, "group"};
  wanted.queue.overflow = Overflow::latest;
  wanted.queue.messages = 12;
  const auto subscribe = decode_subscribe(encode(wanted));
  REQUIRE(subscribe);
  CHECK(subscribe->pattern == "a.*");
  CHECK(subscribe->group == "group");
  CHECK(subscribe->queue.overflow == Overflow::latest);
  CHECK(subscribe->queue.messages == 12);

  const auto serve = decode_serve(encode(ServeBody{{{"s", {"Q", 1}, {"R", 2}}}, {"gone"}}));
  REQUIRE(serve);
  CHECK(serve->offered.at(0).reply.fingerprint == 2);
  CHECK(serve->withdrawn == std::vector<std::string>{"gone"});
  CHECK(decode_serve(encode(ServeBody{})));

  const LastNumberBody last[]{{1, 2}, {3, 4}};
  const auto heartbeat = decode_heartbeat(encode(std::span<const LastNumberBody>{last}));
  REQUIRE(heartbeat);
  CHECK(heartbeat->at(1).number == 4);

  Headers headers;
  headers.trace.emplace();
  headers.trace->trace_id[3] = std::byte{200};
  headers.trace->flags = std::byte{1};
  headers.routing_key = "key";
  headers.entries = {{"a", "b"}};
  const auto meta = decode_meta(encode(MetaFields{.headers = &headers, .remaining_ns = 123}));
  REQUIRE(meta);
  REQUIRE(meta->headers);
  CHECK(*meta->headers == headers);
  CHECK(meta->remaining_ns == 123);
  CHECK(decode_meta(encode(MetaFields{.stream_items = 7}))->headers == std::nullopt);
}

TEST_CASE("bodies of any address are read, and none of too few bytes is") {
  const Body body = encode(Hello{"agent", 1, 1, 0, 0, 0});
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::vector<std::byte> moved(shift);
    moved.insert(moved.end(), body.begin(), body.end());
    CHECK(decode_hello(std::span{moved}.subspan(shift)));
  }
  for (std::size_t size = 0; size < 8; ++size) CHECK_FALSE(decode_hello(std::span{body}.first(size)));
}

TEST_CASE("headers over their limits are refused also from a peer") {
  Headers headers;
  for (int i = 0; i < 17; ++i) headers.entries.emplace_back("k", "v");
  CHECK_FALSE(decode_meta(encode(MetaFields{.headers = &headers, .remaining_ns = -1})));
}

TEST_CASE("mutated frames are refused or read, never anything else") {
  Headers headers;
  headers.tenant = "t";
  headers.entries = {{"a", "b"}};
  const Body bodies[]{encode(Hello{"agent"}),
                      encode(NameBody{1, false, "a.b", {"T", 1}, 1}),
                      encode(SubscribeBody{1, "a.*", {"T", 1}, {}, "g"}),
                      encode(ServeBody{{{"s", {"Q", 1}, {"R", 2}}}, {"gone"}}),
                      encode(Error{ErrorCode::busy, "words"}.with("more"))};
  const Body meta = encode(MetaFields{.headers = &headers, .remaining_ns = 5});
  std::vector<Record> records;
  for (const Body& body : bodies) records.push_back({.type = RecordType::message, .payload = body, .meta = meta});
  const auto good = frame_of(records);
  const auto random = seeded_random(1);
  for (int round = 0; round < 20'000; ++round) {
    auto frame = good;
    if (round % 4 == 0) frame.resize(random->next() % (frame.size() + 1));
    for (std::uint64_t i = random->next() % 6; i-- > 0 && !frame.empty();)
      frame[random->next() % frame.size()] = std::byte{static_cast<unsigned char>(random->next() % 4 ? random->next() : 0xff)};
    if (frame.size() >= frame_header_bytes) {
      const auto size = static_cast<std::uint32_t>(frame.size());
      std::memcpy(frame.data() + 12, &size, sizeof size);
      repair(frame);
    }
    read_all(frame);
  }
}
