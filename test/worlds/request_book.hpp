#pragma once
/// Every request of a world, from its question to its outcome: P12 to P15.

#include <deque>
#include <vector>

#include "worlds/record.hpp"

namespace midplane::worlds {

class RequestBook {
 public:
  explicit RequestBook(Record& record) : record_{record} {}

  /// The stamp of a new question; its counter is the nonce.
  Stamp asked(unsigned life, Duration timeout, bool is_awaited);
  /// A request that nobody awaits any more: dropped by its asker, or its bus is gone.
  void given_up(std::uint64_t nonce) { at(nonce).is_awaited = false; }
  void asker_ended(unsigned life);
  void outcome(std::uint64_t nonce, const Result<Message<Bytes>>& reply);
  /// A streamed answer: an item, or its end. It is looked at before `check`, so `check` alone says whether it is late.
  void item(std::uint64_t nonce, const AnyMessage& item);
  void ended(std::uint64_t nonce, const Error* why);
  /// A handler was entered with this question; false: it is none of ours.
  bool executed(const Request<Bytes>& request, unsigned life, Stamp& stamp);

  /// Between steps: whose outcome is overdue?
  void check();
  /// At the end: do fates tell the truth?
  void check_fates();
  [[nodiscard]] bool is_answered(std::uint64_t nonce) const { return all_[nonce - 1].is_ok; }
  [[nodiscard]] bool is_settled() const noexcept { return open_.empty(); }

 private:
  struct Asked {
    unsigned life = 0;
    Instant deadline{};
    Duration timeout{};
    bool is_awaited = false;
    bool has_outcome = false;
    bool is_ok = false;
    Fate fate{};
    unsigned executions = 0;
    std::uint64_t items = 0;
  };
  Asked& at(std::uint64_t nonce) { return all_[nonce - 1]; }
  void settle(std::uint64_t nonce, const Error* why);
  [[nodiscard]] std::string text(std::uint64_t nonce) const;

  Record& record_;
  std::deque<Asked> all_;             ///< by nonce - 1
  std::vector<std::uint64_t> open_;   ///< awaited and without outcome
};

}  // namespace midplane::worlds
