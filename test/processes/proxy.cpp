#include "processes/proxy.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>

namespace midplane::test {
namespace {

constexpr std::size_t chunk_bytes = 4096;
constexpr int pace_ms = 5;

std::size_t at(Way way) { return static_cast<std::size_t>(way); }

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void set(int socket, int level, int option, int value) {
  static_cast<void>(::setsockopt(socket, level, option, &value, sizeof value));
}

void close_socket(int& socket, bool with_reset) {
  if (socket < 0) return;
  const linger hard{1, 0};
  if (with_reset) static_cast<void>(::setsockopt(socket, SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
  ::close(socket);
  socket = -1;
}

std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  return x;
}

}  // namespace

Proxy::Proxy(std::uint16_t to_port, int socket_bytes) : to_port_{to_port}, socket_bytes_{socket_bytes} {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  bell_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // A taken connection inherits its buffers, and its window, from here.
  if (socket_bytes_ != 0) {
    set(listener_, SOL_SOCKET, SO_RCVBUF, socket_bytes_);
    set(listener_, SOL_SOCKET, SO_SNDBUF, socket_bytes_);
  }
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    std::abort();
  port_ = ntohs(address.sin_port);
  thread_ = std::thread{[this] { run(); }};
}

Proxy::~Proxy() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake();
  thread_.join();
  for (const auto& connection : connections_) end(*connection, true);
  close_socket(listener_, false);
  ::close(bell_);
}

void Proxy::wake() const {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(bell_, &one, sizeof one));
}

void Proxy::cut() {
  const std::lock_guard lock{mutex_};
  rules_.swallow = {true, true};
  wake();
}
void Proxy::half_open(Way swallowed) {
  const std::lock_guard lock{mutex_};
  rules_.swallow[at(swallowed)] = true;
  wake();
}
void Proxy::hold() {
  const std::lock_guard lock{mutex_};
  rules_.hold = true;
  wake();
}
void Proxy::heal() {
  const std::lock_guard lock{mutex_};
  rules_ = {};
  for (const auto& connection : connections_) {
    if (connection->pipe[0].holed || connection->pipe[1].holed) end(*connection, true);
  }
  wake();
}
void Proxy::reset() {
  const std::lock_guard lock{mutex_};
  for (const auto& connection : connections_) end(*connection, true);
  wake();
}
void Proxy::reset_after(Way way, std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  reset_in_[at(way)] = bytes;
}
void Proxy::byte_at_a_time() {
  const std::lock_guard lock{mutex_};
  rules_.single_bytes = true;
}
void Proxy::flip_bits(Flips flips) {
  const std::lock_guard lock{mutex_};
  rules_.flips = flips;
}
void Proxy::rate(std::uint64_t bytes_per_second) {
  const std::lock_guard lock{mutex_};
  rules_.bytes_per_second = bytes_per_second;
  wake();
}

Proxy::Counts Proxy::counts() const {
  const std::lock_guard lock{mutex_};
  return counts_;
}

bool Proxy::until(const std::function<bool(const Counts&)>& done, std::chrono::milliseconds limit) const {
  std::unique_lock lock{mutex_};
  return counted_.wait_for(lock, limit, [&] { return done(counts_); });
}

bool Proxy::wants_to_read(const Connection& connection, Way way) const {
  const Pipe& pipe = connection.pipe[at(way)];
  if (pipe.ended || rules_.hold || connection.socket[at(way)] < 0) return false;
  if (rules_.swallow[at(way)] || pipe.holed) return true;
  return pipe.held.empty() && (rules_.bytes_per_second == 0 || pipe.tokens >= 1);
}

void Proxy::run() {
  auto before = std::chrono::steady_clock::now();
  std::vector<pollfd> watched;
  for (;;) {
    watched.assign({{listener_, POLLIN, 0}, {bell_, POLLIN, 0}});
    int timeout = -1;
    {
      const std::lock_guard lock{mutex_};
      if (stopping_) return;
      std::erase_if(connections_, [](const auto& connection) { return connection->over; });
      if (rules_.bytes_per_second != 0 && !connections_.empty()) timeout = pace_ms;
      for (const auto& connection : connections_) {
        for (const Way way : {Way::up, Way::down}) {
          const bool reads = wants_to_read(*connection, way);
          watched.push_back({reads ? connection->socket[at(way)] : -1, POLLIN, 0});
          const bool writes = !connection->pipe[at(way)].held.empty() && !rules_.hold;
          watched.push_back({writes ? connection->socket[1 - at(way)] : -1, POLLOUT, 0});
        }
      }
    }
    static_cast<void>(::poll(watched.data(), watched.size(), timeout));
    const std::lock_guard lock{mutex_};
    std::uint64_t rung = 0;
    static_cast<void>(!::read(bell_, &rung, sizeof rung));
    const auto now = std::chrono::steady_clock::now();
    const double elapsed = std::chrono::duration<double>(now - before).count();
    before = now;
    // Sockets do not block: trying one that has nothing costs a call and is right.
    for (const auto& connection : connections_) {
      for (const Way way : {Way::up, Way::down}) {
        if (!connection->over) step(*connection, way, elapsed);
      }
      if (connection->pipe[0].end_told && connection->pipe[1].end_told) end(*connection, false);
    }
    take_connection();
    counted_.notify_all();
  }
}

void Proxy::take_connection() {
  const int taken = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (taken < 0) return;
  ++counts_.connections;
  auto connection = std::make_unique<Connection>();
  connection->socket[0] = taken;
  for (const Way way : {Way::up, Way::down}) connection->pipe[at(way)].salt = 2 * counts_.connections + at(way);
  set(taken, IPPROTO_TCP, TCP_NODELAY, 1);
  if (rules_.swallow[0] || rules_.swallow[1]) {
    // Half a line is no line to connect over.
    connection->pipe[0].holed = connection->pipe[1].holed = true;
  } else {
    int& out = connection->socket[1];
    out = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_bytes_ != 0) {
      set(out, SOL_SOCKET, SO_RCVBUF, socket_bytes_);
      set(out, SOL_SOCKET, SO_SNDBUF, socket_bytes_);
    }
    const sockaddr_in address = loopback(to_port_);
    if (::connect(out, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return end(*connection, true);
    set(out, IPPROTO_TCP, TCP_NODELAY, 1);
  }
  connections_.push_back(std::move(connection));
}

void Proxy::step(Connection& connection, Way way, double elapsed) {
  Pipe& pipe = connection.pipe[at(way)];
  if (rules_.bytes_per_second != 0) {
    const double rate = static_cast<double>(rules_.bytes_per_second);
    pipe.tokens = std::min(pipe.tokens + rate * elapsed, std::max(64.0, rate / 20));
  }
  for (int turn = 0; turn != 64 && !connection.over; ++turn) {
    const bool read = wants_to_read(connection, way) && read_some(connection, way);
    const bool wrote = !connection.over && !rules_.hold && !pipe.held.empty() && write_some(connection, way);
    if (!read && !wrote) break;
  }
  if (connection.over || !pipe.ended || !pipe.held.empty() || pipe.end_told || rules_.hold) return;
  if (rules_.swallow[at(way)] || pipe.holed) return;
  pipe.end_told = true;
  ::shutdown(connection.socket[1 - at(way)], SHUT_WR);
}

bool Proxy::read_some(Connection& connection, Way way) {
  Pipe& pipe = connection.pipe[at(way)];
  const bool swallow = rules_.swallow[at(way)] || pipe.holed;
  char bytes[chunk_bytes];
  std::size_t wanted = sizeof bytes;
  if (!swallow && rules_.bytes_per_second != 0) wanted = std::min(wanted, static_cast<std::size_t>(pipe.tokens));
  const ssize_t count = ::recv(connection.socket[at(way)], bytes, wanted, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    pipe.ended = true;
    if (swallow) pipe.holed = true;
    else if (count < 0) end(connection, true);
    return false;
  }
  const auto size = static_cast<std::size_t>(count);
  if (swallow) {
    pipe.holed = true;
    counts_.swallowed[at(way)] += size;
    return true;
  }
  pipe.tokens -= static_cast<double>(size);
  damage(pipe, bytes, size);
  pipe.held.assign(bytes, bytes + size);
  return true;
}

void Proxy::damage(Pipe& pipe, char* bytes, std::size_t count) {
  const Flips& flips = rules_.flips;
  for (std::size_t i = 0; i != count; ++i, ++pipe.position) {
    if (flips.every == 0 || pipe.position < flips.after) continue;
    const std::uint64_t block = (pipe.position - flips.after) / flips.every;
    const std::uint64_t chosen = mixed(mixed(flips.seed * 0x9e3779b97f4a7c15ULL + pipe.salt) + block);
    if ((pipe.position - flips.after) % flips.every != chosen % flips.every) continue;
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << (chosen >> 60 & 7)));
    ++counts_.flipped;
  }
}

bool Proxy::write_some(Connection& connection, Way way) {
  Pipe& pipe = connection.pipe[at(way)];
  std::size_t size = rules_.single_bytes ? 1 : pipe.held.size();
  std::uint64_t& reset_in = reset_in_[at(way)];
  if (reset_in != 0) size = std::min<std::size_t>(size, reset_in);
  const ssize_t count = ::send(connection.socket[1 - at(way)], pipe.held.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) end(connection, true);
    return false;
  }
  pipe.held.erase(pipe.held.begin(), pipe.held.begin() + count);
  counts_.forwarded[at(way)] += static_cast<std::uint64_t>(count);
  if (reset_in != 0 && (reset_in -= static_cast<std::uint64_t>(count)) == 0) end(connection, true);
  return true;
}

void Proxy::end(Connection& connection, bool with_reset) {
  for (int& socket : connection.socket) close_socket(socket, with_reset);
  connection.over = true;
}

}  // namespace midplane::test
