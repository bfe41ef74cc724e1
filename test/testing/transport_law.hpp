#pragma once
/// The law of a Transport as tests. A transport proves itself with
///
///     TEST_CASE_TEMPLATE_INVOKE(transport_law, MyWorld);
///
/// where a World makes transports that can reach each other:
///     std::unique_ptr<Transport> make();          TransportContext context(Inbound&);
///     std::string somewhere();                     an endpoint nobody listens at yet
///     bool until(Recorder&, Function<bool()>);     lets things happen until it is true, or gives up

#include <atomic>
#include <thread>

#include "testing/recorder.hpp"

namespace midplane::test {

/// One transport and what it told.
template <class World>
struct End {
  explicit End(World& its_world) : world{its_world}, transport{world.make()} {
    started = transport->start(world.context(recorder)).has_value();
    REQUIRE(started);
  }
  ~End() {
    transport->stop();
    CHECK(recorder.law_broken() == "");
  }
  bool until(Function<bool()> done) { return world.until(recorder, std::move(done)); }
  /// Sends, waiting for room where it must.
  bool send(ConnectionId id, std::span<const std::byte> frame) {
    while (true) {
      const std::size_t before = recorder.writables(id);
      const Sent sent = transport->send(id, frame);
      if (sent != Sent::full) return sent == Sent::taken;
      fulls++;
      if (!until([&] { return recorder.writables(id) > before; })) return false;
    }
  }
  bool send(ConnectionId id, std::string_view text) { return send(id, bytes_of(text)); }

  World& world;
  Recorder recorder;
  std::unique_ptr<Transport> transport;
  std::size_t fulls = 0;
  bool started = false;
};

/// Two ends and one connection between them.
template <class World>
struct Pair {
  Pair() {
    const auto address = bound.transport->listen(world.somewhere());
    REQUIRE_MESSAGE(address.has_value(), (address ? std::string{} : address.error().message()));
    endpoint = *address;
    REQUIRE(dialled.transport->dial(endpoint));
    REQUIRE(dialled.until([&] { return dialled.recorder.ups() == 1; }));
    REQUIRE(bound.until([&] { return bound.recorder.ups() == 1; }));
    out = dialled.recorder.latest();
    in = bound.recorder.latest();
  }
  World world;
  End<World> bound{world};
  End<World> dialled{world};
  std::string endpoint;
  ConnectionId out{};  ///< at the dialling end
  ConnectionId in{};   ///< at the bound end
};

/// A frame that tells its place and its length.
inline std::string numbered(std::size_t number, std::size_t size) {
  std::string frame = std::to_string(number) + ':';
  frame.resize(std::max(size, frame.size()), static_cast<char>('a' + number % 26));
  return frame;
}

TEST_CASE_TEMPLATE_DEFINE("a connection is up once at both ends, with the endpoint that was dialled", World, law_up) {
  Pair<World> pair;
  CHECK(pair.dialled.recorder.seen(pair.out).is_dialled);
  CHECK(pair.dialled.recorder.seen(pair.out).endpoint == pair.endpoint);
  CHECK_FALSE(pair.bound.recorder.seen(pair.in).is_dialled);
  CHECK(pair.bound.recorder.seen(pair.in).endpoint == pair.endpoint);
}

TEST_CASE_TEMPLATE_DEFINE("frames arrive whole and in order, both ways at once", World, law_order) {
  Pair<World> pair;
  constexpr std::size_t count = 400;
  for (std::size_t i = 0; i != count; ++i) {
    REQUIRE(pair.dialled.send(pair.out, numbered(i, 1 + (i * 37) % 9000)));
    REQUIRE(pair.bound.send(pair.in, numbered(i, 1 + (i * 91) % 9000)));
  }
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.frames(pair.in) == count; }));
  REQUIRE(pair.dialled.until([&] { return pair.dialled.recorder.frames(pair.out) == count; }));
  const auto at_bound = pair.bound.recorder.seen(pair.in).frames;
  const auto at_dialled = pair.dialled.recorder.seen(pair.out).frames;
  for (std::size_t i = 0; i != count; ++i) {
    REQUIRE(at_bound[i] == numbered(i, 1 + (i * 37) % 9000));
    REQUIRE(at_dialled[i] == numbered(i, 1 + (i * 91) % 9000));
  }
}

TEST_CASE_TEMPLATE_DEFINE("a frame of 1 MiB stays valid until it is released, even after stop", World, law_big) {
  std::vector<InboundFrame> kept;
  {
    Pair<World> pair;
    pair.bound.recorder.keeps = true;
    for (std::size_t i = 0; i != 4; ++i) REQUIRE(pair.dialled.send(pair.out, numbered(i, 1 << 20)));
    REQUIRE(pair.bound.until([&] { return pair.bound.recorder.frames(pair.in) == 4; }));
    kept = pair.bound.recorder.take_kept();
  }
  for (std::size_t i = 0; i != kept.size(); ++i) {
    const std::string expected = numbered(i, 1 << 20);
    CHECK(kept[i].bytes.size() == expected.size());
    CHECK(std::memcmp(kept[i].bytes.data(), expected.data(), expected.size()) == 0);
    kept[i].release();
  }
}

TEST_CASE_TEMPLATE_DEFINE("full is followed by writable once", World, law_full) {
  Pair<World> pair;
  const auto frame = bytes_of(numbered(1, 1 << 20));
  std::size_t taken = 0;
  while (pair.dialled.transport->send(pair.out, frame) == Sent::taken) REQUIRE(++taken < 10'000);
  // Asking again may find room by now, and else changes nothing.
  const Sent again = pair.dialled.transport->send(pair.out, bytes_of("again"));
  CHECK(again != Sent::gone);
  taken += again == Sent::taken ? 1U : 0U;
  REQUIRE(pair.dialled.until([&] { return pair.dialled.recorder.writables(pair.out) >= 1; }));
  REQUIRE(pair.dialled.send(pair.out, "last"));
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.frames(pair.in) == taken + 1; }));
  CHECK(pair.bound.recorder.seen(pair.in).frames.back() == "last");
  CHECK(pair.dialled.recorder.writables(pair.out) <= 2 + pair.dialled.fulls);
}

TEST_CASE_TEMPLATE_DEFINE("disconnect ends a dialled connection at both ends, once", World, law_disconnect_dialled) {
  Pair<World> pair;
  REQUIRE(pair.dialled.send(pair.out, "last"));
  pair.dialled.transport->disconnect(pair.out);
  pair.dialled.transport->disconnect(pair.out);
  CHECK(pair.dialled.transport->send(pair.out, bytes_of("late")) == Sent::gone);
  REQUIRE(pair.dialled.until([&] { return pair.dialled.recorder.downs() == 1; }));
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.downs() == 1; }));
  CHECK(pair.dialled.recorder.seen(pair.out).code == ErrorCode::closed);
  CHECK(pair.bound.recorder.seen(pair.in).code == ErrorCode::peer_lost);
  CHECK(pair.bound.recorder.seen(pair.in).frames == std::vector<std::string>{"last"});
  CHECK(pair.bound.transport->send(pair.in, bytes_of("late")) == Sent::gone);
}

TEST_CASE_TEMPLATE_DEFINE("disconnect at the bound end brings down there, and nothing after it", World, law_disconnect_bound) {
  Pair<World> pair;
  pair.bound.transport->disconnect(pair.in);
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.downs() == 1; }));
  CHECK(pair.bound.transport->send(pair.in, bytes_of("late")) == Sent::gone);
  static_cast<void>(pair.dialled.transport->send(pair.out, bytes_of("unheard")));
  // Another connection is not disturbed by it.
  REQUIRE(pair.dialled.transport->dial(pair.endpoint));
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.ups() == 2; }));
  REQUIRE(pair.dialled.until([&] { return pair.dialled.recorder.ups() == 2; }));
  const ConnectionId in = pair.bound.recorder.latest();
  REQUIRE(pair.dialled.send(pair.dialled.recorder.latest(), "heard"));
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.frames(in) == 1; }));
  CHECK(pair.bound.recorder.frames(pair.in) == 0);
}

TEST_CASE_TEMPLATE_DEFINE("dialling where nobody listens fails and is never up", World, law_refused) {
  World world;
  End<World> end{world};
  const std::string nowhere = world.nowhere();
  REQUIRE(end.transport->dial(nowhere));
  REQUIRE(end.until([&] { return end.recorder.failed().size() == 1; }));
  CHECK(end.recorder.failed()[0].find(nowhere) == 0);
  CHECK(end.recorder.ups() == 0);
}

TEST_CASE_TEMPLATE_DEFINE("when one side stops the other side is told down, also with frames in flight", World, law_stop) {
  Pair<World> pair;
  for (int i = 0; i != 50; ++i) static_cast<void>(pair.bound.transport->send(pair.in, bytes_of(numbered(1, 60'000))));
  for (int i = 0; i != 50; ++i) static_cast<void>(pair.dialled.transport->send(pair.out, bytes_of(numbered(1, 60'000))));
  pair.dialled.transport->stop();
  const auto told = pair.dialled.recorder.seen(pair.out);
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.downs() == 1; }));
  CHECK(pair.dialled.transport->send(pair.out, bytes_of("late")) == Sent::gone);
  CHECK(pair.dialled.recorder.frames(pair.out) == told.frames.size());
  pair.dialled.transport->stop();
}

TEST_CASE_TEMPLATE_DEFINE("frames may be sent from within frame", World, law_echo) {
  Pair<World> pair;
  pair.bound.recorder.on_frame = [&](ConnectionId id, std::span<const std::byte> bytes) {
    static_cast<void>(pair.bound.transport->send(id, bytes));
  };
  for (std::size_t i = 0; i != 100; ++i) {
    REQUIRE(pair.dialled.send(pair.out, numbered(i, 10)));
    REQUIRE(pair.dialled.until([&] { return pair.dialled.recorder.frames(pair.out) == i + 1; }));
  }
  CHECK(pair.dialled.recorder.seen(pair.out).frames[99] == numbered(99, 10));
  // The echo refers to this pair, whose bound end must not speak when it is half gone.
  pair.dialled.transport->stop();
  pair.bound.transport->stop();
}

TEST_CASE_TEMPLATE_DEFINE("several connections of one pair are told apart and end singly", World, law_many) {
  Pair<World> pair;
  for (std::size_t i = 0; i != 4; ++i) {
    REQUIRE(pair.dialled.transport->dial(pair.endpoint));
    REQUIRE(pair.dialled.until([&] { return pair.dialled.recorder.ups() == i + 2; }));
    REQUIRE(pair.bound.until([&] { return pair.bound.recorder.ups() == i + 2; }));
  }
  for (const auto& entry : pair.dialled.recorder.all())
    REQUIRE(pair.dialled.send(entry.first, std::to_string(static_cast<std::uint64_t>(entry.first))));
  const auto has_one_frame_each = [&] {
    for (const auto& entry : pair.bound.recorder.all())
      if (entry.second.frames.size() != 1) return false;
    return true;
  };
  REQUIRE(pair.bound.until(has_one_frame_each));
  pair.dialled.transport->disconnect(pair.out);
  REQUIRE(pair.bound.until([&] { return pair.bound.recorder.downs() == 1; }));
  const auto gone = std::to_string(static_cast<std::uint64_t>(pair.out));
  for (const auto& entry : pair.bound.recorder.all()) CHECK(entry.second.is_down == (entry.second.frames[0] == gone));
}

}  // namespace midplane::test

/// Each World obeys the whole law.
#define MIDPLANE_TRANSPORT_LAW(...)                                 \
  TEST_CASE_TEMPLATE_INVOKE(law_up, __VA_ARGS__);                   \
  TEST_CASE_TEMPLATE_INVOKE(law_order, __VA_ARGS__);                \
  TEST_CASE_TEMPLATE_INVOKE(law_big, __VA_ARGS__);                  \
  TEST_CASE_TEMPLATE_INVOKE(law_full, __VA_ARGS__);                 \
  TEST_CASE_TEMPLATE_INVOKE(law_disconnect_dialled, __VA_ARGS__);   \
  TEST_CASE_TEMPLATE_INVOKE(law_disconnect_bound, __VA_ARGS__);     \
  TEST_CASE_TEMPLATE_INVOKE(law_refused, __VA_ARGS__);              \
  TEST_CASE_TEMPLATE_INVOKE(law_stop, __VA_ARGS__);                 \
  TEST_CASE_TEMPLATE_INVOKE(law_echo, __VA_ARGS__);                 \
  TEST_CASE_TEMPLATE_INVOKE(law_many, __VA_ARGS__)
