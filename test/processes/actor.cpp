/// One bus in a process of its own, for tests that kill, stop and cut off processes. It is told what to do on standard
/// input and tells what happened on standard output, a line each, which begins with the time of the monotonic clock.
///
///     process_actor publisher,server heartbeat=100 run=1 listen=tcp://127.0.0.1:0 dial=ipc:///PATH
///     also: name=NAME, queue=MESSAGES of the subscription, block: it makes publishers wait, members=COUNT of the group,
///     dial_timeout=MS
/// roles: publisher, client, server, subscriber, and witnesses: a plain subscription and members of one queue group
///
/// told: matched MS [COUNT] | publish COUNT SIZE PER_SECOND | stop | wait_server MS | ask FIRST COUNT SIZE TIMEOUT_MS HOLD |
///       confirmed MS | stats | quit
/// tells: ready [ADDRESS] | matched CODE | published LAST | done LAST | server CODE | asked ID | confirmed CODE |
///        outcome ID CODE FATE MICROSECONDS | delivered RUN FIRST LAST NUMBER | stamp SENT_AT | gap FIRST LAST | event KIND |
///        got plain|MEMBER RUN ID | bus KIND NAME | wrong | stats KIND NAME offered=.. ... | stats_end | closed COMPLETE
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <string>

#include <midplane/midplane.hpp>
#include <midplane/zmq.hpp>

#include "processes/payload.hpp"

namespace midplane::test {
namespace {

using namespace std::chrono_literals;

inline constexpr Topic<Bytes> load{"load"};
inline constexpr Service<Bytes, Bytes> work{"work"};

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
std::string code_of(const Result<void>& result) { return result ? "ok" : std::string{name_of(result.error().code())}; }

/// Lines of all threads, each whole.
class Out {
 public:
  void line(const std::string& words) {
    const std::lock_guard lock{mutex_};
    write_out(words);
  }
  /// Deliveries that follow each other become one line; any other line comes behind them.
  void delivered(const Told& told, std::uint64_t number) {
    const std::lock_guard lock{mutex_};
    if (last_ != 0 && told.run == run_ && told.id == last_ + 1 && number == number_ + (told.id - first_)) {
      ++last_;
      return;
    }
    flush_range();
    run_ = told.run;
    first_ = last_ = told.id;
    number_ = number;
  }
  void flush() {
    const std::lock_guard lock{mutex_};
    flush_range();
  }

 private:
  void flush_range() {
    if (last_ == 0) return;
    std::ostringstream words;
    words << "delivered " << run_ << ' ' << first_ << ' ' << last_ << ' ' << number_;
    last_ = 0;
    write_out(words.str());
  }
  void write_out(const std::string& words) {
    flush_range();
    const std::string text = std::to_string(now_ns()) + ' ' + words + '\n';
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t count = ::write(STDOUT_FILENO, text.data() + at, text.size() - at);
      if (count < 0) return;
      at += static_cast<std::size_t>(count);
    }
  }
  std::mutex mutex_;
  std::uint64_t run_ = 0, first_ = 0, last_ = 0, number_ = 0;
};

struct BusEvents final : EventSink {
  explicit BusEvents(Out& to) : out{to} {}
  void event(const Event& event) noexcept override {
    out.line("bus " + std::string{name_of(event.kind)} + ' ' + (event.name.empty() ? "-" : std::string{event.name}) +
             ' ' + std::string{event.detail});
  }
  Out& out;
};

class Actor {
 public:
  Actor(Bus bus, Out& out, std::uint64_t run, Queue queue, unsigned members)
      : bus_{std::move(bus)}, out_{out}, run_{run}, queue_{queue}, members_{members} {}

  Result<void> play(const std::string& role) {
    if (role == "publisher") return keep(bus_.publisher(load, {.stamp = true}), publisher_);
    if (role == "client") return keep(bus_.client(work), client_);
    if (role == "server") return keep(bus_.serve(work, [this](Request<Bytes> asked, Responder<Bytes> responder) {
      serve(std::move(asked), std::move(responder));
    }, {.queue = Queue{.messages = 4096, .bytes = std::size_t{64} << 20}}), server_);
    if (role == "witnesses") return witness();
    if (role != "subscriber") return Error{ErrorCode::invalid_option, "no such role"};
    flusher_ = bus_.every(20ms, [this] { out_.flush(); });
    return keep(bus_.subscribe(load, [this](const Message<Bytes>& message) { take(message); },
                               {.queue = queue_,
                                .on_event = [this](const SubscriptionEvent& event) { told(event); }}),
                subscription_);
  }
  Result<void> attach(zmq::TransportOptions options) { return bus_.attach(zmq::transport(std::move(options))); }
  [[nodiscard]] std::string address() const {
    const auto listening = bus_.listening();
    return listening.empty() ? std::string{} : listening.front();
  }

  void run() {
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream words{line};
      std::string command;
      words >> command;
      if (command == "quit") return close();
      if (command == "matched") matched(words);
      if (command == "confirmed") out_.line("confirmed " + code_of(subscription_.wait_confirmed(milliseconds(words))));
      if (command == "wait_server") out_.line("server " + code_of(client_.wait_server(milliseconds(words))));
      if (command == "publish") publish(words);
      if (command == "stop") stop();
      if (command == "ask") ask(words);
      if (command == "stats") stats();
    }
  }

 private:
  template <class Made, class Handle>
  static Result<void> keep(Made made, Handle& in) {
    if (!made) return made.error();
    in = std::move(*made);
    return ok();
  }
  static Duration milliseconds(std::istringstream& words) {
    std::int64_t count = 0;
    words >> count;
    return std::chrono::milliseconds{count};
  }

  void matched(std::istringstream& words) {
    const Duration limit = milliseconds(words);
    unsigned count = 1;
    if (!(words >> count)) count = 1;
    out_.line("matched " + code_of(publisher_.wait_matched(count, limit)));
  }
  Result<void> witness() {
    for (unsigned i = 0; i <= members_; ++i) {
      const std::string name = i == 0 ? "plain" : std::to_string(i);
      auto made = bus_.subscribe(load, [this, name](const Message<Bytes>& message) {
        const auto told = read_payload(message.bytes());
        out_.line(told ? "got " + name + ' ' + std::to_string(told->run) + ' ' + std::to_string(told->id)
                       : std::string{"wrong message"});
      }, {.queue = queue_, .group = i == 0 ? "" : "workers"});
      if (!made) return made.error();
      witnesses_.push_back(std::move(*made));
    }
    return ok();
  }
  void take(const Message<Bytes>& message) {
    const auto told = read_payload(message.bytes());
    if (!stamp_told_.exchange(true)) out_.line("stamp " + std::to_string(message.sent_at()));
    if (told) out_.delivered(*told, message.sequence());
    else out_.line("wrong message");
  }
  void told(const SubscriptionEvent& event) {
    if (event.kind == EventKind::gap)
      out_.line("gap " + std::to_string(event.first) + ' ' + std::to_string(event.last));
    else out_.line("event " + std::string{name_of(event.kind)} + ' ' + event.peer + ' ' + event.detail);
  }

  void publish(std::istringstream& words) {
    std::uint64_t count = 0, per_second = 0;
    std::size_t size = 0;
    words >> count >> size >> per_second;
    const std::lock_guard lock{publishing_};
    until_ = last_ + count;
    began_ = now_ns();
    began_at_ = last_;
    // By the clock, not by the tick: a late timer makes up for it.
    ticker_ = bus_.every(2ms, [this, size, per_second] { publish_due(size, per_second); });
  }
  void publish_due(std::size_t size, std::uint64_t per_second) {
    const std::lock_guard lock{publishing_};
    if (last_ == until_) return;
    const auto elapsed = static_cast<std::uint64_t>(now_ns() - began_);
    const std::uint64_t due = std::min(until_, began_at_ + elapsed * per_second / 1'000'000'000);
    while (last_ < due) {
      const auto published = publisher_.publish(std::span<const std::byte>{payload_of({run_, last_ + 1, 0}, size)});
      if (!published) out_.line("refused " + std::to_string(last_ + 1) + ' ' + published.error().message());
      ++last_;
    }
    out_.line((last_ == until_ ? "done " : "published ") + std::to_string(last_));
  }
  void stop() {
    const std::lock_guard lock{publishing_};
    if (last_ == until_) return;
    until_ = last_;
    out_.line("done " + std::to_string(last_));
  }

  void serve(Request<Bytes> asked, Responder<Bytes> responder) {
    const auto told = read_payload(asked.bytes());
    if (!told) return out_.line("wrong request");
    out_.line("asked " + std::to_string(told->id));
    if (told->hold == 0) return static_cast<void>(responder.reply(std::span<const std::byte>{payload_of(*told, 64)}));
    const std::lock_guard lock{holding_};
    held_.emplace_back(std::move(responder));
  }
  void ask(std::istringstream& words) {
    std::uint64_t first = 0, count = 0, hold = 0;
    std::size_t size = 0;
    std::int64_t timeout_ms = 0;
    words >> first >> count >> size >> timeout_ms >> hold;
    for (std::uint64_t id = first; id != first + count; ++id) {
      const std::int64_t began = now_ns();
      client_.request(std::span<const std::byte>{payload_of({run_, id, hold}, size)},
                      {.timeout = std::chrono::milliseconds{timeout_ms}})
          .then([this, id, began](Result<Message<Bytes>> reply) { answered(id, began, reply); });
    }
  }
  void answered(std::uint64_t id, std::int64_t began, const Result<Message<Bytes>>& reply) {
    std::string how = "reply ok";
    if (!reply) {
      how = std::string{name_of(reply.error().code())} + ' ' + std::string{name_of(reply.error().fate())};
    } else if (const auto told = read_payload(reply->bytes()); !told || told->id != id || told->run != run_) {
      out_.line("wrong reply");
    }
    out_.line("outcome " + std::to_string(id) + ' ' + how + ' ' + std::to_string((now_ns() - began) / 1000));
  }

  void stats() {
    out_.flush();
    const Stats stats = bus_.stats();
    for (const SinkStats& sink : stats.sinks) {
      std::ostringstream words;
      words << "stats " << sink.kind << ' ' << sink.name << " offered=" << sink.offered
            << " delivered=" << sink.delivered << " waiting=" << sink.waiting << " in_transit=" << sink.in_transit
            << " dropped=" << sink.dropped.total();
      for (std::size_t i = 0; i != drop_reasons; ++i) {
        if (sink.dropped.by_reason[i] != 0)
          words << ' ' << name_of(static_cast<DropReason>(i)) << '=' << sink.dropped.by_reason[i];
      }
      out_.line(words.str());
    }
    out_.line("stats_end");
  }
  void close() {
    out_.flush();
    const Report report = bus_.close(2s);
    out_.flush();
    out_.line(std::string{"closed "} + (report.complete ? "complete" : "incomplete"));
  }

  Bus bus_;
  Out& out_;
  const std::uint64_t run_;
  const Queue queue_;
  const unsigned members_;
  std::mutex publishing_;
  std::uint64_t last_ = 0, until_ = 0, began_at_ = 0;
  std::int64_t began_ = 0;
  std::mutex holding_;
  std::vector<Responder<Bytes>> held_;
  std::atomic<bool> stamp_told_{false};
  Publisher<Bytes> publisher_;
  Client<Bytes, Bytes> client_;
  Server server_;
  Subscription subscription_;
  std::vector<Subscription> witnesses_;
  Timer ticker_, flusher_;
};

int start(int count, char** words) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (count < 2) return 2;
  Out out;
  zmq::TransportOptions ends;
  BusOptions options;
  std::uint64_t run = 1;
  // Room for everything: what is lost then was lost on the way.
  Queue queue{.messages = std::size_t{1} << 20, .bytes = std::size_t{128} << 20};
  unsigned members = 0;
  for (int i = 2; i < count; ++i) {
    const std::string word = words[i];
    const std::string value = word.substr(word.find('=') + 1);
    if (word.starts_with("heartbeat=")) options.heartbeat = std::chrono::milliseconds{std::stol(value)};
    if (word.starts_with("run=")) run = std::stoull(value);
    if (word.starts_with("queue=")) queue.messages = std::stoull(value);
    if (word == "block") queue.overflow = Overflow::block;
    if (word.starts_with("members=")) members = static_cast<unsigned>(std::stoul(value));
    if (word.starts_with("dial_timeout=")) ends.dial_timeout = std::chrono::milliseconds{std::stol(value)};
    if (word.starts_with("name=")) options.name = value;
    if (word.starts_with("listen=")) ends.listen.push_back(value);
    if (word.starts_with("dial=")) ends.peers.push_back(value);
  }
  options.event = std::make_shared<BusEvents>(out);
  auto bus = Bus::open(std::move(options));
  if (!bus) return out.line("failed " + bus.error().message()), 1;
  Actor actor{std::move(*bus), out, run, queue, members};
  std::istringstream roles{words[1]};
  for (std::string role; std::getline(roles, role, ',');) {
    if (auto played = actor.play(role); !played) return out.line("failed " + played.error().message()), 1;
  }
  auto attached = actor.attach(std::move(ends));
  if (!attached) return out.line("failed " + attached.error().message()), 1;
  out.line("ready " + actor.address());
  actor.run();
  return 0;
}

}  // namespace
}  // namespace midplane::test

int main(int count, char** words) { return midplane::test::start(count, words); }
