#include <atomic>

#include <midplane/policy/in_turn.hpp>

namespace midplane::inline v0 {
namespace {

class InTurn final : public Balancer {
 public:
  std::size_t pick(std::span<const Candidate> candidates) noexcept override {
    if (candidates.empty()) return none;
    const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed) % candidates.size();
    std::size_t far = none;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::size_t at = (first + i) % candidates.size();
      if (candidates[at].tried) continue;
      if (candidates[at].peer.empty()) return at;
      if (far == none) far = at;
    }
    return far;
  }

 private:
  std::atomic<std::size_t> turn_{0};
};

}  // namespace

std::shared_ptr<Balancer> in_turn() { return std::make_shared<InTurn>(); }

}  // namespace midplane::inline v0
