/// The rooms of one mailbox: bound, lanes, conflation; and close, leave and publish at once.
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include <midplane/executors.hpp>

#include "base/clock.hpp"
#include "mailbox/admission.hpp"
#include "mailbox/pull_box.hpp"
#include "mailbox/runner.hpp"
#include "wire/payload_memory.hpp"

using namespace midplane;
using namespace midplane::mailbox;

namespace {

struct Memory {
  wire::PayloadMemory* memory = wire::PayloadMemory::make(std::pmr::new_delete_resource(), 64 << 20);
  wire::Depot* depot = memory->open_depot();
  const wire::Name* name = memory->intern("t");
  ~Memory() {
    memory->retire(depot);
    memory->abandon();
  }
  wire::Envelope* make(std::uint64_t sequence, std::uint32_t size = 8, bool alone = true) {
    wire::Envelope* envelope = depot->acquire(size, false, alone);
    envelope->name = name;
    envelope->sequence = sequence;
    envelope->size = size;
    return envelope;
  }
};

bool accept(std::span<const std::byte>) noexcept { return true; }

void offer(Mailbox& box, Lane& lane, wire::Envelope* envelope) {
  bool listed = false;
  if (box.offer(lane, envelope, listed) != Offered::queued) return detail::release(envelope);
  if (listed) box.list(lane);
}

}  // namespace

TEST_CASE("a lane holds a sixteenth of the bound in advance at most, in messages and in bytes, however small they are") {
  Admission admission{1024, 1 << 20};
  const auto lane = Lane::make(admission, 1);
  for (int i = 0; i < 100'000; ++i) {
    REQUIRE(lane->reserve(8));
    admission.release(load_of(1, 8));
    REQUIRE(messages_in(admission.used()) <= 1024 / 16 + 1);
    REQUIRE(bytes_in(admission.used()) <= (1 << 20) / 16 + 8);
  }
}

TEST_CASE("lanes hold less than an eighth of the bound in advance, however many there are") {
  Admission admission{1024, 1 << 20};
  std::vector<std::unique_ptr<Lane>> lanes;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    lanes.push_back(Lane::make(admission, i));
    REQUIRE(lanes.back());
    REQUIRE(lanes.back()->reserve(8));
  }
  CHECK(messages_in(admission.used()) >= 200);
  CHECK(messages_in(admission.used()) <= 200 + 1024 / 8);
  for (auto& lane : lanes) {
    lane->unreserve(8);
    lane->return_allowance();
  }
  CHECK(admission.used() == 0);
}

TEST_CASE("a lane that its sender left is used by the next one") {
  Memory memory;
  auto* box = new PullBox{"t", {}, steady_clock(), &accept};
  const char senders[4]{};
  Lane* lane = box->open_lane(&senders[0]);
  Lane* second = box->open_lane(&senders[1]);
  CHECK(lane != second);
  CHECK(box->open_lane(&senders[0]) == lane);  // the same sender, for another topic
  box->close_lane(*lane);
  CHECK(box->open_lane(&senders[2]) != lane);
  box->close_lane(*lane);  // now its sender has left it
  CHECK(box->open_lane(&senders[3]) == lane);
  box->close(DropReason::unsubscribed);
  box->unref();
}

TEST_CASE("several messages at once are all taken, in order, or none of them where not all have room") {
  for (const std::uint32_t bytes : {8u, 400u}) {
    Memory memory;
    auto* box = new PullBox{"t", {.messages = 10, .bytes = 2400}, steady_clock(), &accept};
    const char sender = 0;
    Lane* lane = box->open_lane(&sender);
    const std::uint64_t fit = std::min<std::uint64_t>(10, 2400 / bytes);
    std::uint64_t next = 1;
    for (int round = 0; round < 100; ++round) {
      std::vector<wire::Envelope*> some;
      for (std::uint64_t i = 0; i < fit; ++i) some.push_back(memory.make(next + i, bytes));
      bool listed = false;
      some.push_back(memory.make(next + fit, bytes));
      CHECK_FALSE(box->offer_all(*lane, some, listed, Telling::now));
      CHECK_FALSE(listed);
      detail::release(some.back());
      some.pop_back();
      REQUIRE(box->offer_all(*lane, some, listed, Telling::now));
      CHECK((listed || round != 0));  // a lane that its consumer has not looked at again is still listed
      if (listed) box->list(*lane);
      for (std::uint64_t i = 0; i < fit; ++i) {
        Taken taken;
        REQUIRE(box->try_take(taken));
        CHECK(taken.envelope->sequence == next++);
        detail::release(taken.envelope);
      }
    }
    const SinkStats stats = box->stats("inbox");
    CHECK(stats.offered == next - 1);
    CHECK(stats.delivered == next - 1);
    CHECK(stats.dropped.total() == 0);
    box->close(DropReason::unsubscribed);
    box->unref();
  }
}

TEST_CASE("a sender that may come back finds its lane again while something of it waits there") {
  Memory memory;
  auto* box = new PullBox{"t", {}, steady_clock(), &accept};
  const char other = 0;
  auto sender = std::make_shared<const char>('\0');
  Lane* lane = box->open_lane(sender.get(), sender);
  offer(*box, *lane, memory.make(1));
  box->close_lane(*lane);
  Lane* of_other = box->open_lane(&other);
  CHECK(of_other != lane);
  CHECK(box->open_lane(sender.get(), sender) == lane);
  box->close_lane(*lane);
  SUBCASE("until it is empty") {
    Taken taken;
    REQUIRE(box->try_take(taken));
    detail::release(taken.envelope);
  }
  SUBCASE("until it is gone for good") { sender.reset(); }
  const char third = 0;
  CHECK(box->open_lane(&third) == lane);
  box->close(DropReason::unsubscribed);
  box->unref();
}

TEST_CASE("a burst from one lane lets the others have their turn") {
  Memory memory;
  auto* box = new PullBox{"t", {}, steady_clock(), &accept};
  const char senders[2]{};
  Lane* busy = box->open_lane(&senders[0]);
  Lane* quiet = box->open_lane(&senders[1]);
  for (std::uint64_t i = 0; i < 500; ++i) offer(*box, *busy, memory.make(i));
  offer(*box, *quiet, memory.make(1000));
  std::size_t before = 0;
  for (Taken taken; box->try_take(taken); ++before) {
    const bool found = taken.envelope->sequence == 1000;
    detail::release(taken.envelope);
    if (found) break;
  }
  CHECK(before <= 2 * burst_messages);
  box->close(DropReason::unsubscribed);
  CHECK(box->stats("x").dropped[DropReason::unsubscribed] == 500 - before);
  box->unref();
}

TEST_CASE("what is pushed in bursts and told once is all consumed, also from a lane that is still listed") {
  constexpr std::uint64_t bursts = 20'000;
  auto pool = pool_executor({.threads = 1}).value();
  Memory memory;
  std::atomic<std::uint64_t> entered{0};
  RunnerOptions options;
  options.name = "t";
  options.queue = Queue{.messages = 64};
  options.executor = pool;
  options.clock = steady_clock();
  options.verify = &accept;
  options.handler = [&](AnyMessage&) { ++entered; };
  auto* runner = new Runner{std::move(options)};
  const char sender{};
  Lane* lane = runner->open_lane(&sender);
  std::uint64_t queued = 0;
  for (std::uint64_t burst = 0; burst < bursts; ++burst) {
    for (std::uint64_t i = 0; i <= burst % 4; ++i) {
      wire::Envelope* envelope = memory.make(i, 8, false);
      bool listed = false;
      if (runner->offer(*lane, envelope, listed, Telling::later) == Offered::dropped) {
        detail::release(envelope);
        continue;
      }
      CHECK(listed);
      ++queued;
    }
    runner->list_if_new(*lane);
    // Everything was told: a message left behind would be waited for in vain.
    if (burst % 16 == 0) {
      while (entered != queued) std::this_thread::yield();
    }
  }
  runner->close_lane(*lane);
  runner->close(DropReason::unsubscribed);
  CHECK(runner->wait_stopped(std::chrono::seconds{20}));
  runner->unref();
  pool->stop(base::steady_now() + std::chrono::seconds{10});
}

TEST_CASE("Conflation keeps one per topic, in the place of what it replaces or at the end") {
  Memory memory;
  Conflation conflation;
  const wire::Name other{"u", 2};
  wire::Envelope* a = memory.make(1);
  wire::Envelope* b = memory.make(2);
  b->name = &other;
  wire::Envelope* c = memory.make(3);
  CHECK(conflation.append(a));
  CHECK(conflation.append(b));
  wire::Envelope* d = memory.make(4);
  CHECK(conflation.replace(c, false) == a);
  CHECK(conflation.replace(d, true) == c);
  CHECK(conflation.pop() == b);
  CHECK(conflation.pop() == d);
  CHECK(conflation.pop() == nullptr);
  CHECK(conflation.append(a));
  CHECK(conflation.append(b));
  CHECK(conflation.replace(c, false) == a);
  CHECK(conflation.pop() == c);
  CHECK(conflation.pop() == b);
  for (wire::Envelope* envelope : {a, b, c, d}) detail::release(envelope);
}

TEST_CASE("senders, a consumer and a close at once: every message ends exactly once") {
  for (const Overflow overflow : {Overflow::drop_newest, Overflow::drop_oldest, Overflow::latest}) {
    for (const unsigned concurrency : {1u, 2u}) {
      auto pool = pool_executor({.threads = 2}).value();
      for (int round = 0; round < 100; ++round) {
        Memory memory;
        std::atomic<std::uint64_t> entered{0};
        RunnerOptions options;
        options.name = "t";
        options.queue = Queue{.messages = 32, .overflow = overflow};
        options.concurrency = concurrency;
        options.executor = pool;
        options.clock = steady_clock();
        options.verify = &accept;
        options.handler = [&](AnyMessage&) { ++entered; };
        options.threw = [](std::string_view, std::string_view) {};
        auto* runner = new Runner{std::move(options)};
        constexpr std::uint64_t each = 200;
        std::vector<std::thread> senders;
        for (int s = 0; s < 2; ++s)
          senders.emplace_back([&] {
            for (int part = 0; part < 2; ++part) {
              const char sender{};
              Lane* lane = runner->open_lane(&sender);
              for (std::uint64_t i = 0; i < each / 2; ++i) offer(*runner, *lane, memory.make(i, 8, false));
              runner->close_lane(*lane);
            }
          });
        for (int look = 0; look < round; ++look) std::this_thread::yield();
        runner->close(DropReason::unsubscribed);
        CHECK(runner->wait_stopped(std::chrono::seconds{20}));
        const std::uint64_t at_stop = entered;
        for (auto& sender : senders) sender.join();
        CHECK(entered == at_stop);
        const SinkStats stats = runner->stats("x");
        CHECK(stats.offered == 2 * each);
        CHECK(stats.delivered == at_stop);
        CHECK(stats.delivered + stats.dropped.total() + stats.waiting == stats.offered);
        runner->unref();
      }
      pool->stop(base::steady_now() + std::chrono::seconds{10});
    }
  }
}
