#include "processes/proxy.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include <doctest/doctest.h>

namespace midplane::test {
namespace {

constexpr int wait_ms = 10'000;
constexpr std::chrono::seconds limit{10};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool readable(int socket, int milliseconds) {
  pollfd one{socket, POLLIN, 0};
  return ::poll(&one, 1, milliseconds) == 1;
}

/// Whoever dials, the proxy, and who is behind it.
struct Line {
  explicit Line(int socket_bytes = 0) {
    listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener, 8) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    proxy = std::make_unique<Proxy>(ntohs(address.sin_port), socket_bytes);
    dial();
    REQUIRE(readable(listener, wait_ms));
    far = ::accept(listener, nullptr, nullptr);
  }
  ~Line() {
    for (const int socket : {near, far, listener}) ::close(socket);
  }
  void dial() {
    near = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(proxy->port());
    REQUIRE(::connect(near, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  int listener = -1, near = -1, far = -1;
  std::unique_ptr<Proxy> proxy;
};

void say(int socket, const std::string& text) {
  REQUIRE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

/// So many bytes, or fewer when the line ends.
std::string hear(int socket, std::size_t count) {
  std::string text;
  char bytes[4096];
  while (text.size() < count && readable(socket, wait_ms)) {
    const ssize_t got = ::recv(socket, bytes, std::min(sizeof bytes, count - text.size()), 0);
    if (got <= 0) break;
    text.append(bytes, static_cast<std::size_t>(got));
  }
  return text;
}

bool is_reset(int socket) {
  char byte = 0;
  return readable(socket, wait_ms) && ::recv(socket, &byte, 1, 0) < 0 && errno == ECONNRESET;
}

}  // namespace

TEST_CASE("the proxy carries bytes both ways, counts them, and passes on an end") {
  Line line;
  say(line.near, "question");
  CHECK(hear(line.far, 8) == "question");
  say(line.far, "answer");
  CHECK(hear(line.near, 6) == "answer");
  CHECK(line.proxy->forwarded(Way::up) == 8);
  CHECK(line.proxy->forwarded(Way::down) == 6);
  ::shutdown(line.near, SHUT_WR);
  CHECK(hear(line.far, 1) == "");
}

TEST_CASE("a cut proxy swallows bytes and ends, and resets what lost bytes when it heals") {
  Line line;
  line.proxy->cut();
  say(line.near, "lost");
  say(line.far, "lost too");
  REQUIRE(line.proxy->until([](const auto& counts) { return counts.swallowed[0] + counts.swallowed[1] == 12; }, limit));
  ::shutdown(line.near, SHUT_WR);
  CHECK_FALSE(readable(line.far, 50));
  line.proxy->heal();
  CHECK(is_reset(line.far));
  ::close(line.near);
  line.dial();
  REQUIRE(readable(line.listener, wait_ms));
  ::close(line.far);
  line.far = ::accept(line.listener, nullptr, nullptr);
  say(line.near, "whole");
  CHECK(hear(line.far, 5) == "whole");
}

TEST_CASE("a half-open proxy swallows one direction and carries the other") {
  Line line;
  line.proxy->half_open(Way::up);
  say(line.near, "lost");
  REQUIRE(line.proxy->until([](const Proxy::Counts& counts) { return counts.swallowed[0] == 4; }, limit));
  CHECK_FALSE(readable(line.far, 50));
  say(line.far, "kept");
  CHECK(hear(line.near, 4) == "kept");
  CHECK(line.proxy->swallowed(Way::down) == 0);
  line.proxy->heal();
  CHECK(is_reset(line.near));
}

TEST_CASE("a holding proxy lets buffers fill up to the sender, and loses nothing") {
  Line line{4096};
  line.proxy->hold();
  const std::string block(4096, 'x');
  std::size_t sent = 0;
  for (ssize_t count = 1; count > 0; sent += count > 0 ? static_cast<std::size_t>(count) : 0)
    count = ::send(line.near, block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  CHECK(errno == EAGAIN);
  line.proxy->heal();
  CHECK(hear(line.far, sent).size() == sent);
}

TEST_CASE("a proxy resets both sides at once, or after so many bytes") {
  Line now;
  now.proxy->reset();
  CHECK(is_reset(now.near));
  CHECK(is_reset(now.far));
  Line later;
  later.proxy->reset_after(Way::up, 10);
  say(later.near, "0123456789abc");
  CHECK(is_reset(later.near));
  CHECK(later.proxy->forwarded(Way::up) == 10);
}

TEST_CASE("a proxy flips one bit in each block behind the bytes that stay whole") {
  Line line;
  line.proxy->flip_bits({.every = 100, .after = 64, .seed = 7});
  const std::string whole(1064, 'a');
  say(line.near, whole);
  const std::string got = hear(line.far, whole.size());
  REQUIRE(got.size() == whole.size());
  int changed = 0;
  for (std::size_t i = 0; i != got.size(); ++i) {
    if (got[i] == whole[i]) continue;
    ++changed;
    CHECK(i >= 64);
    CHECK(__builtin_popcount(static_cast<unsigned char>(got[i] ^ whole[i])) == 1);
  }
  CHECK(changed == 10);
  CHECK(line.proxy->counts().flipped == 10);
}

TEST_CASE("a proxy carries single bytes, and no more a second than it may") {
  Line line{4096};
  line.proxy->byte_at_a_time();
  say(line.near, std::string(3000, 'b'));
  CHECK(hear(line.far, 3000).size() == 3000);
  line.proxy->heal();
  line.proxy->rate(20'000);
  const auto began = std::chrono::steady_clock::now();
  say(line.near, std::string(6000, 'c'));
  CHECK(hear(line.far, 6000).size() == 6000);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  MESSAGE("6000 bytes at 20000 a second took " << took.count() << " s");
  CHECK(took.count() > 0.2);
  CHECK(took.count() < 3.0);
}

}  // namespace midplane::test
