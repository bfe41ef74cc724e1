/// Messages carved out of one block: whole beside each other, and the block goes home with the last of them, once.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "counting_resource.hpp"
#include "wire/slab.hpp"

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
