#pragma once
/// What the tests of requests, lifetimes and links share: text as payload, a bus in manual time, a task type.

#include <doctest/doctest.h>

#include <atomic>
#include <coroutine>
#include <cstring>
#include <exception>
#include <future>
#include <latch>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <midplane/midplane.hpp>
#include <midplane/testing/faulty_transport.hpp>
#include <midplane/testing/manual_clock.hpp>
#include <midplane/testing/manual_executor.hpp>

namespace midplane::test {

using namespace std::chrono_literals;

inline constexpr Service<Bytes, Bytes> echo{"echo"};

inline std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span{text}); }
inline std::string text(const AnyMessage& message) {
  return {reinterpret_cast<const char*>(message.bytes().data()), message.bytes().size()};
}
/// The code of how it ended; `ok` is 0.
template <class T>
int code(const Result<T>& result) {
  return result ? 0 : static_cast<int>(result.error().code());
}
constexpr int is(ErrorCode wanted) { return static_cast<int>(wanted); }

struct Reports final : EventSink, LogSink {
  void event(const Event& event) noexcept override {
    const std::lock_guard lock{mutex};
    if (event.kind == EventKind::handler_failed) ++handler_failed;
    if (event.kind == EventKind::closed) ++closed;
    if (event.kind == EventKind::drained) ++drained;
    if (event.kind == EventKind::peer_lost) ++peer_lost;
  }
  void log(const LogRecord&) noexcept override {}
  std::mutex mutex;
  int handler_failed = 0, closed = 0, drained = 0, peer_lost = 0;
};

/// The records of one log, as `level code key=value ...`.
struct Log final : LogSink {
  void log(const LogRecord& record) noexcept override {
    std::string line = std::string{name_of(record.level)} + ' ' + std::string{record.code};
    for (const LogField& field : record.fields) line += ' ' + std::string{field.key} + '=' + std::string{field.value};
    const std::lock_guard lock{mutex};
    lines.push_back(std::move(line));
  }
  [[nodiscard]] std::vector<std::string> of(std::string_view code) const {
    std::vector<std::string> found;
    const std::lock_guard lock{mutex};
    for (const std::string& line : lines) {
      if (line.find(' ' + std::string{code} + ' ') != std::string::npos) found.push_back(line);
    }
    return found;
  }
  mutable std::mutex mutex;
  std::vector<std::string> lines;
};

/// One thread runs everything; time stands still unless a test moves it.
struct World {
  std::shared_ptr<testing::ManualClock> clock = testing::manual_clock();
  std::shared_ptr<ManualExecutor> loop = manual_executor(clock);
  std::shared_ptr<Reports> reports = std::make_shared<Reports>();
  Bus bus = Bus::open({.name = "near", .executor = loop, .clock = clock, .event = reports}).value();
  void settle() {
    while (loop->poll() != 0) {
    }
  }
  void pass(Duration duration) { testing::run_through(*loop, *clock, duration); }
};

/// Collects the outcome of one request and counts how often it came.
struct Outcomes {
  int count = 0;
  int last = -1;
  Fate fate{};
  auto catcher() {
    return [this](Result<Message<Bytes>> reply) {
      ++count;
      last = code(reply);
      if (!reply) fate = reply.error().fate();
    };
  }
};

/// A user's own task: starts when it is awaited, hands its value or exception to whoever awaits. Any thread may ask
/// whether it is done, and may destroy it then.
template <class T>
class Task {
 public:
  struct promise_type {
    Task get_return_object() { return Task{std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended) noexcept {
        const std::coroutine_handle<> next = ended.promise().waiter ? ended.promise().waiter : std::noop_coroutine();
        ended.promise().is_done.store(true, std::memory_order_release);  // the last touch: it may be destroyed now
        return next;
      }
      void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    void return_value(T given) { value.emplace(std::move(given)); }
    void unhandled_exception() noexcept { thrown = std::current_exception(); }
    std::coroutine_handle<> waiter;
    std::optional<T> value;
    std::exception_ptr thrown;
    std::atomic<bool> is_done{false};
  };
  Task(Task&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
  ~Task() {
    if (handle_) handle_.destroy();
  }
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
    handle_.promise().waiter = waiter;
    return handle_;
  }
  T await_resume() {
    if (handle_.promise().thrown) std::rethrow_exception(handle_.promise().thrown);
    return std::move(*handle_.promise().value);
  }
  void start() { handle_.resume(); }
  [[nodiscard]] bool done() const { return handle_.promise().is_done.load(std::memory_order_acquire); }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_{handle} {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace midplane::test
