#pragma once
/// The invariants of a world by name, and where their violations go.

#include <array>
#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worlds/trace.hpp"

namespace midplane::worlds {

enum class Rule : std::uint8_t {
  at_most_once,
  fifo,
  content,
  conserved,
  counts_agree,
  rest_is_exact,
  bound_is_kept,
  numbers_increase,
  missing_is_reported,
  gap_is_in_order,
  every_publish_has_a_number,
  tail_is_reported,
  restart_is_told,
  confirmed_misses_nothing,
  link_conserved,
  gaps_are_counted,
  lost_is_not_delivered,
  dead_is_lost,
  one_outcome,
  outcome_in_time,
  outcome_of_the_table,
  fate_is_true,
  executed_once,
  reply_of_its_question,
  stream_in_order,
  streams_cross_links,
  expired_is_not_run,
  deadline_shrinks,
  one_member,
  every_job_has_a_member,
  retained_none_twice,
  retained_to_joiners_only,
  retained_comes_first,
  links_come_back,
  subscriptions_come_back,
  probe_arrives,
  probe_is_answered,
  nothing_after_the_end,
  plan_is_kept,
  replay_is_equal,
};
inline constexpr std::size_t rules = static_cast<std::size_t>(Rule::replay_is_equal) + 1;

struct Invariant {
  std::string_view name;
  std::string_view promise;
  std::string_view says;
};
[[nodiscard]] const Invariant& invariant(Rule rule) noexcept;
[[nodiscard]] std::optional<Rule> rule_named(std::string_view name) noexcept;

using Rules = std::bitset<rules>;

struct Violation {
  Rule rule;
  std::string text;
  std::size_t line;  ///< lines of the trace before it, when text is kept
};

/// Keeps the first violation of each rule that is not switched off.
class Law {
 public:
  Law(Trace& trace, Rules without) : trace_{trace}, without_{without} {}

  /// `say` makes the text; it is called for a violation only.
  template <class Say>
  void check(Rule rule, bool holds, Say&& say) {
    if (!holds) broken(rule, say());
  }
  [[nodiscard]] const std::vector<Violation>& violations() const noexcept { return violations_; }

 private:
  void broken(Rule rule, std::string text);

  Trace& trace_;
  Rules without_;
  Rules seen_;
  std::vector<Violation> violations_;
};

}  // namespace midplane::worlds
