/// How a host asks and answers.
#include "worlds/host.hpp"

namespace midplane::worlds {

using namespace std::chrono_literals;

void Host::open_servers() {
  // Few serve, so that most requests cross a link.
  if (number_ == 0 || ground_.dice.percent(30)) {
    const ServeOptions options{.queue = Queue{.messages = ground_.dice.percent(30) ? std::size_t{2} : std::size_t{64}}};
    servers_.push_back(bus_->serve(ask, [this](Request<Bytes> request, Responder<Bytes> responder) {
      serve(std::move(request), std::move(responder));
    }, options).value());
    servers_.push_back(bus_->serve(feed, [this](Request<Bytes> request, StreamResponder<Bytes> responder) {
      feed_stream(request, std::move(responder));
    }).value());
  }
  asker_.emplace(bus_->client(ask, {.timeout = 2s}).value());
  feeder_.emplace(bus_->client(feed, {.timeout = 2s}).value());
}

/// What becomes of a question stands in its index.
void Host::serve(Request<Bytes> request, Responder<Bytes> responder) {
  Stamp stamp;
  if (!ground_.requests.executed(request, life_, stamp)) return;
  Stamp answer = stamp;
  answer.life = life_;
  switch (stamp.index) {
    case 0: static_cast<void>(responder.reply(write(answer))); return;
    case 1: static_cast<void>(responder.fail(7, "drawn")); return;
    case 2: throw 1;
    case 3: return;
    default: kept_.push_back({ground_.clock->now() + ground_.dice.ms(1, 1500), answer, std::move(responder)}); return;
  }
}

void Host::feed_stream(const Request<Bytes>& request, StreamResponder<Bytes> responder) {
  Stamp stamp;
  if (!ground_.requests.executed(request, life_, stamp)) return;
  Stamp item = stamp;
  item.life = life_;
  for (item.index = 1; item.index <= 5; ++item.index)
    if (auto sent = responder.send(write(item)); !sent || *sent != Streamed::queued) break;
  if (stamp.index == 1) static_cast<void>(responder.fail(8, "drawn"));
  else if (stamp.index != 2) static_cast<void>(responder.finish());
}

void Host::request() {
  const Duration timeout = ground_.dice.percent(30) ? ground_.dice.ms(1, 60) : ground_.dice.ms(100, 2500);
  const bool is_dropped = ground_.dice.percent(15);
  Stamp stamp = ground_.requests.asked(life_, timeout, !is_dropped);
  stamp.index = ground_.dice.below(8);
  auto pending = asker_->request(write(stamp), {.timeout = timeout});
  if (is_dropped) return static_cast<void>(unawaited_.emplace_back(stamp.counter, std::move(pending)));
  std::move(pending).then([&book = ground_.requests, nonce = stamp.counter](Result<Message<Bytes>> reply) { book.outcome(nonce, reply); });
}

std::uint64_t Host::ask_plainly() {
  const Stamp stamp = ground_.requests.asked(life_, 2s, true);
  asker_->request(write(stamp), {.timeout = 2s}).then([&book = ground_.requests, nonce = stamp.counter](Result<Message<Bytes>> reply) {
    book.outcome(nonce, reply);
  });
  return stamp.counter;
}

void Host::open_stream() {
  const Duration timeout = ground_.dice.ms(500, 2500);
  Stamp stamp = ground_.requests.asked(life_, timeout, true);
  stamp.index = ground_.dice.below(4);
  streams_.push_back({stamp.counter, ground_.clock->now() + timeout, feeder_->open(write(stamp), {.timeout = timeout})});
}

/// A look at what is there: in manual mode the wait of zero drives nothing but what is ready.
void Host::read_streams() {
  std::erase_if(streams_, [this](KeptStream& kept) {
    for (int i = 0; i < 8; ++i) {
      auto item = kept.stream.next(Duration{0});
      if (item && item->has_value()) {
        ground_.requests.item(kept.nonce, **item);
        continue;
      }
      // Until the deadline this answer means that the wait is over; behind it, that a question which never left is.
      const bool is_wait = !item && item.error().code() == ErrorCode::timed_out && item.error().fate() == Fate::not_started;
      const bool is_over = !is_wait || ground_.clock->now() >= kept.deadline;
      if (is_over) ground_.requests.ended(kept.nonce, item ? nullptr : &item.error());
      return is_over;
    }
    return false;
  });
}

void Host::drop_questions() {
  for (const KeptStream& kept : streams_) ground_.requests.given_up(kept.nonce);
  streams_.clear();
  unawaited_.clear();
}

}  // namespace midplane::worlds
