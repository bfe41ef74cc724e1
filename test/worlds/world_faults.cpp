/// How a planned fault happens, and what it obliges the hosts to notice.
#include <algorithm>

#include "worlds/world.hpp"

namespace midplane::worlds {

using namespace std::chrono_literals;

namespace {
/// What P11 says, and a moment for timers that are due at the same instant.
constexpr Duration silence = 3 * heartbeat + 5ms;
/// What a slow link adds to every delay.
constexpr Duration slowness = 400ms;
}

/// After so long everything that was sent has arrived, also over a slow link.
Duration World::on_its_way() const { return weather_.delay_max + slowness + 5ms; }

void World::act_on_plan() {
  const Instant now = ground_.clock->now();
  while (!planned_.empty() && planned_.front().at <= now) {
    const Planned fault = planned_.front();
    planned_.erase(planned_.begin());
    ground_.trace.note("FAULT", name_of(fault.kind), fault.is_end ? "ends" : "begins", host_name(fault.a), host_name(fault.b));
    fault.is_end ? finish(fault) : begin(fault);
  }
}

void World::begin(const Planned& fault) {
  const bool a_up = slots_[fault.a].host != nullptr;
  const std::string a = host_name(fault.a), b = host_name(fault.b);
  bool has_end = true;
  switch (fault.kind) {
    case Fault::cut:
      cut(fault.a, fault.b);
      cut(fault.b, fault.a);
      had_cut_ = true;
      break;
    case Fault::cut_one_way: cut(fault.a, fault.b); break;
    case Fault::half_open:
      ground_.network.half_open(a, b);
      ground_.links.silent(fault.a, fault.b, on_its_way());
      // What a had sent before still arrives.
      ground_.links.silent(fault.b, fault.a, silence + on_its_way(), true);
      has_end = false;
      break;
    case Fault::disconnect:
      ground_.network.disconnect(a, b);
      ground_.links.silent(fault.a, fault.b, on_its_way());
      ground_.links.silent(fault.b, fault.a, on_its_way());
      has_end = false;
      break;
    case Fault::flaky:
    case Fault::slow: bother(fault.b, fault.a, fault.kind); [[fallthrough]];
    case Fault::corrupt:
    case Fault::duplicate: bother(fault.a, fault.b, fault.kind); break;
    case Fault::crash:
    case Fault::leave:
    case Fault::vanish:
      had_crash_ |= fault.kind == Fault::crash;
      if (!a_up) return;
      if (fault.kind == Fault::vanish)
        for (unsigned other = 0; other < slots_.size(); ++other)
          if (other != fault.a) cut(fault.a, other), cut(other, fault.a);
      gone(fault.a, fault.kind == Fault::crash ? 1ms : on_its_way());
      stop(fault.a, fault.kind != Fault::leave);
      break;
    case Fault::burst: {
      // Some host has the tight subscription that it fills.
      Host* host = a_up ? slots_[fault.a].host.get() : alive().front();
      host->burst(25);
      has_end = false;
      break;
    }
  }
  if (!has_end) return;
  Planned end = fault;
  end.at = ground_.clock->now() + fault.length;
  end.is_end = true;
  const auto place = std::upper_bound(planned_.begin(), planned_.end(), end, [](const auto& x, const auto& y) { return x.at < y.at; });
  planned_.insert(place, end);
}

void World::finish(const Planned& fault) {
  switch (fault.kind) {
    case Fault::cut:
    case Fault::cut_one_way: heal(fault.a, fault.b); break;
    case Fault::flaky:
    case Fault::slow:
    case Fault::corrupt:
    case Fault::duplicate:
      ground_.network.faults(host_name(fault.a), host_name(fault.b), weather_);
      ground_.network.faults(host_name(fault.b), host_name(fault.a), weather_);
      break;
    case Fault::vanish:
      for (unsigned other = 0; other < slots_.size(); ++other)
        if (other != fault.a) heal(fault.a, other);
      [[fallthrough]];
    case Fault::crash:
    case Fault::leave: start(fault.a); break;
    default: break;
  }
}

void World::cut(unsigned from, unsigned to) {
  ground_.network.cut_one_way(host_name(from), host_name(to));
  ground_.links.silent(to, from, silence);
}

/// Also ends what another fault cut between the two.
void World::heal(unsigned a, unsigned b) {
  ground_.links.heard_again(a, b, on_its_way() + silence);
  ground_.links.heard_again(b, a, on_its_way() + silence);
  ground_.network.heal(host_name(a), host_name(b));
}

void World::bother(unsigned from, unsigned to, Fault kind) {
  testing::Faults faults = weather_;
  if (kind == Fault::flaky) faults.disconnect = 0.03;
  if (kind == Fault::corrupt) faults.corrupt = 0.05;
  if (kind == Fault::duplicate) faults.duplicate = 0.1;
  if (kind == Fault::slow) {
    faults.delay_max += slowness;
    faults.bytes_in_flight_max = 2048;
  }
  ground_.network.faults(host_name(from), host_name(to), faults);
}

void World::gone(unsigned number, Duration within) {
  for (unsigned other = 0; other < slots_.size(); ++other)
    if (other != number) ground_.links.silent(other, number, within, true);
}

void World::calm() {
  ground_.trace.note("CALM");
  weather_.delay_max = weather_.delay_min + 5ms;
  ground_.network.faults(weather_);
  for (unsigned a = 0; a < slots_.size(); ++a)
    for (unsigned b = 0; b < slots_.size(); ++b)
      if (a != b) ground_.network.faults(host_name(a), host_name(b), weather_), heal(a, b);
  for (unsigned number = 0; number < slots_.size(); ++number)
    if (!slots_[number].host) start(number);
}

}  // namespace midplane::worlds
