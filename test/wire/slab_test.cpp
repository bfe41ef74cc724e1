/// Messages carved out of one block: whole beside each other, and the block goes home with the last of them, once.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "counting_resource.hpp"
#include "wire/reclaimer.hpp"

using namespace midplane;
using namespace midplane::wire;

namespace {

/// A sender and its slab; `calls` tells how many blocks were ever made.
struct Place {
  Counting resource;
  PayloadMemory* memory = nullptr;
  Depot* depot = nullptr;
  explicit Place(std::size_t bytes_max = 1 << 20)
      : memory{PayloadMemory::make(&resource, bytes_max)}, depot{memory->open_depot()} {}
  void leave() {
    memory->retire(depot);
    memory->abandon();
  }
};

constexpr std::size_t plenty = std::size_t{1} << 20;
constexpr std::size_t small = 64;
constexpr std::size_t per_block = (slab_bytes - sizeof(Envelope)) / (sizeof(Envelope) + small);

}  // namespace

TEST_CASE("messages of a slab share a block, keep what was written, and the block is had again when all are dead") {
  Place place;
  {
    Slab slab;
    for (int round = 0; round < 3; ++round) {
      std::vector<Envelope*> out;
      for (std::size_t i = 0; i < per_block; ++i) {
        Envelope* const one = slab.carve(*place.depot, small, plenty);
        REQUIRE(one);
        CHECK(reinterpret_cast<std::uintptr_t>(one->payload) % 64 == 0);
        std::memset(const_cast<std::byte*>(one->payload), static_cast<int>(i), small);
        one->size = small;
        out.push_back(one);
      }
      for (std::size_t i = 0; i < out.size(); ++i) {
        const auto bytes = out[i]->bytes();
        CHECK(std::all_of(bytes.begin(), bytes.end(), [i](std::byte b) { return b == static_cast<std::byte>(i); }));
      }
      slab.close();
      for (Envelope* const one : out) detail::release(one);
      CHECK(place.resource.calls == 1);
    }
  }
  place.leave();
  CHECK(place.resource.out == 0);
}

TEST_CASE("one message that is kept keeps its block, and no longer than it lives") {
  Place place;
  Slab slab;
  std::vector<Envelope*> out;
  for (std::size_t i = 0; i < 3 * per_block; ++i) out.push_back(slab.carve(*place.depot, small, plenty));
  slab.close();
  // The last of the second block.
  Envelope* const kept = out[2 * per_block - 1];
  std::memset(const_cast<std::byte*>(kept->payload), 7, small);
  detail::acquire(kept);
  {
    Reclaimer reclaimer;
    for (Envelope* const one : out) reclaimer.release(one);
  }
  const auto carve_again = [&] {
    std::vector<Envelope*> again;
    for (std::size_t i = 0; i < 10 * per_block; ++i) again.push_back(slab.carve(*place.depot, small, plenty));
    slab.close();
    for (Envelope* const one : again) detail::release(one);
    return again;
  };
  const auto had = [](const std::vector<Envelope*>& all, const Envelope* one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  std::vector<Envelope*> again = carve_again();
  CHECK(had(again, out[0]));
  CHECK(had(again, out[3 * per_block - 1]));
  for (std::size_t i = per_block; i < 2 * per_block; ++i) CHECK_FALSE(had(again, out[i]));
  CHECK(kept->payload[small - 1] == std::byte{7});
  detail::release(kept);
  again = carve_again();
  CHECK(had(again, kept));
  place.leave();
  CHECK(place.resource.out == 0);
}

TEST_CASE("messages that die while their slab is being filled do not end it, in any order") {
  Place place;
  {
    Slab slab;
    for (int i = 0; i < 10'000; ++i) {
      Envelope* const one = slab.carve(*place.depot, small, plenty);
      REQUIRE(one);
      if (i % 3 == 0) {
        detail::release(one);
      } else {
        Reclaimer reclaimer;
        reclaimer.release(one);
      }
    }
  }
  CHECK(place.resource.calls <= 2);
  place.leave();
  CHECK(place.resource.out == 0);
}

TEST_CASE("a large message, a few that are expected, and slabs that hold a quarter of the memory are given no slab") {
  Place place{16 * slab_bytes};
  Slab slab;
  CHECK_FALSE(slab.carve(*place.depot, slab_message_bytes_max + 1, plenty));
  CHECK_FALSE(slab.carve(*place.depot, small, slab_bytes - 1));
  std::vector<Envelope*> out;
  while (Envelope* const one = slab.carve(*place.depot, slab_message_bytes_max, plenty)) out.push_back(one);
  CHECK(out.size() == 4 * ((slab_bytes - sizeof(Envelope)) / (sizeof(Envelope) + slab_message_bytes_max)));
  CHECK(place.memory->bytes_used() <= place.memory->bytes_max() / 2);  // spares among them
  // What has a block of its own still finds room.
  Envelope* const single = place.depot->acquire(small, false, true);
  CHECK(single);
  out.push_back(single);
  slab.close();
  // Slabs are had again once those before are dead, however much memory the blocks at home take.
  for (Envelope* const one : out) detail::release(one);
  out.clear();
  while (Envelope* const one = place.depot->acquire(small, false, true)) out.push_back(one);
  for (Envelope* const one : out) detail::release(one);
  CHECK(place.memory->bytes_used() > place.memory->bytes_max() / 2);
  Envelope* const again = slab.carve(*place.depot, small, plenty);
  REQUIRE(again);
  detail::release(again);
  slab.close();
  place.leave();
  CHECK(place.resource.out == 0);
}

TEST_CASE("messages of a slab die on two other threads while it goes on") {
  Place place{std::size_t{64} << 20};
  constexpr std::size_t rounds = 200'000;
  std::array<std::atomic<Envelope*>, 64> slots{};
  std::atomic<bool> done{false};
  const auto read = [&] {
    while (!done) {
      Reclaimer reclaimer;
      for (auto& slot : slots) {
        if (Envelope* const envelope = slot.exchange(nullptr)) reclaimer.release(envelope);
      }
    }
  };
  std::thread one{read}, two{read};
  {
    Slab slab;
    for (std::size_t i = 0; i < rounds; ++i) {
      Envelope* const envelope = slab.carve(*place.depot, i % 200, plenty);
      REQUIRE(envelope);
      *envelope->block() = std::byte{1};
      if (Envelope* const old = slots[i % slots.size()].exchange(envelope)) detail::release(old);
      if (i % 1000 == 0) slab.close();
    }
  }
  done = true;
  one.join();
  two.join();
  for (auto& slot : slots) {
    if (Envelope* const envelope = slot.load()) detail::release(envelope);
  }
  place.leave();
  CHECK(place.resource.out == 0);
}

namespace {

/// So many out at once that the sender streams.
std::vector<Envelope*> many(Depot& depot, std::size_t messages = 100) {
  std::vector<Envelope*> out;
  for (std::size_t i = 0; i < messages; ++i) out.push_back(depot.acquire(small, false, true));
  return out;
}

void release_all(std::vector<Envelope*>& out) {
  for (Envelope* const one : out) detail::release(one);
  out.clear();
}

}  // namespace

TEST_CASE("a sender that has many messages out at once gets slabs, and one that has few blocks of their own") {
  Place place;
  for (int i = 0; i < 1000; ++i) {
    Envelope* const one = place.depot->acquire(small, false, true);
    CHECK(one->size_class == 0);
    detail::release(one);
  }
  auto out = many(*place.depot);
  CHECK(out.front()->size_class == 0);
  CHECK(out.back()->size_class == carved);
  for (const bool alone : {true, false}) {
    Envelope* const one = place.depot->acquire(small, false, alone);
    CHECK(one->size_class == carved);
    CHECK(end_of(one, small, false) == one->block() + small);
    out.push_back(one);
    Envelope* const with_extra = place.depot->acquire(small, true, alone);
    CHECK(with_extra->size_class == 2);
    out.push_back(with_extra);
    Envelope* const large = place.depot->acquire(1000, false, alone);
    CHECK(large->size_class == 3);
    CHECK(end_of(large, 1000, false) == large->block() + large->capacity);
    out.push_back(large);
  }
  release_all(out);
  place.leave();
  CHECK(place.resource.out == 0);
}

TEST_CASE("what a sender puts back into its slab is had again at once, when it was the last") {
  for (const bool alone : {true, false}) {
    Place place;
    auto out = many(*place.depot);
    Envelope* const first = place.depot->acquire(small, false, alone);
    Envelope* const second = place.depot->acquire(small, false, alone);
    REQUIRE(second->size_class == carved);
    place.depot->put_back(second, alone);
    CHECK(place.depot->acquire(small, false, alone) == second);
    place.depot->put_back(first, alone);  // goes home by itself
    Envelope* const third = place.depot->acquire(small, false, alone);
    CHECK(third != first);
    CHECK(third != second);
    detail::release(second);
    detail::release(third);
    release_all(out);
    place.leave();
    CHECK(place.resource.out == 0);
  }
}

TEST_CASE("a sender that streams has its messages in blocks of their own while slabs hold a quarter of the memory") {
  Place place{std::size_t{1} << 20};
  std::vector<Envelope*> out;
  while (Envelope* const one = place.depot->acquire(small, false, true)) out.push_back(one);
  const auto in_slabs = static_cast<std::size_t>(std::count_if(out.begin(), out.end(), [](Envelope* one) { return one->size_class == carved; }));
  CHECK(in_slabs >= place.memory->bytes_max() / 4 / slab_bytes * per_block);
  CHECK(in_slabs <= (place.memory->bytes_max() / 4 / slab_bytes + 1) * per_block);
  CHECK(out.size() > 5000);
  release_all(out);
  place.leave();
  CHECK(place.resource.out == 0);
}

TEST_CASE("an open slab goes with its sender and its bus, whichever ends first, and with messages out") {
  for (const bool bus_first : {true, false}) {
    for (const bool goes_on : {true, false}) {
      Place place;
      auto out = many(*place.depot);
      if (bus_first) place.memory->abandon();
      if (goes_on) out.push_back(place.depot->acquire(small, false, true));
      detail::release(out.back());
      out.pop_back();
      place.memory->retire(place.depot);
      if (!bus_first) place.memory->abandon();
      release_all(out);
      CHECK(place.resource.out == 0);
    }
  }
}
