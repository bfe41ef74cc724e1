#pragma once
/// A bus of our own, linked to the buses that were named and to no other.

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <midplane/bus.hpp>
#include <midplane/describe.hpp>

#include "overheard.hpp"
#include "signals.hpp"

namespace CLI {
class App;
}

namespace midplane::tool {

/// Options that all subcommands which talk to buses share.
struct Where {
  std::vector<std::string> peers;   ///< empty: those of MIDPLANE_PEERS
  std::vector<std::string> listen;
  std::string timeout = "5s";
  bool insecure = false;
  bool json = false;
};
void add_where(CLI::App& command, Where& where);
/// False: no --peer, no --listen, nothing in MIDPLANE_PEERS.
[[nodiscard]] bool names_a_bus(const Where& where);
/// MIDPLANE_PEERS where no --peer was given; wrong usage without any address.
void complete(Where& where);

/// A bus that was reached.
struct Peer {
  std::string name;
  std::string endpoint;
  std::string incarnation;
};

class Session {
 public:
  /// Opens the bus and waits until every address is linked or can not be, at most the timeout; what is not reached is
  /// noted on stderr, and with nobody reached the program ends (Exit::unreachable). Of two addresses whose buses have one
  /// name the first is kept: the library asks by name, so a link to the other would leave open who answers.
  enum class Nobody { is_unreachable, is_fine };
  static std::unique_ptr<Session> reach(const Where& where, Nobody nobody = Nobody::is_unreachable);
  ~Session();
  Session(const Session&) = delete;

  [[nodiscard]] Bus& bus() noexcept { return bus_; }
  /// Ends without waiting for what has not left: it was waited for, or Ctrl-C said so.
  void leave_at_once() noexcept { farewell_ = Duration::zero(); }
  [[nodiscard]] Duration timeout() const noexcept { return timeout_; }
  [[nodiscard]] const std::string& incarnation() const noexcept { return incarnation_; }
  /// Those linked now, each bus once, by name; of one name in the order of --peer, then those that dialled us.
  [[nodiscard]] std::vector<Peer> peers() const;
  /// Addresses that are not linked, each with why.
  struct Missing {
    std::string endpoint;
    std::string why;
  };
  [[nodiscard]] std::vector<Missing> missing() const;
  /// What each linked peer says of itself; a note for one that does not answer. Ends the program when none does.
  struct Told : Description {
    std::chrono::steady_clock::time_point at;  ///< when it had answered
  };
  [[nodiscard]] std::vector<Told> ask_all();
  /// `now(duration)`: a wait of the library. After a second it is said on stderr what is waited for.
  template <class Wait>
  auto patiently(Duration duration, const std::string& for_what, Wait&& now) -> decltype(now(duration)) {
    constexpr Duration quiet = std::chrono::seconds{1};
    auto outcome = now(std::min(duration, quiet));
    if (outcome || outcome.error().code() != ErrorCode::timed_out || duration <= quiet) return outcome;
    say_waiting(for_what);
    return now(duration - quiet);
  }

 private:
  Session(Bus bus, std::shared_ptr<Hearsay> hearsay, const Where& where);
  enum class Round { first, again };
  static std::unique_ptr<Session> open(const Where& where, Round round);
  /// Takes the addresses away whose bus has the name of an earlier one, and says so; false: there are none.
  [[nodiscard]] bool part_namesakes(Where& where) const;
  static void note_namesake(const Peer& other, const Peer& asked);
  static void say_waiting(const std::string& for_what);
  [[nodiscard]] bool is_settled() const;

  std::shared_ptr<Hearsay> hearsay_;
  Bus bus_;
  std::string incarnation_;
  Duration farewell_ = std::chrono::seconds{1};
  std::vector<std::string> dialled_;
  bool listens_;
  Duration timeout_;
  std::set<std::string> told_of_;  ///< incarnations of namesakes that dialled us
};

}  // namespace midplane::tool
