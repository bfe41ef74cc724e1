// What may be wrong here or at the buses, found by trying, each finding with its likely cause.

#include <dirent.h>
#include <netdb.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <midplane/zmq.hpp>

#include "catalogue.hpp"
#include "commands.hpp"
#include "histogram.hpp"
#include "text.hpp"

namespace midplane::tool {
namespace {

using std::chrono::steady_clock;

struct Options {
  Where where;
};

std::string version_text(std::uint32_t version) { return std::to_string(version >> 16) + "." + std::to_string(version & 0xFFFF); }

std::string first_line(const char* path) {
  std::ifstream in{path};
  std::string line;
  std::getline(in, line);
  return line;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  if (DIR* folder = opendir("/proc/self/fd")) {
    while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
    closedir(folder);
  }
  return count > 0 ? count - 1 : 0;  // one is the folder itself
}

/// Does anything accept at a tcp address? Empty: it does; else why not.
std::string tcp_refusal(const std::string& endpoint) {
  const std::string host_port = endpoint.substr(std::string_view{"tcp://"}.size());
  const std::size_t colon = host_port.rfind(':');
  std::string host = host_port.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int fault = getaddrinfo(host.c_str(), host_port.substr(colon + 1).c_str(), &hints, &found); fault != 0)
    return "the name " + host + " is not known here: " + gai_strerror(fault);
  std::string why = "it has no address";
  for (const addrinfo* one = found; one && !why.empty(); one = one->ai_next) {
    const int fd = socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int fault = connect(fd, one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
    if (fault == EINPROGRESS) {
      pollfd waits{fd, POLLOUT, 0};
      socklen_t size = sizeof fault;
      if (poll(&waits, 1, 1000) != 1) fault = ETIMEDOUT;
      else getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size);
    }
    why = fault == 0 ? "" : std::strerror(fault);
    close(fd);
  }
  freeaddrinfo(found);
  return why;
}

class Doctor {
 public:
  explicit Doctor(const Options& options) : options_{options} {}

  Exit run() {
    // Wrong usage, before anything is looked at.
    static_cast<void>(duration_of(options_.where.timeout, "--timeout"));
    if (Where where = options_.where; names_a_bus(where)) complete(where);
    versions();
    machine();
    round_trip("tcp loopback", "tcp://127.0.0.1:0");
    ipc();
    buses();
    if (!options_.where.json) {
      std::cout << table_;
      if (worst_ == 0) std::cout << "\nnothing is wrong that can be seen from here\n";
      for (const auto& [advice, checks] : advices_) std::cout << '\n' << joined(checks) << ": " << advice << '\n';
    }
    return worst_ == 2 ? Exit::answer : Exit::done;
  }

 private:
  enum Verdict { fine, look, wrong };

  void say(const std::string& what, Verdict verdict, const std::string& found, const std::string& advice = {}) {
    static constexpr const char* words[] = {"ok", "look", "WRONG"};
    static constexpr const char* names[] = {"ok", "look", "wrong"};
    worst_ = std::max(worst_, static_cast<int>(verdict));
    table_.add({what, words[verdict], found});
    if (!advice.empty()) advise(what, advice);
    if (options_.where.json)
      std::cout << JsonLine{}.text("check", what).text("verdict", names[verdict]).text("found", found).text("advice", advice) << std::flush;
  }

  /// What holds for many topics is said once, and of each check once.
  void advise(const std::string& what, const std::string& advice) {
    const auto same = std::find_if(advices_.begin(), advices_.end(), [&](const auto& one) { return one.first == advice; });
    if (same == advices_.end()) return void(advices_.emplace_back(advice, std::vector{what}));
    auto& checks = same->second;
    if (std::find(checks.begin(), checks.end(), what) == checks.end()) checks.push_back(what);
  }

  void versions() {
    const std::uint32_t library = library_version();
    const bool same = library == header_version;
    say("program and library", same ? fine : wrong, "built for " + version_text(header_version) + ", runs with " + version_text(library),
        same ? "" : "another libmidplane.so is found first: see ldd and LD_LIBRARY_PATH");
    auto bus = Bus::open({.name = "doctor"});
    if (!bus) return say("a bus", wrong, bus.error().message(), "without a bus nothing else works; is there memory, may threads be started?");
    here_ = describe(*bus);
    say("wire version", fine, std::to_string(here_.wire_version) + ", also speaks " + std::to_string(here_.wire_version - 1));
    const Limits limits;
    say("limits of a bus", fine, "message " + bytes_text(static_cast<double>(limits.message_bytes_max)) + ", payload memory " +
                                     bytes_text(static_cast<double>(limits.payload_memory_bytes_max)) + ", queue 1024 messages or 8.0 MiB");
  }

  void machine() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    const bool few = files.rlim_cur < 1024;
    say("descriptors", few ? look : fine, std::to_string(open_descriptors()) + " open, " + std::to_string(files.rlim_cur) + " allowed (hard limit " +
                           (files.rlim_max == RLIM_INFINITY ? "none" : std::to_string(files.rlim_max)) + ")",
        few ? "a link takes a few descriptors and a bus takes up to 1024 links: raise it with ulimit -n or LimitNOFILE=" : "");
    const unsigned cores = std::thread::hardware_concurrency();
    const std::string quota = first_line("/sys/fs/cgroup/cpu.max");
    say("cores", cores < 2 ? look : fine, std::to_string(cores) + (quota.empty() || quota.starts_with("max") ? "" : ", limited to " + quota + " us by its group"),
        cores < 2 ? "with one core sender and receiver take turns: expect milliseconds where two cores give microseconds" : "");
    say("backlog of listeners", fine, first_line("/proc/sys/net/core/somaxconn") + " connections may wait (net.core.somaxconn)");
  }

  void ipc() {
    std::error_code fault;
    const std::string folder = std::filesystem::temp_directory_path(fault) / ("midplane-doctor-" + std::to_string(getpid()));
    if (fault || !std::filesystem::create_directory(folder, fault))
      return say("ipc", look, "no folder for a socket: " + fault.message(), "ipc:// addresses need a folder that may be written; set TMPDIR");
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, fault);
    round_trip("ipc", "ipc://" + folder + "/a");
    std::filesystem::remove_all(folder, fault);
  }

  /// Two buses of our own ask each other.
  void round_trip(const std::string& what, const std::string& address) {
    const auto failed = [&](const char* step, const Error& error) {
      say(what, wrong, std::string{step} + ": " + error.message(), "a link on this very machine does not work: is the loopback device up, "
                                                                  "does a firewall or a sandbox forbid it, are descriptors left?");
    };
    auto a = Bus::open({.name = "doctor-a"}), b = Bus::open({.name = "doctor-b"});
    if (!a) return failed("no bus", a.error());
    if (!b) return failed("no bus", b.error());
    const auto service = Service<Bytes, Bytes>::named("doctor.echo");
    auto server = a->serve(*service, [](Request<Bytes> request, Responder<Bytes> responder) { static_cast<void>(responder.reply(request.bytes())); });
    if (!server) return failed("no service", server.error());
    if (auto up = a->attach(zmq::transport({.listen = {address}})); !up) return failed("can not listen", up.error());
    const auto started = steady_clock::now();
    if (auto up = b->attach(zmq::transport({.peers = a->listening()})); !up) return failed("can not dial", up.error());
    auto client = b->client(*service);
    if (!client) return failed("no client", client.error());
    if (auto up = client->wait_server(std::chrono::seconds{5}); !up) return failed("the two ends did not meet", up.error());
    const auto linked = steady_clock::now() - started;
    Histogram trips;
    const std::byte question[8] = {};
    for (int i = 0; i < 200; ++i) {
      const auto asked = steady_clock::now();
      const auto reply = client->request(std::span<const std::byte>{question}).get();
      if (!reply) return failed("no answer", reply.error());
      trips.add((steady_clock::now() - asked).count());
    }
    const auto median = static_cast<std::int64_t>(trips.quantile(0.5));
    say(what, median > 5'000'000 ? look : fine, "linked in " + text_of(linked) + ", round trip " + text_of(Duration{median}) + " (p99 " +
                                                    text_of(Duration{static_cast<std::int64_t>(trips.quantile(0.99))}) + ")",
        median > 5'000'000 ? "this is slow for one machine: it is busy, or its processes are held back" : "");
  }

  // ---- the buses that were named ----

  void buses() {
    if (!names_a_bus(options_.where)) return say("other buses", fine, "none was named; --peer ADDRESS looks at one");
    const auto session = Session::reach(options_.where, Session::Nobody::is_fine);
    for (const Session::Missing& one : session->missing()) missing(one);
    if (session->peers().empty()) return;
    for (const Description& bus : session->ask_all()) look_at(bus);
  }

  void missing(const Session::Missing& one) {
    std::string advice = "is it running, and is this the address it listens at?";
    if (one.endpoint.starts_with("tcp://")) {
      const std::string why = tcp_refusal(one.endpoint);
      if (!why.empty()) advice = "a plain connection fails, too: " + why + "; is it running, is the port right, is a firewall between?";
      else if (one.why.starts_with(name_of(ErrorCode::version_mismatch))) advice = "the two sides speak no common version: update the older one";
      else advice = "something accepts connections there but does not greet as a Midplane bus: another program has this port, or the bus is stopped";
    }
    say(one.endpoint, wrong, "not reached: " + (one.why.empty() ? "no answer yet" : one.why), advice);
  }

  static std::uint64_t counter(const Description& bus, std::string_view name) {
    for (const CounterDescription& one : bus.counters) {
      if (one.name == name) return one.value;
    }
    return 0;
  }

  void look_at(const Description& bus) {
    const bool same = bus.wire_version == here_.wire_version;
    say(bus.name, fine, "version " + bus.library_version + ", wire version " + std::to_string(bus.wire_version) +
                            (same ? "" : "; the link uses the lower one"));
    const auto used = counter(bus, "payload_memory_bytes"), most = counter(bus, "payload_memory_bytes_max");
    const bool full = most > 0 && used > most / 10 * 9;
    say(bus.name + " memory", full ? wrong : fine, bytes_text(static_cast<double>(used)) + " of " + bytes_text(static_cast<double>(most)) + " for payloads",
        full ? "publishing will answer no_memory: a consumer keeps messages, or queues are larger than Limits::payload_memory_bytes_max" : "");
    for (const PeerDescription& peer : bus.peers) {
      if (peer.dialled && peer.state != "up")
        say(bus.name + " peers", look, peer.endpoint + " is " + (peer.state == "refused" ? "refused" : "not reached") +
                                           (peer.state == "lost" ? " any more" : "") + " by " + bus.name,
            "requests wait for it or end no_server, and nothing of it arrives: is it running, is the address right? Its log has "
            "link.not_reached or link.peer_refused with why");
    }
    if (const auto lost = counter(bus, "link_lost"); lost > 0)
      say(bus.name + " links", fine, plural(lost, "link") + " ended since it began");  // those of programs like this one, too
    if (const auto broken = counter(bus, "link_frames_broken"); broken > 0)
      say(bus.name + " frames", wrong, plural(broken, "broken frame"), "something that is no Midplane bus, or a damaged line, sent it bytes");
    if (const auto thrown = counter(bus, "handler_exceptions"); thrown > 0)
      say(bus.name + " handlers", look, plural(thrown, "exception") + " left a handler", "each is in its log as bus.handler_failed");
    if (const auto unsendable = counter(bus, "replies_unsendable"); unsendable > 0)
      say(bus.name + " replies", look, std::to_string(unsendable) + " could not be sent",
          "they lacked a required part or were too large; the first of each server is in its log as bus.reply_unsendable");
    for (const SubscriptionDescription& one : bus.subscriptions) {
      losses(bus, "subscription " + one.pattern, one.counts);
      queue(bus, one);
    }
    for (const ServiceDescription& one : bus.services) losses(bus, "service " + one.name, one.counts);
    for (const LinkDescription& one : bus.links) {
      // What was on its way to a program like this one when it ended is nobody's loss.
      if (!one.peer.starts_with("midplane-")) losses(bus, one.name + " to " + one.peer, one.counts);
    }
  }

  static std::string cause_of(std::string_view reason) {
    if (reason == "queue_full_oldest")
      return "its handler is slower than what comes, and the oldest makes room, as its drop_oldest says: if none may be lost, make "
             "it faster or its Queue larger";
    if (reason.starts_with("queue_full")) return "its handler is slower than what comes: make it faster, its Queue larger, or choose another Overflow";
    if (reason == "link_lost") return "a link ended, perhaps in order, while messages were on their way, or they were published in the minute behind that";
    if (reason == "schema_mismatch") return "the two sides have types that do not agree: `midplane schema check`";
    if (reason == "handler_failed") return "its handler threw";
    if (reason == "expired") return "messages were older than their ttl: the receiver is slow or the line is";
    if (reason == "no_memory") return "the bus's payload memory was used up";
    if (reason == "malformed") return "the bytes were no valid value of its type: who sends them writes another schema, or raw bytes";
    if (reason == "too_large") return "messages were larger than Limits::message_bytes_max of the receiver";
    return "docs/loss_and_back_pressure.md tells the cause and the knob of each reason";
  }

  static std::string outlook_of(const SubscriptionDescription& one) {
    const auto& dropped = one.counts.dropped;
    const bool has_lost = std::any_of(dropped.begin(), dropped.end(), [](const auto& drop) { return drop.name.starts_with("queue_full"); });
    const std::string slow = "its handler does not keep up: ";
    const std::string far = "; over a link that holds for a Publisher with `far_wait` only, of others the newest is dropped at once" +
                            std::string{has_lost ? "; it has lost messages already" : ""};
    if (one.overflow == "drop_oldest") return slow + "when the queue is full the oldest makes room for what comes, as its drop_oldest says";
    if (one.overflow == "refuse") return slow + "when the queue is full `publish` answers full, as its refuse says" + far;
    if (one.overflow == "block")
      return slow + "when the queue is full `publish` waits, at most Queue::block_for, and then loses, as its block says" + far;
    return slow + (has_lost ? "it has lost messages already and will lose more" : "it will lose messages soon");
  }

  void losses(const Description& bus, const std::string& what, const CountsDescription& counts) {
    for (const CounterDescription& drop : counts.dropped) {
      if (drop.name == "conflated" || drop.name == "unsubscribed" || drop.name == "closed") continue;  // as it was asked for
      say(bus.name + " losses", look, what + " lost " + std::to_string(drop.value) + " of " + std::to_string(counts.offered) + ": " + drop.name,
          cause_of(drop.name));
    }
  }

  void queue(const Description& bus, const SubscriptionDescription& one) {
    if (one.overflow == "latest") return;  // the newest of each topic waits there on purpose
    if (one.queue_messages_max == 0 || one.counts.waiting * 2 <= one.queue_messages_max) return;
    say(bus.name + " queues", look, "subscription " + one.pattern + " has " + std::to_string(one.counts.waiting) + " of " +
                                        std::to_string(one.queue_messages_max) + " waiting", outlook_of(one));
  }

  const Options& options_;
  Description here_;
  Table table_{{"CHECK", "", "FOUND"}};
  std::vector<std::pair<std::string, std::vector<std::string>>> advices_;  ///< advice, and the checks it is for
  int worst_ = 0;
};

}  // namespace

void add_doctor(CLI::App& app, Chosen& chosen) {
  auto* command = app.add_subcommand("doctor", "look for what may be wrong with this machine and with the buses that are named");
  const auto options = std::make_shared<Options>();
  add_where(*command, options->where);
  command->footer("Examples:\n  midplane doctor\n  midplane doctor --peer tcp://127.0.0.1:7400\n\n"
                  "Ends with 1 when something is wrong; `look` is worth a look and ends with 0.");
  command->callback([&chosen, options] { chosen.run = [options](Signals&) { return Doctor{*options}.run(); }; });
}

}  // namespace midplane::tool
