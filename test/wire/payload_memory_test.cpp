/// Blocks come from a depot, go home from any thread, and are counted until the last is home.
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "counting_resource.hpp"
#include "wire/reclaimer.hpp"

using namespace midplane;
using namespace midplane::wire;

TEST_CASE("a block that came home is used again, of its own size") {
  Counting resource;
  PayloadMemory* memory = PayloadMemory::make(&resource, 1 << 20);
  Depot* depot = memory->open_depot();
  for (const std::size_t bytes : {8u, 200u, 5000u, 60'000u}) {
    Envelope* first = depot->acquire(bytes, false, true);
    REQUIRE(first);
    CHECK(first->capacity >= bytes);
    detail::release(first);
    Envelope* second = depot->acquire(bytes, false, true);
    CHECK(first == second);
    detail::release(second);
  }
  CHECK(resource.calls == 4);
  memory->retire(depot);
  memory->abandon();
  CHECK(resource.out == 0);
}

TEST_CASE("a block over the largest size is kept for the next large message, and given back before the limit refuses") {
  Counting resource;
  PayloadMemory* memory = PayloadMemory::make(&resource, 1 << 20);
  Depot* depot = memory->open_depot();
  Envelope* large = depot->acquire(100'000, true, false);
  REQUIRE(large);
  detail::release(large);
  Envelope* again = depot->acquire(90'000, true, false);
  CHECK(again == large);
  detail::release(again);
  CHECK(resource.calls == 1);
  // Both together are over the limit.
  Envelope* huge = depot->acquire(950'000, false, false);
  REQUIRE(huge);
  CHECK(resource.out == memory->bytes_used());
  CHECK(memory->bytes_used() < (1 << 20));
  detail::release(huge);
  CHECK(memory->bytes_used() == 0);  // what takes over half of the limit is not kept
  CHECK(resource.out == 0);
  memory->retire(depot);
  memory->abandon();
}

TEST_CASE("no more than four large blocks are kept, and none outlives the bus") {
  Counting resource;
  PayloadMemory* memory = PayloadMemory::make(&resource, std::size_t{64} << 20);
  Depot* depot = memory->open_depot();
  std::vector<Envelope*> held;
  for (int i = 0; i < 6; ++i) held.push_back(depot->acquire(100'000, false, true));
  const std::size_t one = memory->bytes_used() / 6;
  Envelope* late = held.back();
  held.pop_back();
  for (Envelope* envelope : held) detail::release(envelope);
  CHECK(memory->bytes_used() == 5 * one);
  memory->retire(depot);
  memory->abandon();
  CHECK(resource.out == one);
  detail::release(late);
  CHECK(resource.out == 0);
}

TEST_CASE("what a sender puts back it has next, and several of them are all had again") {
  Counting resource;
  PayloadMemory* memory = PayloadMemory::make(&resource, 1 << 20);
  Depot* depot = memory->open_depot();
  Envelope* first = depot->acquire(100, false, true);
  Envelope* second = depot->acquire(1000, false, true);
  Envelope* third = depot->acquire(100, false, true);
  const std::size_t calls = resource.calls;
  for (Envelope* envelope : {first, second, third}) depot->put_back(envelope, true);
  CHECK(depot->acquire(100, false, true) == third);
  CHECK(depot->acquire(1000, false, true) == second);
  Envelope* last = depot->acquire(100, false, true);
  CHECK(resource.calls == calls);
  for (Envelope* envelope : {third, second, last}) detail::release(envelope);
  memory->retire(depot);
  memory->abandon();
  CHECK(resource.out == 0);
}

TEST_CASE("the limit holds, is exact, and blocks at home of other senders are given back before it refuses") {
  Counting resource;
  PayloadMemory* memory = PayloadMemory::make(&resource, 4 * 256);
  Depot* one = memory->open_depot();
  Depot* two = memory->open_depot();
  std::vector<Envelope*> held;
  while (Envelope* envelope = one->acquire(100, false, true)) held.push_back(envelope);
  CHECK(held.size() == 4);
  CHECK(memory->bytes_used() == 4 * 256);
  CHECK(two->acquire(100, false, true) == nullptr);
  for (Envelope* envelope : held) detail::release(envelope);
  Envelope* other = two->acquire(100, false, true);
  CHECK(other != nullptr);
  if (other) detail::release(other);
  memory->retire(one);
  memory->retire(two);
  memory->abandon();
  CHECK(resource.out == 0);
}

TEST_CASE("a resource that fails is an answer, and nothing stays counted") {
  Counting resource;
  PayloadMemory* memory = PayloadMemory::make(&resource, 1 << 20);
  Depot* depot = memory->open_depot();
  resource.fail = true;
  CHECK(depot->acquire(10, false, false) == nullptr);
  CHECK(memory->bytes_used() == 0);
  resource.fail = false;
  Envelope* envelope = depot->acquire(10, false, false);
  REQUIRE(envelope);
  detail::release(envelope);
  memory->retire(depot);
  memory->abandon();
  CHECK(resource.out == 0);
}

TEST_CASE("envelopes outlive sender and bus; the last one takes the memory along") {
  Counting resource;
  PayloadMemory* memory = PayloadMemory::make(&resource, 1 << 20);
  Depot* depot = memory->open_depot();
  Envelope* early = depot->acquire(10, false, false);
  Envelope* late = depot->acquire(10, false, false);
  memory->retire(depot);
  memory->abandon();
  CHECK(resource.out == 2 * block_bytes[0]);
  detail::release(early);
  CHECK(resource.out == block_bytes[0]);
  detail::release(late);
  CHECK(resource.out == 0);
}

TEST_CASE("a chain of mixed sizes and homes is sent home by a Reclaimer, none lost") {
  Counting resource;
  PayloadMemory* memory = PayloadMemory::make(&resource, 1 << 22);
  Depot* one = memory->open_depot();
  Depot* two = memory->open_depot();
  std::size_t calls_for_the_first = 0;
  for (int round = 0; round < 3; ++round) {
    std::vector<Envelope*> out;
    for (std::size_t i = 0; i < 50; ++i) out.push_back((i % 3 ? one : two)->acquire(i * 300, i % 2 == 0, true));
    Reclaimer reclaimer;
    for (Envelope* envelope : out) reclaimer.release(envelope);
    if (round == 0) calls_for_the_first = resource.calls;
  }
  CHECK(resource.calls == calls_for_the_first);
  memory->retire(one);
  memory->retire(two);
  memory->abandon();
  CHECK(resource.out == 0);
}

TEST_CASE("blocks come home from other threads while their owner takes new ones") {
  Counting resource;
  PayloadMemory* memory = PayloadMemory::make(&resource, 1 << 20);
  Depot* depot = memory->open_depot();
  constexpr std::size_t rounds = 100'000;
  std::array<std::atomic<Envelope*>, 64> slots{};
  std::atomic<bool> done{false};
  std::thread reader{[&] {
    while (!done) {
      Reclaimer reclaimer;
      for (auto& slot : slots)
        if (Envelope* envelope = slot.exchange(nullptr)) reclaimer.release(envelope);
    }
  }};
  for (std::size_t i = 0; i < rounds; ++i) {
    Envelope* envelope = depot->acquire(i % 400, false, true);
    REQUIRE(envelope);
    *envelope->block() = std::byte{1};
    if (Envelope* old = slots[i % slots.size()].exchange(envelope)) detail::release(old);
  }
  done = true;
  reader.join();
  for (auto& slot : slots)
    if (Envelope* envelope = slot.load()) detail::release(envelope);
  memory->retire(depot);
  memory->abandon();
  CHECK(resource.out == 0);
}
