#pragma once
/// ZeroMQ's transport, overheard: why an address can not be reached is known to the transport only.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <midplane/extend/event_sink.hpp>
#include <midplane/extend/transport.hpp>

namespace midplane::tool {

/// What was heard of each address, and a bell that rings with every news.
class Hearsay final : public EventSink {
 public:
  void event(const Event& event) noexcept override;
  void failed(std::string_view endpoint, const Error& why) noexcept;
  /// Why the address was not reached the last time; empty: nothing was heard.
  [[nodiscard]] std::string about(const std::string& endpoint) const;
  /// Until `done()`, asked at each news and a moment later, for a bus acts on its own news after telling it. False: it took
  /// longer.
  template <class Done>
  bool wait(Duration duration, Done&& done) {
    const auto until = std::chrono::steady_clock::now() + duration;
    while (true) {
      std::uint64_t seen = 0;
      {
        const std::lock_guard lock{mutex_};
        seen = news_;
      }
      if (done()) return true;
      const auto now = std::chrono::steady_clock::now();
      if (now >= until) return false;
      std::unique_lock lock{mutex_};
      rings_.wait_until(lock, std::min(until, now + moment), [&] { return news_ != seen; });
    }
  }

 private:
  static constexpr std::chrono::milliseconds moment{20};
  mutable std::mutex mutex_;
  std::condition_variable rings_;
  std::uint64_t news_ = 0;
  std::map<std::string, std::string, std::less<>> why_;
};

/// The same transport, telling `hearsay` of each dial that fails and each connection that ends.
[[nodiscard]] std::unique_ptr<Transport> overheard(std::unique_ptr<Transport> transport, std::shared_ptr<Hearsay> hearsay);

}  // namespace midplane::tool
