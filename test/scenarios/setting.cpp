#include "setting.hpp"

#include <unistd.h>

#include <condition_variable>

#ifdef MIDPLANE_TEST_ZMQ
#include <midplane/zmq.hpp>
#endif

namespace midplane::test {
namespace {

constexpr Duration patience = 30s;

/// Real time goes by; only where that is what a scenario is about.
void wait_for(Duration duration) {
  std::mutex mutex;
  std::condition_variable never_told;
  std::unique_lock lock{mutex};
  never_told.wait_until(lock, std::chrono::steady_clock::now() + duration, [] { return false; });
}

}  // namespace

Setting::Setting(Place place) : place_{place}, clock_{steady_clock()} {
  if (is_driven()) {
    manual_clock_ = testing::manual_clock();
    clock_ = manual_clock_;
    loop_ = manual_executor(clock_);
  }
  network_.faults({.delay_max = 2ms});
  out_ = in_ = &add("out", {});
  if (is_far()) in_ = &add("in", {out_});
}

Setting::~Setting() {
  buses_.clear();
  for (const std::string& file : socket_files_) ::unlink(file.c_str());
}

Bus& Setting::open(const std::string& name, const std::vector<Bus*>& peers) {
  return is_far() ? add(name, peers) : *out_;
}

std::string Setting::fresh_endpoint(const std::string& name) {
  if (place_ == Place::faulty) return "sim://" + name;
  if (place_ == Place::tcp) return "tcp://127.0.0.1:0";
  static std::atomic<int> made{0};
  socket_files_.push_back("/tmp/midplane-test-" + std::to_string(::getpid()) + '-' + std::to_string(++made));
  return "ipc://" + socket_files_.back();
}

Bus& Setting::add(const std::string& name, const std::vector<Bus*>& peers) {
  auto events = std::make_shared<EventLog>();
  events_.push_back(events);
  auto log = std::make_shared<Log>();
  logs_.push_back(log);
  Bus& bus = *buses_.emplace_back(std::make_unique<Bus>(
      Bus::open({.name = name, .executor = loop_, .clock = clock_, .log = std::move(log), .event = std::move(events)}).value()));
  if (!is_far()) return bus;
  std::vector<std::string> dials;
  for (Bus* peer : peers) {
    REQUIRE_FALSE(peer->listening().empty());
    dials.push_back(peer->listening().front());
  }
  std::unique_ptr<Transport> transport;
  if (place_ == Place::faulty) transport = network_.transport(name, {.listen = {fresh_endpoint(name)}, .peers = dials});
#ifdef MIDPLANE_TEST_ZMQ
  else transport = zmq::transport({.listen = {fresh_endpoint(name)}, .peers = dials});
#endif
  REQUIRE(bus.attach(std::move(transport)));
  return bus;
}

void Setting::pass(Duration duration) {
  if (is_driven()) {
    testing::run_through(*loop_, *manual_clock_, duration);
    return;
  }
  wait_for(duration);
}

bool Setting::wait_until(const std::function<bool()>& holds) {
  const Instant limit = clock_->now() + patience;
  while (!holds()) {
    if (clock_->now() > limit) return false;
    if (is_driven()) {
      testing::run_through(*loop_, *manual_clock_, 1ms);
      continue;
    }
    // Counters tell nobody when they change: they are looked at again.
    wait_for(1ms);
  }
  return true;
}

}  // namespace midplane::test
