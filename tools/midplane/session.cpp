#include "session.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include <midplane/zmq.hpp>

#include "stop.hpp"
#include "text.hpp"

namespace midplane::tool {
namespace {

bool is_up(const PeerDescription& peer) { return peer.state == "up" && !peer.name.empty(); }

std::vector<std::string> addresses_in(std::string_view text) {
  std::vector<std::string> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", \t\n"), text.size());
    if (end > 0) found.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

/// Each option takes one address; a list is what MIDPLANE_PEERS takes.
void refuse_lists(const char* option, const std::vector<std::string>& given) {
  for (const std::string& one : given) {
    const auto addresses = addresses_in(one);
    const bool is_list = std::count_if(addresses.begin(), addresses.end(), [](const auto& part) { return part.find("://") != part.npos; }) > 1;
    if (is_list) stop(Exit::usage, std::string{option} + " takes one address; write " + option + " " + joined(addresses, std::string{" "} + option + " "));
  }
}

}  // namespace

void add_where(CLI::App& command, Where& where) {
  command.add_option("--peer", where.peers, "address of a bus to ask, tcp://HOST:PORT or ipc://PATH; may be repeated "
                                            "[MIDPLANE_PEERS, separated by commas]")
      ->expected(1)->take_all();
  command.add_option("--listen", where.listen, "let buses that dial this address be asked too; may be repeated")
      ->expected(1)->take_all();
  command.add_option("--timeout", where.timeout, "how long to wait for peers and answers")->capture_default_str();
  command.add_flag("--insecure", where.insecure, "allow addresses off this machine: nothing is encrypted");
  command.add_flag("--json", where.json, "one JSON object a line, for programs");
}

bool names_a_bus(const Where& where) {
  const char* named = std::getenv("MIDPLANE_PEERS");
  return !where.peers.empty() || !where.listen.empty() || (named && !addresses_in(named).empty());
}

void complete(Where& where) {
  refuse_lists("--peer", where.peers);
  refuse_lists("--listen", where.listen);
  if (where.peers.empty()) {
    if (const char* named = std::getenv("MIDPLANE_PEERS")) where.peers = addresses_in(named);
  }
  std::vector<std::string> once;
  for (std::string& peer : where.peers) {
    if (std::find(once.begin(), once.end(), peer) == once.end()) once.push_back(std::move(peer));
  }
  where.peers = std::move(once);
  if (where.peers.empty() && where.listen.empty())
    stop(Exit::usage, "no bus to ask: name one with --peer ADDRESS, like --peer tcp://127.0.0.1:7400, or in MIDPLANE_PEERS");
}

Session::Session(Bus bus, std::shared_ptr<Hearsay> hearsay, const Where& where)
    : hearsay_{std::move(hearsay)}, bus_{std::move(bus)}, incarnation_{bus_.stats().incarnation}, dialled_{where.peers},
      listens_{!where.listen.empty()}, timeout_{duration_of(where.timeout, "--timeout")} {}

Session::~Session() { static_cast<void>(bus_.close(farewell_)); }

std::unique_ptr<Session> Session::open(const Where& where, Round round) {
  auto hearsay = std::make_shared<Hearsay>();
  auto bus = Bus::open({.name = "midplane-" + std::to_string(getpid()), .event = hearsay});
  if (!bus) stop(Exit::trouble, "the bus of this program does not open: " + bus.error().message());
  std::unique_ptr<Session> session{new Session{std::move(*bus), hearsay, where}};
  // Shorter than our own patience: then it is known why nobody answered.
  const Duration dial = std::clamp<Duration>(session->timeout_ / 2, std::chrono::milliseconds{200}, std::chrono::seconds{5});
  auto attached = session->bus_.attach(overheard(
      zmq::transport({.listen = where.listen, .peers = where.peers, .insecure = where.insecure, .dial_timeout = dial}), hearsay));
  if (!attached) {
    const ErrorCode code = attached.error().code();
    if (code == ErrorCode::denied)
      stop(Exit::usage, "denied: " + std::string{attached.error().detail()} +
                            " is off this machine and everything would be sent in the clear; --insecure allows it");
    stop(code == ErrorCode::invalid_endpoint ? Exit::usage : Exit::trouble, attached.error().message());
  }
  if (session->listens_ && round == Round::first) note("listening at " + joined(session->bus_.listening()));

  constexpr Duration quiet = std::chrono::seconds{1};
  const Duration timeout = session->timeout_;
  const auto settled = [&] { return session->is_settled(); };
  if (!hearsay->wait(std::min(timeout, quiet), settled)) {
    std::vector<std::string> waited;
    for (const Missing& one : session->missing()) waited.push_back(one.endpoint + (one.why.empty() ? "" : " (" + one.why + ")"));
    if (session->listens_ && session->peers().empty()) waited.push_back("a bus that dials us");
    if (timeout > quiet) {
      say_waiting(joined(waited));
      static_cast<void>(hearsay->wait(timeout - quiet, settled));
    }
  }
  return session;
}

std::unique_ptr<Session> Session::reach(const Where& asked, Nobody nobody) {
  Where where = asked;
  complete(where);
  auto session = open(where, Round::first);
  while (session->part_namesakes(where)) {
    if (session->listens_) where.listen = session->bus_.listening();  // the same ports: they were announced
    session.reset();
    session = open(where, Round::again);
  }
  if (nobody == Nobody::is_fine) return session;
  for (const Missing& one : session->missing())
    note("not reached: " + one.endpoint + ": " + (one.why.empty() ? "no answer yet" : one.why));
  if (session->peers().empty())
    stop(Exit::unreachable,
         "no bus was reached within " + text_of(session->timeout_) +
             (where.peers.empty() ? std::string{"; a bus has to dial the address of --listen"}
                                  : "; is it running and listening there? `midplane doctor --peer ADDRESS` looks closer"));
  return session;
}

void Session::note_namesake(const Peer& other, const Peer& asked) {
  note("another bus at " + other.endpoint + " is named " + other.name + ", too, and is not asked; the one at " + asked.endpoint +
       " is: give each bus its own name, or ask the other alone");
}

bool Session::part_namesakes(Where& where) const {
  const auto up = peers();
  bool parted = false;
  for (const PeerDescription& peer : describe(bus_).peers) {
    if (!is_up(peer)) continue;
    const auto first = std::find_if(up.begin(), up.end(), [&](const Peer& one) { return one.name == peer.name; });
    if (first == up.end() || first->incarnation == peer.incarnation) continue;
    // Who dialled us can not be left out.
    if (std::erase(where.peers, peer.endpoint) == 0) continue;
    note_namesake({peer.name, peer.endpoint, peer.incarnation}, *first);
    parted = true;
  }
  return parted;
}

void Session::say_waiting(const std::string& for_what) { note("waiting for " + for_what + " ..."); }

std::vector<Peer> Session::peers() const {
  std::vector<Peer> up;
  for (const PeerDescription& peer : describe(bus_).peers) {
    // A bus that was named by two addresses is linked over one of them and told for both.
    const bool known = std::any_of(up.begin(), up.end(), [&](const Peer& other) { return other.incarnation == peer.incarnation; });
    if (is_up(peer) && !known) up.push_back({peer.name, peer.endpoint, peer.incarnation});
  }
  std::stable_sort(up.begin(), up.end(), [](const Peer& a, const Peer& b) { return a.name < b.name; });
  return up;
}

std::vector<Session::Missing> Session::missing() const {
  std::vector<Missing> found;
  for (const PeerDescription& peer : describe(bus_).peers) {
    if (!peer.dialled && std::find(dialled_.begin(), dialled_.end(), peer.endpoint) == dialled_.end()) continue;
    if (is_up(peer)) continue;
    std::string why = peer.name.empty() ? std::string{} : hearsay_->about(peer.name);
    if (why.empty()) why = hearsay_->about(peer.endpoint);
    // Another address of a bus that is linked already: nothing is missing.
    if (why.starts_with(name_of(ErrorCode::duplicate))) continue;
    found.push_back({peer.endpoint, std::move(why)});
  }
  return found;
}

bool Session::is_settled() const {
  const auto peers = describe(bus_).peers;
  if (listens_ && std::none_of(peers.begin(), peers.end(), is_up)) return false;
  return std::all_of(peers.begin(), peers.end(), [](const auto& peer) { return is_up(peer) || peer.state == "refused"; });
}

std::vector<Session::Told> Session::ask_all() {
  std::vector<Told> told;
  const auto up = peers();
  for (const Peer& peer : up) {
    const auto asked = std::find_if(told.begin(), told.end(), [&](const Description& one) { return one.name == peer.name; });
    if (asked != told.end()) continue;
    auto description = patiently(timeout_, peer.name + " to describe itself",
                                 [&](Duration duration) { return describe(bus_, peer.name, duration); });
    if (description) told.push_back({std::move(*description), std::chrono::steady_clock::now()});
    else note(peer.name + " does not say what it has: " + description.error().message());
  }
  // Namesakes that dialled us: whoever the library asked, the rest of its name was not.
  for (const Peer& peer : up) {
    const auto asked = std::find_if(told.begin(), told.end(), [&](const Description& one) { return one.name == peer.name; });
    if (asked == told.end() || asked->incarnation == peer.incarnation) continue;
    const auto it = std::find_if(up.begin(), up.end(), [&](const Peer& one) { return one.incarnation == asked->incarnation; });
    if (it != up.end() && told_of_.insert(peer.incarnation).second) note_namesake(peer, *it);
  }
  if (told.empty()) stop(Exit::unreachable, "no bus answered; is it another version, or stopped?");
  return told;
}

}  // namespace midplane::tool
