/// Expected to be reported by ThreadSanitizer: a return stack whose orders are relaxed gives back blocks that others
/// still write.
#include <memory>
#include <thread>

#include "wire/return_stack.hpp"

using namespace midplane;

int main() {
  constexpr std::uint64_t blocks = 1000;
  wire::ReturnStack<base::Relaxed> stack;
  auto envelopes = std::make_unique<wire::Envelope[]>(blocks);
  std::thread reader{[&] {
    for (std::uint64_t i = 0; i < blocks; ++i) {
      envelopes[i].sequence = 1;
      stack.push(&envelopes[i], &envelopes[i]);
    }
  }};
  for (std::uint64_t home = 0; home < blocks;)
    for (wire::Envelope* envelope = stack.take_all(); envelope; envelope = envelope->next) home += envelope->sequence;
  reader.join();
}
