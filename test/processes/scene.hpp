#pragma once
/// Who stands where in the tests of processes, and the account that is drawn up at the end of each.

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "processes/actor_process.hpp"
#include "processes/proxy.hpp"

namespace midplane::test {

using namespace std::chrono_literals;
using Arguments = std::vector<std::string>;

/// Tests in real time allow ten times what is promised.
inline constexpr int real_time_factor = 10;
/// A promise of "at once": below the three heartbeats of 500 ms in the tests that ask for it, so silence did not tell.
inline constexpr std::chrono::milliseconds at_once{1000};

inline bool is_soak() { return std::getenv("MIDPLANE_SOAK_MESSAGES") || std::getenv("MIDPLANE_SOAK_PROCESSES"); }
/// How many instants of death a test tries.
inline unsigned instants() { return is_soak() ? 50 : 3; }
/// A number from `low` to `high`, the same one for the same seed.
inline std::uint64_t seeded(std::uint64_t seed, std::uint64_t low, std::uint64_t high) {
  std::uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 0x2545f4914f6cdd1dULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return low + (x ^ (x >> 31)) % (high - low + 1);
}

class ScratchDirectory {
 public:
  ScratchDirectory() {
    char name[] = "/tmp/midplane-test-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// One that stays and one that is killed and comes back. Over tcp and ipc, the listener being the one or the other.
class Couple {
 public:
  Couple(unsigned instant, Arguments stays, Arguments dies) : mortal_arguments_{std::move(dies)} {
    // Whoever comes back under another name is somebody else, not a restart.
    mortal_arguments_.emplace_back("name=mortal");
    if (instant % 3 == 0) {
      stays.emplace_back("listen=tcp://127.0.0.1:0");
      survivor = std::make_unique<ActorProcess>(std::move(stays));
      end_ = "dial=" + survivor->address();
      restart(1);
      return;
    }
    end_ = instant % 3 == 1 ? "listen=ipc://" + directory_ / "bus" : std::string{"listen=tcp://127.0.0.1:0"};
    restart(1);
    end_ = "listen=" + mortal->address();
    stays.push_back("dial=" + mortal->address());
    survivor = std::make_unique<ActorProcess>(std::move(stays));
  }
  /// At the same place as before.
  void restart(int run) {
    Arguments arguments = mortal_arguments_;
    arguments.push_back("run=" + std::to_string(run));
    arguments.push_back(end_);
    mortal = std::make_unique<ActorProcess>(std::move(arguments));
  }

  std::unique_ptr<ActorProcess> survivor;
  std::unique_ptr<ActorProcess> mortal;

 private:
  ScratchDirectory directory_;
  Arguments mortal_arguments_;
  std::string end_;
};

/// `dials` reaches `listens` through a proxy.
struct Through {
  Through(Arguments listening, Arguments dialling, int socket_bytes = 0) {
    listening.emplace_back("listen=tcp://127.0.0.1:0");
    listens = std::make_unique<ActorProcess>(std::move(listening));
    proxy = std::make_unique<Proxy>(listens->port(), socket_bytes);
    dialling.push_back("dial=" + proxy->endpoint());
    dials = std::make_unique<ActorProcess>(std::move(dialling));
  }
  std::unique_ptr<ActorProcess> listens;
  std::unique_ptr<Proxy> proxy;
  std::unique_ptr<ActorProcess> dials;
};

/// Lets the publisher end and draws up the account of ids `first` to the last one: each was delivered or lies in a gap,
/// once and in order (P8), within two heartbeats; the sender explains at least what is missing (P10).
inline void settle(ActorProcess& publisher, ActorProcess& subscriber, std::uint64_t run, std::uint64_t first,
                   std::chrono::milliseconds heartbeat) {
  publisher.say("stop");
  const Line done = publisher.line("done");
  REQUIRE(done.is("done"));
  const std::uint64_t last = done.number(1);
  static_cast<void>(subscriber.until([&](const Heard& heard) {
    return heard.ledger.covers(run, first, last) || !heard.ledger.faults().empty();
  }, 2 * heartbeat * real_time_factor));
  const double took_ms = ms_between(done.at, now_ns());
  const Heard heard = subscriber.heard();
  CHECK(heard.ledger.faults() == "");
  CHECK(heard.count("wrong") == 0);
  Counters sender = publisher.stats("link", "load");
  CHECK(sender["offered"] == sender["delivered"] + sender["dropped"] + sender["waiting"] + sender["in_transit"]);
  CHECK_MESSAGE(sender["dropped"] >= heard.ledger.missing(), "the sender counts fewer losses than the gaps hold");
  // Over the whole life of one subscriber: acknowledged is only what has arrived.
  if (first == 1) CHECK(sender["delivered"] <= heard.ledger.delivered());
  CHECK(subscriber.stats("subscription", "load")["dropped"] == 0);
  const auto count = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
  std::printf("  account after %.0f ms: %llu published, %llu delivered, %llu in gaps; the sender counts %llu dropped\n",
              took_ms, count(last), count(heard.ledger.delivered()), count(heard.ledger.missing()),
              count(sender["dropped"]));
  CHECK_MESSAGE(heard.ledger.covers(run, first, last), "ids " << first << " to " << last << ": only "
                << heard.ledger.first_id() << " to " << heard.ledger.last_id() << " are accounted for");
}

}  // namespace midplane::test
