/// Queue groups between processes: two that publish, three with 1, 2 and 3 members of one group and a plain
/// subscription each.
#include <array>
#include <map>

#include "processes/scene.hpp"

namespace midplane::test {
namespace {

constexpr std::size_t hosts = 3;
constexpr std::size_t all_members = 1 + 2 + 3;

/// Who got one message.
struct Entry {
  unsigned members = 0;
  std::array<unsigned, hosts> plain{};
};

struct Account {
  std::map<std::pair<std::uint64_t, std::uint64_t>, Entry> messages;  ///< by lifetime of the publisher and id
  std::map<std::string, std::uint64_t> shares;                        ///< of the members
  std::size_t deliveries = 0;

  void add(std::size_t host, const Heard& heard) {
    for (const Line& line : heard.lines) {
      if (!line.is("got")) continue;
      ++deliveries;
      Entry& entry = messages[{line.number(2), line.number(3)}];
      if (line.words[1] == "plain") {
        ++entry.plain[host];
      } else {
        ++entry.members;
        ++shares[std::to_string(host) + '/' + line.words[1]];
      }
    }
  }
};

}  // namespace

TEST_CASE("a queue group over three processes: one member and every plain subscription get each message of two publishing processes") {
  const std::uint64_t each = is_soak() ? 20'000 : 2'000;
  std::vector<std::unique_ptr<ActorProcess>> publishers, witnesses;
  Arguments dials;
  for (const char* run : {"run=1", "run=2"}) {
    publishers.push_back(std::make_unique<ActorProcess>(Arguments{"publisher", run, "listen=tcp://127.0.0.1:0"}));
    dials.push_back("dial=" + publishers.back()->address());
  }
  for (std::size_t host = 0; host != hosts; ++host) {
    Arguments arguments{"witnesses", "members=" + std::to_string(host + 1)};
    arguments.insert(arguments.end(), dials.begin(), dials.end());
    witnesses.push_back(std::make_unique<ActorProcess>(std::move(arguments)));
  }
  const std::int64_t began = now_ns();
  for (const auto& publisher : publishers) REQUIRE(publisher->works("matched 20000 " + std::to_string(all_members + hosts), "matched"));
  for (const auto& publisher : publishers) publisher->say("publish " + std::to_string(each) + " 100 4000");
  for (const auto& publisher : publishers) REQUIRE(publisher->line("done").is("done"));
  // Nothing was lost on the way, so that much has to come.
  for (const auto& publisher : publishers) {
    Counters sent = publisher->stats("link", "load");
    CHECK(sent["offered"] == each * hosts);
    CHECK(sent["dropped"] == 0);
  }
  std::size_t members_got = 0;
  for (const auto& witness : witnesses) {
    CHECK(witness->until([&](const Heard& heard) { return heard.count("got", "plain") >= 2 * each; }));
  }
  for (const auto& witness : witnesses) {
    // A message is handed to plain ones and members in one go: what is left waits in a queue here.
    Counters queues;
    do queues = witness->stats("subscription", "load");
    while (queues["waiting"] + queues["in_transit"] != 0);
    CHECK(queues["dropped"] == 0);
    members_got += queues["delivered"];
  }
  CHECK(members_got == 2 * each * (hosts + 1));

  Account account;
  for (std::size_t host = 0; host != hosts; ++host) {
    const Heard heard = witnesses[host]->heard();
    CHECK(heard.count("wrong") == 0);
    account.add(host, heard);
  }
  CHECK(account.messages.size() == 2 * each);
  CHECK(account.deliveries == 2 * each * (hosts + 1));
  int wrong = 0;
  for (const auto& [which, entry] : account.messages) {
    const bool is_right = entry.members == 1 && entry.plain == std::array<unsigned, hosts>{1, 1, 1};
    if (is_right || ++wrong > 5) continue;
    FAIL_CHECK("message " << which.second << " of publisher " << which.first << ": " << entry.members << " members");
  }
  CHECK(wrong == 0);
  // In turn over all members of a publisher, so each has a like share.
  CHECK(account.shares.size() == all_members);
  for (const auto& one : account.shares) CHECK_MESSAGE(one.second >= each / all_members, one.first << " got " << one.second);
  std::printf("%llu messages of two processes to three with 1, 2 and 3 members: %zu deliveries after %.0f ms\n",
              static_cast<unsigned long long>(2 * each), account.deliveries, ms_between(began, now_ns()));
}

}  // namespace midplane::test
