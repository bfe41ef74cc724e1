/// What is ZeroMQ's own, beyond the law.
#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include <zmq.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "testing/transport_law.hpp"
#include "wire/frame_memory.hpp"
#include "zmq/zmq_worlds.hpp"

namespace midplane::test {
namespace {

std::size_t entries(const char* directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{directory}) count++;
  return count;
}

/// The threads of this process.
std::set<int> threads() {
  std::set<int> all;
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) all.insert(std::stoi(task.path().filename()));
  return all;
}

/// Those that were not there before: threads of an earlier test may still be ending.
std::set<int> new_threads(const std::set<int>& before) {
  std::set<int> all = threads();
  std::erase_if(all, [&](int thread) { return before.contains(thread); });
  return all;
}

/// Waits until the system has nothing to run for it.
bool falls_asleep(int thread) {
  const auto end = std::chrono::steady_clock::now() + event_limit;
  while (std::chrono::steady_clock::now() < end) {
    std::string line;
    std::getline(std::ifstream{"/proc/self/task/" + std::to_string(thread) + "/stat"}, line);
    if (line.find(") S ") != std::string::npos) return true;
  }
  return false;
}

/// Waits until the system has let go of a thread that was joined, which is a moment later.
bool are_gone(const std::set<int>& ended) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (std::chrono::steady_clock::now() < until) {
    const std::set<int> now = threads();
    if (std::none_of(ended.begin(), ended.end(), [&](int thread) { return now.contains(thread); })) return true;
    std::this_thread::yield();
  }
  return false;
}

/// A plain socket connected to `endpoint`.
int plain_connection(const std::string& endpoint) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
  REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

TEST_CASE("a port of 0 is replaced by the one chosen") {
  TcpWorld world;
  End<TcpWorld> end{world};
  const auto address = end.transport->listen("tcp://127.0.0.1:0");
  REQUIRE(address);
  CHECK(address->find("tcp://127.0.0.1:") == 0);
  CHECK(std::stoi(address->substr(16)) > 0);
  const auto taken = end.transport->listen(*address);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code() == ErrorCode::transport_failed);
}

TEST_CASE("start refuses options and endpoints that can not work") {
  for (auto change : {+[](zmq::TransportOptions& o) { o.send_frames = 0; }, +[](zmq::TransportOptions& o) { o.receive_frames = 0; },
                      +[](zmq::TransportOptions& o) { o.linger = Duration{-1}; },
                      +[](zmq::TransportOptions& o) { o.dial_timeout = Duration{0}; },
                      +[](zmq::TransportOptions& o) { o.listen = {"tcp://*"}; },
                      +[](zmq::TransportOptions& o) { o.peers = {"tcp://10.0.0.1:7400"}; }}) {
    TcpWorld world;
    change(world.options);
    Recorder recorder;
    CHECK_FALSE(world.make()->start(world.context(recorder)));
  }
}

TEST_CASE("the transport's threads wait for their turn on a busy core, unless told to preempt") {
  if (::sched_getscheduler(0) != SCHED_OTHER) return;  // they keep what this process was given
  for (const bool preempt : {false, true}) {
    TcpWorld world;
    world.options.preempt = preempt;
    const std::set<int> before = threads();
    End<TcpWorld> end{world};
    const std::set<int> started = new_threads(before);
    for (const int thread : started) CHECK(::sched_getscheduler(thread) == (preempt ? SCHED_OTHER : SCHED_BATCH));
    CHECK(started.size() >= 2);
    CHECK(::sched_getscheduler(0) == SCHED_OTHER);
  }
}

TEST_CASE("after stop no thread, descriptor or socket file remains") {
  const std::set<int> before = threads();
  const std::size_t descriptors = entries("/proc/self/fd");
  std::set<int> started;
  {
    Pair<IpcWorld> pair;
    REQUIRE(pair.dialled.send(pair.out, "x"));
    started = new_threads(before);
    // Two of ZeroMQ and one of ours for each end.
    CHECK(started.size() == 6);
    pair.dialled.transport->stop();
    pair.bound.transport->stop();
    CHECK(pair.world.directory.is_empty());
  }
  CHECK(are_gone(started));
  CHECK(entries("/proc/self/fd") == descriptors);
}

TEST_CASE("the last frame is taken although the connection is full") {
  Pair<TcpWorld> pair;
  std::size_t taken = 0;
  while (pair.dialled.transport->send(pair.out, bytes_of("x")) == Sent::taken) REQUIRE(++taken < 10'000'000);
  std::byte* const last = wire::allocate_frame(1);
  CHECK(pair.dialled.transport->give(pair.out, {last, 1, true}) == Sent::taken);
  pair.dialled.transport->stop();
  CHECK(pair.bound.until([&] { return pair.bound.recorder.frames(pair.in) == taken + 1; }));
}

TEST_CASE("a transport that yields sleeps too when nothing comes") {
  const std::set<int> before = threads();
  Pair<YieldingWorld> pair;
  REQUIRE(pair.dialled.send(pair.out, "x"));
  for (const int thread : new_threads(before)) {
    CAPTURE(thread);
    CHECK(falls_asleep(thread));
  }
}

TEST_CASE("a driven executor means no thread of ours") {
  const std::set<int> before = threads();
  Pair<DrivenWorld> pair;
  CHECK(new_threads(before).size() == 4);
}

TEST_CASE("what was taken arrives although the sender stops at once") {
  Pair<WideWorld> pair;
  for (std::size_t i = 0; i != 60; ++i)
    REQUIRE(pair.dialled.transport->send(pair.out, bytes_of(numbered(i, 50'000))) == Sent::taken);
  pair.dialled.transport->stop();
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.downs() == 1; }));
  CHECK(pair.bound.recorder.frames(pair.in) == 60);
}

TEST_CASE("what was taken arrives although the listening side stops at once, and every time") {
  for (int round = 0; round < 50; ++round) {
    Pair<TcpWorld> pair;
    REQUIRE(pair.bound.transport->send(pair.in, bytes_of("last words")) == Sent::taken);
    pair.bound.transport->stop();
    REQUIRE(pair.dialled.until([&] { return pair.dialled.recorder.downs() == 1; }));
    REQUIRE(pair.dialled.recorder.frames(pair.out) == 1);
  }
  Pair<WideWorld> pair;
  for (std::size_t i = 0; i != 60; ++i)
    REQUIRE(pair.bound.transport->send(pair.in, bytes_of(numbered(i, 50'000))) == Sent::taken);
  pair.bound.transport->stop();
  REQUIRE(pair.dialled.until([&] { return pair.dialled.recorder.downs() == 1; }));
  CHECK(pair.dialled.recorder.frames(pair.out) == 60);
}

TEST_CASE("flushed is true again when everything has left") {
  Pair<TcpWorld> pair;
  REQUIRE(pair.dialled.send(pair.out, numbered(1, 1 << 20)));
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.frames(pair.in) == 1; }));
  // The callback that counts may come a moment after the last byte.
  REQUIRE(pair.bound.until([&] { return std::this_thread::yield(), pair.dialled.transport->flushed(); }));
}

TEST_CASE("many threads send on one connection and each keeps its order") {
  Pair<TcpWorld> pair;
  constexpr int threads = 4;
  constexpr int each = 2'000;
  std::vector<std::thread> senders;
  for (int t = 0; t != threads; ++t)
    senders.emplace_back([&, t] {
      for (int i = 0; i != each; ++i)
        while (pair.dialled.transport->send(pair.out, bytes_of(std::to_string(t) + ":" + std::to_string(i))) == Sent::full)
          std::this_thread::yield();
    });
  for (auto& sender : senders) sender.join();
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.frames(pair.in) == std::size_t{threads} * each; }));
  int next[threads] = {};
  for (const std::string& frame : pair.bound.recorder.seen(pair.in).frames)
    REQUIRE(std::stoi(frame.substr(2)) == next[frame[0] - '0']++);
}

TEST_CASE("a message of several parts ends its connection and disturbs no other") {
  Pair<TcpWorld> pair;
  void* context = zmq_ctx_new();
  void* foreign = zmq_socket(context, ZMQ_DEALER);
  const int linger = 1000;
  zmq_setsockopt(foreign, ZMQ_LINGER, &linger, sizeof linger);
  REQUIRE(zmq_connect(foreign, pair.endpoint.c_str()) == 0);
  for (const int flags : {0, ZMQ_SNDMORE, ZMQ_SNDMORE, 0, 0}) zmq_send(foreign, "part", 4, flags);
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.downs() == 1; }));
  const ConnectionId id = pair.bound.recorder.latest();
  CHECK(pair.bound.recorder.seen(id).code == ErrorCode::malformed);
  CHECK(pair.bound.recorder.seen(id).frames == std::vector<std::string>{"part"});
  REQUIRE(pair.bound.until([&] { return std::this_thread::yield(), pair.bound.transport->counts().frames_ignored == 1; }));
  CHECK(pair.bound.transport->counts().multipart_refused == 1);
  REQUIRE(pair.dialled.send(pair.out, "still here"));
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.frames(pair.in) == 1; }));
  zmq_close(foreign);
  zmq_ctx_term(context);
}

TEST_CASE("a frame over the limit ends its connection") {
  Pair<TcpWorld> pair;
  REQUIRE(pair.dialled.send(pair.out, numbered(1, test_frame_bytes_max + 1)));
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.downs() == 1; }));
  REQUIRE(pair.dialled.until([&] { return pair.dialled.recorder.downs() == 1; }));
  CHECK(pair.bound.recorder.frames(pair.in) == 0);
}

TEST_CASE("bytes that are not ZeroMQ's never come up") {
  Pair<TcpWorld> pair;
  const int fd = plain_connection(pair.endpoint);
  const std::string garbage(4096, 'G');
  REQUIRE(::send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL) > 0);
  char byte = 0;
  while (::recv(fd, &byte, 1, 0) > 0) continue;
  ::close(fd);
  REQUIRE(pair.dialled.send(pair.out, "still here"));
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.frames(pair.in) == 1; }));
  CHECK(pair.bound.recorder.ups() == 1);
}

TEST_CASE("something that listens but does not answer is a failed dial in time") {
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(silent, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(silent, 4) == 0);
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  TcpWorld world;
  world.options.dial_timeout = std::chrono::milliseconds{200};
  End<TcpWorld> end{world};
  REQUIRE(end.transport->dial("tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port))));
  REQUIRE(end.until([&] { return end.recorder.failed().size() == 1; }));
  ::close(silent);
}

TEST_CASE("a name that nobody knows is a failed dial in time") {
  TcpWorld world;
  world.options.dial_timeout = std::chrono::milliseconds{200};
  world.options.insecure = true;
  End<TcpWorld> end{world};
  REQUIRE(end.transport->dial("tcp://no-such-host.invalid:7400"));
  REQUIRE(end.until([&] { return end.recorder.failed().size() == 1; }));
}

TEST_CASE("calls before start and after stop answer, and do nothing") {
  auto transport = zmq::transport();
  CHECK(transport->listen("tcp://127.0.0.1:0").error().code() == ErrorCode::closed);
  CHECK(transport->dial("tcp://127.0.0.1:1").error().code() == ErrorCode::closed);
  CHECK(transport->send(ConnectionId{1}, bytes_of("x")) == Sent::gone);
  transport->disconnect(ConnectionId{1});
  CHECK(transport->flushed());
  transport->stop();
  transport->stop();
}

}  // namespace midplane::test
