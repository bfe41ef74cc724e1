/// Real processes that die without a word.
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <memory>

#include "testing/transport_law.hpp"
#include "zmq/child_process.hpp"
#include "zmq/zmq_worlds.hpp"

namespace midplane::test {
namespace {

/// Dials what it is told, says "up" once it is, and stays.
void dial_and_stay(int in, int out) {
  TcpWorld world;
  Recorder recorder;
  auto transport = world.make();
  static_cast<void>(transport->start(world.context(recorder)));
  static_cast<void>(transport->dial(ChildProcess::read_line(in)));
  world.until(recorder, [&] { return recorder.ups() == 1; });
  static_cast<void>(transport->send(recorder.latest(), bytes_of("from a child")));
  ChildProcess::write_line(out, "up");
  ChildProcess::wait_for_the_end(in);
}

/// Listens, says where, and stays.
void listen_and_stay(const std::string& endpoint, int in, int out) {
  TcpWorld world;
  Recorder recorder;
  auto transport = world.make();
  static_cast<void>(transport->start(world.context(recorder)));
  const auto address = transport->listen(endpoint);
  ChildProcess::write_line(out, address ? *address : address.error().message());
  ChildProcess::wait_for_the_end(in);
}

}  // namespace

TEST_CASE("the kill of a dialling process is told at the listener") {
  ChildProcess child{&dial_and_stay};
  TcpWorld world;
  End<TcpWorld> end{world};
  const auto address = end.transport->listen(world.somewhere());
  REQUIRE(address);
  child.write_line(*address);
  REQUIRE(end.until([&] { return end.recorder.ups() == 1 && end.recorder.frames(end.recorder.latest()) == 1; }));
  CHECK(end.recorder.downs() == 0);
  child.end();
  REQUIRE(end.until([&] { return end.recorder.downs() == 1; }));
  CHECK(end.recorder.seen(end.recorder.latest()).code == ErrorCode::peer_lost);
}

TEST_CASE("the kill of a listening process is told at the dialling end") {
  ChildProcess child{[](int in, int out) { listen_and_stay("tcp://127.0.0.1:*", in, out); }};
  TcpWorld world;
  End<TcpWorld> end{world};
  REQUIRE(end.transport->dial(child.read_line()));
  REQUIRE(end.until([&] { return end.recorder.ups() == 1; }));
  child.end();
  REQUIRE(end.until([&] { return end.recorder.downs() == 1; }));
}

TEST_CASE("descriptors that are used again do not mix up who died") {
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (int i = 0; i != 12; ++i) children.push_back(std::make_unique<ChildProcess>(&dial_and_stay));
  TcpWorld world;
  End<TcpWorld> end{world};
  const auto address = end.transport->listen(world.somewhere());
  REQUIRE(address);
  for (std::size_t i = 0; i != children.size(); ++i) {
    children[i]->write_line(*address);
    REQUIRE(children[i]->read_line() == "up");
    REQUIRE(end.until([&] { return end.recorder.ups() == i + 1 && end.recorder.frames(end.recorder.latest()) == 1; }));
    // Every other one dies before the next one comes, on the descriptor that has just become free.
    if (i % 2 == 1) {
      const ConnectionId dying = end.recorder.latest();
      children[i]->end();
      REQUIRE(end.until([&] { return end.recorder.seen(dying).is_down; }));
    }
  }
  CHECK(end.recorder.downs() == children.size() / 2);
  children.clear();
  REQUIRE(end.until([&] { return end.recorder.downs() == end.recorder.ups(); }));
}

TEST_CASE("an ipc path is held by one living listener and taken over from a dead one") {
  ScratchDirectory directory;
  const std::string endpoint = "ipc://" + directory / "bus";
  {
    ChildProcess child{[&](int in, int out) { listen_and_stay(endpoint, in, out); }};
    REQUIRE(child.read_line() == endpoint);
    TcpWorld world;
    End<TcpWorld> end{world};
    const auto refused = end.transport->listen(endpoint);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == ErrorCode::transport_failed);
    child.end();
    CHECK_FALSE(directory.is_empty());
    CHECK(end.transport->listen(endpoint));
    end.transport->stop();
    CHECK(directory.is_empty());
  }
}

TEST_CASE("who listens at a relative ipc path tells the absolute one, which others can dial") {
  ScratchDirectory directory;
  ChildProcess child{[&](int in, int out) {
    if (::chdir((directory / "").c_str()) == 0) listen_and_stay("ipc://bus", in, out);
  }};
  const std::string address = child.read_line();
  CHECK(address == "ipc://" + directory / "bus");
  TcpWorld world;
  End<TcpWorld> end{world};
  REQUIRE(end.transport->dial(address));
  CHECK(end.until([&] { return end.recorder.ups() == 1; }));
}

TEST_CASE("who dials a Unix socket that is not there, or that nobody listens at, hears which of the two it is") {
  ScratchDirectory directory;
  { std::ofstream{directory / "left"}; }
  TcpWorld world;
  End<TcpWorld> end{world};
  const auto hears = [&](const std::string& endpoint, std::string_view words) {
    const std::size_t before = end.recorder.failed().size();
    REQUIRE(end.transport->dial(endpoint));
    REQUIRE(end.until([&] { return end.recorder.failed().size() > before; }));
    CHECK_MESSAGE(end.recorder.failed().back().find(words) != std::string::npos, end.recorder.failed().back());
  };
  hears("ipc://" + directory / "absent", "there is no such file: nobody listens there");
  hears("ipc://no-such-bus", "no such file in this program's working directory; write an absolute path");
  hears("ipc://" + directory / "left", "nobody answers there: the file is left over");
}

TEST_CASE("a listener without descriptors left pauses and comes back; it does not abort") {
  for (const bool over_ipc : {true, false}) {
    ScratchDirectory directory;
    const std::string endpoint = over_ipc ? "ipc://" + directory / "bus" : std::string{"tcp://127.0.0.1:*"};
    ChildProcess child{[&](int in, int out) {
      rlimit limit{};
      ::getrlimit(RLIMIT_NOFILE, &limit);
      limit.rlim_cur = 64;
      ::setrlimit(RLIMIT_NOFILE, &limit);
      listen_and_stay(endpoint, in, out);
    }};
    const std::string address = child.read_line();
    std::vector<std::unique_ptr<End<TcpWorld>>> ends;
    TcpWorld world;
    const auto dial = [&] {
      End<TcpWorld>& end = *ends.emplace_back(std::make_unique<End<TcpWorld>>(world));
      REQUIRE(end.transport->dial(address));
      REQUIRE(end.until([&] { return end.recorder.ups() + end.recorder.failed().size() == 1; }));
      return end.recorder.ups() == 1;
    };
    while (ends.size() < 64 && dial()) continue;
    CHECK(ends.size() > 4);
    CHECK_FALSE(ends.back()->recorder.failed().empty());
    ends.clear();
    // Its descriptors are free again; the next look brings it back.
    bool came_back = false;
    for (int i = 0; i != 20'000 && !came_back; ++i) {
      ends.clear();
      came_back = dial();
    }
    CHECK(came_back);
    ends.clear();
    CHECK(WTERMSIG(child.end()) == SIGKILL);
  }
}

TEST_CASE("a transport that would not get its descriptors fails, and says why") {
  ChildProcess child{[](int, int out) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 16;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    TcpWorld world;
    Recorder recorder;
    const auto started = world.make()->start(world.context(recorder));
    ChildProcess::write_line(out, started ? std::string{"started"} : started.error().message());
  }};
  CHECK(child.read_line().find("transport_failed: too few file descriptors") == 0);
  CHECK(child.wait() == 0);
}

TEST_CASE("a process without standard output gets an error, not a socket in its place") {
  ChildProcess child{[](int, int out) {
    ::close(STDOUT_FILENO);
    TcpWorld world;
    Recorder recorder;
    const auto started = world.make()->start(world.context(recorder));
    ChildProcess::write_line(out, started ? std::string{"started"} : started.error().message());
  }};
  CHECK(child.read_line().find("transport_failed: descriptors 0, 1 and 2") == 0);
}

}  // namespace midplane::test
