/// When faults stop: everything comes back, every ledger comes to rest, and what is sent then arrives.
#include <algorithm>

#include "worlds/world.hpp"

namespace midplane::worlds {

using namespace std::chrono_literals;

bool World::is_whole() {
  for (unsigned a = 0; a < slots_.size(); ++a)
    for (unsigned b = 0; b < slots_.size(); ++b)
      if (a != b && !ground_.links.is_up(a, b)) return false;
  return true;
}

/// Empty when every subscription is confirmed by every peer: by its events and by its own answer.
std::string World::unconfirmed() {
  for (const auto& sight : ground_.sights)
    for (unsigned host = 0; host < slots_.size() && !sight->ended(); ++host)
      if (host != ground_.record.life(sight->view().life).host && !sight->confirmed_by(host))
        return sight->view().name + " is not confirmed by " + host_name(host);
  for (Host* host : alive())
    for (Reader& reader : host->readers()) {
      const auto confirmed = reader.inbox ? reader.inbox->wait_confirmed(0s) : reader.subscription->wait_confirmed(0s);
      if (!confirmed) return reader.sight->view().name + " waits for a confirmation: " + confirmed.error().message();
    }
  return {};
}

void World::converge() {
  const Instant until = ground_.clock->now() + 60s;
  while (ground_.clock->now() < until && !(is_whole() && unconfirmed().empty())) step(250ms, true);
  ground_.law.check(Rule::links_come_back, is_whole(), [&] {
    std::string down = "down:";
    for (unsigned a = 0; a < slots_.size(); ++a)
      for (unsigned b = 0; b < slots_.size(); ++b)
        if (a != b && !ground_.links.is_up(a, b)) down += " " + host_name(a) + "-" + host_name(b);
    return down;
  });
  const std::string open = unconfirmed();
  ground_.law.check(Rule::subscriptions_come_back, open.empty(), [&] { return open; });
  ground_.trace.note("WHOLE");
}

/// What waits for slow subscribers of others has left.
void World::empty_links() {
  const auto waits = [](Host* host) {
    for (const SinkStats& sink : host->bus().stats().sinks)
      if (sink.kind == "link" && sink.waiting != 0) return true;
    return false;
  };
  const Instant until = ground_.clock->now() + 120s;
  while (ground_.clock->now() < until && std::ranges::any_of(alive(), waits)) step(500ms, true);
}

void World::rest() {
  // Requests end, kept replies go out, and two heartbeats tell the last numbers.
  for (int i = 0; i < 6; ++i) step(500ms, true);
  empty_links();
  for (int i = 0; i < 4; ++i) step(500ms, true);
  for (Host* host : alive()) host->drop_questions();
  step(100ms, true);
  ground_.law.check(Rule::one_outcome, ground_.requests.is_settled(), [] { return std::string{"a request has no outcome at rest"}; });
  check_rest();
}

void World::probe() {
  ground_.trace.note("PROBE");
  probe_joiners();
  std::vector<Stamp> probes;
  for (Host* host : alive())
    for (Writer& writer : host->writers())
      if (const auto stamp = host->publish(writer)) probes.push_back(*stamp);
  for (int i = 0; i < 4; ++i) step(300ms, true);
  empty_links();
  for (int i = 0; i < 4; ++i) step(300ms, true);
  for (const Stamp& probe : probes) {
    if (probe.until != 0) continue;
    unsigned members = 0;
    for (Host* host : alive()) {
      for (const Reader& reader : host->readers()) {
        const bool is_for_it = matches(reader.pattern, topics[probe.topic]);
        if (is_for_it && !reader.sight->view().is_plain) ++members;
        if (!is_for_it || !reader.sight->view().is_ample || !reader.sight->view().is_plain) continue;
        ground_.law.check(Rule::probe_arrives, reader.sight->has_seen(probe), [&] {
          return reader.sight->view().name + " has not seen the probe of " + std::string{topics[probe.topic]} + " by life " +
                 std::to_string(probe.life);
        });
      }
    }
    if (probe.topic != job_topic || members == 0) continue;
    const unsigned served = ground_.record.job_members(probe.life, probe.index);
    ground_.law.check(Rule::every_job_has_a_member, served == 1, [&] {
      return "the probe of sim.job by life " + std::to_string(probe.life) + " reached " + std::to_string(served) + " members";
    });
  }
  probe_requests();
  empty_links();
  for (int i = 0; i < 4; ++i) step(500ms, true);
  check_rest();
}

/// A joiner at every host: it gets the last value of every live publisher first.
void World::probe_joiners() {
  std::vector<Stamp> kept;
  for (Host* host : alive())
    for (Writer& writer : host->writers())
      while (writer.topic == state_topic) {
        const auto stamp = host->publish(writer);
        if (!stamp || stamp->until != 0) continue;
        kept.push_back(*stamp);
        break;
      }
  step(500ms, true);
  std::vector<const Sight*> joiners;
  for (Host* host : alive()) joiners.push_back(host->join_retained().sight);
  step(1500ms, true);
  for (const Sight* joiner : joiners)
    for (const Stamp& stamp : kept)
      ground_.law.check(Rule::retained_comes_first, joiner->began_with(stamp), [&] {
        return joiner->view().name + " did not begin with the retained value of life " + std::to_string(stamp.life);
      });
}

void World::probe_requests() {
  std::vector<std::uint64_t> nonces;
  for (Host* host : alive()) nonces.push_back(host->ask_plainly());
  for (int i = 0; i < 3; ++i) step(800ms, true);
  for (const std::uint64_t nonce : nonces)
    ground_.law.check(Rule::probe_is_answered, ground_.requests.is_answered(nonce),
                      [&] { return "request " + std::to_string(nonce) + " is not answered"; });
  ground_.requests.check_fates();
}

}  // namespace midplane::worlds
