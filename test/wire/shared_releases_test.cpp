/// A message of several subscriptions goes home once, with the last of them or at the end of the executor's round.
#include <doctest/doctest.h>

#include <vector>

#include "counting_resource.hpp"
#include "wire/reclaimer.hpp"
#include "wire/shared_releases.hpp"

using namespace midplane;
using namespace midplane::wire;

namespace {

/// As good as the library's own.
struct Own : Counting {
  bool do_is_equal(const std::pmr::memory_resource&) const noexcept override { return true; }
};

template <class Resource>
struct MessagesIn {
  explicit MessagesIn(std::size_t bytes_max = std::size_t{64} << 20) : memory{PayloadMemory::make(&resource, bytes_max)} {}
  Resource resource;
  PayloadMemory* memory;
  Depot* depot = memory->open_depot();
  std::uint64_t number = 0;

  std::vector<Envelope*> make(std::size_t count, std::uint32_t references, std::size_t bytes = 64) {
    std::vector<Envelope*> made;
    for (std::size_t i = 0; i < count; ++i) {
      made.push_back(depot->acquire(bytes, false, true));
      REQUIRE(made.back());
      made.back()->references.store(references);
      made.back()->sequence = ++number;
    }
    return made;
  }
  /// Everything is home: nothing is out once the bus is gone.
  bool all_home() {
    memory->retire(depot);
    memory->abandon();
    return resource.out == 0;
  }
};

using Messages = MessagesIn<Own>;

/// What one subscription does with them.
void pass(SharedReleases& shared, const std::vector<Envelope*>& messages) {
  Reclaimer reclaimer{&shared};
  for (Envelope* const one : messages) reclaimer.release(one);
}

}  // namespace

TEST_CASE("of three subscriptions the last takes the messages along, and no reference is counted down before") {
  Messages messages;
  const auto sent = messages.make(100, 3);
  SharedReleases shared;
  pass(shared, sent);
  pass(shared, sent);
  for (const Envelope* one : sent) REQUIRE(one->references.load() == 3);
  pass(shared, sent);
  const auto again = messages.make(100, 1);
  CHECK(messages.resource.calls < 130);  // they had come home before the round ended
  pass(shared, again);
  CHECK(messages.all_home());
}

TEST_CASE("what others have still is given back at the end of the round") {
  Messages messages;
  const auto sent = messages.make(10, 3);
  {
    SharedReleases shared;
    pass(shared, sent);
    pass(shared, sent);
    CHECK(sent.front()->references.load() == 3);
  }
  for (const Envelope* one : sent) CHECK(one->references.load() == 1);
  Reclaimer reclaimer;
  for (Envelope* const one : sent) reclaimer.release(one);
  reclaimer.flush();
  CHECK(messages.all_home());
}

TEST_CASE("a subscription that did not get all of them passes over the others") {
  Messages messages;
  const auto sent = messages.make(6, 3);
  sent[1]->references.store(2);
  sent[4]->references.store(2);
  {
    SharedReleases shared;
    pass(shared, sent);
    pass(shared, {sent[0], sent[2], sent[3], sent[5]});
    pass(shared, sent);
  }
  CHECK(messages.all_home());
}

TEST_CASE("one subscription's messages in another order are given back all the same") {
  Messages messages;
  const auto sent = messages.make(5, 2);
  {
    SharedReleases shared;
    pass(shared, sent);
    pass(shared, {sent[4], sent[3], sent[2], sent[1], sent[0]});
  }
  CHECK(messages.all_home());
}

TEST_CASE("no more than its capacity is kept, no large message, and none that holds something of its sender's") {
  Messages messages;
  const auto many = messages.make(SharedReleases::capacity + 1, 2);
  auto large = messages.make(1, 2, 2000);
  bool let_go = false;
  Envelope* const holder = messages.depot->acquire(0, true, true);
  REQUIRE(holder);
  holder->references.store(2);
  holder->extra->release = [&let_go] { let_go = true; };
  large.push_back(holder);
  SharedReleases shared;
  Reclaimer reclaimer{&shared};
  for (Envelope* const one : large) {
    reclaimer.release(one);
    CHECK(one->references.load() == 1);
  }
  for (Envelope* const one : many) reclaimer.release(one);
  CHECK(many[SharedReleases::capacity - 1]->references.load() == 2);
  CHECK(many[SharedReleases::capacity]->references.load() == 1);
  pass(shared, many);
  pass(shared, large);
  CHECK(let_go);
  reclaimer.flush();
  CHECK(messages.all_home());
}

TEST_CASE("messages of two senders with the same numbers go home, and one of more subscriptions than a place can count") {
  Messages messages;
  const auto sent = messages.make(SharedReleases::capacity, 3);
  messages.number = 0;
  const auto same = messages.make(SharedReleases::capacity, 3);
  messages.number = 3 * SharedReleases::capacity;
  const auto wide = messages.make(1, 200);
  SharedReleases shared;
  for (int i = 0; i < 3; ++i) {
    pass(shared, sent);
    pass(shared, same);
  }
  for (int i = 0; i < 200; ++i) pass(shared, wide);
  const std::size_t calls = messages.resource.calls;
  const auto again = messages.make(2 * SharedReleases::capacity, 1);
  CHECK(messages.resource.calls == calls);  // they had come home before the round ended
  pass(shared, again);
  CHECK(messages.all_home());
}

TEST_CASE("a round inside a round keeps what is its own") {
  Messages messages;
  const auto sent = messages.make(4, 2);
  {
    SharedReleases outer;
    CHECK(SharedReleases::here() == &outer);
    pass(outer, {sent[0], sent[1]});
    {
      SharedReleases inner;
      CHECK(SharedReleases::here() == &inner);
      pass(inner, sent);
    }
    CHECK(SharedReleases::here() == &outer);
    CHECK(sent[0]->references.load() == 1);  // the outer round's
    pass(outer, {sent[2], sent[3]});
  }
  CHECK(SharedReleases::here() == nullptr);
  CHECK(messages.all_home());
}

TEST_CASE("nothing is kept of memory that is the user's, who may take it away with the bus") {
  MessagesIn<Counting> messages;
  const auto sent = messages.make(3, 2);
  SharedReleases shared;
  pass(shared, sent);
  for (const Envelope* one : sent) CHECK(one->references.load() == 1);
  pass(shared, sent);
  CHECK(messages.all_home());
}

TEST_CASE("nothing is kept of a memory so small that what waits would be much of it") {
  constexpr std::size_t enough = 16 * SharedReleases::capacity * slab_bytes;
  for (const std::size_t bytes_max : {enough - 1, enough}) {
    Messages messages{bytes_max};
    const auto sent = messages.make(3, 2);
    SharedReleases shared;
    pass(shared, sent);
    for (const Envelope* one : sent) CHECK(one->references.load() == (bytes_max < enough ? 1 : 2));
    pass(shared, sent);
    CHECK(messages.all_home());
  }
}
