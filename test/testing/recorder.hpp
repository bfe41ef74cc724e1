#pragma once
/// An Inbound that writes down what it is told and checks the part of the law that holds at every moment.

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <midplane/extend/transport.hpp>

namespace midplane::test {

inline std::vector<std::byte> bytes_of(std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

struct Seen {
  bool is_dialled = false;
  bool is_down = false;
  std::string endpoint;
  std::string why;
  ErrorCode code{};
  std::vector<std::string> frames;
  std::size_t writables = 0;
};

class Recorder final : public Inbound {
 public:
  /// Called with each frame before it is released, without the lock.
  Function<void(ConnectionId, std::span<const std::byte>)> on_frame;
  /// Frames are kept unreleased instead of copied.
  bool keeps = false;

  void up(ConnectionId id, bool dialled, std::string_view endpoint) noexcept override {
    change([&] {
      if (seen_.contains(id)) law_broken_ = "up twice";
      Seen& seen = seen_[id];
      seen.is_dialled = dialled;
      seen.endpoint = endpoint;
      latest_ = id;
    });
  }
  void frame(ConnectionId id, InboundFrame frame) noexcept override {
    if (on_frame) on_frame(id, frame.bytes);
    change([&] {
      if (Seen* seen = alive(id, "frame"))
        seen->frames.emplace_back(reinterpret_cast<const char*>(frame.bytes.data()), frame.bytes.size());
      if (keeps) kept_.push_back(std::move(frame));
    });
    if (frame.release) frame.release();
  }
  void writable(ConnectionId id) noexcept override {
    change([&] {
      if (Seen* seen = alive(id, "writable")) seen->writables++;
    });
  }
  void down(ConnectionId id, const Error& why) noexcept override {
    change([&] {
      Seen* seen = alive(id, "down");
      if (seen == nullptr) return;
      seen->is_down = true;
      seen->why = why.message();
      seen->code = why.code();
    });
  }
  void dial_failed(std::string_view endpoint, const Error& why) noexcept override {
    change([&] { failed_.push_back(std::string{endpoint} + " " + why.message()); });
  }

  /// A copy of what was seen; the newest connection without an id.
  Seen seen(ConnectionId id) {
    const std::lock_guard lock{mutex_};
    return seen_[id];
  }
  std::map<ConnectionId, Seen> all() {
    const std::lock_guard lock{mutex_};
    return seen_;
  }
  ConnectionId latest() {
    const std::lock_guard lock{mutex_};
    return latest_;
  }
  std::vector<std::string> failed() {
    const std::lock_guard lock{mutex_};
    return failed_;
  }
  std::size_t ups() {
    const std::lock_guard lock{mutex_};
    return seen_.size();
  }
  std::size_t downs() {
    const std::lock_guard lock{mutex_};
    std::size_t count = 0;
    for (const auto& entry : seen_) count += entry.second.is_down ? 1U : 0U;
    return count;
  }
  std::size_t frames(ConnectionId id) {
    const std::lock_guard lock{mutex_};
    return seen_[id].frames.size();
  }
  std::size_t writables(ConnectionId id) {
    const std::lock_guard lock{mutex_};
    return seen_[id].writables;
  }
  std::vector<InboundFrame> take_kept() {
    const std::lock_guard lock{mutex_};
    return std::move(kept_);
  }
  std::string law_broken() {
    const std::lock_guard lock{mutex_};
    return law_broken_;
  }

  /// Waits until `done`, woken by every event. False after the limit.
  bool wait(Function<bool()>& done, std::chrono::seconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      std::unique_lock lock{mutex_};
      const std::size_t before = changes_;
      lock.unlock();
      if (done()) return true;
      lock.lock();
      if (!changed_.wait_until(lock, end, [&] { return changes_ != before; })) return lock.unlock(), done();
    }
    return true;
  }

 private:
  template <class F>
  void change(F what) {
    const std::lock_guard lock{mutex_};
    what();
    changes_++;
    changed_.notify_all();
  }
  Seen* alive(ConnectionId id, const char* event) {
    const auto found = seen_.find(id);
    if (found == seen_.end()) return law_broken_ = std::string{event} + " before up", nullptr;
    if (found->second.is_down) return law_broken_ = std::string{event} + " after down", nullptr;
    return &found->second;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t changes_ = 0;
  std::map<ConnectionId, Seen> seen_;
  ConnectionId latest_{};
  std::vector<std::string> failed_;
  std::vector<InboundFrame> kept_;
  std::string law_broken_;
};

}  // namespace midplane::test
