#include <midplane/extend/random.hpp>

#include <atomic>
#include <bit>
#include <ctime>

#include <sys/random.h>
#include <unistd.h>

namespace midplane::inline v0 {

namespace {

constexpr std::uint64_t golden_ratio = 0x9e3779b97f4a7c15;

/// The finisher of SplitMix64 (Steele, Lea, Flood 2014).
constexpr std::uint64_t mix(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// Its state is a counter, so each caller takes a number of its own with one addition.
class SplitMix final : public Random {
 public:
  explicit SplitMix(std::uint64_t seed) noexcept : state_{seed} {}
  std::uint64_t next() noexcept override {
    return mix(state_.fetch_add(golden_ratio, std::memory_order_relaxed) + golden_ratio);
  }

 private:
  std::atomic<std::uint64_t> state_;
};

/// When the kernel has no random bytes (a seccomp filter): different for each process, moment and object.
std::uint64_t fallback_seed(const void* object) noexcept {
  timespec wall{};
  timespec steady{};
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_MONOTONIC, &steady);
  std::uint64_t seed = mix(static_cast<std::uint64_t>(wall.tv_sec));
  seed = mix(seed ^ static_cast<std::uint64_t>(wall.tv_nsec));
  seed = mix(seed ^ static_cast<std::uint64_t>(steady.tv_nsec));
  seed = mix(seed ^ static_cast<std::uint64_t>(getpid()));
  return mix(seed ^ std::bit_cast<std::uintptr_t>(object));
}

/// Asks the kernel each time: a forked child never repeats its parent, as any generator with a state would.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() noexcept override {
    std::uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof bits)) return bits;
    return fallback_.next() ^ mix(static_cast<std::uint64_t>(getpid()));
  }

 private:
  SplitMix fallback_{fallback_seed(this)};
};

}  // namespace

std::shared_ptr<Random> system_random() { return std::make_shared<SystemRandom>(); }
std::shared_ptr<Random> seeded_random(std::uint64_t seed) { return std::make_shared<SplitMix>(seed); }

}  // namespace midplane::inline v0
