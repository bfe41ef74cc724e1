/// Every kind of record as a peer that is up may send it wrong, and every fault of a frame: what it costs that peer. A
/// good peer goes on exchanging messages meanwhile.
#define DOCTEST_CONFIG_IMPLEMENT
#include "link/siege.hpp"

#include "rows.hpp"

using namespace midplane::link;
using namespace midplane::link::testing;

namespace midplane::sweep {
namespace {

const std::vector<std::pair<const char*, RecordType>> kinds{
    {"none", RecordType::none}, {"hello", RecordType::hello}, {"refused", RecordType::refused},
    {"names", RecordType::names}, {"subscribe", RecordType::subscribe},
    {"subscribe_confirmed", RecordType::subscribe_confirmed}, {"subscribe_refused", RecordType::subscribe_refused},
    {"unsubscribe", RecordType::unsubscribe}, {"serve", RecordType::serve}, {"heartbeat", RecordType::heartbeat},
    {"grant", RecordType::grant}, {"subscription_grant", RecordType::subscription_grant},
    {"schema_wanted", RecordType::schema_wanted}, {"schema", RecordType::schema},
    {"schema_refused", RecordType::schema_refused}, {"joined", RecordType::joined}, {"message", RecordType::message},
    {"request", RecordType::request}, {"reply", RecordType::reply}, {"failure", RecordType::failure},
    {"cancel", RecordType::cancel}, {"item", RecordType::item}, {"item_grant", RecordType::item_grant},
    {"finished", RecordType::finished}, {"of a type from the future", RecordType{99}}};

/// What was counted since `before`, and whether the peer is still there.
std::string verdict(Siege& siege, const std::vector<std::pair<const char*, std::uint64_t>>& before,
                    const std::vector<std::pair<const char*, std::uint64_t>>& after) {
  std::string counted;
  for (std::size_t i = 0; i < after.size(); ++i)
    if (after[i].second > before[i].second) counted += (counted.empty() ? "" : ", ") + std::string{after[i].first};
  const std::string fate = siege.evil.is_connected() ? "goes on" : "ends";
  return counted.empty() ? fate : fate + " (" + counted + ')';
}

std::vector<std::pair<const char*, std::uint64_t>> counts(const Siege& siege) {
  const LinkCounters& c = siege.counters();
  std::uint64_t broken = 0;
  for (const auto& one : c.frame_faults) broken += one;
  return {{"frame_faults", broken},           {"malformed_bodies", c.malformed_bodies}, {"unknown_records", c.unknown_records},
          {"unknown_names", c.unknown_names}, {"stale_numbers", c.stale_numbers},       {"stale_replies", c.stale_replies},
          {"foreign_frames", c.foreign_frames}, {"repeated_frames", c.repeated_frames}, {"stale_grants", c.stale_grants}, {"no_memory", c.no_memory},
          {"refused", c.refused}};
}

template <class Attack>
std::string attack(Attack what) {
  Siege siege;
  siege.evil.come();
  const auto before = counts(siege);
  what(siege.evil);
  siege.run();
  const auto after = counts(siege);
  const std::string said = verdict(siege, before, after);
  siege.exchange();
  return said;
}

void broken(const char* how, std::function<void(FrameBytes&)> harm) {
  const std::string said = attack([&](Attacker& evil) {
    evil.add({.type = RecordType::grant, .mark = 1});
    FrameBytes frame = evil.frame();
    harm(frame);
    evil.send_raw(frame);
  });
  row({"frames", how, said});
}

}  // namespace

void frames() {
  doctest::Context context;  // the siege checks what it does by doctest
  context.setAsDefaultForAssertsOutOfTestCases();
  context.setAssertHandler([](const doctest::AssertData& failed) {
    std::fprintf(stderr, "%s:%d: %s\n", failed.m_file, failed.m_line, failed.m_expr);
    std::exit(1);
  });
  const FrameBytes garbage = noise(64);
  for (const auto& [name, type] : kinds) {
    const RecordType of = type;
    const auto one = [](const wire::Record& record) {
      return attack([&](Attacker& evil) { evil.add(record), evil.send(); });
    };
    row({"records", name, one({.type = of}), one({.type = of, .payload = garbage}), one({.type = of, .meta = garbage}),
         one({.type = of, .flags = 255, .name = UINT32_MAX, .number = UINT32_MAX, .mark = UINT64_MAX})});
  }
  broken("cut in half", [](FrameBytes& f) { f.resize(f.size() / 2); });
  broken("shorter than its header", [](FrameBytes& f) { f.resize(20); });
  broken("longer than it says", [](FrameBytes& f) { f.resize(f.size() + 16); });
  broken("of other magic", [](FrameBytes& f) { f[0] ^= std::byte{1}; });
  broken("of another version", [](FrameBytes& f) { f[8] = std::byte{9}; });
  broken("with one bit changed", [](FrameBytes& f) { f.back() ^= std::byte{1}; });
  broken("a record beyond its end", [](FrameBytes& f) {
    f[wire::frame_header_bytes + 6] = std::byte{0xff};
    repair_checksum(f);
  });
  row({"frames", "sent twice", attack([](Attacker& evil) {
         evil.add({.type = RecordType::grant, .mark = 1});
         evil.send();
         evil.send_raw(FrameBytes{evil.last});
       })});
  row({"frames", "of another epoch", attack([](Attacker& evil) {
         ++evil.head.epoch;
         evil.add({.type = RecordType::grant, .mark = 1});
         evil.send();
       })});
}

}  // namespace midplane::sweep
