#pragma once
/// Worlds of ZeroMQ transports for the law and for the tests of their own.

#include <midplane/zmq.hpp>

#include <filesystem>
#include <string>

#include <unistd.h>

#include "testing/recorder.hpp"
#include "testing/test_loop.hpp"

namespace midplane::test {

/// A directory of mode 0700 that goes with the test.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    char name[] = "/tmp/midplane-test-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] bool is_empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::string path_;
};

/// Not driven, and runs nothing: the transport then has a thread of its own and needs none of this.
class IdleExecutor final : public Executor {
 public:
  void submit(Work&) noexcept override {}
  void start(TimerWork&) noexcept override {}
  bool cancel(TimerWork&) noexcept override { return false; }
  bool runs_here() const noexcept override { return false; }
  bool may_wait_here() const noexcept override { return false; }
  bool stop(Instant) noexcept override { return true; }
};

inline constexpr std::size_t test_frame_bytes_max = 4 << 20;
inline constexpr std::chrono::seconds event_limit{20};

/// The transports' own threads make things happen.
struct ThreadedWorld {
  std::unique_ptr<Transport> make() { return zmq::transport(options); }
  TransportContext context(Inbound& inbound) {
    return {inbound, clock, *random, executor, test_frame_bytes_max, wait};
  }
  bool until(Recorder& recorder, Function<bool()> done) { return recorder.wait(done, event_limit); }

  zmq::TransportOptions options;
  SystemClock clock;
  std::shared_ptr<Random> random = seeded_random(1);
  IdleExecutor executor;
  Wait wait = Wait::sleep;
};

struct TcpWorld : ThreadedWorld {
  std::string somewhere() { return "tcp://127.0.0.1:0"; }
  std::string nowhere() { return "tcp://127.0.0.1:1"; }
};

struct IpcWorld : ThreadedWorld {
  std::string somewhere() { return "ipc://" + directory / "bus"; }
  std::string nowhere() { return "ipc://" + directory / "none"; }
  ScratchDirectory directory;
};

/// Works happen only inside `until`.
struct DrivenWorld : TcpWorld {
  TransportContext context(Inbound& inbound) { return {inbound, clock, *random, loop, test_frame_bytes_max}; }
  bool until(Recorder&, Function<bool()> done) {
    const auto end = std::chrono::steady_clock::now() + event_limit;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop.turn();
    }
    return true;
  }
  TestLoop loop;
};

/// The transports' threads look again before they sleep.
struct YieldingWorld : TcpWorld {
  YieldingWorld() { wait = Wait::yield; }
};

/// Larger windows: more frames inside ZeroMQ.
struct WideWorld : TcpWorld {
  WideWorld() { options.send_frames = 64; }
};

}  // namespace midplane::test
