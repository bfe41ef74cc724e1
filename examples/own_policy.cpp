// Problem: not every tenant may ask, and of several servers the least busy one shall get a request.
// An Interceptor answers "may it cross?", a Balancer "which of these?". Neither moves a message: the core acts.
#include "market.hpp"

using midplane::Candidate;
using midplane::Crossing;
using midplane::Verdict;

/// Lets in who names a tenant it knows, and keeps account of how it ended.
class TenantsOnly final : public midplane::Interceptor {
 public:
  Verdict enter(const Crossing& crossing) noexcept override {
    const bool known = crossing.headers && crossing.headers->tenant == "bank";
    return known ? Verdict::pass() : Verdict::refuse(midplane::ErrorCode::denied);
  }
  void leave(const Crossing& crossing, const midplane::Error* error) noexcept override {
    std::printf("%.*s %s\n", static_cast<int>(crossing.name.size()), crossing.name.data(), error ? "failed" : "done");
  }
};

/// The shortest queue, the first of equals.
class LeastWaiting final : public midplane::Balancer {
 public:
  std::size_t pick(std::span<const Candidate> candidates) noexcept override {
    std::size_t best = none;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].tried) continue;
      if (best == none || candidates[i].waiting < candidates[best].waiting) best = i;
    }
    return best;
  }
};

using Pending = midplane::Pending<exchange::Quote>;

int main() {
  auto bus = must(midplane::Bus::open({.executor = midplane::manual_executor()}));
  int served[2] = {};
  const auto count = [&served](int which) {
    return [&served, which](const midplane::Request<exchange::Ask>&) { return quote("ACME", ++served[which]); };
  };
  auto guarded = must(bus.client(exchange::market::quote, {.interceptors = {std::make_shared<TenantsOnly>()}}));
  auto balanced = must(bus.client(exchange::market::quote, {.balancer = std::make_shared<LeastWaiting>()}));

  auto first = must(bus.serve(exchange::market::quote, count(0)));
  std::vector<Pending> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(balanced.request(ask("ACME")));  // nothing runs until somebody waits
  auto second = must(bus.serve(exchange::market::quote, count(1)));
  for (int i = 0; i < 3; ++i) waiting.push_back(balanced.request(ask("ACME")));
  for (Pending& one : waiting) must(one.get());
  std::printf("the first served %d, the second, which came later, %d\n", served[0], served[1]);

  const auto refused = guarded.request(ask("ACME")).get();
  if (!refused) std::printf("%s\n", refused.error().message().c_str());
  const midplane::Headers headers{.tenant = "bank"};
  must(guarded.request(ask("ACME"), {.headers = &headers}).get());
}
