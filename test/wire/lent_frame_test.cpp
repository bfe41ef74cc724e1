/// A large payload leaves as a frame from the block it was built in: without a copy, and never seen changed by others.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "counting_resource.hpp"
#include "wire/frame.hpp"
#include "wire/payload_memory.hpp"

using namespace midplane;
using namespace midplane::wire;

namespace {

constexpr std::size_t plenty = std::size_t{64} << 20;

struct Memory {
  explicit Memory(std::size_t bytes_max = plenty, std::pmr::memory_resource* resource = std::pmr::new_delete_resource())
      : memory{PayloadMemory::make(resource, bytes_max)}, depot{memory->open_depot()} {}
  Memory(const Memory&) = delete;
  ~Memory() {
    memory->retire(depot);
    memory->abandon();
  }
  /// One whose payload was built as a Draft does it: at the end of its room, of no even size.
  Envelope* make(std::size_t bytes, bool with_extra = false) const {
    const std::size_t room = (bytes + 15) & ~std::size_t{15};
    Envelope* const envelope = depot->acquire(room, with_extra, true);
    REQUIRE(envelope);
    auto* const payload = end_of(envelope, room, with_extra) - bytes;
    for (std::size_t i = 0; i < bytes; ++i) payload[i] = static_cast<std::byte>(i * 31 >> 3);
    envelope->payload = payload;
    envelope->size = static_cast<std::uint32_t>(bytes);
    return envelope;
  }
  PayloadMemory* memory;
  Depot* depot;
};

const FrameHead head{wire_version, {0x0123456789abcdef, 0xfedcba9876543210}, 42};

Record record_of(Envelope* envelope, RecordType type = RecordType::message) {
  return {.type = type, .name = 7, .number = 8, .mark = 9, .payload = envelope->bytes(), .owner = envelope};
}

Frame frame_of(const Record& record) {
  FrameBuilder builder;
  REQUIRE(builder.add(record));
  REQUIRE(builder.finish(head).size() == builder.bytes());
  return builder.detach();
}

bool lies_in(const Frame& frame, const Record& record) {
  return std::less_equal<>{}(frame.memory.get(), record.payload.data()) &&
         std::less<>{}(record.payload.data(), frame.memory.get() + frame.size);
}

/// Given to a frame without a copy, and back.
bool is_lent(Record record) {
  return lies_in(frame_of(record), record);
}

}  // namespace

TEST_CASE("a large payload that nobody else has leaves from where it lies, in the same frame as a copied one") {
  const Memory memory;
  for (const std::size_t bytes : {100'000u, 100'001u, 100'007u, 100'008u, 100'009u, 100'015u, 1'048'596u}) {
    for (const bool with_extra : {false, true}) {
      for (const RecordType type : {RecordType::message, RecordType::request, RecordType::reply, RecordType::item}) {
        CAPTURE(bytes);
        Envelope* const envelope = memory.make(bytes, with_extra);
        const std::vector<std::byte> before(envelope->bytes().begin(), envelope->bytes().end());
        Record copied = record_of(envelope, type);
        copied.owner = nullptr;
        const Frame expected = frame_of(copied);
        REQUIRE_FALSE(lies_in(expected, copied));
        {
          const Frame frame = frame_of(record_of(envelope, type));
          CHECK(lies_in(frame, copied));
          CHECK(std::ranges::equal(frame.bytes(), expected.bytes()));
          CHECK(std::ranges::equal(envelope->bytes(), before));
          CHECK(envelope->references.load() == 2);
        }
        CHECK(envelope->references.load() == 1);
        detail::release(envelope);
      }
    }
  }
  CHECK(memory.memory->bytes_used() <= memory.memory->bytes_max());
}

TEST_CASE("who lets go last of a lent block, its sender or its frame, sends it home") {
  for (const bool frame_last : {false, true}) {
    const Memory memory;
    Envelope* const envelope = memory.make(100'000);
    Frame frame = frame_of(record_of(envelope));
    if (frame_last) detail::release(envelope);
    frame.memory.reset();
    if (!frame_last) detail::release(envelope);
    Envelope* const again = memory.make(100'000);
    CHECK(again == envelope);
    detail::release(again);
  }
}

TEST_CASE("a lent block outlives its bus until its frame has left") {
  Frame frame;
  {
    const Memory memory;
    Envelope* const envelope = memory.make(100'000);
    frame = frame_of(record_of(envelope));
    detail::release(envelope);
  }
  FrameReader reader;
  CHECK(reader.open(frame.bytes()) == FrameFault::none);
}

TEST_CASE("what others have too is copied, until they let go") {
  const Memory memory;
  Envelope* const envelope = memory.make(100'000);
  detail::acquire(envelope);
  CHECK_FALSE(is_lent(record_of(envelope)));
  detail::release(envelope);
  const Frame first = frame_of(record_of(envelope));
  CHECK(lies_in(first, record_of(envelope)));
  CHECK_FALSE(is_lent(record_of(envelope)));  // to another peer, while the first frame is out
  detail::release(envelope);
}

TEST_CASE("what is small, has Meta, is a piece or is not the envelope's own is copied") {
  const Memory memory;
  Envelope* const small = memory.make(50'000);
  CHECK_FALSE(is_lent(record_of(small)));
  Envelope* const large = memory.make(100'000);
  const std::vector<std::byte> meta(8);
  Record record = record_of(large);
  record.meta = meta;
  CHECK_FALSE(is_lent(record));
  record = record_of(large);
  record.payload = record.payload.subspan(0, 70'000);
  FrameBuilder builder;
  REQUIRE(builder.add({.type = RecordType::cancel, .mark = 1}));
  REQUIRE(builder.add(record_of(large)));  // behind another one
  CHECK(large->references.load() == 1);
  record = record_of(large);
  record.payload = record.payload.subspan(16);
  CHECK_FALSE(is_lent(record));
  // A payload of the user's, or of another envelope: there is no telling what lies around it.
  const std::vector<std::byte> elsewhere(100'000);
  const std::byte* const own = std::exchange(large->payload, elsewhere.data());
  CHECK_FALSE(is_lent(record_of(large)));
  large->payload = own;
  CHECK(is_lent(record_of(large)));
  detail::release(small);
  detail::release(large);
}

TEST_CASE("a payload without room around it is copied, and what lies beside it stays") {
  const Memory memory;
  Envelope* const envelope = memory.make(100'000, true);
  const auto from = [&](std::byte* payload, std::size_t size) {
    envelope->payload = payload;
    envelope->size = static_cast<std::uint32_t>(size);
    return is_lent(record_of(envelope));
  };
  std::byte* const first = envelope->block() + sizeof(Extra);
  std::byte* const end = envelope->block() + envelope->capacity;
  CHECK_FALSE(from(first, 90'000));
  CHECK_FALSE(from(first + 64, 90'000));  // for the headers, and not for what says whose they are
  CHECK(from(first + 80, 90'000));
  CHECK(from(end - 90'000 - 8, 90'000));
  CHECK_FALSE(from(end - 90'001, 90'001));  // seven bytes of padding
  detail::release(envelope);
}

TEST_CASE("a record that joins a lent frame is behind the same one, and the block is the sender's again") {
  const Memory memory;
  Envelope* const envelope = memory.make(100'000);
  FrameBuilder builder;
  REQUIRE(builder.add(record_of(envelope)));
  CHECK(envelope->references.load() == 2);
  const std::vector<std::byte> alone(builder.finish(head).begin(), builder.finish(head).end());
  REQUIRE(builder.add({.type = RecordType::cancel, .mark = 3}));
  CHECK(envelope->references.load() == 1);
  FrameReader reader;
  REQUIRE(reader.open(builder.finish(head)) == FrameFault::none);
  Record record;
  REQUIRE(reader.next(record));
  CHECK(std::ranges::equal(record.payload, envelope->bytes()));
  REQUIRE(reader.next(record));
  CHECK(record.mark == 3);
  detail::release(envelope);
}

TEST_CASE("a builder whose frame was lent and not detached begins the next one in memory of its own") {
  const Memory memory;
  Envelope* const envelope = memory.make(100'000);
  FrameBuilder builder;
  REQUIRE(builder.add(record_of(envelope)));
  builder.begin();
  CHECK(envelope->references.load() == 1);
  REQUIRE(builder.add({.type = RecordType::cancel, .mark = 3}));
  FrameReader reader;
  CHECK(reader.open(builder.finish(head)) == FrameFault::none);
  detail::release(envelope);
}

TEST_CASE("short memory and a user's own resource are never waited for: their payloads are copied") {
  const Memory tight{std::size_t{4} << 20};
  Envelope* const envelope = tight.make(3 << 20);
  CHECK_FALSE(is_lent(record_of(envelope)));
  detail::release(envelope);
  Counting resource;
  {
    const Memory own{plenty, &resource};
    Envelope* const theirs = own.make(100'000);
    CHECK_FALSE(is_lent(record_of(theirs)));
    detail::release(theirs);
  }
  CHECK(resource.out == 0);
}
