/// A bus that listens, a good peer of it, and strangers with real sockets that mean harm: with ZeroMQ's own, and with
/// plain ones that speak its protocol, something else or nothing. What they do is counted or comes to nothing, the good
/// peer goes on exchanging messages meanwhile, and memory stays within its bounds.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <fstream>

#include <midplane/describe.hpp>
#include <midplane/zmq.hpp>

#include "../promises_requests/support.hpp"

#include "wire/frame.hpp"
#include "wire/frame_bodies.hpp"

using namespace midplane;
using namespace midplane::test;

namespace {

inline constexpr Topic<Bytes> to_victim{"to.victim"};
inline constexpr Topic<Bytes> to_good{"to.good"};
constexpr std::size_t message_bytes_max = std::size_t{1} << 20;
constexpr std::size_t memory_max = std::size_t{32} << 20;
constexpr Duration patience = 30s;
/// A machine that is busy elsewhere must not look like a peer that is lost.
constexpr Duration heartbeat = 10s;

std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::ifstream{"/proc/self/statm"} >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Counters tell nobody when they change: they are looked at again.
template <class F>
bool eventually(F holds) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

struct Besieged {
  Besieged() {
    good.attach(zmq::transport({.listen = {}, .peers = {endpoint}})).value();
    REQUIRE(at_victim.wait_confirmed(patience));
    REQUIRE(at_good.wait_confirmed(patience));
    REQUIRE(from_victim.wait_matched(1, patience));
    REQUIRE(from_good.wait_matched(1, patience));
    exchange();
  }
  ~Besieged() {
    exchange();
    CHECK(counter("link_lost") == 0);
    CHECK(victim.stats().payload_memory_bytes <= memory_max);
  }
  void exchange() {
    const int victim_before = victim_seen, good_before = good_seen;
    CHECK(from_victim.publish(bytes("to good")));
    CHECK(from_good.publish(bytes("to victim")));
    CHECK(eventually([&] { return victim_seen > victim_before && good_seen > good_before; }));
  }
  std::uint64_t counter(std::string_view name) const {
    const Description all = describe(victim);
    for (const CounterDescription& one : all.counters)
      if (one.name == name) return one.value;
    FAIL("no such counter: " << name);
    return 0;
  }
  bool counts(std::string_view name, std::uint64_t wanted) const {
    return eventually([&] { return counter(name) >= wanted; });
  }

  static std::string listen(Bus& bus) {
    bus.attach(zmq::transport({.listen = {"tcp://127.0.0.1:0"}, .peers = {}})).value();
    return bus.listening().at(0);
  }

  std::atomic<int> victim_seen{0}, good_seen{0};
  Bus victim = Bus::open({.name = "victim",
                          .limits = {.message_bytes_max = message_bytes_max, .payload_memory_bytes_max = memory_max},
                          .heartbeat = heartbeat}).value();
  Bus good = Bus::open({.name = "good", .heartbeat = heartbeat}).value();
  std::string endpoint = listen(victim);
  Subscription at_victim = victim.subscribe(to_victim, [this](const Message<Bytes>&) { ++victim_seen; }).value();
  Subscription at_good = good.subscribe(to_good, [this](const Message<Bytes>&) { ++good_seen; }).value();
  Publisher<Bytes> from_victim = victim.publisher(to_good).value();
  Publisher<Bytes> from_good = good.publisher(to_victim).value();
};

/// A socket of ZeroMQ that dials the victim.
struct Foreign {
  explicit Foreign(const std::string& endpoint, int type = ZMQ_DEALER) : socket{zmq_socket(context, type)} {
    const int linger = 1000, probe = type == ZMQ_ROUTER ? 1 : 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    // A ROUTER that dials can send to nobody before it has heard somebody.
    zmq_setsockopt(socket, ZMQ_PROBE_ROUTER, &probe, sizeof probe);
    if (type == ZMQ_ROUTER) zmq_setsockopt(socket, ZMQ_CONNECT_ROUTING_ID, "victim", 6);
    REQUIRE(zmq_connect(socket, endpoint.c_str()) == 0);
  }
  ~Foreign() {
    zmq_close(socket);
    zmq_ctx_term(context);
  }
  void send(std::span<const std::byte> part, int flags = 0) const {
    REQUIRE(zmq_send(socket, part.data(), part.size(), flags) == static_cast<int>(part.size()));
  }
  void send(std::string_view part, int flags = 0) const { send(bytes(part), flags); }
  void* context = zmq_ctx_new();
  void* socket;
};

/// A plain connection; nothing it does ends the process.
struct Plain {
  explicit Plain(const std::string& endpoint) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  Plain(const Plain&) = delete;
  ~Plain() { ::close(fd); }
  /// False when the other side has ended the connection. That end does not wake a send() that waits for a full receiver:
  /// the kernel would go on asking it for minutes.
  bool send(std::string_view data) const {
    while (!data.empty()) {
      pollfd ready{fd, POLLOUT | POLLRDHUP, 0};
      if (::poll(&ready, 1, 30'000) != 1 || (ready.revents & (POLLRDHUP | POLLHUP | POLLERR))) return false;
      const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EAGAIN) continue;
      if (sent <= 0) return false;
      data.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Reads until the other side ends the connection.
  bool is_ended() const {
    char buffer[4096];
    while (true) {
      pollfd ready{fd, POLLIN, 0};
      if (::poll(&ready, 1, 30'000) != 1) return false;
      if (::recv(fd, buffer, sizeof buffer, 0) <= 0) return true;
    }
  }
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

/// What a DEALER says before its first message, ZMTP 3.0 without security.
std::string zmtp_greeting() {
  std::string text{"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL", 16};
  text.resize(64, '\0');
  text += std::string{"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06" "DEALER", 30};
  return text;
}

/// A frame of ZMTP with so many bytes; `more`: it is not the last of its message.
std::string zmtp_frame(std::size_t size, bool more) {
  std::string text(9, '\0');
  text[0] = static_cast<char>(2 | (more ? 1 : 0));
  for (int i = 0; i < 8; ++i) text[static_cast<std::size_t>(8 - i)] = static_cast<char>(size >> (8 * i));
  return text + std::string(size, 'p');
}

wire::Body hello_frame() {
  wire::FrameBuilder builder;
  builder.begin();
  wire::Hello hello;
  hello.bus = "evil";
  hello.version_min = wire::wire_version_min;
  hello.version_max = wire::wire_version;
  const wire::Body body = wire::encode(hello);
  REQUIRE(builder.add({.type = wire::RecordType::hello, .payload = body}));
  const auto frame = builder.finish({.incarnation = {6, 66}, .epoch = 5, .number = 0});
  return {frame.begin(), frame.end()};
}

}  // namespace

TEST_CASE("P24 messages of several parts end their connection, from a DEALER and from a ROUTER") {
  Besieged here;
  {
    const Foreign dealer{here.endpoint};
    for (const int flags : {ZMQ_SNDMORE, ZMQ_SNDMORE, 0}) dealer.send("part", flags);
    CHECK(here.counts("transport_multipart_refused", 1));
    // What comes behind it is not read.
    dealer.send("alone");
    CHECK(here.counts("transport_frames_ignored", 1));
    here.exchange();
  }
  const Foreign router{here.endpoint, ZMQ_ROUTER};
  CHECK(eventually([&] { return zmq_send(router.socket, "victim", 6, ZMQ_SNDMORE) == 6; }));
  router.send("first", ZMQ_SNDMORE);
  router.send("second");
  CHECK(here.counts("transport_multipart_refused", 2));
  here.exchange();
}

TEST_CASE("P24 a message without end is cut while its parts are few enough to be kept") {
  Besieged here;
  const std::size_t before = resident_bytes();
  constexpr std::size_t part_bytes = std::size_t{256} << 10, parts_max = 512;
  const Plain evil{here.endpoint};
  REQUIRE(evil.send(zmtp_greeting()));
  const std::string part = zmtp_frame(part_bytes, true);
  std::size_t parts = 0;
  while (parts < parts_max && evil.send(part)) {
    if (++parts % 64 == 0) here.exchange();
  }
  CHECK(evil.is_ended());
  CHECK(here.counts("transport_endless_cut", 1));
  CHECK(here.counter("transport_multipart_refused") == 0);
  // Two frames and what the system keeps: less is never cut.
  CHECK(parts * part_bytes > std::size_t{16} << 20);
  CHECK(resident_bytes() < before + parts * part_bytes + memory_max);
  here.exchange();
}

TEST_CASE("P24 a great many large messages that are whole are never taken for one without end") {
  Besieged here;
  const std::string large(message_bytes_max / 2, 'l');
  const int before = here.victim_seen;
  constexpr int count = 400;
  int taken = 0;
  for (int i = 0; i < count; ++i) {
    while (!here.from_good.publish(bytes(large))) std::this_thread::yield();
    ++taken;
  }
  CHECK(eventually([&] { return here.victim_seen > before; }));
  here.exchange();
  CHECK(here.counter("transport_endless_cut") == 0);
}

TEST_CASE("P24 a frame above the limit ends its connection before it is kept") {
  Besieged here;
  const std::size_t before = resident_bytes();
  const Plain evil{here.endpoint};
  REQUIRE(evil.send(zmtp_greeting()));
  // Claims a terabyte and begins to send it.
  std::string claimed = zmtp_frame(4096, false);
  claimed[3] = '\x01';
  evil.send(claimed);
  CHECK(evil.is_ended());
  CHECK(here.counts("transport_unheard", 1));
  CHECK(resident_bytes() < before + memory_max);
  here.exchange();
}

TEST_CASE("P24 frames that are cut off, garbage, empty or of another magic are counted, and end their connection") {
  Besieged here;
  std::uint64_t broken = 0;
  const wire::Body good = hello_frame();
  std::vector<wire::Body> frames(5, good);
  frames[0].resize(good.size() / 2);
  frames[1].assign(100, std::byte{'G'});
  frames[2][0] = std::byte{'X'};
  frames[3].resize(good.size() + 100'000);
  frames[4][9] ^= std::byte{0x40};
  for (const wire::Body& frame : frames) {
    const Foreign dealer{here.endpoint};
    dealer.send(frame);
    CHECK(here.counts("link_frames_broken", ++broken));
    here.exchange();
  }
  // The unchanged one would have been a greeting.
  const Foreign dealer{here.endpoint};
  dealer.send(good);
  zmq_msg_t answer;
  zmq_msg_init(&answer);
  CHECK(zmq_msg_recv(&answer, dealer.socket, 0) > 0);
  zmq_msg_close(&answer);
  CHECK(here.counter("link_frames_broken") == broken);
}

TEST_CASE("P24 a hello without an end, again and again, costs one connection each") {
  Besieged here;
  const wire::Body hello = hello_frame();
  for (int i = 0; i < 20; ++i) {
    const Foreign dealer{here.endpoint};
    dealer.send(hello);
    zmq_msg_t answer;
    zmq_msg_init(&answer);
    CHECK(zmq_msg_recv(&answer, dealer.socket, 0) > 0);
    zmq_msg_close(&answer);
    if (i % 5 == 0) here.exchange();
  }
  const auto peers = describe(here.victim).peers;
  CHECK(std::count_if(peers.begin(), peers.end(), [](const auto& one) { return one.state == "up"; }) == 1);
}

TEST_CASE("P24 connections that do not speak ZeroMQ's protocol, or say nothing, are ended and counted") {
  Besieged here;
  {
    const Plain garbage{here.endpoint};
    garbage.send(std::string(100'000, 'G'));
    CHECK(garbage.is_ended());
    CHECK(here.counts("transport_unheard", 1));
  }
  {
    // A greeting whose frames are none.
    const Plain evil{here.endpoint};
    REQUIRE(evil.send(zmtp_greeting().substr(0, 64)));
    evil.send(std::string(1000, '\xf8'));
    CHECK(evil.is_ended());
    CHECK(here.counts("transport_unheard", 2));
  }
  // These never finish their greeting, at none of its bytes.
  std::vector<std::unique_ptr<Plain>> silent;
  for (std::size_t bytes = 0; bytes < 64; bytes += 8) {
    silent.push_back(std::make_unique<Plain>(here.endpoint));
    REQUIRE(silent.back()->send(zmtp_greeting().substr(0, bytes)));
  }
  here.exchange();
  for (const auto& one : silent) CHECK(one->is_ended());
  CHECK(here.counts("transport_unheard", 10));
  here.exchange();
}
