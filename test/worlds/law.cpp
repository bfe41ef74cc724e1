#include "worlds/law.hpp"

namespace midplane::worlds {
namespace {

constexpr std::array<Invariant, rules> all{{
    {"at_most_once", "P1", "a message enters the handler of a subscription at most once"},
    {"fifo", "P2", "the messages of one Publisher reach a subscription in the order of their publishes"},
    {"content", "P8", "what a handler sees is what somebody published on that topic, byte for byte"},
    {"conserved", "P3", "offered = delivered + dropped + waiting + in_transit at every near sink, none of them negative"},
    {"counts_agree", "P3", "delivered and handler_failed are what the handler itself counted"},
    {"rest_is_exact", "P3", "at rest nothing waits and nothing is in transit, at any sink"},
    {"bound_is_kept", "P4", "no more waits for a subscription than its queue may hold"},
    {"numbers_increase", "P8", "the numbers of one (peer incarnation, topic) only rise at a subscription"},
    {"missing_is_reported", "P8", "a number that is missing was reported as a gap or dropped by the subscription itself"},
    {"gap_is_in_order", "P8", "a gap begins behind what was seen, and nothing delivered lies inside it"},
    {"every_publish_has_a_number", "P8", "as many numbers lie between two messages as publishes do"},
    {"tail_is_reported", "P8", "two heartbeats after the last publish every subscription knows of it"},
    {"restart_is_told", "P8", "a restart is incarnation_changed, before the first message of the new incarnation"},
    {"confirmed_misses_nothing", "P9", "every message published after the confirmation arrives or is reported"},
    {"link_conserved", "P10", "offered = acknowledged + dropped + waiting + in_transit at every far sink, none negative"},
    // Not what its bus took out of the link before the subscription had joined again: P10 counts that as acknowledged,
    // and the ledger explains it by the gap.
    {"gaps_are_counted", "P10", "what a link is told to have lost was counted as dropped by the sender"},
    {"lost_is_not_delivered", "P10", "no message that is delivered, retained or not, was reported to lie in a gap"},
    {"dead_is_lost", "P11", "a dead or silent peer is lost within three heartbeats, a closed connection at once"},
    {"one_outcome", "P12", "a request has one outcome, not two"},
    {"outcome_in_time", "P12", "the outcome comes by the deadline + 50 ms"},
    {"outcome_of_the_table", "P12", "code and fate of an outcome stand in one row of the table"},
    {"fate_is_true", "P12", "not_started was not executed; a reply or failed was"},
    {"executed_once", "P13", "no request is executed twice"},
    {"reply_of_its_question", "P14", "a reply is the answer to its own question"},
    {"stream_in_order", "P14", "a stream has its own items, in order, and ends once"},
    {"streams_cross_links", "P12", "a streamed reply crosses a link like any other"},
    {"expired_is_not_run", "P15", "work whose deadline or time to live has passed does not enter a handler"},
    {"deadline_shrinks", "P14", "a server has no more time left for a request than its asker gave"},
    {"one_member", "groups", "at most one member of a queue group gets a message, over all processes"},
    {"every_job_has_a_member", "groups", "without faults exactly one member gets it"},
    {"retained_none_twice", "retained", "a retained message is not seen twice"},
    {"retained_to_joiners_only", "retained", "a message marked retained comes before all others of its publisher and topic"},
    {"retained_comes_first", "retained", "a joiner gets the retained value first"},
    {"links_come_back", "convergence", "60 s after the last fault every link is up"},
    {"subscriptions_come_back", "convergence", "and every subscription is confirmed by every peer"},
    {"probe_arrives", "convergence", "then a message reaches every subscriber of its topic"},
    {"probe_is_answered", "convergence", "and a request is answered"},
    {"nothing_after_the_end", "P17", "no handler runs after its bus or its subscription has ended"},
    {"plan_is_kept", "world", "a world has a cut, a crash and a full queue"},
    {"replay_is_equal", "world", "a seed gives the same run again"},
}};

}  // namespace

const Invariant& invariant(Rule rule) noexcept { return all[static_cast<std::size_t>(rule)]; }

std::optional<Rule> rule_named(std::string_view name) noexcept {
  for (std::size_t i = 0; i < rules; ++i)
    if (all[i].name == name) return static_cast<Rule>(i);
  return std::nullopt;
}

void Law::broken(Rule rule, std::string text) {
  const auto index = static_cast<std::size_t>(rule);
  if (without_[index] || seen_[index]) return;
  seen_.set(index);
  trace_.note("VIOLATION", invariant(rule).name, text);
  violations_.push_back({rule, std::move(text), trace_.lines().size()});
}

}  // namespace midplane::worlds
