/// The ledger over many messages: MIDPLANE_SOAK_MESSAGES (100 million) from two Publishers into subscriptions of all
/// five policies, in bounded memory. Each subscription notes per Publisher the last id and how many it saw: ids that do
/// not rise are a repetition or a change of order, ids left out have to be explained by the counters. The resident size
/// after the last tenth is at most 1 MiB above that after the first.
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <unistd.h>

#include <midplane/midplane.hpp>

using namespace midplane;

namespace {

inline constexpr Topic<Bytes> refused{"soak.refused"};
inline constexpr Topic<Bytes> blocked{"soak.blocked"};
constexpr std::size_t senders = 2;

struct Payload {
  std::uint64_t sender;
  std::uint64_t id;
};

/// What one subscription saw.
struct Page {
  const char* name;
  std::uint64_t last[senders]{};
  std::uint64_t seen = 0;
  std::uint64_t failed = 0;
  std::uint64_t disordered = 0;

  void note(const AnyMessage& message) {
    Payload payload;
    std::memcpy(&payload, message.bytes().data(), sizeof payload);
    if (payload.id <= last[payload.sender]) ++disordered;
    last[payload.sender] = payload.id;
    ++seen;
    if (payload.id % 1'000'003 != 0) return;
    ++failed;
    throw 1;
  }
};

std::size_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long size = 0, resident = 0;
  if (!file || std::fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
  if (file) std::fclose(file);
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

int main() {
  const char* text = std::getenv("MIDPLANE_SOAK_MESSAGES");
  const std::uint64_t total = text ? std::strtoull(text, nullptr, 10) : 100'000'000;
  Bus bus = Bus::open({.name = "soak"}).value();
  const Pattern<Bytes> all = Pattern<Bytes>::parse("soak.*").value();
  Page pages[]{{.name = "drop_newest"}, {.name = "drop_oldest"}, {.name = "latest"}, {.name = "refuse"}, {.name = "block"}};
  std::vector<Subscription> subscriptions;
  const auto options = [](Overflow overflow) {
    SubscribeOptions chosen;
    chosen.queue = Queue{.messages = 1024, .overflow = overflow, .block_for = std::chrono::seconds{10}};
    return chosen;
  };
  const auto into = [](Page& page) { return [&page](const Message<Bytes>& message) { page.note(message); }; };
  subscriptions.push_back(bus.subscribe(all, into(pages[0]), options(Overflow::drop_newest)).value());
  subscriptions.push_back(bus.subscribe(all, into(pages[1]), options(Overflow::drop_oldest)).value());
  subscriptions.push_back(bus.subscribe(all, into(pages[2]), options(Overflow::latest)).value());
  subscriptions.push_back(bus.subscribe(refused, into(pages[3]), options(Overflow::refuse)).value());
  subscriptions.push_back(bus.subscribe(blocked, into(pages[4]), options(Overflow::block)).value());

  std::atomic<std::uint64_t> sent[senders]{};
  std::atomic<std::uint64_t> errors{0};
  std::size_t first_tenth = 0;
  std::atomic<bool> first_taken{false};
  const auto send = [&](std::size_t sender) {
    auto publisher = bus.publisher(sender == 0 ? refused : blocked).value();
    for (std::uint64_t id = 1; id <= total / senders; ++id) {
      const Payload payload{sender, id};
      while (true) {
        auto said = publisher.publish(std::as_bytes(std::span{&payload, 1}));
        if (said) break;
        if (said.error().code() != ErrorCode::full) {
          ++errors;
          break;
        }
        std::this_thread::yield();
      }
      sent[sender].store(id, std::memory_order_relaxed);
      if (id == total / senders / 10 && sender == 0 && !first_taken.exchange(true)) first_tenth = resident_bytes();
    }
  };
  std::thread first{send, 0};
  std::thread second{send, 1};
  first.join();
  second.join();
  const std::size_t last_tenth = resident_bytes();
  const bool drained = bus.drain(std::chrono::seconds{60}).complete;

  bool sound = drained && errors == 0;
  for (std::size_t i = 0; i < std::size(pages); ++i) {
    const Page& page = pages[i];
    const SinkStats stats = subscriptions[i].stats();
    const std::uint64_t offered = i < 3 ? sent[0] + sent[1] : sent[i - 3].load();
    const std::uint64_t missing = offered - (page.seen - page.failed);
    const bool fine = page.disordered == 0 && stats.offered == offered && stats.delivered == page.seen - page.failed &&
                      stats.waiting == 0 && stats.dropped.total() == missing &&
                      stats.dropped[DropReason::handler_failed] == page.failed && (i < 3 || missing == page.failed);
    sound &= fine;
    std::printf("%s %-11s offered %" PRIu64 " delivered %" PRIu64 " missing %" PRIu64 " explained %" PRIu64 " refused %" PRIu64 "\n",
                fine ? "ok    " : "not ok", page.name, offered, stats.delivered, missing, stats.dropped.total(), stats.refused);
  }
  const double mib = 1 << 20;
  const bool level = last_tenth <= first_tenth + (std::size_t{1} << 20);
  std::printf("%s resident after the first tenth %.2f MiB, after the last %.2f MiB\n", level ? "ok    " : "not ok",
              static_cast<double>(first_tenth) / mib, static_cast<double>(last_tenth) / mib);
  return sound && level ? 0 : 1;
}
