#include "support.hpp"

using namespace midplane;
using namespace midplane::test;

TEST_CASE("P12 P14 reply, cancel, deadline and close race: each request ends exactly once, with its own reply") {
  std::atomic<int> outcomes{0}, wrong{0};
  int asked = 0;
  {
    auto bus = Bus::open().value();
    std::vector<std::jthread> late;
    std::mutex mutex;
    std::vector<std::pair<Request<Bytes>, Responder<Bytes>>> kept;
    auto server = bus.serve(echo, [&](Request<Bytes> q, Responder<Bytes> a) {
      const std::lock_guard lock{mutex};
      kept.emplace_back(std::move(q), std::move(a));
      if (kept.size() < 8) return;
      for (auto& [question, answer] : kept) static_cast<void>(answer.reply(question));
      kept.clear();
    }, {.queue = Queue{.messages = 64}}).value();
    auto client = bus.client(echo, {.pending = 64}).value();
    for (int i = 0; i < 4000; ++i) {
      const std::string mine = std::to_string(i);
      auto pending = client.request(bytes(mine), {.timeout = std::chrono::microseconds{50 + i % 400}});
      if (i % 5 == 0) continue;  // dropped at once
      ++asked;
      std::move(pending).then([&outcomes, &wrong, mine](Result<Message<Bytes>> reply) {
        if (reply && text(*reply) != mine) ++wrong;
        ++outcomes;
      });
    }
    static_cast<void>(bus.close(5s));
  }
  CHECK(outcomes == asked);
  CHECK(wrong == 0);
}
