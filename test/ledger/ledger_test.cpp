/// P3 by a ledger of the test's own: each scenario loses messages for one reason, and the library has to say so.
/// With MIDPLANE_MUTANTS a silenced counter makes its scenario fail (scripts/mutants.txt).
#include "ledger/ledger.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <new>
#include <stdexcept>
#include <thread>

#include <midplane/testing/manual_clock.hpp>
#include <midplane/testing/manual_executor.hpp>

namespace {
/// Allocations of at least this many bytes fail while it is not 0: a lane's ring is the only one so large here.
std::atomic<std::size_t> too_much{0};
}  // namespace

void* operator new(std::size_t bytes) {
  const std::size_t limit = too_much.load(std::memory_order_relaxed);
  void* memory = limit != 0 && bytes >= limit ? nullptr : std::malloc(bytes ? bytes : 1);
  if (!memory) throw std::bad_alloc{};
  return memory;
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  const std::size_t limit = too_much.load(std::memory_order_relaxed);
  return limit != 0 && bytes >= limit ? nullptr : std::malloc(bytes ? bytes : 1);
}
void* operator new[](std::size_t bytes, const std::nothrow_t& tag) noexcept { return operator new(bytes, tag); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace midplane {

struct Red {};
struct Blue {};
template <>
struct Codec<Red> {
  using View = const std::byte*;
  static const TypeInfo& info() noexcept { static constexpr TypeInfo type{"test.Red", 1, {}}; return type; }
  static bool verify(std::span<const std::byte> bytes) noexcept { return bytes.size() >= 8; }
  static View view(std::span<const std::byte> bytes) noexcept { return bytes.data(); }
};
template <>
struct Codec<Blue> {
  using View = const std::byte*;
  static const TypeInfo& info() noexcept { static constexpr TypeInfo type{"test.Blue", 2, {}}; return type; }
  static bool verify(std::span<const std::byte> bytes) noexcept { return bytes.size() >= 8; }
  static View view(std::span<const std::byte> bytes) noexcept { return bytes.data(); }
};

namespace test {
namespace {

inline constexpr Topic<Bytes> ids{"ids"};
inline constexpr std::uint64_t many = 1000;

struct Book {
  std::shared_ptr<testing::ManualClock> clock = testing::manual_clock();
  std::shared_ptr<ManualExecutor> loop = manual_executor(clock);
  Bus bus = Bus::open({.name = "ledger", .executor = loop, .clock = clock}).value();
  Ledger ledger{100'000};
  std::uint64_t next = 0;

  void settle() { while (loop->poll() != 0) {} }
  template <class P>
  Result<Published> put(P& publisher, const PublishOptions& options = {}) {
    const std::uint64_t id = next++;
    ledger.offered();
    auto said = publisher.publish(std::as_bytes(std::span{&id, 1}), options);
    if (!said) ledger.refused();
    return said;
  }
  /// Every missing id has exactly this reason, and the sums agree.
  void explain(DropReason reason, std::uint64_t expected) {
    Drops drops;
    std::uint64_t offered = 0, delivered = 0, waiting = 0;
    for (const SinkStats& sink : bus.stats().sinks) {
      offered += sink.offered;
      delivered += sink.delivered;
      waiting += sink.waiting;
      for (std::size_t i = 0; i < drop_reasons; ++i) drops.by_reason[i] += sink.dropped.by_reason[i];
    }
    CHECK(ledger.repeated() == 0);
    CHECK(offered == ledger.offered_total());
    CHECK(delivered == ledger.returned());
    CHECK(waiting == 0);
    CHECK(ledger.missing() == expected);
    CHECK(drops[reason] == expected);
    CHECK(drops.total() == ledger.missing());
  }
  auto note() { return [this](const AnyMessage& m) { ledger.entered(id_in(m)); }; }
};

SubscribeOptions bounded(Overflow overflow, std::size_t messages = 10) {
  SubscribeOptions options;
  options.queue = Queue{.messages = messages, .overflow = overflow, .block_for = Duration{0}};
  return options;
}

}  // namespace

TEST_CASE("P3 ledger: queue_full_newest explains what a full queue did not take") {
  for (const Overflow overflow : {Overflow::drop_newest, Overflow::block}) {
    Book book;
    auto publisher = book.bus.publisher(ids).value();
    auto inbox = book.bus.inbox(ids, bounded(overflow)).value();
    for (std::uint64_t i = 0; i < many; ++i) CHECK(book.put(publisher).has_value());
    while (auto item = inbox.try_take()) book.ledger.entered(id_in(std::get<Message<Bytes>>(*item)));
    book.explain(DropReason::queue_full_newest, many - 10);
  }
}

TEST_CASE("P3 ledger: queue_full_oldest explains what had to leave") {
  Book book;
  auto publisher = book.bus.publisher(ids).value();
  auto sub = book.bus.subscribe(ids, book.note(), bounded(Overflow::drop_oldest)).value();
  for (std::uint64_t i = 0; i < many; ++i) CHECK(book.put(publisher)->queued == 1);
  book.settle();
  book.explain(DropReason::queue_full_oldest, many - 10);
}

TEST_CASE("P3 ledger: conflated explains what a newer one replaced") {
  Book book;
  auto publisher = book.bus.publisher(ids).value();
  auto sub = book.bus.subscribe(ids, book.note(), bounded(Overflow::latest)).value();
  for (std::uint64_t i = 0; i < many; ++i) CHECK(book.put(publisher)->queued == 1);
  book.settle();
  book.explain(DropReason::conflated, many - 1);
}

TEST_CASE("P3 ledger: expired explains what came too late") {
  Book book;
  auto publisher = book.bus.publisher(ids).value();
  auto sub = book.bus.subscribe(ids, book.note()).value();
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(book.put(publisher, {.ttl = std::chrono::milliseconds{i % 2 ? 1 : 100}}).has_value());
  book.clock->advance(std::chrono::milliseconds{10});
  book.settle();
  book.explain(DropReason::expired, 50);
}

TEST_CASE("P3 ledger: handler_failed explains what entered and did not return") {
  Book book;
  auto publisher = book.bus.publisher(ids).value();
  auto sub = book.bus.subscribe(ids, [&](const Message<Bytes>& m) {
    book.ledger.entered(id_in(m));
    if (id_in(m) % 5 != 0) return;
    book.ledger.failed();
    throw std::runtime_error{"seeded"};
  }).value();
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(book.put(publisher).has_value());
  book.settle();
  book.explain(DropReason::handler_failed, 20);
}

TEST_CASE("P3 ledger: unsubscribed explains what waited when the subscription ended") {
  Book book;
  auto publisher = book.bus.publisher(ids).value();
  {
    auto sub = book.bus.subscribe(ids, book.note()).value();
    for (std::uint64_t i = 0; i < 10; ++i) CHECK(book.put(publisher).has_value());
    book.settle();
    for (std::uint64_t i = 0; i < 100; ++i) CHECK(book.put(publisher).has_value());
  }
  book.settle();
  book.explain(DropReason::unsubscribed, 100);
}

TEST_CASE("P3 ledger: closed explains what waited when the bus closed") {
  Book book;
  auto publisher = book.bus.publisher(ids).value();
  auto sub = book.bus.subscribe(ids, book.note()).value();
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(book.put(publisher).has_value());
  const Report report = book.bus.close(std::chrono::seconds{1});
  CHECK(report.dropped[DropReason::closed] == 100);
  CHECK_FALSE(book.put(publisher).has_value());
  book.explain(DropReason::closed, 100);
}

TEST_CASE("P3 ledger: schema_mismatch explains what a typed pattern can not read") {
  Book book;
  auto publisher = book.bus.publisher(Topic<Red>{"paint.red"}).value();
  auto sub = book.bus.subscribe(Pattern<Blue>::parse("paint.*").value(), book.note()).value();
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(book.put(publisher)->dropped == 1);
  book.settle();
  book.explain(DropReason::schema_mismatch, 100);
}

TEST_CASE("P3 ledger: malformed explains raw bytes that are no value of the reader's type") {
  Book book;
  auto publisher = book.bus.publisher(Topic<Bytes>{"paint.red"}).value();
  auto sub = book.bus.subscribe(Topic<Red>{"paint.red"}, book.note()).value();
  auto inbox = book.bus.inbox(Topic<Red>{"paint.red"}).value();
  const std::byte few[4]{};
  CHECK(publisher.publish(std::span<const std::byte>{few})->queued == 2);
  book.settle();
  CHECK_FALSE(inbox.try_take().has_value());
  CHECK(sub.stats().dropped[DropReason::malformed] == 1);
  CHECK(inbox.stats().dropped[DropReason::malformed] == 1);
}

TEST_CASE("P3 ledger: no_memory explains what a subscription without a lane was offered, until there is memory") {
  for (const Overflow overflow : {Overflow::drop_newest, Overflow::drop_oldest, Overflow::refuse, Overflow::block}) {
    for (const char* group : {"", "members"}) {
      if (*group && (overflow == Overflow::refuse || overflow == Overflow::block)) continue;
      Book book;
      auto publisher = book.bus.publisher(ids).value();
      SubscribeOptions options = bounded(overflow, 4096);
      options.group = group;
      auto sub = book.bus.subscribe(ids, book.note(), std::move(options)).value();
      too_much = 4096 * sizeof(void*);
      for (std::uint64_t i = 0; i < 100; ++i) {
        auto said = book.put(publisher);
        CHECK(said.has_value());
        CHECK(said->dropped == 1);
      }
      too_much = 0;
      for (std::uint64_t i = 0; i < 100; ++i) CHECK(book.put(publisher)->queued == 1);
      book.settle();
      book.explain(DropReason::no_memory, 100);
    }
  }
}

TEST_CASE("P3 ledger: a publish that answers no_memory was offered to nobody") {
  auto clock = testing::manual_clock();
  auto loop = manual_executor(clock);
  Bus bus = Bus::open({.executor = loop, .clock = clock, .limits = {.payload_memory_bytes_max = 65536}}).value();
  auto publisher = bus.publisher(ids).value();
  auto inbox = bus.inbox(ids).value();
  std::uint64_t taken = 0;
  const std::vector<std::byte> bytes(900);
  Result<Published> said = Published{};
  while ((said = publisher.publish(bytes))) ++taken;
  CHECK(said.error().code() == ErrorCode::no_memory);
  CHECK(inbox.stats().offered == taken);
  CHECK(inbox.stats().dropped.total() == 0);
  CHECK(inbox.try_take().has_value());
  CHECK(publisher.publish(bytes).has_value());
}

TEST_CASE("P3 ledger: publishers, joiners and leavers at once on a pool, every id explained") {
  Bus bus = Bus::open().value();
  std::atomic<std::uint64_t> offered{0}, entered{0}, failed{0};
  std::atomic<bool> ending{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      auto publisher = bus.publisher(ids).value();
      for (std::uint64_t id = 0; !ending; ++id) {
        auto said = publisher.publish(std::as_bytes(std::span{&id, 1}), {.ttl = id % 7 ? Duration{0} : Duration{1}});
        if (said) offered += said->sinks;
      }
    });
  const auto handler = [&](const Message<Bytes>& m) {
    ++entered;
    if (id_in(m) % 11 == 0) {
      ++failed;
      throw 1;
    }
  };
  int round = 0;
  while (round < 300) {
    constexpr Overflow all[]{Overflow::drop_newest, Overflow::drop_oldest, Overflow::latest, Overflow::refuse, Overflow::block};
    auto sub = bus.subscribe(ids, handler, bounded(all[round++ % 5])).value();
    while (sub.stats().offered < 20) std::this_thread::yield();
  }
  ending = true;
  for (auto& thread : threads) thread.join();
  bus.close(std::chrono::seconds{10});
  Drops drops;
  std::uint64_t counted = 0, delivered = 0, waiting = 0;
  for (const SinkStats& sink : bus.stats().sinks) {
    counted += sink.offered;
    delivered += sink.delivered;
    waiting += sink.waiting;
    for (std::size_t i = 0; i < drop_reasons; ++i) drops.by_reason[i] += sink.dropped.by_reason[i];
  }
  MESSAGE(round << " subscriptions, offered " << counted << ", delivered " << delivered);
  CHECK(counted == offered.load());
  CHECK(delivered == entered.load() - failed.load());
  CHECK(waiting == 0);
  CHECK(drops[DropReason::handler_failed] == failed.load());
  CHECK(counted == delivered + drops.total());
}

}  // namespace test
}  // namespace midplane
