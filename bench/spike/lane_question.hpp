#pragma once
/// The four questions of the lane spike, asked of every candidate with the same work: the sender writes 64
/// bytes with a number, the receiver checks the number. A loss ends the program.
///
/// A candidate is a `Fan`, one sender's way to some readers:
///   Fan(unsigned readers, Fan* shared)      `shared`: fans to one receiver may share what they like with the
///   first bool send(const Numbers&)               the whole burst to every reader, or false: no room
///   unsigned drain(unsigned reader, look)   `look(const Payload&)` for all that is there
///   unsigned drain_into(Frame&)             the same for the first reader, copied into frames

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "harness/crew.hpp"
#include "spike/candidate.hpp"
#include "spike/frame.hpp"

namespace midplane::bench {

/// The numbers `first` to `first + count - 1` of one sender.
struct Numbers {
  std::uint64_t first = 0;
  unsigned count = 1;
  unsigned sender = 0;
};

/// The sender stands in a word that `SequenceCheck` does not look at.
inline void write(Payload& payload, std::uint64_t number, unsigned sender) noexcept {
  write(payload, number);
  payload.words[4] = sender;
}

inline void expect(bool held, const char* name) {
  if (held) return;
  std::fprintf(stderr, "%s: a message was lost or came in the wrong order\n", name);
  std::exit(1);
}

/// How a receiver behaves that found nothing.
class Idle {
 public:
  explicit Idle(Poll poll) : poll_{poll} {}
  void found(unsigned messages) {
    if (poll_ == Poll::calm) {
      for (int turn = 0; turn < calm_turns; ++turn) relax();
    } else if (messages == 0) {
      relax();
    }
  }

 private:
  static constexpr int calm_turns = 50;  // about 2 µs
  Poll poll_;
};

template <class Fan>
void send_all(Fan& fan, unsigned sender, const Ask& ask) {
  for (std::uint64_t at = 0; at < ask.messages; at += ask.burst)
    for (unsigned tries = 0; !fan.send({.first = at, .count = ask.burst, .sender = sender});) {
      relax();
      // Senders that share a core must give it up, or the full one spends its time slice waiting.
      if (ask.senders > 1 && ++tries % 64 == 0) std::this_thread::yield();
    }
}

/// M deliveries per second. `ask.senders` threads, each with a fan to `ask.readers` that one thread drains in
/// turn.
template <class Fan>
double deliver(const char* name, const Ask& ask) {
  std::vector<std::unique_ptr<Fan>> fans;
  for (unsigned sender = 0; sender < ask.senders; ++sender)
    fans.push_back(std::make_unique<Fan>(ask.readers, fans.empty() ? nullptr : fans.front().get()));
  std::vector<SequenceCheck> checks(std::size_t{ask.senders} * ask.readers);
  const std::uint64_t total = ask.messages * ask.senders * ask.readers;
  Frame frame;
  const auto receive = [&] {
    Idle idle{ask.poll};
    for (std::uint64_t seen = 0; seen < total;) {
      unsigned found = 0;
      for (unsigned sender = 0; sender < ask.senders; ++sender)
        for (unsigned reader = 0; reader < ask.readers; ++reader) {
          if (ask.to_link) {
            found += fans[sender]->drain_into(frame);
            continue;
          }
          found += fans[sender]->drain(reader, [&checks, &ask, reader](const Payload& payload) {
            checks[payload.words[4] * ask.readers + reader](payload);
          });
        }
      seen += found;
      idle.found(found);
    }
  };
  const double seconds = run_together(
      ask.senders, [&](unsigned sender) { send_all(*fans[sender], sender, ask); }, receive);
  frame.flush();
  std::uint64_t lost = frame.check.lost();
  for (const SequenceCheck& check : checks) lost += check.lost();
  expect(lost == 0, name);
  return static_cast<double>(total) * 1e-6 / seconds;
}

}  // namespace midplane::bench
