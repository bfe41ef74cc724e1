#include "worlds/request_book.hpp"

#include <algorithm>

namespace midplane::worlds {
namespace {

/// How much later than its deadline an outcome may come.
constexpr Duration lateness = std::chrono::milliseconds{50};

bool in_the_table(const Error& error) {
  switch (error.code()) {
    case ErrorCode::busy:
    case ErrorCode::no_server:
    case ErrorCode::expired:
    case ErrorCode::denied:
    case ErrorCode::schema_mismatch:
    case ErrorCode::malformed:
    case ErrorCode::too_large:
    case ErrorCode::no_memory: return error.fate() == Fate::not_started;
    case ErrorCode::app_error:
    case ErrorCode::handler_failed:
    case ErrorCode::abandoned: return error.fate() == Fate::failed;
    case ErrorCode::timed_out:
    case ErrorCode::cancelled:
    case ErrorCode::peer_lost:
    case ErrorCode::closed: return error.fate() == Fate::maybe_executed || error.fate() == Fate::not_started;
    default: return false;
  }
}

}  // namespace

std::string RequestBook::text(std::uint64_t nonce) const {
  const Asked& asked = all_[nonce - 1];
  return "request " + std::to_string(nonce) + " of life " + std::to_string(asked.life) + ", executed " +
         std::to_string(asked.executions) + ", deadline " + std::to_string(asked.deadline.nanoseconds / 1000) + " us";
}

Stamp RequestBook::asked(unsigned life, Duration timeout, bool is_awaited) {
  Asked asked;
  asked.life = life;
  asked.deadline = record_.clock.now() + timeout;
  asked.timeout = timeout;
  asked.is_awaited = is_awaited;
  all_.push_back(asked);
  const std::uint64_t nonce = all_.size();
  if (is_awaited) open_.push_back(nonce);
  record_.trace.note("life", life, "asks", nonce);
  Stamp stamp;
  stamp.counter = nonce;
  stamp.life = life;
  stamp.at = record_.clock.now().nanoseconds;
  stamp.until = asked.deadline.nanoseconds;
  return stamp;
}

void RequestBook::asker_ended(unsigned life) {
  for (Asked& asked : all_)
    if (asked.life == life) asked.is_awaited = false;
}

void RequestBook::outcome(std::uint64_t nonce, const Result<Message<Bytes>>& reply) {
  if (reply) {
    const auto stamp = read(reply->bytes());
    record_.law.check(Rule::reply_of_its_question, stamp && stamp->counter == nonce, [&] {
      return text(nonce) + " is answered with the reply to " + (stamp ? std::to_string(stamp->counter) : "nothing of ours");
    });
  }
  const Asked& asked = at(nonce);
  if (asked.is_awaited)
    record_.law.check(Rule::outcome_in_time, record_.clock.now() <= asked.deadline + lateness,
                      [&] { return text(nonce) + " ended late"; });
  settle(nonce, reply ? nullptr : &reply.error());
}

void RequestBook::settle(std::uint64_t nonce, const Error* why) {
  Asked& asked = at(nonce);
  record_.trace.note("life", asked.life, "request", nonce, "ends", why ? name_of(why->code()) : "ok",
                     why ? name_of(why->fate()) : "");
  record_.law.check(Rule::one_outcome, !asked.has_outcome, [&] { return text(nonce) + " ended twice"; });
  const bool is_unsupported = why && why->code() == ErrorCode::unsupported;
  record_.law.check(Rule::streams_cross_links, !is_unsupported, [&] { return text(nonce) + " ended as unsupported"; });
  record_.law.check(Rule::outcome_of_the_table, !why || is_unsupported || in_the_table(*why), [&] {
    return text(nonce) + " ended as " + why->message() + ", " + std::string{name_of(why->fate())};
  });
  asked.has_outcome = true;
  asked.is_ok = why == nullptr;
  asked.fate = why ? why->fate() : Fate::failed;
}

void RequestBook::item(std::uint64_t nonce, const AnyMessage& item) {
  Asked& asked = at(nonce);
  const auto stamp = read(item.bytes());
  record_.trace.note("life", asked.life, "request", nonce, "has item", stamp ? stamp->index : 0);
  record_.law.check(Rule::stream_in_order, stamp && stamp->counter == nonce && stamp->index == ++asked.items && !asked.has_outcome,
                    [&] { return text(nonce) + " got a wrong item after " + std::to_string(asked.items - 1); });
}

void RequestBook::ended(std::uint64_t nonce, const Error* why) { settle(nonce, why); }

bool RequestBook::executed(const Request<Bytes>& request, unsigned life, Stamp& stamp) {
  const auto found = read(request.bytes());
  const bool is_ours = found && found->counter - 1 < all_.size() && all_[found->counter - 1].life == found->life;
  record_.law.check(Rule::content, is_ours, [] { return std::string{"a handler was given what nobody asked"}; });
  if (!is_ours) return false;
  stamp = *found;
  Asked& asked = at(stamp.counter);
  ++asked.executions;
  record_.trace.note("life", life, "serves", stamp.counter, "of life", stamp.life);
  record_.law.check(Rule::executed_once, asked.executions == 1, [&] { return text(stamp.counter) + " is executed again"; });
  record_.law.check(Rule::nothing_after_the_end, !record_.life(life).ended,
                    [&] { return text(stamp.counter) + " by a bus that has ended"; });
  const bool is_near = request.peer().empty();
  // What was cancelled may still be run; its handler can see that.
  const bool is_due = (request.remaining() > Duration{0} || request.cancelled()) && (!is_near || record_.clock.now() <= asked.deadline);
  record_.law.check(Rule::expired_is_not_run, is_due, [&] { return text(stamp.counter) + " is run after its deadline"; });
  // A link carries what is left in microseconds, rounded up.
  record_.law.check(Rule::deadline_shrinks, request.remaining() <= asked.timeout + std::chrono::microseconds{1}, [&] {
    return text(stamp.counter) + " has " + std::to_string(request.remaining().count() / 1000) + " us left of " +
           std::to_string(asked.timeout.count() / 1000);
  });
  return true;
}

void RequestBook::check() {
  std::erase_if(open_, [this](std::uint64_t nonce) { return at(nonce).has_outcome || !at(nonce).is_awaited; });
  for (const std::uint64_t nonce : open_)
    record_.law.check(Rule::outcome_in_time, record_.clock.now() <= at(nonce).deadline + lateness,
                      [&] { return text(nonce) + " has no outcome"; });
}

void RequestBook::check_fates() {
  for (std::uint64_t nonce = 1; nonce <= all_.size(); ++nonce) {
    const Asked& asked = at(nonce);
    if (!asked.has_outcome) continue;
    const bool was_run = asked.executions != 0;
    const bool is_true = asked.is_ok ? was_run
                                     : asked.fate == Fate::maybe_executed || was_run == (asked.fate == Fate::failed);
    record_.law.check(Rule::fate_is_true, is_true, [&] {
      return text(nonce) + (asked.is_ok ? " was answered" : std::string{" ended as "}.append(name_of(asked.fate)));
    });
  }
}

}  // namespace midplane::worlds
