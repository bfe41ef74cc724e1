/// Expected to be reported by ThreadSanitizer: a lane whose orders are relaxed shows envelopes half written.
#include <thread>

#include "mailbox/lane.hpp"

using namespace midplane;
using RelaxedLane = mailbox::BasicLane<base::Relaxed>;

int main() {
  constexpr std::uint64_t messages = 1000;
  mailbox::Admission admission{1024, 1 << 20};
  auto lane = RelaxedLane::make(admission, 1);
  auto envelopes = std::make_unique<wire::Envelope[]>(messages);
  std::thread sender{[&] {
    for (std::uint64_t i = 0; i < messages; ++i) {
      envelopes[i].sequence = 1;
      if (lane->reserve(8)) lane->push(&envelopes[i]);
    }
  }};
  for (std::uint64_t at = 0, seen = 0; seen < messages; ++at) {
    while (lane->filled() == at) {
    }
    seen += lane->peek(at)->sequence;
    lane->advance(at, 8);
  }
  sender.join();
}
