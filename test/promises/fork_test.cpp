/// P18: what a fork, an exec and a signal find of a bus.
#include "promises/near_support.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>

using namespace midplane;
using namespace midplane::test;

namespace {

std::set<int> entries(const char* directory) {
  std::set<int> numbers;
  DIR* open = ::opendir(directory);
  while (const dirent* entry = ::readdir(open)) {
    if (entry->d_name[0] != '.') numbers.insert(std::atoi(entry->d_name));
  }
  numbers.erase(::dirfd(open));
  ::closedir(open);
  return numbers;
}

/// Bit n - 1: signal n is blocked.
std::uint64_t blocked_signals(int thread) {
  std::ifstream status{"/proc/self/task/" + std::to_string(thread) + "/status"};
  for (std::string word; status >> word;) {
    if (word == "SigBlk:" && status >> word) return std::stoull(word, nullptr, 16);
  }
  return 0;
}

}  // namespace

TEST_CASE("P18 every thread of a bus blocks asynchronous signals") {
  const auto before = entries("/proc/self/task");
  Bus bus = Bus::open().value();
  int ours = 0;
  for (const int thread : entries("/proc/self/task")) {
    if (before.contains(thread)) continue;
    ++ours;
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM, SIGCHLD, SIGPIPE}) {
      CAPTURE(signal);
      CHECK((blocked_signals(thread) >> (signal - 1) & 1) == 1);
    }
  }
  CHECK(ours >= 2);
}

TEST_CASE("P18 every descriptor of a bus closes on exec") {
  const auto before = entries("/proc/self/fd");
  auto loop = manual_executor();
  Bus bus = Bus::open({.executor = loop}).value();
  CHECK(loop->descriptor() >= 0);
  int ours = 0;
  for (const int descriptor : entries("/proc/self/fd")) {
    if (before.contains(descriptor)) continue;
    ++ours;
    CHECK((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(ours >= 1);
}

TEST_CASE("P18 after fork the child's handles are inert") {
  World world;
  auto inbox = world.bus.inbox(numbers).value();
  auto publisher = world.bus.publisher(numbers).value();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(10);
    auto published = publisher.publish(payload(1));
    ::_exit(!published && published.error().code() == ErrorCode::closed ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(put(publisher, 2)->queued == 1);
  CHECK(WEXITSTATUS(status) == 0);
}
