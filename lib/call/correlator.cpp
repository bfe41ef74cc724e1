#include "call/correlator.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <new>

#include "base/clock.hpp"

namespace midplane::inline v0::call {
namespace {

constexpr std::uint32_t no_call = UINT32_MAX;
constexpr std::uint32_t references_at_once = 1024;
constexpr std::uint64_t word_of(std::uint32_t generation, Phase phase) noexcept {
  return (std::uint64_t{generation} << 32) | static_cast<std::uint32_t>(phase);
}
constexpr std::uint32_t generation_of(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word >> 32); }
constexpr Phase phase_of(std::uint64_t word) noexcept { return static_cast<Phase>(static_cast<std::uint32_t>(word)); }

Fate fate_of(const std::atomic<bool>& left) noexcept { return left.load(std::memory_order_acquire) ? Fate::maybe_executed : Fate::not_started; }

}  // namespace

/// Built one by one: a list of so many initialisers in one expression took a sanitizer's compiler ten minutes.
struct Correlator::Chunk {
  Chunk(Correlator& owner, std::uint32_t first) {
    for (std::uint32_t i = 0; i < chunk_calls; ++i) std::construct_at(&calls[i], owner, first + i);
  }
  Chunk(const Chunk&) = delete;
  ~Chunk() { std::destroy(std::begin(calls), std::end(calls)); }
  union {
    Call calls[chunk_calls];
  };
};

Correlator::Correlator(std::shared_ptr<Executor> executor, std::shared_ptr<Clock> clock, std::uint32_t pending_max,
                       std::shared_ptr<CallCounters> counters, std::function<std::string()> why_nobody)
    : executor_{std::move(executor)},
      clock_{std::move(clock)},
      counters_{std::move(counters)},
      why_nobody_{std::move(why_nobody)},
      pending_max_{std::min(pending_max, pending_max_limit)},
      driven_{executor_->is_driven()},
      first_free_{no_call} {}

Correlator::~Correlator() {
  for (auto& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
}

Call* Correlator::at(std::uint32_t index) const noexcept {
  if (index >= pending_max_limit) return nullptr;
  Chunk* chunk = chunks_[index / chunk_calls].load(std::memory_order_acquire);
  return chunk ? &chunk->calls[index % chunk_calls] : nullptr;
}

Result<Call*> Correlator::open(Instant deadline, bool streaming) noexcept {
  const auto no_memory = [] { return Error{ErrorCode::no_memory, "no memory for another request; nothing was asked"}; };
  std::unique_ptr<StreamQueue> stream;
  if (streaming) {
    stream.reset(new (std::nothrow) StreamQueue);
    if (!stream) return no_memory();
    stream->items_max = stream_items_max;
  }
  Call* call = nullptr;
  {
    const std::lock_guard lock{free_flag_};
    if (first_free_ == no_call && made_ < pending_max_) {
      Chunk* chunk = new (std::nothrow) Chunk{*this, made_};
      if (!chunk) return no_memory();
      chunks_[made_ / chunk_calls].store(chunk, std::memory_order_release);
      for (std::uint32_t i = std::min(chunk_calls, pending_max_ - made_); i-- > 0;) {
        chunk->calls[i].next_free_ = first_free_;
        first_free_ = made_ + i;
      }
      made_ += chunk_calls;
    }
    if (first_free_ == no_call) return Error{ErrorCode::busy, "the client has as many pending requests as ClientOptions::pending allows"};
    call = at(first_free_);
    first_free_ = call->next_free_;
    if (references_ahead_ == 0) ref(references_ahead_ = references_at_once);
    --references_ahead_;
    pending_.store(pending_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  call->dropped_ = false;
  call->settled_.store(false, std::memory_order_relaxed);
  call->left_.store(false, std::memory_order_relaxed);
  call->deadline_ = deadline;
  if (stream) call->stream_ = std::move(stream);
  call->holders_.store(2, std::memory_order_relaxed);
  const std::uint32_t generation = generation_of(call->word_.load(std::memory_order_relaxed)) + 1;
  call->word_.store(word_of(generation, Phase::open));
  if (deadline.nanoseconds < timer_due_.load()) arm(deadline);
  return call;
}

std::uint64_t Correlator::id_of(const Call& call) const noexcept {
  return (std::uint64_t{generation_of(call.word_.load(std::memory_order_relaxed))} << 32) | call.index_;
}

Call* Correlator::find(std::uint64_t id) const noexcept {
  Call* call = at(static_cast<std::uint32_t>(id));
  if (!call || generation_of(call->word_.load(std::memory_order_acquire)) != generation_of(id)) return nullptr;
  return call;
}

bool Correlator::begin_settling(Call& call, std::uint64_t id) noexcept {
  std::uint64_t expected = word_of(generation_of(id), Phase::open);
  return call.word_.compare_exchange_strong(expected, word_of(generation_of(id), Phase::settling));
}

void Correlator::settle(Call& call, Outcome outcome) noexcept {
  (outcome.error ? counters_->failed : counters_->ok).fetch_add(1, std::memory_order_relaxed);
  std::vector<Function<void()>> gave_up;
  Function<void()> writable;
  bool run = false;
  {
    std::unique_lock lock{call.flag_};
    while (call.ended_) {
      Function<void(const Error*)> ended = std::move(call.ended_);
      call.ended_ = nullptr;
      lock.unlock();
      ended(outcome.error ? &*outcome.error : nullptr);
      lock.lock();
    }
    if (outcome.error) gave_up.swap(call.on_cancel_);
    else call.on_cancel_.clear();
    call.reply_ = std::move(outcome.reply);
    if (outcome.error) call.error_ = std::move(outcome.error);
    if (call.stream_) {
      call.stream_->finished = true;
      writable = std::move(call.stream_->writable);
    }
    call.word_.store(word_of(generation_of(call.word_.load(std::memory_order_relaxed)), Phase::settled),
                     std::memory_order_release);
    run = prepare_run(call);
  }
  call.settled_.store(true, std::memory_order_release);  // the asker takes the flag next
  if (run) executor_->submit(call);
  wake(call);
  for (auto& fn : gave_up) fn();
  if (writable) writable();
  unhold(call);
}

void Correlator::wake(Call& call) noexcept {
  call.spot_.wake_all();
  if (driven_) executor_->nudge();
}

/// Who waits is a thread that has time: its deadline holds also while those of the executor are all busy.
void Correlator::sleep(Call& call, Instant until) noexcept {
  until = std::min(until, call.deadline_);
  if (driven_ && !executor_->runs_here()) {
    executor_->drive(until);
  } else {
    const auto key = call.spot_.prepare();
    if (settled(call) || has_item(call)) call.spot_.cancel();
    else call.spot_.wait(key, base::kernel_deadline(*clock_, until));
  }
  if (!settled(call)) static_cast<void>(expire(call, id_of(call)));
}

Instant Correlator::expire(Call& call, std::uint64_t id) noexcept {
  std::shared_ptr<wire::Sink> far;
  {
    const std::lock_guard lock{call.flag_};
    if (call.word_.load() != word_of(generation_of(id), Phase::open)) return Instant::never();
    if (call.deadline_ > clock_->now()) return call.deadline_;
    far = call.far_;
  }
  if (!begin_settling(call, id)) return Instant::never();
  if (far) far->cancel(*this, id);
  settle(call, Outcome{{}, late(call)});
  return Instant::never();
}

void Correlator::reply(std::uint64_t id, wire::Envelope* reply) noexcept {
  AnyMessage message = reply ? AnyMessage::adopt(reply, false) : AnyMessage{};
  Call* call = find(id);
  if (!call || !begin_settling(*call, id)) return;
  if (!reply && !call->stream_) return settle(*call, Outcome{{}, wire::answers_many()});
  if (!reply || !call->stream_) return settle(*call, Outcome{std::move(message), std::nullopt});
  // The reader gets the one reply that there is, then hears that it is no stream.
  std::vector<Function<void()>> not_given_up;
  {
    const std::lock_guard lock{call->flag_};
    not_given_up.swap(call->on_cancel_);
    try {
      call->stream_->items.push_back(std::move(message));
    } catch (const std::bad_alloc&) {
      // Then it hears only that.
    }
  }
  settle(*call, Outcome{{}, wire::answers_one()});
}

void Correlator::fail(std::uint64_t id, const Error& error) noexcept {
  Call* call = find(id);
  if (call && begin_settling(*call, id)) settle(*call, Outcome{{}, error});
}

wire::ItemSent Correlator::item(std::uint64_t id, wire::Envelope* item) noexcept {
  Call* call = find(id);
  if (!call) return wire::ItemSent::gone;
  bool run = false;
  {
    std::unique_lock lock{call->flag_};
    if (call->word_.load(std::memory_order_acquire) != word_of(generation_of(id), Phase::open)) return wire::ItemSent::gone;
    if (!call->stream_) {
      lock.unlock();
      fail(id, wire::answers_many());
      return wire::ItemSent::gone;
    }
    if (call->stream_->items.size() >= call->stream_->items_max) return wire::ItemSent::no_credit;
    try {
      call->stream_->items.push_back(AnyMessage::adopt(item, false));
    } catch (const std::bad_alloc&) {
      detail::acquire(item);  // the message that took it is gone: the caller keeps its own
      return wire::ItemSent::no_credit;
    }
    run = prepare_run(*call);
  }
  if (run) executor_->submit(*call);
  wake(*call);
  return wire::ItemSent::queued;
}

void Correlator::when_writable(std::uint64_t id, Function<void()> ready) noexcept {
  if (Call* call = find(id)) {
    const std::lock_guard lock{call->flag_};
    const bool open = call->word_.load(std::memory_order_acquire) == word_of(generation_of(id), Phase::open);
    if (open && call->stream_ && call->stream_->items.size() >= call->stream_->items_max) {
      call->stream_->writable = std::move(ready);
      return;
    }
  }
  ready();
}

bool Correlator::cancelled(std::uint64_t id) const noexcept {
  const Call* call = at(static_cast<std::uint32_t>(id));
  return !call || call->word_.load(std::memory_order_acquire) != word_of(generation_of(id), Phase::open);
}

void Correlator::when_cancelled(std::uint64_t id, Function<void()> gave_up) noexcept {
  if (Call* call = find(id)) {
    const std::lock_guard lock{call->flag_};
    if (call->word_.load(std::memory_order_acquire) == word_of(generation_of(id), Phase::open)) {
      try {
        call->on_cancel_.push_back(std::move(gave_up));
      } catch (const std::bad_alloc&) {
        // `cancelled()` still tells.
      }
      return;
    }
  }
  gave_up();
}

std::uint32_t Correlator::stream_items(std::uint64_t id) const noexcept {
  Call* call = find(id);
  if (!call) return 0;
  const std::lock_guard lock{call->flag_};
  return call->stream_ ? static_cast<std::uint32_t>(call->stream_->items_max) : 0;
}

void Correlator::when_taken(std::uint64_t id, Function<void(std::uint64_t)> taken) noexcept try {
  Call* call = find(id);
  if (!call) return;
  auto told = std::make_shared<Function<void(std::uint64_t)>>(std::move(taken));
  std::uint64_t so_far = 0;
  {
    const std::lock_guard lock{call->flag_};
    if (!call->stream_) return;
    call->stream_->on_taken = told;
    so_far = call->stream_->taken;
  }
  if (so_far != 0) (*told)(so_far);
} catch (const std::bad_alloc&) {
  // The stream ends with its first window: its sender waits until the deadline.
}

bool Correlator::settled(const Call& call) const noexcept { return call.settled_.load(std::memory_order_acquire); }

Outcome Correlator::finish(Call& call) noexcept {
  Outcome outcome;
  {
    const std::lock_guard lock{call.flag_};
    call.dropped_ = true;
    outcome.reply = std::move(call.reply_);
    if (call.error_) outcome.error = std::exchange(call.error_, std::nullopt);
  }
  unhold(call);
  return outcome;
}

void Correlator::when_settled(Call& call, Function<void()> fn) noexcept {
  bool now = false;
  {
    const std::lock_guard lock{call.flag_};
    call.continuation_ = std::move(fn);
    const bool ended = phase_of(call.word_.load(std::memory_order_acquire)) == Phase::settled;
    now = (ended || (call.stream_ && !call.stream_->items.empty())) && prepare_run(call);
  }
  if (now) executor_->submit(call);
}

bool Correlator::prepare_run(Call& call) noexcept {
  if (!call.continuation_ || call.dropped_ || call.submitted_) return false;
  call.submitted_ = true;
  call.holders_.fetch_add(1, std::memory_order_relaxed);
  ref();
  return true;
}

void Call::run() noexcept {
  Function<void()> fn;
  {
    const std::lock_guard lock{flag_};
    submitted_ = false;
    if (!dropped_) fn = std::move(continuation_);
    continuation_ = nullptr;
  }
  if (fn) fn();
  Correlator& owner = owner_;
  owner.unhold(*this);
  owner.unref();
}

/// The executor was stopped first: the one outcome is still owed, so it is told on the thread that stops.
void Call::dropped() noexcept { run(); }

AnyMessage Correlator::next_item(Call& call) noexcept {
  AnyMessage item;
  Function<void()> writable;
  std::shared_ptr<Function<void(std::uint64_t)>> on_taken;
  std::uint64_t taken = 0;
  {
    const std::lock_guard lock{call.flag_};
    if (!call.stream_ || call.stream_->items.empty()) return item;
    item = std::move(call.stream_->items.front());
    call.stream_->items.pop_front();
    taken = ++call.stream_->taken;
    on_taken = call.stream_->on_taken;
    writable = std::move(call.stream_->writable);
  }
  if (writable) writable();
  if (on_taken) (*on_taken)(taken);
  return item;
}

bool Correlator::has_item(Call& call) noexcept {
  if (!call.stream_) return false;
  const std::lock_guard lock{call.flag_};
  return !call.stream_->items.empty();
}

void Correlator::when_ended(Call& call, Function<void(const Error*)> fn) noexcept {
  {
    const std::lock_guard lock{call.flag_};
    if (phase_of(call.word_.load(std::memory_order_acquire)) == Phase::open) {
      call.ended_ = std::move(fn);
      return;
    }
  }
  const Error closed{ErrorCode::closed, "the bus was closed"};
  fn(&closed);
}

void Correlator::went_to(Call& call, std::shared_ptr<wire::Sink> far) noexcept {
  const std::lock_guard lock{call.flag_};
  call.far_ = std::move(far);
}

void Correlator::left(Call& call, bool left) noexcept { call.left_.store(left, std::memory_order_release); }

void Correlator::drop(Call& call) noexcept {
  const std::uint64_t id = id_of(call);
  std::shared_ptr<wire::Sink> far;
  {
    const std::lock_guard lock{call.flag_};
    call.dropped_ = true;
    far = call.far_;
  }
  if (begin_settling(call, id)) {
    if (far) far->cancel(*this, id);
    settle(call, Outcome{{}, Error{ErrorCode::cancelled, fate_of(call.left_), "the caller dropped its Pending"}});
  }
  unhold(call);
}

void Correlator::unhold(Call& call) noexcept {
  if (call.holders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // Only what is there: writing nothing over nothing would take the lines away from who settles the next one.
  if (call.reply_) call.reply_ = AnyMessage{};
  if (call.error_) call.error_.reset();
  if (call.continuation_) call.continuation_ = nullptr;
  if (!call.on_cancel_.empty()) call.on_cancel_.clear();
  if (call.stream_) call.stream_.reset();
  if (call.far_) call.far_.reset();
  call.word_.store(word_of(generation_of(call.word_.load(std::memory_order_relaxed)), Phase::free),
                   std::memory_order_release);
  {
    const std::lock_guard lock{free_flag_};
    call.next_free_ = first_free_;
    first_free_ = call.index_;
    pending_.store(pending_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  }
}

/// One timer for all: a request whose deadline is later than the one armed costs nothing.
void Correlator::arm(Instant deadline) noexcept {
  const std::lock_guard lock{timer_flag_};
  if (deadline.nanoseconds >= timer_due_.load(std::memory_order_relaxed) || closed()) return;
  if (timer_started_ && !executor_->cancel(*this)) return;  // firing: it looks at every deadline anyway
  if (!timer_started_) ref();
  timer_started_ = true;
  timer_due_.store(deadline.nanoseconds);
  due = deadline;
  executor_->start(*this);
}

/// Of one that never left it is said why nobody had it.
Error Correlator::late(const Call& call) const noexcept {
  const Error error{ErrorCode::timed_out, fate_of(call.left_), "no answer by the deadline"};
  if (error.fate() != Fate::not_started || !why_nobody_) return error;
  try {
    const std::string why = why_nobody_();
    return why.empty() ? error : error.with(why);
  } catch (const std::bad_alloc&) {
    return error;
  }
}

void Correlator::fire() noexcept {
  {
    // From here on `open` arms anew whatever this scan does not see yet.
    const std::lock_guard lock{timer_flag_};
    timer_started_ = false;
    timer_due_.store(INT64_MAX);
  }
  Instant earliest = Instant::never();
  for (std::uint32_t index = 0; Call* call = at(index); ++index) {
    const std::uint64_t word = call->word_.load();
    if (phase_of(word) == Phase::open) earliest = std::min(earliest, expire(*call, (word & 0xffffffff00000000u) | index));
  }
  if (earliest != Instant::never()) arm(earliest);
  unref();
}

void Correlator::close() noexcept {
  closed_.store(true);
  {
    const std::lock_guard lock{timer_flag_};
    if (timer_started_ && executor_->cancel(*this)) {
      timer_started_ = false;
      unref();
    }
  }
  for (std::uint32_t index = 0; Call* call = at(index); ++index) {
    const std::uint64_t word = call->word_.load();
    if (phase_of(word) != Phase::open) continue;
    const std::uint64_t id = (word & 0xffffffff00000000u) | index;
    if (begin_settling(*call, id))
      settle(*call, Outcome{{}, Error{ErrorCode::closed, fate_of(call->left_), "the bus was closed"}});
  }
}

}  // namespace midplane::inline v0::call
