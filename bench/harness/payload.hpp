#pragma once
/// The 64 bytes that rivals and spike carry: every word is written for every message and depends on its
/// number.

#include <array>
#include <cstdint>

namespace midplane::bench {

struct Payload {
  std::array<std::uint64_t, 8> words;
};
static_assert(sizeof(Payload) == 64);

inline void write(Payload& payload, std::uint64_t sequence) noexcept {
  for (std::uint64_t at = 0; at < payload.words.size(); ++at) payload.words[at] = sequence + at;
}

/// The reader of one sender's messages: counts what did not arrive in its turn.
class SequenceCheck {
 public:
  void operator()(const Payload& payload) noexcept {
    lost_ += payload.words.front() != next_ || payload.words.back() != next_ + 7 ? 1 : 0;
    next_ = payload.words.front() + 1;
    ++seen_;
  }
  [[nodiscard]] std::uint64_t seen() const noexcept { return seen_; }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  std::uint64_t next_ = 0, seen_ = 0, lost_ = 0;
};

}  // namespace midplane::bench
