#pragma once
/// A process_actor as its test sees it: commands go in, lines come out, and it never outlives the test.

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "processes/ledger.hpp"

namespace midplane::test {

/// Longer than anything here may take.
inline constexpr std::chrono::seconds event_limit{20};

std::int64_t now_ns();
inline double ms_between(std::int64_t from, std::int64_t to) { return static_cast<double>(to - from) / 1e6; }

struct Line {
  std::int64_t at = 0;  ///< when the actor wrote it, on the clock of `now_ns`
  std::vector<std::string> words;

  [[nodiscard]] bool is(std::string_view first) const { return !words.empty() && words[0] == first; }
  [[nodiscard]] bool is(std::string_view first, std::string_view second) const {
    return is(first) && words.size() > 1 && words[1] == second;
  }
  [[nodiscard]] std::uint64_t number(std::size_t word) const {
    return word < words.size() ? std::stoull(words[word]) : 0;
  }
};

/// Everything that it has said.
struct Heard {
  std::vector<Line> lines;
  Ledger ledger;  ///< of its subscription
  bool ended = false;

  [[nodiscard]] std::size_t count(std::string_view first, std::string_view second = {}, std::size_t from = 0) const;
  /// The first such line from `from` on; null: none yet.
  [[nodiscard]] const Line* find(std::string_view first, std::string_view second = {}, std::size_t from = 0) const;
  [[nodiscard]] const Line* last(std::string_view first) const;
};

/// Counters of all sinks of one kind and name, by their words: offered, delivered, waiting, dropped, link_lost...
using Counters = std::map<std::string, std::uint64_t>;

class ActorProcess {
 public:
  /// Starts it and waits until it is ready. `arguments` as in actor.cpp; in front of them
  /// `previous` or `stranger` for the build of another wire version.
  explicit ActorProcess(std::vector<std::string> arguments);
  ActorProcess(const ActorProcess&) = delete;
  ActorProcess& operator=(const ActorProcess&) = delete;
  ~ActorProcess();

  void say(const std::string& line) const;
  /// False when it does not happen within the limit, or the process ended before.
  bool until(const std::function<bool(const Heard&)>& done, std::chrono::milliseconds limit = event_limit);
  /// The line that answers; empty when it does not come.
  Line line(std::string_view first, std::string_view second = {}, std::size_t from = 0,
            std::chrono::milliseconds limit = event_limit);
  /// Says `command` and waits for `answer OK`.
  bool works(const std::string& command, std::string_view answer);
  [[nodiscard]] Heard heard() const;
  [[nodiscard]] std::size_t mark() const;  ///< how many lines there are
  Counters stats(std::string_view kind, std::string_view name);

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::uint64_t resident_bytes() const;
  /// Returns the time of the call.
  std::int64_t signal(int number) const;
  /// kill -9, and waits until it is gone. Returns the time of the kill.
  std::int64_t kill();

 private:
  void start(std::vector<std::string> arguments);
  void listen_to(int out);
  void hear(const std::string& text);

  pid_t pid_ = -1;
  int in_ = -1;
  std::string address_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Heard heard_;
  std::thread reader_;
};

}  // namespace midplane::test
